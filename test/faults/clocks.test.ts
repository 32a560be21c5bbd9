import { Memcache } from 'memcache'
import { createPool, type RowDataPacket } from 'mysql2/promise'
import { afterEach, describe, expect, it } from 'vitest'
import { createSessions, memoryStore, type Store } from '../../src/index.ts'
import { memcachedStore } from '../../src/stores/memcached.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { movableClock } from '../../src/testing/clock.ts'
import { Visitor } from '../internal/visitor.ts'
import { needsMariadb, startMariadb } from '../servers/mariadb.ts'
import { needsMemcached, startMemcached } from '../servers/memcached.ts'
import { needsPostgres, poolOn, startPostgres } from '../servers/postgres.ts'
import { connectRedis } from '../servers/redis-clients.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'
import { needsFaketime, steppableClock, type SteppableClock } from '../servers/steppable-clock.ts'
import { describeWithServer } from '../servers/suite.ts'
import { failures, FRESH, holds, openShop } from './shop.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const STORES: readonly (readonly [string, () => Store])[] = [['memory', () => memoryStore()], ['sqlite', () => sqliteStore(':memory:')]]

describe.each(STORES)('the application’s clock over %s', (_, open) => {
  function application() {
    const clock = movableClock()
    const sessions = createSessions<{ n: number }>({ store: open(), clock, sweepEvery: 'never' })
    return { clock, sessions, visitor: (cookie?: string) => new Visitor(sessions, cookie) }
  }

  it('back an hour: nobody is logged out, no deadline moves, and logout, login and revocation work', async () => {
    const { clock, sessions, visitor } = application()
    const [ada, grace] = [visitor(), visitor()]
    const { result: deadline } = await ada.visit(async (session) => { await session.login('ada'); session.set('n', 1); await session.commit(); return session.expiresAt })
    await grace.visit((session) => session.login('grace'))
    clock.advance(-3600)
    const { result } = await ada.visit((session) => { session.set('n', 2); session.isChanged = true; return [session.owner, session.get('n')] })
    expect(result).toEqual(['ada', 2])
    expect((await ada.visit((session) => session.expiresAt)).result).toBe(deadline)
    expect(await sessions.revokeAll('ada')).toBe(1)
    expect((await ada.visit((session) => session.owner)).result).toBeUndefined()
    await ada.visit((session) => session.login('ada'))
    expect((await ada.visit((session) => session.owner)).result).toBe('ada')
    const { cookie } = grace
    await grace.visit((session) => session.logout())
    clock.advance(3600)
    expect((await ada.visit((session) => session.owner)).result).toBeUndefined()
    expect((await visitor(cookie).visit((session) => session.owner)).result).toBeUndefined()
  })

  it('forward an hour: who had less left is a stranger with the reason, and can log in; back again, what had ended stays ended', async () => {
    const { clock, sessions, visitor } = application()
    const [ada, grace] = [visitor(), visitor()]
    for (const [who, owner] of [[ada, 'ada'], [grace, 'grace']] as const) await who.visit((session) => session.login(owner))
    await sessions.revokeAll('grace')
    clock.advance(3600)
    expect((await ada.visit((session) => [session.owner, session.endedBecause])).result).toEqual([undefined, 'expired-idle'])
    const other = visitor()
    await other.visit((session) => session.login('ada'))
    expect((await other.visit((session) => session.owner)).result).toBe('ada')
    clock.advance(-3600)
    expect((await grace.visit((session) => session.owner)).result).toBeUndefined()
    expect((await other.visit((session) => session.owner)).result).toBe('ada')
  })
})

