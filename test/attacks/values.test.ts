import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from '../../src/core/codec.ts'
import { createSessions, memoryStore, type SessionEvent, type SessionsOptions } from '../../src/index.ts'
import { sealingCodec } from '../../src/security/index.ts'
import { inspect } from 'node:util'
import { Visitor } from '../internal/visitor.ts'
import { cookieOf, post, startSite, type Data } from './site.ts'

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON', '__defineGetter__']

/** A session into whose record somebody has written this text, under the key `x`. */
async function tampered(text: string, options: SessionsOptions<Data> = {}) {
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, sweepEvery: 'never', ...options })
  const unreadable: SessionEvent[] = []
  sessions.on('unreadable', (event) => { unreadable.push(event) })
  const visitor = new Visitor(sessions)
  await visitor.visit((session) => session.set('x', 1))
  const id = visitor.token?.slice(0, 22) ?? ''
  store.patch(id, { now: Date.now(), nonce: 'tampered', set: [['d:x', text]] })
  return { visitor, unreadable, stored: () => store.read(id)?.entries['d:x'] }
}

describe('__proto__ and constructor as keys', () => {
  it('are keys like any other, from the wire to the store and back', async () => {
    const site = await startSite()
    const fields = Object.fromEntries(NAMES.map((name) => [name, { admin: true }]))
    const cookie = cookieOf(await site.ask('/set', { ...post({}), body: JSON.stringify(fields) }))
    expect(JSON.parse((await site.ask('/get', { cookie })).body)).toEqual({ owner: null, data: fields })
    await site.close()
    expect(Reflect.get({}, 'admin')).toBeUndefined()
  })

  it('are not there before somebody sets them, in any way of reading', async () => {
    const visitor = new Visitor(createSessions<Data>())
    await visitor.visit((session) => session.set('a', 1))
    for (const name of NAMES) {
      const { result } = await visitor.visit((session) => [session.get(name), session.has(name), session.data[name], name in session.data, session.flash.take(name), session.metadata.get(name)])
      expect(result).toEqual([undefined, false, undefined, false, undefined, undefined])
    }
  })

  it('can be deleted, updated and listed, and change no prototype', async () => {
    const visitor = new Visitor(createSessions<Data>())
    for (const name of NAMES) {
      await visitor.visit(async (session) => {
        await session.update(name, (n: unknown) => (typeof n === 'number' ? n : 0) + 1)
        session.data[name] = { polluted: name }
        session.flash.set(name, 'message')
      })
      expect((await visitor.visit((session) => [session.keys(), session.data[name], session.flash.take(name)])).result).toEqual([[name], { polluted: name }, 'message'])
      await visitor.visit((session) => session.delete(name))
    }
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
  })
})

describe('prototype pollution through the codec', () => {
  it.each([
    '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{"admin":true}}}', '[{"__proto__":{"admin":true}}]', '~[{"__proto__":1},{"admin":2},true]',
    '~[["null","__proto__",1],{"admin":2},true]', '~[["Map",1,2],"__proto__",{"admin":3},true]', '~[["Object","__proto__"]]', '~[{"constructor":1},{"prototype":2},{"admin":3},true]',
    '~[["Set",1],{"__proto__":2},["null"]]', '~[["Function","return process"]]', '~[["__proto__",1],2]', '~[["constructor","x"]]', '~[["hasOwnProperty","x"]]', '~["toString",0]',
  ])('does not happen: %s', async (text) => {
    const { visitor } = await tampered(text)
    const { result } = await visitor.visit((session) => {
      const value = session.get('x')
      return [Reflect.get({}, 'admin'), typeof value, session.toObject(), inspect(session)]
    })
    expect(result[0]).toBeUndefined()
    expect(result[1]).not.toBe('function')
    expect([Reflect.get({}, 'admin'), Reflect.get([], 'admin'), Object.keys(Object.prototype)]).toEqual([undefined, undefined, []])
  })

  it('gives a value with __proto__ inside an own property of that name, and its usual prototype', () => {
    const value = decodeValue('{"__proto__":{"admin":true}}')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(encodeValue(value)).toBe('{"__proto__":{"admin":true}}')
  })
})

