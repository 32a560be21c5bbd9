// What the manager does apart from requests: load, create, find, list, revoke, sweep, close; and what it says of a request before one is opened.
import { describe, expect, it, vi } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { headerTransport, watched, type Data } from '../../test/internal/watched.ts'
import { createSessions, memoryStore, type SessionsOptions, type Store, type SweepRequest } from '../index.ts'
import { cookieStore } from '../stores/cookie.ts'
import { nullStore } from '../stores/null.ts'
import { TestExchange } from '../testing/exchange.ts'
import { bearerTransport } from '../transports/bearer.ts'
import { SessionError } from './errors.ts'
import { derivedId, hashSecret, indexTerm } from './token.ts'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** Sessions whose reads tell whether they had to be fresh. */
function reading(options: SessionsOptions<Data> = {}) {
  const made = watched()
  const fresh: boolean[] = []
  const sessions = made.elsewhere({ ...options, store: { ...made.store, read: async (id, call) => { fresh.push(call?.fresh === true); return made.store.read(id) } } })
  return { ...made, sessions, fresh }
}

describe('load', () => {
  it('reads through a cache, unless it is told not to', async () => {
    const { sessions, fresh } = reading()
    const { id, token = '' } = await sessions.create()
    for (const from of [token, { id }, { headers: { cookie: `__Host-sid=${token}` } }]) {
      expect([(await sessions.load(from))?.id, (await sessions.load(from, { fresh: true }))?.id, (await sessions.load(from, { fresh: false }))?.id]).toEqual([id, id, id])
    }
    expect(fresh).toEqual([false, true, false, false, true, false, false, true, false])
  })

  it('gives a session that is not new, with its times, and without its token where none was given', async () => {
    const { sessions, now, advance } = watched()
    const { id, token = '' } = await sessions.create()
    advance(10)
    for (const from of [token, { id }]) {
      const session = await sessions.load(from)
      expect([session?.isNew, session?.isLoaded, session?.createdAt, session?.isChanged, session?.token]).toEqual([false, true, now() - 10_000, false, undefined])
    }
  })

  it('is told as a load by token and by headers, and not by id', async () => {
    const { sessions, told } = watched()
    const { id, token = '' } = await sessions.create()
    await sessions.load({ id })
    expect(told('load')).toEqual([])
    await sessions.load(token)
    await sessions.load({ headers: { cookie: `__Host-sid=${token}` } })
    expect(told('load')).toEqual([['load', { id }], ['load', { id }]])
  })

  it('finds nothing under an old token, an ended session’s, or one of a revocation', async () => {
    const { sessions, told } = watched()
    const first = await sessions.create()
    const old = first.token ?? ''
    await first.regenerate()
    expect(await sessions.load(old)).toBeUndefined()
    expect(told('superseded')).toEqual([['superseded', { id: first.id }]])
    await first.destroy()
    expect([await sessions.load({ id: first.id }), await sessions.load(old)]).toEqual([undefined, undefined])
    await sessions.revokeAll('ann')
    expect(await sessions.load({ id: derivedId('watermark', 'ann') })).toBeUndefined()
    expect(await all(sessions.list())).toEqual([])
  })

  it('of a session by id, done again, reads afresh, and finds out when it has ended', async () => {
    const { sessions, fresh } = reading()
    const told: unknown[] = []
    sessions.on('gone', (event) => { told.push(event) })
    const { id } = await sessions.create()
    const held = await sessions.load({ id })
    await held?.load()
    await held?.load({ fresh: true })
    expect(fresh).toEqual([false, true])
    await sessions.revoke(id)
    await held?.load({ fresh: true })
    held?.set('n', 1)
    expect([await held?.commit(), told]).toEqual(['gone', [{ id, reason: 'gone' }]])
  })

  it('looks at nothing that a request is bound to', async () => {
    const { sessions, visitor } = watched({ bind: 'user-agent' })
    const one = visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id }, { headers: { 'user-agent': 'Firefox' } })
    for (const from of [one.token ?? '', { id }, { headers: { cookie: one.cookie } }]) expect((await sessions.load(from))?.get('n')).toBe(1)
  })

  it('takes no record that no longer counts', async () => {
    const { elsewhere, sessions } = watched()
    const { id, token = '' } = await sessions.create()
    const strict = elsewhere({ security: { apply: (settings) => ({ ...settings, counts: (record) => record.createdAt === 0 }) } })
    expect([await strict.load({ id }), await strict.load(token), await all(strict.list())]).toEqual([undefined, undefined, []])
    const lax = elsewhere({ security: { apply: (settings) => ({ ...settings, counts: () => true }) } })
    expect([(await lax.load({ id }))?.id, (await lax.load(token))?.id]).toEqual([id, id])
    const one = new Visitor<Data>(strict, `__Host-sid=${token}`)
    expect((await one.visit((session) => [session.isNew, session.endedBecause])).result).toEqual([true, 'revoked'])
  })

  it('tells the error of a store that fails, by whatever it was asked', async () => {
    const { sessions } = watched({ store: { ...memoryStore(), read: () => { throw new Error('down') }, create: () => true, patch: () => ({ status: 'gone' }), end: () => true } })
    const failure = expect.objectContaining({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    for (const from of [`${'a'.repeat(22)}.${'b'.repeat(43)}`, { id: 'a'.repeat(22) }, { headers: { cookie: `__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}` } }]) await expect(sessions.load(from)).rejects.toEqual(failure)
  })

  it('finds nothing in headers that carry no token', async () => {
    const { sessions, held } = watched()
    for (const headers of [{}, { cookie: 'a=b' }, { cookie: '__Host-sid=junk' }, new Headers()]) expect(await sessions.load({ headers })).toBeUndefined()
    expect(held.count('read')).toBe(0)
  })
})

