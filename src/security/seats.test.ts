import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test/servers/process.ts'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type Awaitable, type Sessions, type Store } from '../index.ts'
import { fileStore } from '../stores/file.ts'
import { memoryStore } from '../stores/memory.ts'
import { cacheStore } from '../stores/cache.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { movableClock } from '../testing/clock.ts'
import { holdable } from '../testing/race-kit.ts'
import { security, type SecurityOptions } from './index.ts'

function limited(options: SecurityOptions, store: Store = memoryStore()) {
  const clock = movableClock(1_700_000_000_000)
  const held = holdable(store)
  const sessions = createSessions({ store: held, clock, sweepEvery: 'never', security: security(options) })
  return { clock, held, sessions, visitor: () => new Visitor(sessions) }
}

/** The same store, each of whose calls takes some turns of the event loop before and after. */
function unhurried(store: Store, seed: number): Store {
  let state = seed
  const pause = async (): Promise<void> => {
    state = (state * 48_271) % 2_147_483_647
    for (let turns = state % 7; turns > 0; turns -= 1) await Promise.resolve()
  }
  async function slowly<T>(run: () => Awaitable<T>): Promise<T> {
    await pause()
    const answer = await run()
    await pause()
    return answer
  }
  return {
    read: (id, options) => slowly(() => store.read(id, options)),
    create: (id, record) => slowly(() => store.create(id, record)),
    patch: (id, patch, options) => slowly(() => store.patch(id, patch, options)),
    end: (id, because, at) => slowly(() => store.end(id, because, at)),
    find: (term) => store.find?.(term) ?? nothing(),
  }
}

async function* nothing(): AsyncIterable<string> {}

async function owned(sessions: Sessions, owner = 'ann'): Promise<string[]> {
  const ids: string[] = []
  for await (const session of sessions.findByOwner(owner)) ids.push(session.id)
  return ids
}

async function loggedIn(visitor: Visitor<Record<string, unknown>>): Promise<string | undefined> {
  return (await visitor.visit((session) => session.owner)).result
}

const logIn = async (visitor: Visitor<Record<string, unknown>>, owner = 'ann') => (await visitor.visit((session) => session.login(owner), { method: 'POST' })).result