describeWithServer('the clock of a server', needsFaketime, () => {
  describeWithServer('of Redis', needsRedis, (binary) => {
    async function onRedis() {
      const clock = await steppableClock()
      cleanups.push(() => clock.remove())
      const server = await startRedis(binary, [], undefined, clock.env)
      const { client, close } = await connectRedis('node-redis', 'single', { ports: [server.port], password: server.password })
      cleanups.push(() => server.stop(), close)
      return { clock, client }
    }

    it('of Redis forward an hour: who had less left is a stranger, nobody else, and no request fails', async () => {
      const { clock, client } = await onRedis()
      const short = await openShop(redisStore(client))
      const long = await openShop(redisStore(client), { idleTimeout: '2 hours' })
      cleanups.push(() => short.close(), () => long.close())
      await clock.set(3600)
      expect([await short.get(), await long.get()]).toEqual([FRESH, holds(1)])
      expect([await short.set(2), await long.set(2)]).toEqual([200, 200])
      expect(await long.get()).toBe(holds(2))
      expect([failures(short), failures(long)]).toEqual([[], []])
    })

    it('of Redis back an hour: nothing is lost, and sessions end by the application’s clock', async () => {
      const { clock, client } = await onRedis()
      const ours = movableClock()
      const shop = await openShop(redisStore(client), { clock: ours })
      cleanups.push(() => shop.close())
      await clock.set(-3600)
      expect([await shop.get(), await shop.set(2), await shop.get()]).toEqual([holds(1), 200, holds(2)])
      ours.advance('1 hour')
      expect(await shop.get()).toBe(FRESH)
      expect(failures(shop)).toEqual([])
    })
  })

  describeWithServer('of PostgreSQL', needsPostgres, (binary) => {
    it.each([3600, -3600])('of PostgreSQL by %i seconds: nothing is lost, no sweep takes what lives, and sessions end by the application’s clock', async (seconds) => {
      const clock = await steppableClock()
      cleanups.push(() => clock.remove())
      const server = await startPostgres(binary, {}, clock)
      const pool = poolOn({ connectionString: server.url })
      cleanups.push(() => server.stop(), () => pool.end())
      const serverTime = async (): Promise<number> => Date.parse((await pool.query<{ now: string }>('SELECT now()::text AS now')).rows[0]?.now ?? '')
      await assertUnmoved(postgresStore(pool, { createTable: true }), { clock, seconds, serverTime })
    })
  })

  describeWithServer('of MariaDB', needsMariadb, (binary) => {
    it.each([3600, -3600])('of MariaDB by %i seconds: nothing is lost, no sweep takes what lives, and sessions end by the application’s clock', async (seconds) => {
      const clock = await steppableClock()
      cleanups.push(() => clock.remove())
      const server = await startMariadb(binary, {}, clock)
      const pool = createPool(server.url)
      cleanups.push(() => server.stop(), () => pool.end())
      const serverTime = async (): Promise<number> => Number(Object.values((await pool.query<RowDataPacket[]>('SELECT UNIX_TIMESTAMP()'))[0][0] ?? {})[0]) * 1000
      await assertUnmoved(mysqlStore(pool, { createTable: true }), { clock, seconds, serverTime })
    })
  })

  describeWithServer('of memcached', needsMemcached, (binary) => {
    it.each([3600, -3600])('of memcached by %i seconds: nothing is lost, and sessions end by the application’s clock', async (seconds) => {
      const clock = await steppableClock()
      cleanups.push(() => clock.remove())
      const server = await startMemcached(binary, [], clock.env)
      const client = new Memcache(server.address)
      cleanups.push(() => server.stop(), () => client.disconnect())
      await assertUnmoved(memcachedStore(client), { clock, seconds })
    })
  })
})

interface Step {
  readonly clock: SteppableClock
  readonly seconds: number
  /** By the server's clock, milliseconds since the epoch, where it can be asked. */
  readonly serverTime?: () => Promise<number>
}

/** Steps the server's clock. The visitor must notice nothing, and leave by the application's clock. */
async function assertUnmoved(store: Store, { clock, seconds, serverTime }: Step): Promise<void> {
  const ours = movableClock()
  const shop = await openShop(store, { clock: ours })
  cleanups.push(() => shop.close())
  await clock.set(seconds)
  if (serverTime !== undefined) expect(Math.round(((await serverTime()) - Date.now()) / 60_000)).toBe(seconds / 60)
  if (store.sweep !== undefined) expect(await shop.sessions.sweep()).toBe(0)
  expect([await shop.get(), await shop.set(2), await shop.get()]).toEqual([holds(1), 200, holds(2)])
  ours.advance('1 hour')
  expect(await shop.get()).toBe(FRESH)
  expect(failures(shop)).toEqual([])
}