describe('where the visitor keeps the session', () => {
  it('nothing can be done without their request', async () => {
    const sessions = createSessions<Data>({ store: cookieStore({ keys: ['1'.repeat(64)] }), index: ['userId'] })
    const refused = expect.objectContaining({ code: 'ERR_SESSION_UNSUPPORTED', message: expect.stringMatching(/in their request\. Use /) })
    const id = 'a'.repeat(22)
    for (const act of [() => sessions.load({ id }), () => sessions.create(), () => sessions.revoke(id), () => sessions.revokeAll('ann'), () => all(sessions.list()), () => all(sessions.find('userId', 7)), () => all(sessions.findByOwner('ann')), () => sessions.findOrCreate('n', 1)]) await expect(act()).rejects.toEqual(refused)
    expect(await sessions.sweep()).toBe(0)
    await sessions.close()
  })

  it('update says that it cannot be atomic', async () => {
    const sessions = createSessions<Data>({ store: cookieStore({ keys: ['1'.repeat(64)] }) })
    await new Visitor<Data>(sessions).visit((session) => expect(session.update('n', () => 1)).rejects.toMatchObject({ code: 'ERR_SESSION_UNSUPPORTED', message: expect.stringContaining('session.update') }))
  })
})

describe('create', () => {
  it('stores an empty session with a token of its own, which is told', async () => {
    const { sessions, created, told, now } = watched({ idleTimeout: '30 minutes', bind: 'user-agent' })
    const session = await sessions.create()
    expect(created).toEqual([{ version: 1, createdAt: now(), touchedAt: now(), expiresAt: now() + 33 * 60_000, tokenHash: hashSecret(session.token?.split('.')[1] ?? ''), nonce: expect.stringMatching(/^[\w-]{8}\.[0-9a-z]+$/), index: [], entries: {} }])
    expect(told()).toEqual([['create', { id: session.id }]])
    expect([session.isNew, session.createdAt, session.expiresAt, session.isLoaded]).toEqual([true, now(), now() + 33 * 60_000, true])
  })

  it('names each patch and record by a nonce of its own, that begins alike in one process', async () => {
    const { sessions, created, elsewhere } = watched()
    for (let n = 0; n < 40; n += 1) await sessions.create()
    const nonces = created.map(({ nonce }) => nonce.split('.'))
    expect(new Set(nonces.map(([prefix]) => prefix)).size).toBe(1)
    expect(nonces.map(([, number]) => number)).toEqual(Array.from({ length: 40 }, (_, n) => (n + 1).toString(36)))
    created.length = 0
    await elsewhere().create()
    expect(created[0]?.nonce.split('.')[0]).not.toBe(nonces[0]?.[0])
  })
})

