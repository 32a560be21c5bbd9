// The entries of one request: what reads see, what writes store, what happens when another request was faster.
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { watched, type Data } from '../../test/internal/watched.ts'
import { createSessions, memoryStore, type Codec, type Session, type SessionsOptions } from '../index.ts'
import { sealingCodec } from '../security/sealing-codec.ts'

type Act = (session: Session<Data>) => unknown

/** A visitor with data, and two requests that overlap. */
async function stored(data: Partial<Data>, options: SessionsOptions<Data> = {}) {
  const made = watched(options)
  const one = made.visitor()
  const { result: id } = await one.visit((session) => { session.data = { ...data }; session.isChanged = true; return session.id })
  made.forget()
  const now = async (): Promise<unknown> => (await one.visit((session) => session.toObject())).result
  /** The slow request begins, the quick one comes and goes, the slow one ends. */
  const overlap = async (slow: Act, quick: Act): Promise<unknown> => {
    const [first, second] = [await one.begin(), await one.begin()]
    await slow(first.session)
    await quick(second.session)
    await second.finish()
    made.forget()
    await first.finish()
    return now()
  }
  /** Another program changes what is stored. */
  const foreign = (set: readonly (readonly [string, string])[], remove?: readonly string[]): unknown => made.held.patch(id, { now: made.now(), nonce: `foreign${Math.random()}`, set, ...(remove !== undefined && { remove }) })
  return { ...made, one, id, data: now, overlap, foreign }
}

describe('what is read', () => {
  it('is the same object in one request, and another in the next', async () => {
    const { one } = await stored({ list: ['a'] })
    const { result } = await one.visit((session) => { expect([session.get('list') === session.get('list'), session.data.list === session.get('list')]).toEqual([true, true]); return session.get('list') })
    expect((await one.visit((session) => session.get('list') === result)).result).toBe(false)
  })

  it('is what was written before in the same request, also a deletion', async () => {
    const { one } = await stored({ n: 1, note: 'x' })
    await one.visit((session) => {
      session.set('n', 2)
      session.delete('note')
      expect([session.get('n'), session.has('n'), session.get('note'), session.has('note'), session.keys(), session.toObject()]).toEqual([2, true, undefined, false, ['n'], { n: 2 }])
      session.set('note', 'y')
      session.delete('n')
      expect([session.has('n'), session.keys(), Object.keys(session.data), 'n' in session.data]).toEqual([false, ['note'], ['note'], false])
      session.discard()
      expect([session.toObject(), session.isChanged]).toEqual([{ n: 1, note: 'x' }, false])
    })
  })

  it('is listed in the order in which it was stored, then written', async () => {
    const { one } = await stored({ note: 'x', n: 1 })
    const { result } = await one.visit((session) => { session.set('list', []); session.set('n', 2); session.get('userId'); return session.keys() })
    expect(result).toEqual(['note', 'n', 'list'])
  })

  it('and set to nothing by another codec is undefined, and there', async () => {
    const codec: Codec = { encode: (value) => JSON.stringify(value), decode: (text) => (text === 'null' ? undefined : JSON.parse(text)) }
    const { one, foreign } = await stored({ n: 1 }, { codec })
    await foreign([['d:n', 'null']])
    expect((await one.visit((session) => [session.get('n'), session.has('n')])).result).toEqual([undefined, true])
  })
})