describe('maxConcurrent', () => {
  it('refuses one login too many, which changes nothing', async () => {
    const { sessions, visitor } = limited({ maxConcurrent: 2, onLimit: 'refuse' })
    const third = visitor()
    await third.visit((session) => session.set('cart', ['tea']))
    expect([await logIn(visitor()), await logIn(visitor()), await logIn(third)]).toEqual(['ok', 'ok', 'refused'])
    expect((await third.visit((session) => [session.owner, session.get('cart')])).result).toEqual([undefined, ['tea']])
    expect(await owned(sessions)).toHaveLength(2)
    expect(await logIn(visitor(), 'bob')).toBe('ok')
  })

  it('ends the session that logged in first', async () => {
    const { sessions, visitor, clock } = limited({ maxConcurrent: 2 })
    const visitors = [visitor(), visitor(), visitor()]
    for (const each of visitors) {
      expect(await logIn(each)).toBe('ok')
      clock.advance(10)
    }
    expect(await Promise.all(visitors.map(loggedIn))).toEqual([undefined, 'ann', 'ann'])
    expect(await owned(sessions)).toHaveLength(2)
  })

  it.each(['refuse', 'end-oldest'] as const)('is never exceeded by logins at once, in a hundred orders of their steps (%s)', async (onLimit) => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const { sessions, visitor } = limited({ maxConcurrent: 2, onLimit }, unhurried(memoryStore(), seed))
      const results = await Promise.all(Array.from({ length: 5 }, async () => logIn(visitor())))
      expect([seed, (await owned(sessions)).length <= 2, results.includes('ok')]).toEqual([seed, true, true])
    }
  })

  it.each<[string, (folder: string) => Store]>([
    ['sqlite', (folder) => sqliteStore(join(folder, 'sessions.db'))],
    ['file', (folder) => fileStore(join(folder, 'sessions'))],
  ])('is never exceeded on %s, by two managers that share the data', async (_name, open) => {
    const folder = await temporaryFolder('seats')
    const managers = [1, 2].map(() => createSessions({ store: open(folder.path), sweepEvery: 'never', security: security({ maxConcurrent: 3 }) }))
    const [first] = managers
    if (first === undefined) throw new Error('there is no manager')
    const results = await Promise.all(managers.flatMap((sessions) => Array.from({ length: 6 }, async () => logIn(new Visitor(sessions)))))
    expect(results).toContain('ok')
    const left = await owned(first)
    expect(left.length).toBeGreaterThan(0)
    expect(left.length).toBeLessThanOrEqual(3)
    for (const sessions of managers) await sessions.close()
    await folder.remove()
  })

  it('is not exceeded by a login that takes the seat of one that was held up', async () => {
    const { sessions, visitor, held, clock } = limited({ maxConcurrent: 1, onLimit: 'refuse' })
    const first = visitor()
    await logIn(first)
    await first.visit((session) => session.logout())
    const point = held.hold('create')
    const late = visitor()
    const waiting = logIn(late)
    await point.reached
    clock.advance('2 minutes')
    expect(await logIn(visitor())).toBe('ok')
    point.release()
    expect(await waiting).toBe('gone')
    expect(await owned(sessions)).toHaveLength(1)
    expect(await loggedIn(late)).toBeUndefined()
  })

  it('keeps the seat of a login that is under way', async () => {
    const { visitor, held } = limited({ maxConcurrent: 1, onLimit: 'refuse' })
    const first = visitor()
    await logIn(first)
    await first.visit((session) => session.logout())
    const point = held.hold('create')
    const waiting = logIn(visitor())
    await point.reached
    expect(await logIn(visitor())).toBe('refused')
    point.release()
    expect(await waiting).toBe('ok')
  })

  it('counts a session once that logs in again', async () => {
    const { sessions, visitor } = limited({ maxConcurrent: 1, onLimit: 'refuse' })
    const customer = visitor()
    expect([await logIn(customer), await logIn(customer), await logIn(customer)]).toEqual(['ok', 'ok', 'ok'])
    expect((await customer.visit((session) => session.stepUp(2))).result).toBe('ok')
    expect(await owned(sessions)).toHaveLength(1)
    expect(await logIn(visitor())).toBe('refused')
  })

  it('is not exceeded when a session that logs in again is replaced by another', async () => {
    const { sessions, visitor } = limited({ maxConcurrent: 1, onLimit: 'end-oldest' })
    const customer = visitor()
    await logIn(customer)
    const stale = await customer.begin()
    await customer.visit((session) => session.regenerate())
    // The token of this request is superseded meanwhile, so the login makes another session.
    expect(await stale.session.login('ann')).toBe('ok')
    await stale.finish()
    expect(await owned(sessions)).toHaveLength(1)
  })

  it('gives the seats of ended and expired sessions away', async () => {
    const { visitor, clock } = limited({ maxConcurrent: 1, onLimit: 'refuse' })
    const first = visitor()
    await logIn(first)
    await first.visit((session) => session.logout())
    expect(await logIn(visitor())).toBe('ok')
    clock.advance('1 hour')
    expect(await logIn(visitor())).toBe('ok')
  })

  it('counts the sessions that were there before it was set', async () => {
    const store = memoryStore()
    const clock = movableClock(1_700_000_000_000)
    const before = createSessions({ store, clock, sweepEvery: 'never' })
    expect(await logIn(new Visitor(before))).toBe('ok')
    const after = createSessions({ store, clock, sweepEvery: 'never', security: security({ maxConcurrent: 1, onLimit: 'refuse' }) })
    expect(await logIn(new Visitor(after))).toBe('refused')
  })

  it('frees the seat of a login whose session could not be stored', async () => {
    const { visitor, held } = limited({ maxConcurrent: 1, onLimit: 'refuse' })
    const first = visitor()
    await logIn(first)
    await first.visit((session) => session.logout())
    const point = held.hold('create')
    const failing = visitor().begin().then(({ session }) => session.login('ann'))
    await point.reached
    point.fail(new Error('down'))
    await expect(failing).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect(await logIn(visitor())).toBe('ok')
  })

  it('undoes a login whose seat could not be confirmed', async () => {
    const { sessions, visitor, held } = limited({ maxConcurrent: 1, onLimit: 'refuse' })
    const first = visitor()
    await logIn(first)
    await first.visit((session) => session.logout())
    const created = held.hold('create', { when: 'after' })
    const visit = await visitor().begin()
    const failing = visit.session.login('ann')
    await created.reached
    const confirming = held.hold('patch')
    created.release()
    await confirming.reached
    confirming.fail(new Error('down'))
    await expect(failing).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect(await visit.finish({ failed: true })).toEqual([])
    expect(await owned(sessions)).toEqual([])
  })

  it('is nobody\'s session: neither listed nor loaded', async () => {
    const { sessions, visitor, held } = limited({ maxConcurrent: 1 })
    await logIn(visitor())
    const ids: string[] = []
    for await (const { id } of sessions.list()) ids.push(id)
    expect(ids).toEqual(await owned(sessions))
    const others = new Set(held.calls.flatMap(({ id }) => (id === undefined || ids.includes(id) ? [] : [id])))
    expect(others.size).toBe(3)
    for (const id of others) expect(await sessions.load({ id })).toBeUndefined()
  })

  it('works on a store that cannot find by owner', async () => {
    const map = new Map<string, unknown>()
    const store = cacheStore({ get: (key: string) => map.get(key), set: (key: string, value: unknown) => void map.set(key, value), delete: (key: string) => map.delete(key) }, { ttl: 'none' })
    const sessions = createSessions({ store, sweepEvery: 'never', security: security({ maxConcurrent: 1, onLimit: 'refuse' }) })
    expect([await logIn(new Visitor(sessions)), await logIn(new Visitor(sessions))]).toEqual(['ok', 'refused'])
  })

  it.each([0, -1, 1.5, 1001, Number.NaN])('refuses %d', (maxConcurrent) => {
    expect(() => security({ maxConcurrent })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})