describe('findOrCreate', () => {
  it('stores the value, its term, and in which life of the id it is', async () => {
    const { sessions, created, told, now, held } = watched({ idleTimeout: '30 minutes' })
    const found = await sessions.findOrCreate('userId', 7)
    const term = indexTerm('d:userId', '7')
    expect(found.id).toBe(derivedId('find-or-create', `0\0${term}`))
    expect(created).toEqual([{ version: 1, createdAt: now(), touchedAt: now(), expiresAt: now() + 33 * 60_000, tokenHash: expect.stringMatching(/^[\w-]{22}$/), nonce: expect.any(String), index: [term], entries: { 'm:incarnation': expect.stringMatching(/^"[\w-]{8}\.\w+"$/), 'd:userId': '7' } }])
    expect([found.isNew, found.get('userId'), found.token, found.createdAt, found.isChanged]).toEqual([false, 7, undefined, now(), false])
    expect(told()).toEqual([['create', { id: found.id }]])
    expect([held.count('create'), held.count('read')]).toEqual([1, 1])
    expect((await all(sessions.find('userId', 7))).map(({ id }) => id)).toEqual([found.id])
  })

  it('finds it again by typed value, fresh, and tells of nothing', async () => {
    const { sessions, fresh, created } = reading()
    const first = await sessions.findOrCreate('note', '7')
    const again = await sessions.findOrCreate('note', '7')
    expect([again.id, again.isNew, again.get('note')]).toEqual([first.id, false, '7'])
    expect((await sessions.findOrCreate('n', 7)).id).not.toBe(first.id)
    expect(created.map(({ index }) => index)).toEqual([[], []])
    expect(fresh).toEqual([true, true, true])
  })

  it('takes what another has made between the look and the making', async () => {
    const made = watched()
    const other = made.elsewhere()
    const point = made.held.hold('create')
    const asked = made.sessions.findOrCreate('userId', 7)
    await point.reached
    const theirs = await other.findOrCreate('userId', 7)
    theirs.set('n', 1)
    await theirs.commit()
    point.release()
    const mine = await asked
    expect([mine.id, mine.get('n')]).toEqual([theirs.id, 1])
    expect(made.told('create')).toEqual([])
  })

  it('reads afresh what another has made between the look and the making', async () => {
    const made = watched()
    const fresh: unknown[] = []
    const theirs = await made.sessions.findOrCreate('userId', 7)
    let looks = 0
    const sessions = made.elsewhere({ store: { ...made.store, read: (id, options) => { looks += 1; fresh.push(options?.fresh); return looks === 1 ? undefined : made.store.read(id) } } })
    expect((await sessions.findOrCreate('userId', 7)).id).toBe(theirs.id)
    expect(fresh).toEqual([true, true])
  })

  it('makes another where the key of the first was deleted', async () => {
    const { sessions } = watched()
    const first = await sessions.findOrCreate('userId', 7)
    first.delete('userId')
    await first.commit()
    const second = await sessions.findOrCreate('userId', 7)
    expect([second.id === first.id, second.get('userId')]).toEqual([false, 7])
  })

  it('gives sessions of which two may change one key at once', async () => {
    const { sessions, told } = watched()
    const [one, two] = [await sessions.findOrCreate('userId', 7), await sessions.findOrCreate('userId', 7)]
    one.set('n', (one.get('n') ?? 0) + 1)
    two.set('n', (two.get('n') ?? 0) + 2)
    expect([await one.commit(), await two.commit(), await one.update('n', (n = 0) => n + 10), told('gone')]).toEqual(['ok', 'ok', 12, []])
  })

  it('gives a session to work with also where nothing is kept', async () => {
    const { sessions } = watched({ store: nullStore() })
    const session = await sessions.findOrCreate('userId', 7)
    expect([session.get('userId'), session.isNew]).toEqual([7, false])
  })

  it('refuses a value that is no key', async () => {
    const { sessions } = watched()
    await expect(sessions.findOrCreate('list', ['a'])).rejects.toMatchObject({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('"list"') })
  })
})

