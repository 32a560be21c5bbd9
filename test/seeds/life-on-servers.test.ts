// The nine requests of Plack's life of a session (PL-01 … PL-12), on every store that needs a server, over every transport.
import { randomBytes } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { createPool } from 'mysql2/promise'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { createSessions, type Store } from '../../src/index.ts'
import { memcachedStore } from '../../src/stores/memcached.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { needsMariadb, startMariadb } from '../servers/mariadb.ts'
import { needsMemcached, startMemcached } from '../servers/memcached.ts'
import { needsPostgres, startPostgres } from '../servers/postgres.ts'
import { connectRedis, freshPrefix } from '../servers/redis-clients.ts'
import { needsRedis, startRedis, startRedisCluster } from '../servers/redis.ts'
import { describeWithServer } from '../servers/suite.ts'
import { memcachedClients } from '../stores/memcached-clients.ts'
import { nineRequests, ways } from './nine-requests.ts'

/** The case PL-87: names that are words of SQL. */
const HOSTILE = { table: 'insert', createTable: true } as const

/** What a store is made of, and how to be rid of it. */
interface Place {
  newStore(): Store
  stop(): Promise<unknown>
}

function describeLife(start: () => Promise<Place>): void {
  let place: Place
  beforeAll(async () => { place = await start() })
  afterAll(() => place.stop())
  it.each(ways)('PL-01 PL-02 PL-03 PL-04 PL-07 PL-10 PL-12 over $name', async (way) => {
    const sessions = createSessions({ store: place.newStore(), transport: way.transport(), sweepEvery: 'never' })
    await nineRequests(sessions, way)
    await sessions.close()
  })
}

describeWithServer('on redis, a single server', needsRedis, (binary) => describeLife(async () => {
  const server = await startRedis(binary)
  const { client, close } = await connectRedis('node-redis', 'single', { ports: [server.port], password: server.password })
  return { newStore: () => redisStore(client, { prefix: freshPrefix() }), stop: () => close().then(server.stop) }
}))

describeWithServer('on redis, a Cluster', needsRedis, (binary) => describeLife(async () => {
  const { primaries, password, stop } = await startRedisCluster(binary)
  const { client, close } = await connectRedis('ioredis', 'cluster', { ports: primaries.map(({ port }) => port), password })
  return { newStore: () => redisStore(client, { prefix: freshPrefix() }), stop: () => close().then(stop) }
}))

describe('on postgres, PGlite, table insert, columns where and set: PL-87', () => describeLife(async () => {
  const lite = await PGlite.create()
  return { newStore: () => postgresStore(lite, { ...HOSTILE, columns: { id: 'where', entries: 'set' } }), stop: () => lite.close() }
}))

describeWithServer('on postgres, a server, table insert, columns where and set: PL-87', needsPostgres, (binary) => describeLife(async () => {
  const server = await startPostgres(binary, { fsync: 'off' })
  const pool = new Pool({ connectionString: server.url })
  pool.on('error', () => undefined)
  return { newStore: () => postgresStore(pool, { ...HOSTILE, columns: { id: 'where', entries: 'set' } }), stop: () => pool.end().then(server.stop) }
}))

describeWithServer('on mysql, MariaDB, table insert, columns where and set: PL-87', needsMariadb, (binary) => describeLife(async () => {
  const server = await startMariadb(binary, { 'innodb-flush-log-at-trx-commit': '2' })
  const pool = createPool({ uri: server.url })
  return { newStore: () => mysqlStore(pool, { ...HOSTILE, columns: { id: 'where', entries: 'set' } }), stop: () => pool.end().then(server.stop) }
}))

describeWithServer('on memcached', needsMemcached, (binary) => describeLife(async () => {
  const server = await startMemcached(binary)
  const connected = memcachedClients['memcache-client']?.(server.address)
  if (connected === undefined) throw new Error('memcached-clients.ts has no memcache-client')
  return {
    newStore: () => memcachedStore(connected.client, { prefix: `${randomBytes(9).toString('base64url')}:` }),
    stop: () => {
      connected.close()
      return server.stop()
    },
  }
}))