describe('a patch', () => {
  it.each<[string, Act]>([
    ['deletes what is not there', (session) => session.delete('userId')],
    ['sets and deletes what was not there', (session) => { session.set('userId', 7); session.delete('userId') }],
    ['sets what is stored', (session) => { session.set('n', 1); session.set('list', ['a']) }],
    ['deletes and sets what is stored', (session) => { session.delete('n'); session.set('n', 1) }],
    ['changes inside a value and changes it back', (session) => { session.get('list')?.push('b'); session.get('list')?.pop() }],
    ['only reads', (session) => { session.get('list'); session.toObject(); session.has('n'); session.keys(); session.flash.keys() }],
  ])('is not made by a request that %s', async (_what, act) => {
    const { one, patches, told } = await stored({ n: 1, list: ['a'] })
    const { result } = await one.visit(async (session) => { await act(session); return [session.isChanged, await session.commit()] })
    expect([result, patches, told('commit', 'touch')]).toEqual([[false, 'ok'], [], []])
  })

  it('says for a deletion in the light of a read what was read, and for a blind one nothing', async () => {
    const { one, patches } = await stored({ n: 1, note: 'x' })
    await one.visit((session) => { session.get('n'); session.delete('n'); session.delete('note') })
    expect(patches).toMatchObject([{ remove: ['d:n', 'd:note'], expect: [['d:n', '1']] }])
    expect(patches[0]).not.toHaveProperty('set')
  })

  it('holds after a commit only what changed since, in the light of what that stored', async () => {
    const { one, patches } = await stored({ n: 1, list: ['a'] })
    await one.visit(async (session) => {
      session.set('n', (session.get('n') ?? 0) + 1)
      session.get('list')?.push('b')
      await session.commit()
      expect([session.isChanged, session.get('n'), session.get('list')]).toEqual([false, 2, ['a', 'b']])
      session.get('list')?.push('c')
      session.set('n', 3)
      await session.commit()
      session.delete('n')
      await session.commit()
      session.set('n', 4)
      await session.commit()
      expect(await session.commit()).toBe('ok')
    })
    expect(patches.map(({ set, remove, expect: light }) => [set, remove, light])).toEqual([
      [[['d:n', '2'], ['d:list', '["a","b"]']], undefined, [['d:n', '1'], ['d:list', '["a"]']]],
      [[['d:n', '3'], ['d:list', '["a","b","c"]']], undefined, [['d:n', '2'], ['d:list', '["a","b"]']]],
      [undefined, ['d:n'], [['d:n', '3']]],
      [[['d:n', '4']], undefined, [['d:n', null]]],
    ])
  })

  it('after an update says what that stored', async () => {
    const { one, patches } = await stored({ list: ['a'] })
    await one.visit(async (session) => {
      const list = await session.update('list', (old = []) => [...old, 'b'])
      expect([session.get('list') === list, session.isChanged]).toEqual([true, false])
      session.get('list')?.push('c')
      expect(session.isChanged).toBe(true)
    })
    expect(patches).toMatchObject([{ set: [['d:list', '["a","b"]']], expect: [['d:list', '["a"]']] }, { set: [['d:list', '["a","b","c"]']], expect: [['d:list', '["a","b"]']] }])
  })

  it('of an update holds that key alone, and what was pending under it goes before', async () => {
    const { one, patches } = await stored({ n: 1 })
    await one.visit(async (session) => {
      session.set('n', 10)
      session.set('note', 'x')
      expect(await session.update('n', (n = 0) => n + 1)).toBe(11)
      expect(session.isChanged).toBe(true)
      session.discard()
    })
    expect(patches.map(({ set }) => set)).toEqual([[['d:n', '10']], [['d:n', '11']]])
  })

  it('of a first update stores that key and the metadata, and the rest with the commit', async () => {
    const { visitor, created, patches } = watched()
    await visitor().visit(async (session) => {
      session.set('note', 'x')
      session.metadata.set('device', 'phone')
      await session.update('n', (n = 0) => n + 1)
      expect(session.isChanged).toBe(true)
    })
    expect(created.map(({ entries }) => Object.keys(entries).toSorted())).toEqual([['d:n', 'm:device']])
    expect(patches).toMatchObject([{ set: [['d:note', '"x"']] }])
  })

  it('moves the deadline once in a request, and names each term once, however many commits there are', async () => {
    const { one, patches, advance, now } = await stored({ userId: 7 }, { idleTimeout: '30 minutes' })
    advance(600)
    await one.visit(async (session) => {
      const before = session.expiresAt ?? 0
      session.set('userId', 8)
      await session.commit()
      expect([before, session.expiresAt]).toEqual([now() + 23 * 60_000, now() + 33 * 60_000])
      session.set('n', 1)
      await session.commit()
      session.isChanged = true
      await session.commit()
    })
    expect(patches.map(({ touchedAt, index, expiresAt }) => [touchedAt, index?.length, expiresAt])).toEqual([[now(), 2, now() + 33 * 60_000], [undefined, undefined, undefined], [now(), 2, now() + 33 * 60_000]])
  })

  it('of an update of an indexed key lists the session under the new value', async () => {
    const { one, sessions } = await stored({ userId: 7 })
    await one.visit((session) => session.update('userId', (n = 0) => n + 1))
    const found: unknown[] = []
    for await (const session of sessions.find('userId', 8)) found.push(session.get('userId'))
    expect(found).toEqual([8])
  })

  it('of a session held apart from requests repeats nothing that an update has stored', async () => {
    const { sessions, id, patches } = await stored({ n: 1 })
    const held = await sessions.load({ id })
    expect([await held?.update('n', (n = 0) => n + 1), held?.isChanged, await held?.commit(), patches.length]).toEqual([2, false, 'ok', 1])
  })

  it('moves the deadline again in a session that is held for long', async () => {
    const { sessions, id, advance, patches, now } = await stored({ n: 1 }, { idleTimeout: '30 minutes' })
    const held = await sessions.load({ id })
    held?.set('n', 2)
    await held?.commit()
    expect(await held?.commit()).toBe('ok')
    advance(600)
    expect(await held?.commit()).toBe('ok')
    advance(600)
    held?.set('n', 3)
    await held?.commit()
    expect(patches.map(({ touchedAt }) => touchedAt)).toEqual([undefined, now() - 600_000, now()])
  })

  it('tells a deadline that timeouts, shortened meanwhile, do not bring nearer', async () => {
    const { one, elsewhere, advance, now } = await stored({ n: 1 }, { idleTimeout: '2 hours' })
    advance(1200)
    const shorter = new Visitor<Data>(elsewhere({ idleTimeout: '10 minutes' }), one.cookie)
    const { result } = await shorter.visit(async (session) => { session.isChanged = true; await session.commit(); return session.expiresAt })
    expect(result).toBe(now() + 132 * 60_000 - 1_200_000)
  })

  it('lists no session under what is empty or gone', async () => {
    const { visitor, created } = watched({ index: ['userId', 'note'] })
    await visitor().visit((session) => { Reflect.apply(session.set, session, ['note', null]); session.set('userId', 7); session.delete('userId') })
    expect(created).toMatchObject([{ index: [] }])
  })
})