describe('find and list', () => {
  it('read what they found afresh; a listing of all does not', async () => {
    const { sessions, fresh } = reading()
    const session = await sessions.create()
    session.set('userId', 7)
    await session.commit()
    await session.login('ann')
    fresh.length = 0
    const found = [await all(sessions.find('userId', 7)), await all(sessions.findByOwner('ann')), await all(sessions.list())]
    expect(found.map((list) => list.map(({ id }) => id))).toEqual([[session.id], [session.id], [session.id]])
    expect(fresh).toEqual([true, true, false])
  })

  it('give sessions that can be written by id', async () => {
    const { sessions, patches } = watched()
    const session = await sessions.create()
    session.set('userId', 7)
    await session.commit()
    patches.length = 0
    for await (const one of sessions.find('userId', 7)) { one.set('n', 1); expect([await one.commit(), one.token, one.isNew]).toEqual(['ok', undefined, false]) }
    expect(patches).toEqual([{ set: [['d:n', '1']] }])
  })

  it('pass over what has another value by now, what expired, and what cannot be read, which is told', async () => {
    const memory = memoryStore()
    const made = watched({}, memory)
    const [one, two, three] = [await made.sessions.create(), await made.sessions.create(), await made.sessions.create()]
    for (const session of [one, two, three]) { session.set('userId', 7); await session.commit() }
    two.set('userId', 8)
    await two.commit()
    const broken = new SessionError('ERR_SESSION_UNREADABLE', 'It is not a record. Ignore it.')
    const other = made.elsewhere({ store: { ...made.store, read: (id) => { if (id === three.id) throw broken; return memory.read(id) } } })
    const told: unknown[] = []
    other.on('unreadable', (event) => { told.push(event) })
    expect((await all(other.find('userId', 7))).map(({ id }) => id)).toEqual([one.id])
    expect(told).toEqual([{ id: three.id, error: broken }])
    made.advance(3600)
    expect([await all(made.sessions.find('userId', 7)), await all(made.sessions.list())]).toEqual([[], []])
  })

  it('by owner pass over a session that lists the owner and is another’s', async () => {
    const { sessions, held, now } = watched()
    const session = await sessions.create()
    await session.login('ann')
    await held.patch(session.id, { now: now(), nonce: 'foreign', set: [['m:owner', '"bob"']] })
    expect(await all(sessions.findByOwner('ann'))).toEqual([])
  })

  it('by a text find no number, and by an owner only theirs', async () => {
    const { sessions } = watched({ index: ['note', 'userId'] })
    const session = await sessions.create()
    session.set('note', '7')
    session.set('userId', 7)
    await session.login('7')
    expect([(await all(sessions.find('note', '7'))).length, (await all(sessions.findByOwner('7'))).length, (await all(sessions.findByOwner('8'))).length]).toEqual([1, 1, 0])
    expect(await all(Reflect.apply(sessions.find, sessions, ['userId', '7']) as AsyncIterable<unknown>)).toEqual([])
  })
})

describe('revoke', () => {
  it('ends by id, tells who listens in this process, and never asks a store for what is no id', async () => {
    const { sessions, held, told, now } = watched()
    const session = await sessions.create()
    const { signal } = session
    expect(await sessions.revoke(session.id)).toBe(true)
    expect([signal.aborted, told('revoke', 'destroy')]).toEqual([true, [['revoke', { id: session.id }]]])
    expect((await held.read(session.id))?.ended).toEqual({ because: 'revoked', at: now() })
    held.forgetCalls()
    expect([await sessions.revoke('short'), await sessions.revoke(''), held.count()]).toEqual([false, false, 0])
    expect([await sessions.revoke('a'.repeat(22)), told('revoke').length]).toEqual([false, 1])
  })
})

