import { describe, expect, it } from 'vitest'
import { watched } from '../../../test/internal/watched.ts'

describe('session.data', () => {
  it('is an object whose own properties are the entries', async () => {
    await watched().visitor().visit((session) => {
      const { data } = session
      data.n = 1
      expect(Object.getOwnPropertyDescriptor(data, 'n')).toEqual({ value: 1, writable: true, enumerable: true, configurable: true })
      expect([Object.getOwnPropertyDescriptor(data, 'note'), Object.hasOwn(data, 'note'), 'note' in data, Object.getPrototypeOf(data)]).toEqual([undefined, false, false, null])
      Object.defineProperty(data, 'note', { value: 'x' })
      expect([session.get('note'), Object.entries(data), JSON.stringify(data), session.data === data]).toEqual(['x', [['n', 1], ['note', 'x']], '{"n":1,"note":"x"}', true])
      expect([Reflect.deleteProperty(data, 'n'), session.has('n'), Reflect.deleteProperty(data, 'n')]).toEqual([true, false, true])
    })
  })

  it('takes no symbol', async () => {
    await watched().visitor().visit((session) => {
      const { data } = session
      const symbol = Symbol('x')
      expect([Reflect.set(data, symbol, 1), Reflect.defineProperty(data, symbol, { value: 1 }), Reflect.get(data, symbol), Reflect.has(data, symbol), Reflect.deleteProperty(data, symbol), Reflect.getOwnPropertyDescriptor(data, symbol)]).toEqual([false, false, undefined, false, true, undefined])
      expect([session.isChanged, session.keys()]).toEqual([false, []])
    })
  })
})

describe('a session itself', () => {
  it('refuses any other property, in words that name what to write, and is no promise', async () => {
    await watched().visitor().visit(async (session) => {
      expect(() => Reflect.set(session, 'x'.repeat(80), 1)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE', message: `A session has no property "${'x'.repeat(60)}". Write session.set("${'x'.repeat(60)}", value), or session.data["${'x'.repeat(60)}"] = value.` }))
      expect(() => Reflect.set(session, Symbol('y'), 1)).toThrow(/Symbol\(y\)/)
      expect(['then' in session, Reflect.get(session, 'then'), await session === session]).toEqual([true, undefined, true])
    })
  })
})

describe('the cookie of a response', () => {
  it('has its name where there is a response, and none apart from requests', async () => {
    const { sessions, visitor } = watched()
    await visitor().visit((session) => { expect([session.cookie.name, session.cookie === session.cookie]).toEqual(['__Host-sid', true]) })
    expect((await sessions.create()).cookie.name).toBeUndefined()
  })

  it('cannot be changed once the head has left', async () => {
    const one = watched().visitor()
    await one.visit((session) => session.set('n', 1))
    const { session, exchange } = await one.begin()
    exchange.headSent = true
    expect(() => session.cookie.set({ maxAge: 60 })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_LATE', message: expect.stringContaining('change the cookie') }))
    const detached = (await watched().sessions.create()).cookie
    expect(() => detached.set({ maxAge: 60 })).not.toThrow()
    expect(() => detached.set({ path: 'x' })).toThrow(/Begin it with a slash/)
  })
})

describe('an indexed key', () => {
  it.each<[string, unknown, string | undefined]>([['text', 'x', undefined], ['a number', 1, undefined], ['true', true, undefined], ['a bigint', 1n, undefined], ['an object', {}, 'an object'], ['a list', [], 'an object']])('takes %s, or says what it is', async (_what, value, refused) => {
    const one = watched({ index: ['note'] }).visitor()
    const visit = one.visit((session) => Reflect.apply(session.set, session, ['note', value]))
    if (refused === undefined) await visit
    else await expect(visit).rejects.toMatchObject({ code: 'ERR_SESSION_VALUE', message: `The indexed key "note" holds ${refused}. Keep text, a number, a boolean or a bigint under it.` })
    expect(one.token === undefined).toBe(refused !== undefined)
  })
})

describe('a session too large', () => {
  it('is told with its size in bytes and its three biggest keys, in order', async () => {
    const one = watched({ maxSessionBytes: 1024 }).visitor()
    const visit = one.visit((session) => { session.set('n', 1); session.set('note', 'ä'.repeat(300)); session.set('list', ['x'.repeat(500)]); session.namespace('a').set('b', 'y'.repeat(100)) })
    await expect(visit).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE', message: `The session would have ${4 + (6 + 602) + (6 + 504) + (5 + 102)} bytes, and 1024 are allowed; the biggest keys are "note" (608 bytes), "list" (510 bytes), "a:b" (107 bytes). Keep less in it, or raise maxSessionBytes.` })
  })

  it('by one byte is refused, and one that fits is not', async () => {
    for (const [length, fits] of [[1024 - 6 - 2, true], [1024 - 6 - 1, false]] as const) {
      const visit = watched({ maxSessionBytes: 1024 }).visitor().visit((session) => session.set('note', 'x'.repeat(length)))
      if (fits) await visit
      else await expect(visit).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
    }
  })

  it('is measured after what the same commit takes out of it, and what it replaces', async () => {
    const one = watched({ maxSessionBytes: 1024 }).visitor()
    await one.visit((session) => session.set('note', 'x'.repeat(900)))
    await one.visit((session) => { session.delete('note'); session.set('list', ['x'.repeat(900)]); session.delete('userId') })
    await one.visit((session) => session.set('list', ['y'.repeat(1000)]))
    await expect(one.visit((session) => { session.set('n', 1234567); session.delete('note') })).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE', message: expect.stringMatching(/have 1\d\d\d bytes.* are "list" \(1010 bytes\), "n" \(10 bytes\)\./) })
  })
})