describe('an expiry of its own', () => {
  it('of the session is told at once, stored once, and not stored again', async () => {
    const { one, patches, now } = await stored({ n: 1 })
    await one.visit(async (session) => {
      session.expire('10 minutes')
      expect([session.expiresAt, session.isChanged]).toEqual([now() + 600_000, true])
      await session.update('n', (n = 0) => n + 1)
      expect(session.expiresAt).toBe(now() + 600_000)
      await session.commit()
      expect(session.isChanged).toBe(false)
      await session.commit()
    })
    expect(patches.map(({ expiresAt, deadline }) => [expiresAt, deadline])).toEqual([[now() + 600_000, 'replace'], [undefined, undefined]])
  })

  it('of the session ends at the instant, not before', async () => {
    const { one, now, advance, sessions, id } = await stored({ n: 1 })
    await one.visit((session) => { session.expire(new Date(now() + 2000)); expect(session.isChanged).toBe(true) })
    advance(1.999)
    expect((await sessions.load({ id }))?.get('n')).toBe(1)
    advance(0.001)
    expect(await sessions.load({ id })).toBeUndefined()
    await one.visit((session) => session.set('n', 2))
    await one.visit((session) => session.expire(new Date(now())))
    expect(one.token).toBeUndefined()
  })

  it('of the session is kept by a login of another, and a rotation', async () => {
    const { one, now } = await stored({ n: 1 })
    await one.visit((session) => session.expire('2 weeks'))
    await one.visit((session) => session.regenerate())
    await one.visit((session) => session.login('ann'))
    expect((await one.visit((session) => session.expiresAt)).result).toBe(now() + 1_209_600_000)
  })

  it('of a key is replaced by a set without one, and kept by a change inside the value', async () => {
    const { one, advance, data, patches, now } = await stored({})
    await one.visit((session) => { session.set('n', 1, { expires: 60 }); session.set('list', ['a'], { expires: 120 }); session.set('note', 'x', { expires: new Date(now() + 60_000) }) })
    await one.visit((session) => { session.set('n', 2); session.get('list')?.push('b'); expect(session.keys()).toEqual(['n', 'list', 'note']) })
    expect(patches.at(-1)?.set?.map(([key]) => key)).toEqual(['d:n', 'd:list'])
    advance(60)
    expect(await data()).toEqual({ n: 2, list: ['a', 'b'] })
    advance(59.999)
    expect(await data()).toEqual({ n: 2, list: ['a', 'b'] })
    advance(0.001)
    expect(await data()).toEqual({ n: 2 })
  })

  it('of a key is changed alone where the value stays', async () => {
    const { one, advance, data } = await stored({ n: 1 })
    await one.visit((session) => session.set('n', 1, { expires: 60 }))
    advance(60)
    expect(await data()).toEqual({})
  })

  it('of a key is kept by an update that begins the session', async () => {
    const { visitor, advance } = watched()
    const one = visitor()
    await one.visit(async (session) => { session.set('n', 1, { expires: 60 }); expect(await session.update('n', (n = 0) => n + 1)).toBe(2) })
    advance(60)
    expect((await one.visit((session) => session.has('n'))).result).toBe(false)
  })

  it('of a key that has passed is none for an update, which begins from nothing', async () => {
    const { one, advance, data } = await stored({})
    await one.visit((session) => session.set('n', 1, { expires: 60 }))
    const held = await one.begin()
    expect(held.session.get('n')).toBe(1)
    advance(60)
    expect(await held.session.update('n', (n = 5) => n + 1)).toBe(6)
    advance(60)
    expect(await data()).toEqual({ n: 6 })
  })

  it('of a key is taken over by an update of what the same request set, and refused in its own words', async () => {
    const { one, advance, data } = await stored({})
    await one.visit(async (session) => {
      session.set('n', 1, { expires: 60 })
      expect(await session.update('n', (n = 0) => n + 1)).toBe(2)
      expect(() => session.set('n', 1, { expires: 'soon' })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('expires') }))
    })
    advance(59)
    expect(await data()).toEqual({ n: 2 })
    advance(1)
    expect(await data()).toEqual({})
  })
})