describe('revokeAll', () => {
  async function devices() {
    const made = watched()
    const sessions = [await made.sessions.create(), await made.sessions.create(), await made.sessions.create()]
    for (const session of sessions) await session.login('ann')
    made.forget()
    return { ...made, devices: sessions, ids: sessions.map(({ id }) => id) }
  }

  it('ends and tells of each, and marks the instant for a quarter of an hour', async () => {
    const { sessions, told, ids, held, now } = await devices()
    expect(await sessions.revokeAll('ann')).toBe(3)
    expect(told().map(([name, { id }]) => [name, id]).toSorted()).toEqual(ids.map((id) => ['revoke', id]).toSorted())
    expect(await held.read(derivedId('watermark', 'ann'))).toEqual({ version: 1, createdAt: now(), touchedAt: now(), expiresAt: now() + 900_000, tokenHash: '', nonce: expect.any(String), index: [], entries: { 'm:revokedAt': String(now()) } })
    expect(await sessions.revokeAll('ann')).toBe(0)
  })

  it('moves the mark when it is there', async () => {
    const { sessions, held, advance, now } = await devices()
    await sessions.revokeAll('ann')
    const first = await held.read(derivedId('watermark', 'ann'))
    advance(60)
    await sessions.revokeAll('ann')
    const second = await held.read(derivedId('watermark', 'ann'))
    expect(second).toMatchObject({ version: 2, createdAt: now() - 60_000, touchedAt: now(), expiresAt: now() + 900_000, entries: { 'm:revokedAt': String(now()) } })
    expect(second?.nonce).not.toBe(first?.nonce)
  })

  it('leaves one that is excepted, and that one alone', async () => {
    const { sessions, ids } = await devices()
    expect(await sessions.revokeAll('ann', { except: ids[1] ?? '' })).toBe(2)
    expect((await all(sessions.findByOwner('ann'))).map(({ id }) => id)).toEqual([ids[1]])
  })

  it('ends what has expired as well, and does not count it', async () => {
    const { sessions, held, ids, advance } = await devices()
    advance(3600)
    expect(await sessions.revokeAll('ann')).toBe(0)
    for (const id of ids) expect((await held.read(id))?.ended?.because).toBe('revoked')
  })

  it('leaves a record that lists the owner and is another’s', async () => {
    const { sessions, held, ids, now } = await devices()
    await held.patch(ids[0] ?? '', { now: now(), nonce: 'foreign', set: [['m:owner', '"bob"']] })
    expect(await sessions.revokeAll('ann')).toBe(2)
    expect(await sessions.load({ id: ids[0] ?? '' })).toBeDefined()
  })

  it('goes on beside a record that cannot be read, and reads afresh', async () => {
    const { elsewhere, store, ids } = await devices()
    const fresh: unknown[] = []
    const other = elsewhere({ store: { ...store, read: (id, options) => { fresh.push(options?.fresh); if (id === ids[0]) throw new SessionError('ERR_SESSION_UNREADABLE', 'It is not a record. Ignore it.'); return store.read(id) } } })
    const told: unknown[] = []
    other.on('unreadable', ({ id }) => { told.push(id) })
    expect(await other.revokeAll('ann')).toBe(2)
    expect([told, fresh]).toEqual([[ids[0]], [true, true, true]])
  })
})