describe('deserialisation bombs', () => {
  const nested = (open: string, close: string): string => open.repeat(100_000) + close.repeat(100_000)

  it.each([
    ['depth: lists', nested('[', ']')],
    ['depth: objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['depth: devalue', `~[${Array.from({ length: 100_000 }, (_, at) => `[${at + 1}]`).join(',')},1]`],
    ['size: four thousand million empty places', '~[[-7,4000000000]]'],
    ['size: many lists of ten million empty places', `~[[${Array.from({ length: 1000 }, (_, at) => at + 1).join(',')}],${Array.from({ length: 1000 }, () => '[-7,10000000]').join(',')}]`],
  ])('cost little and fail nobody: %s', async (_, text) => {
    const { visitor, unreadable, stored } = await tampered(text, { maxSessionBytes: 4_000_000 })
    const { result } = await visitor.visit((session) => { session.get('x'); session.set('y', 1); return 'answered' })
    expect(result).toBe('answered')
    expect(unreadable).toHaveLength(1)
    // Who only read it leaves it as it is.
    expect(stored()).toBe(text)
    expect((await visitor.visit((session) => session.get('y'))).result).toBe(1)
    await visitor.visit((session) => session.set('x', 2))
    expect((await visitor.visit((session) => session.get('x'))).result).toBe(2)
  })

  it('that an application would set are refused at the line that sets them', async () => {
    const visitor = new Visitor(createSessions<Data>())
    const sparse: unknown[] = []
    sparse[4_000_000_000] = 1
    let deep: unknown = 1
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
    for (const bomb of [sparse, { a: [sparse] }, deep]) {
      const { result } = await visitor.visit((session) => {
        try {
          return session.set('x', bomb)
        } catch (error) {
          return error
        }
      })
      expect(result).toMatchObject({ code: 'ERR_SESSION_VALUE' })
    }
  })

  it('cycles: come back as they were, and are shown to an end', async () => {
    const { visitor, unreadable } = await tampered('~[{"self":0,"list":1},[1,0]]')
    const { result } = await visitor.visit((session) => {
      const value = session.get('x')
      return typeof value === 'object' && value !== null && Reflect.get(value, 'self') === value && inspect(session.data).length < 10_000
    })
    expect(result).toBe(true)
    expect(unreadable).toEqual([])
  })

  it('that share parts are not multiplied when they are encoded again', () => {
    let shared: unknown = 'lol'
    for (let level = 0; level < 60; level += 1) shared = [shared, shared]
    expect(encodeValue(shared).length).toBeLessThan(2000)
    expect(encodeValue(decodeValue(encodeValue(shared)))).toBe(encodeValue(shared))
  })

  it.each(['hunter2 is no JSON', '{"card":"4111', '~[["RegExp","(hunter2"]]'])('are not quoted in the event: %s', async (text) => {
    const { visitor, unreadable } = await tampered(text)
    await visitor.visit((session) => session.get('x'))
    expect(unreadable).toMatchObject([{ key: 'd:x', error: { code: 'ERR_SESSION_UNREADABLE' } }])
    expect(inspect(unreadable, { depth: 9 })).not.toMatch(/hunter2|4111/)
  })
})

describe('key-list downgrade', () => {
  const [current, previous, dropped] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string]
  const place = { id: 'id', key: 'd:x' }
  const codec = sealingCodec([current, previous])
  const sealed = sealingCodec([dropped]).encode('admin', place)

  it.each([
    ['plain text', '"admin"'], ['the rich form', '~["admin"]'], ['another mark', sealed.replace('s1.', 's0.')], ['no mark', sealed.slice(3)], ['an empty seal', 's1.'],
    ['a seal of a key that was dropped', sealed], ['a shortened tag', codec.encode('admin', place).slice(0, -8)], ['only a nonce and a tag', `s1.${'A'.repeat(38)}`],
  ])('does not open %s', (_, text) => {
    expect(() => codec.decode(text, place)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })

  it('opens what an earlier key of the list sealed, and seals with the current one alone', () => {
    expect(codec.decode(sealingCodec([previous]).encode('admin', place), place)).toBe('admin')
    expect(sealingCodec([current]).decode(codec.encode('admin', place), place)).toBe('admin')
    expect(() => sealingCodec([previous]).decode(codec.encode('admin', place), place)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })

  it('opens nothing at another key, or in another session', () => {
    const text = codec.encode('admin', place)
    for (const other of [{ id: 'id', key: 'd:y' }, { id: 'other', key: 'd:x' }, { id: 'id\0d', key: ':x' }]) {
      expect(() => codec.decode(text, other)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
    }
  })
})