describe('two requests that changed one key', () => {
  const conflict = (id: string, key: string): unknown => [['conflict', { id, key }]]

  it('agree when both wrote the same', async () => {
    const { overlap, told } = await stored({ n: 1 })
    expect(await overlap((session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.set('n', (session.get('n') ?? 0) + 1))).toEqual({ n: 2 })
    expect(told('conflict')).toEqual([])
  })

  it.each<[string, Act, Act, Partial<Data>]>([
    ['set and set', (session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.set('n', 5), { n: 2 }],
    ['set and delete', (session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.delete('n'), { n: 2 }],
    ['delete and set', (session) => { session.get('n'); session.delete('n') }, (session) => session.set('n', 5), {}],
  ])('(%s) are told as a conflict, and the later wins', async (_what, slow, quick, expected) => {
    const { overlap, told, id, patches } = await stored({ n: 1 })
    expect(await overlap(slow, quick)).toEqual(expected)
    expect(told('conflict')).toEqual(conflict(id, 'd:n'))
    expect(patches).toHaveLength(2)
  })

  it('are told alone: not what the same request changed and nobody else did', async () => {
    const { overlap, told, id } = await stored({ n: 1, note: 'x', userId: 7 }, { merge: { note: () => 'merged' } })
    const slow: Act = (session) => { session.set('n', (session.get('n') ?? 0) + 1); session.set('note', `${session.get('note')}y`); session.get('userId'); session.delete('userId') }
    expect(await overlap(slow, (session) => session.set('n', 5))).toEqual({ n: 2, note: 'xy' })
    expect(told('conflict')).toEqual(conflict(id, 'd:n'))
  })

  it('are not told where the later had not read it', async () => {
    const { overlap, told, patches } = await stored({ n: 1 })
    expect(await overlap((session) => session.set('n', 2), (session) => session.set('n', 5))).toEqual({ n: 2 })
    expect([told('conflict'), patches.length]).toEqual([[], 1])
  })

  it.each<[string, Act, Act, readonly unknown[]]>([
    ['both changed', (session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.set('n', 5), [1, 5, 2]],
    ['theirs is gone', (session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.delete('n'), [1, undefined, 2]],
    ['mine is gone', (session) => { session.get('n'); session.delete('n') }, (session) => session.set('n', 5), [1, 5, undefined]],
  ])('are merged from base, theirs and mine: %s', async (_what, slow, quick, expected) => {
    const seen: unknown[] = []
    const { overlap, told } = await stored({ n: 1 }, { merge: { n: (base, theirs, mine) => { seen.push([base, theirs, mine]); return 42 } } })
    expect(await overlap(slow, quick)).toEqual({ n: 42 })
    expect([seen, told('conflict')]).toEqual([[expected], []])
  })

  it('that both began without it are merged from nothing', async () => {
    const seen: unknown[] = []
    const { overlap } = await stored({ note: 'x' }, { merge: { n: (base, theirs, mine) => { seen.push([base, theirs, mine]); return (theirs ?? 0) + (mine ?? 0) } } })
    expect(await overlap((session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.set('n', 5))).toEqual({ note: 'x', n: 6 })
    expect(seen).toEqual([[undefined, 5, 1]])
  })

  it('and are merged to nothing have it no more', async () => {
    const { overlap } = await stored({ n: 1, note: 'x' }, { merge: { n: () => JSON.parse('{}').none } })
    expect(await overlap((session) => session.set('n', (session.get('n') ?? 0) + 1), (session) => session.set('n', 5))).toStrictEqual({ note: 'x' })
  })

  it('are merged to what the later one sees from then on', async () => {
    const { one } = await stored({ n: 1 }, { merge: { n: (base = 0, theirs = 0, mine = 0) => theirs + mine - base } })
    const slow = await one.begin()
    slow.session.set('n', (slow.session.get('n') ?? 0) + 10)
    await one.visit((session) => session.set('n', 5))
    expect(await slow.session.commit()).toBe('ok')
    expect([slow.session.get('n'), slow.session.isChanged]).toEqual([15, false])
  })

  it('are merged by the rule of that data key, which is none for metadata or a namespace of the same name', async () => {
    const { overlap, told, id } = await stored({ n: 1 }, { merge: { n: () => 42 } })
    const write = (value: number): Act => (session) => { for (const space of [session.metadata, session.namespace('n')]) { space.get('n'); space.set('n', value) } }
    await overlap(write(1), write(2))
    expect(told('conflict')).toEqual([['conflict', { id, key: 'm:n' }], ['conflict', { id, key: 'n:n:n' }]])
  })

  it('leave an entry alone that the later only read', async () => {
    const { overlap, told, one } = await stored({ n: 1, list: ['a'] })
    expect(await overlap((session) => { session.get('list'); session.set('n', (session.get('n') ?? 0) + 1) }, (session) => { session.get('list')?.push('b'); session.set('n', 5) })).toEqual({ n: 2, list: ['a', 'b'] })
    expect(told('conflict')).toHaveLength(1)
    expect(one.token).toBeDefined()
  })

  it('leave the later one with the deadline and the terms of the newest record', async () => {
    const { one, now, patches, advance } = await stored({ n: 1 })
    const slow = await one.begin()
    slow.session.set('n', (slow.session.get('n') ?? 0) + 1)
    await one.visit((session) => { session.set('n', 5); session.set('userId', 7); session.expire('3 hours') })
    expect(await slow.session.commit()).toBe('ok')
    expect(slow.session.expiresAt).toBe(now() + 10_800_000)
    patches.length = 0
    advance(3600)
    slow.session.isChanged = true
    await slow.session.commit()
    expect(patches).toMatchObject([{ index: [expect.any(String)] }])
    expect(patches[0]).not.toHaveProperty('expiresAt')
  })
})

describe('a value that cannot be kept', () => {
  it('fails the commit when the handler made it so after it had set it, or read it', async () => {
    const { one, data } = await stored({ list: ['a'] })
    const refused = expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('list[') })
    const spoil = (list: unknown): void => { if (Array.isArray(list)) list.push(() => 1) }
    await expect(one.visit((session) => spoil(session.get('list')))).rejects.toEqual(refused)
    await expect(one.visit((session) => spoil(session.set('list', [])))).rejects.toEqual(refused)
    expect(await data()).toEqual({ list: ['a'] })
  })

  it('leaves what was there when it is refused at the line that sets it', async () => {
    const { one } = await stored({ n: 1 })
    await one.visit((session) => {
      expect(() => Reflect.apply(session.set, session, ['n', Symbol('x')])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE' }))
      expect([session.get('n'), session.isChanged]).toEqual([1, false])
    })
  })
})

describe('what another program has stored', () => {
  it('in other formatting is not written back by a reader', async () => {
    const { one, foreign, patches } = await stored({ n: 1 })
    await foreign([['d:list', '[ "a" , "b" ]']])
    await one.visit((session) => { expect(session.get('list')).toEqual(['a', 'b']) })
    expect(patches).toEqual([])
    await one.visit((session) => { session.get('list')?.push('c') })
    expect(patches).toMatchObject([{ set: [['d:list', '["a","b","c"]']], expect: [['d:list', '[ "a" , "b" ]']] }])
  })

  it('and cannot be read is told with its key, is absent, and is replaced by what is set', async () => {
    const { one, foreign, told, id, data } = await stored({ n: 1 })
    await foreign([['d:note', 'junk']])
    await one.visit((session) => { expect([session.get('note'), session.has('note'), session.get('n')]).toEqual([undefined, false, 1]) })
    expect(told('unreadable')).toEqual([['unreadable', { id, key: 'd:note', error: expect.anything() }]])
    await one.visit((session) => session.set('note', 'x'))
    expect(await data()).toEqual({ n: 1, note: 'x' })
  })

  it('as an owner or a time of login, and is none, is nobody’s', async () => {
    const { one, foreign, advance, sessions, id } = await stored({ n: 1 })
    await foreign([['m:owner', '5'], ['m:authenticatedAt', '"x"'], ['m:assurance', 'junk']])
    advance(600)
    const { result } = await one.visit((session) => [session.owner, session.authenticatedAt, session.assurance, session.get('n')])
    expect(result).toEqual([undefined, undefined, undefined, 1])
    expect((await sessions.load({ id }))?.get('n')).toBe(1)
  })

  it('larger than the limit can be read, touched and made smaller, and not made larger', async () => {
    const { one, foreign, advance, data } = await stored({ n: 1 }, { maxSessionBytes: 1024 })
    await foreign([['d:note', JSON.stringify('x'.repeat(2000))], ['d:list', JSON.stringify(['y'.repeat(2000)])]])
    advance(600)
    await one.visit((session) => session.get('n'))
    await expect(one.visit((session) => session.set('n', 2))).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
    await one.visit((session) => session.delete('note'))
    await one.visit((session) => session.delete('list'))
    await one.visit((session) => session.set('n', 3))
    expect(await data()).toEqual({ n: 3 })
  })
})

describe('a schema', () => {
  it('of the whole sees the other keys as they are stored, also with an expiry of their own', async () => {
    const seen: unknown[] = []
    const schema = v.pipe(v.record(v.string(), v.unknown()), v.check((data) => { seen.push({ ...data }); return 'note' in data }))
    const { one, foreign } = await stored({ n: 1 }, { schema: schema as SessionsOptions<Data>['schema'] & object })
    await one.visit((session) => session.set('note', 'x', { expires: 60 }))
    await foreign([['d:userId', 'junk'], ['m:x', '1']])
    seen.length = 0
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
    expect(seen).toEqual([{ n: 1 }, { n: 1, note: 'x' }])
  })

  it('of the whole sees the other keys also where they are sealed', async () => {
    const schema = v.pipe(v.record(v.string(), v.unknown()), v.check((data) => 'note' in data))
    const { one } = await stored({ n: 1, note: 'x' }, { codec: sealingCodec(['1'.repeat(64)]), schema: schema as SessionsOptions<Data>['schema'] & object })
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })

  it('checks data alone, and what is listed', async () => {
    const { one, foreign, told, id } = await stored({ n: 1 }, { schema: { n: v.number() } })
    await foreign([['d:n', '"seven"'], ['m:n', '"x"'], ['n:n:n', '"y"']])
    const { result } = await one.visit((session) => [session.keys(), session.get('n'), session.metadata.get('n'), session.namespace('n').get('n')])
    expect(result).toEqual([[], undefined, 'x', 'y'])
    expect(told('unreadable')).toEqual([['unreadable', { id, key: 'd:n', error: expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE', message: expect.stringMatching(/schema\. It is/) }) }]])
  })
})

describe('a sealing codec', () => {
  it('seals data and not metadata, and a reader of sealed data stores nothing', async () => {
    const { one, created, patches, sessions } = watchedSealed()
    const { result: id } = await one.visit((session) => { session.set('list', ['a']); session.set('n', 1); session.metadata.set('x', 1); return session.id })
    expect([created[0]?.entries['d:n'], created[0]?.entries['m:x'], created[0]?.entries['d:list']]).toEqual([expect.stringMatching(/^s1\./), '1', expect.stringMatching(/^s1\./)])
    await one.visit((session) => { session.get('list'); session.get('n') })
    expect(patches).toEqual([])
    const { result } = await one.visit((session) => session.id)
    expect([result, (await sessions.load({ id }))?.get('list')]).toEqual([id, ['a']])
  })

  it('binds what a session that had to change its id holds to the id that it got', async () => {
    let refused = 1
    const memory = memoryStore()
    const sessions = createSessions<Data>({ codec: sealingCodec(['1'.repeat(64)]), sweepEvery: 'never', store: { ...watched({}, memory).store, create: (id, record) => { refused -= 1; return refused < 0 && memory.create(id, record) } } })
    const one = new Visitor<Data>(sessions)
    await one.visit((session) => { session.set('n', 1); session.set('list', ['a']) })
    expect((await one.visit((session) => session.toObject())).result).toEqual({ n: 1, list: ['a'] })
  })

  function watchedSealed() {
    const made = watched({ codec: sealingCodec(['1'.repeat(64)]) })
    return { ...made, one: made.visitor() }
  }
})

describe('messages', () => {
  it('come in the order in which they were left, whatever the clock shows', async () => {
    let now = 5
    const one = new Visitor<Data>(createSessions<Data>({ clock: () => now, sweepEvery: 'never' }))
    for (const message of ['first', 'second', 'third']) { await one.visit((session) => session.flash.set('x', message)); now += 31 }
    expect((await one.visit((session) => [session.flash.peek('x'), session.flash.takeAll('x'), session.flash.takeAll('x'), session.flash.keys()])).result).toEqual(['first', ['first', 'second', 'third'], [], []])
  })

  it('of other keys stay, also one whose name has a colon', async () => {
    const { one } = await stored({})
    await one.visit((session) => { session.flash.set('a:b', 1); session.flash.set('b', 2); session.flash.set('', 3) })
    expect((await one.visit((session) => [session.flash.keys().toSorted(), session.flash.take('b'), session.flash.take('a:b')])).result).toEqual([['', 'a:b', 'b'], 2, 1])
    expect((await one.visit((session) => [session.flash.keys(), session.flash.take('b'), session.flash.take('')])).result).toEqual([[''], undefined, 3])
  })

  it('taken and not committed are still there', async () => {
    const { one } = await stored({})
    await one.visit((session) => session.flash.set('x', 1))
    await one.visit((session) => { expect(session.flash.take('x')).toBe(1); session.discard(); expect(session.flash.peek('x')).toBe(1) })
    expect((await one.visit((session) => session.flash.take('x'))).result).toBe(1)
  })
})

describe('a dump', () => {
  it('has id, owner, whether it is new, and masked data', async () => {
    const { one, id } = await stored({ n: 1 })
    const { result } = await one.visit(async (session) => { await session.login('ann'); session.namespace('x').set('y', 1); return session.toJSON() })
    expect(result).toEqual({ id, owner: 'ann', isNew: false, data: { n: 1 } })
  })

  it('is what node shows of a session', async () => {
    const { inspect } = await import('node:util')
    const { one, id } = await stored({ n: 1 })
    expect((await one.visit((session) => inspect(session))).result).toContain(id)
  })
})

describe('the name of a namespace', () => {
  it.each(['', 'a b', 'a:b', 'ä', 'x'.repeat(65)])('is not %j', async (name) => {
    await watched().visitor().visit((session) => { expect(() => session.namespace(name)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE' })) })
  })

  it.each(['a', 'A-z_9', 'x'.repeat(64)])('is %j', async (name) => {
    const { one } = await stored({})
    await one.visit((session) => session.namespace(name).set('k', 1))
    expect((await one.visit((session) => session.namespace(name).toObject())).result).toEqual({ k: 1 })
  })
})