describe('revokeOthers', () => {
  it('ends the others, keeps this one under a new token, and tells how many', async () => {
    const { sessions, visitor, told } = watched()
    const one = visitor()
    await one.visit((session) => session.login('ann'))
    const others = [await sessions.create(), await sessions.create()]
    for (const other of others) await other.login('ann')
    const { token } = one
    const { result } = await one.visit((session) => session.revokeOthers())
    expect([result, one.token === token, told('regenerate').length, told('revoke').length]).toEqual([2, false, 1, 2])
    expect((await one.visit((session) => session.owner)).result).toBe('ann')
  })

  it('ends none when this one has ended meanwhile', async () => {
    const { sessions, visitor } = watched()
    const one = visitor()
    await one.visit((session) => session.login('ann'))
    const other = await sessions.create()
    await other.login('ann')
    const { session } = await one.begin()
    await sessions.revoke(session.id)
    expect(await session.revokeOthers()).toBe('gone')
    expect(await sessions.load({ id: other.id })).toBeDefined()
  })
})

describe('sweep', () => {
  function sweeping(counts: readonly number[] = []) {
    const asked: [SweepRequest, number][] = []
    const left = [...counts]
    const made = watched()
    const store: Store = { ...made.store, sweep: (what, limit) => { asked.push([what, limit]); return left.shift() ?? 0 } }
    const sessions = made.elsewhere({ store })
    const told: unknown[] = []
    sessions.on('sweep', (event) => { told.push(event) })
    return { ...made, sessions, asked, told }
  }

  it('asks for what has expired, or what is older: than an age, either way round, or than an instant', async () => {
    const { sessions, asked, now } = sweeping()
    const at = now()
    for (const options of [undefined, {}, { by: 'created' }, { olderThan: '1 hour' }, { olderThan: '-1 hour' }, { olderThan: 3600, by: 'created' }, { olderThan: new Date(at - 5), by: 'touched' }, { olderThan: new Date(at) }] as const) await sessions.sweep(options)
    const older = (by: 'touched' | 'created', ms: number): unknown => ({ now: at, by, olderThan: at - ms })
    expect(asked.map(([what]) => what)).toEqual([{ now: at }, { now: at }, { now: at }, older('touched', 3_600_000), older('touched', 3_600_000), older('created', 3_600_000), older('touched', 5), older('touched', 0)])
    expect(new Set(asked.map(([, limit]) => limit))).toEqual(new Set([1000]))
    await expect(sessions.sweep({ olderThan: 'long ago' })).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('olderThan') })
  })

  it('goes on while batches are full, and tells of each that found something', async () => {
    const { sessions, asked, told } = sweeping([1000, 1000, 3])
    expect(await sessions.sweep()).toBe(2003)
    expect([asked.length, told]).toEqual([3, [{ count: 1000 }, { count: 1000 }, { count: 3 }]])
    told.length = 0
    expect(await sessions.sweep()).toBe(0)
    expect(told).toEqual([])
  })

  it('ends between two batches once the manager is closed', async () => {
    const { sessions, asked } = sweeping([1000, 1000, 1000])
    const swept = sessions.sweep()
    await sessions.close()
    expect(await swept).toBeLessThan(3000)
    expect(asked.length).toBeLessThan(3)
  })
})

describe('the timer of sweeps', () => {
  it('begins with the first session that is stored, goes on after each sweep, also one that fails, and ends with close', async () => {
    vi.useFakeTimers()
    try {
      const made = watched()
      let swept = 0
      const store: Store = { ...made.store, sweep: () => { swept += 1; if (swept === 2) throw new Error('down'); return 0 } }
      const sessions = made.elsewhere({ store, sweepEvery: '1 minute', random: (size) => crypto.getRandomValues(new Uint8Array(size)).fill(0, 0, size === 1 ? 1 : 0) })
      const errors: unknown[] = []
      sessions.on('error', (event) => { errors.push(event) })
      await new Visitor<Data>(sessions).visit((session) => session.get('n'))
      expect(vi.getTimerCount()).toBe(0)
      await sessions.create()
      await sessions.create()
      expect(vi.getTimerCount()).toBe(1)
      // Nine tenths of a minute with this randomness, and up to eleven tenths with another.
      await vi.advanceTimersByTimeAsync(53_999)
      expect(swept).toBe(0)
      await vi.advanceTimersByTimeAsync(1)
      expect([swept, vi.getTimerCount()]).toEqual([1, 1])
      await vi.advanceTimersByTimeAsync(54_000)
      expect([swept, errors]).toEqual([2, [{ reason: 'sweep', error: expect.objectContaining({ code: 'ERR_SESSION_STORE' }) }]])
      await vi.advanceTimersByTimeAsync(54_000)
      expect(swept).toBe(3)
      await sessions.close()
      expect(vi.getTimerCount()).toBe(0)
      await sessions.create()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('is spread up to eleven tenths, and never begins where it is switched off or has nothing to do', async () => {
    vi.useFakeTimers()
    try {
      let swept = 0
      const made = watched()
      const store: Store = { ...made.store, sweep: () => { swept += 1; return 0 } }
      await made.elsewhere({ store, sweepEvery: 'never' }).create()
      const { sweep: _sweep, ...without } = made.store
      const idle = made.elsewhere({ store: without, sweepEvery: '1 minute' })
      const session = await idle.create()
      expect(vi.getTimerCount()).toBe(0)
      expect(session.signal.aborted).toBe(false)
      expect(vi.getTimerCount()).toBe(1)
      await idle.close()
      const late = made.elsewhere({ store, sweepEvery: '1 minute', random: (size) => crypto.getRandomValues(new Uint8Array(size)).fill(255, 0, size === 1 ? 1 : 0) })
      await late.findOrCreate('n', 1)
      await vi.advanceTimersByTimeAsync(65_999)
      expect(swept).toBe(0)
      await vi.advanceTimersByTimeAsync(1)
      expect(swept).toBe(1)
      await late.close()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('close', () => {
  it('closes what the store opened', async () => {
    let closed = 0
    const sessions = createSessions({ store: { ...watched().store, close: () => { closed += 1 } }, sweepEvery: 'never' })
    expect(closed).toBe(0)
    await sessions.close()
    expect(closed).toBe(1)
  })
})

describe('what a manager says of a request', () => {
  const exchange = new TestExchange({ headers: { cookie: `__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}`, authorization: 'Bearer x' } })

  it('is the name of its cookie, header or field, of the first transport', () => {
    expect(createSessions().nameFor(exchange)).toBe('__Host-sid')
    expect(createSessions({ transport: [bearerTransport(), headerTransport().transport] }).nameFor(exchange)).toBe('Authorization')
    expect(createSessions({ transport: headerTransport().transport }).nameFor(exchange)).toBeUndefined()
  })

  it('is whether it carries a cookie of ours', () => {
    const [ours, bearer] = [createSessions(), createSessions({ transport: bearerTransport() })]
    expect([ours.carriesCookie(exchange), ours.carriesCookie(new TestExchange({ headers: { cookie: 'a=b' } })), bearer.carriesCookie(exchange)]).toEqual([true, false, false])
    const both = createSessions({ transport: [bearerTransport(), headerTransport({ vary: 'Cookie', read: () => ['x'] }).transport] })
    expect(both.carriesCookie(exchange)).toBe(true)
  })

  it('is whether it needs the body', () => {
    expect(createSessions().readsBody).toBe(false)
    expect(createSessions({ transport: [bearerTransport(), headerTransport({ readsBody: true }).transport] }).readsBody).toBe(true)
    expect(createSessions({ transport: headerTransport({ readsBody: false }).transport }).readsBody).toBe(false)
  })
})

describe('what a store does on its own account', () => {
  it('is told with what it said', () => {
    const seen: unknown[] = []
    const error = new Error('full')
    const told: unknown[] = []
    let report = (_event: { event: 'evict' | 'error'; id?: string; error?: unknown }): void => {}
    const sessions = createSessions({ sweepEvery: 'never', store: { ...watched().store, observe: (to) => { report = to } } })
    sessions.on('evict', (event) => { seen.push(event) })
    sessions.on('error', (event) => { told.push(event) })
    report({ event: 'evict', id: 'x' })
    report({ event: 'evict' })
    report({ event: 'error', error })
    expect([seen, told]).toEqual([[{ id: 'x' }, {}], [{ error }]])
  })
})
