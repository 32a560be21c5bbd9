import { createPool } from 'mysql2/promise'
import { Memcache } from 'memcache'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { memcachedStore } from '../../src/stores/memcached.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { cookieOf, post } from '../attacks/site.ts'
import { needsMariadb, startMariadb } from '../servers/mariadb.ts'
import { needsMemcached, startMemcached } from '../servers/memcached.ts'
import { needsPostgres, poolOn, startPostgres } from '../servers/postgres.ts'
import { startProxy, type Proxy } from '../servers/proxy.ts'
import { connectRedis } from '../servers/redis-clients.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'
import { describeWithServer, type ServerNeed } from '../servers/suite.ts'
import { failures, FRESH, holds, once, openShop, type Shop } from './shop.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A server that can fail. */
interface Server {
  readonly port: number
  pause(on: boolean): void
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

interface Kind {
  readonly need: ServerNeed
  /** Whether what it acknowledged is there after kill -9, as it is started here. */
  readonly durable: boolean
  start(binary: string): Promise<Server>
  /** A store through a line to the server started. */
  connect(line: Proxy): Promise<Store>
}

const later = (cleanup: () => unknown): void => void cleanups.push(cleanup)

function redis(): Kind {
  let password = ''
  return {
    need: needsRedis, durable: true,
    async start(binary) {
      const server = await startRedis(binary, [['appendonly', 'yes'], ['appendfsync', 'always']])
      password = server.password
      return { ...server, pause: (on) => server.signal(on ? 'SIGSTOP' : 'SIGCONT') }
    },
    async connect({ port }) {
      const { client, close } = await connectRedis('node-redis', 'single', { ports: [port], password })
      later(close)
      return redisStore(client)
    },
  }
}

function postgres(): Kind {
  let url = new URL('postgres://')
  return {
    need: needsPostgres, durable: true,
    async start(binary) {
      const server = await startPostgres(binary)
      url = new URL(server.url)
      return server
    },
    async connect({ port }) {
      const pool = poolOn({ host: '127.0.0.1', port, user: url.username, password: url.password, database: url.pathname.slice(1), max: 4 })
      later(() => pool.end())
      return postgresStore(pool, { createTable: true })
    },
  }
}

function mariadb(): Kind {
  let account = { user: '', password: '', database: '' }
  return {
    need: needsMariadb, durable: true,
    async start(binary) {
      const server = await startMariadb(binary)
      account = { user: server.user, password: server.password, database: server.database }
      return server
    },
    async connect({ port }) {
      const pool = createPool({ ...account, host: '127.0.0.1', port, connectionLimit: 4 })
      later(() => pool.end())
      return mysqlStore(pool, { createTable: true })
    },
  }
}

function memcached(): Kind {
  return {
    need: needsMemcached, durable: false,
    async start(binary) {
      const server = await startMemcached(binary)
      return { ...server, port: Number(server.address.split(':')[1]), pause: (on) => (on ? server.freeze() : server.thaw()) }
    },
    async connect({ port }) {
      const client = new Memcache(`127.0.0.1:${port}`)
      later(() => client.disconnect())
      return memcachedStore(client)
    },
  }
}

const KINDS: Readonly<Record<string, Kind>> = { Redis: redis(), PostgreSQL: postgres(), MariaDB: mariadb(), memcached: memcached() }

for (const [name, { need, durable, start, connect }] of Object.entries(KINDS)) {
  describeWithServer(`${name} behind an application`, need, (binary) => {
    let server: Server
    beforeAll(async () => {
      server = await start(binary)
    })
    afterAll(() => server.stop())

    async function shopOnLine(): Promise<{ readonly line: Proxy; readonly shop: Shop }> {
      const line = await startProxy(server.port)
      later(() => line.stop())
      const shop = await openShop(await connect(line))
      later(() => shop.close())
      return { line, shop }
    }

    it('killed and started again: 500 meanwhile, then the visitor is there with everything acknowledged, or as a stranger where nothing is durable', async () => {
      const { shop } = await shopOnLine()
      expect(await shop.set(2)).toBe(200)
      await server.kill()
      expect([await shop.get(), await shop.set(3)]).toEqual(['500', 500])
      for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)
      expect(failures(shop)).not.toEqual([])
      expect((await shop.ask('/')).status).toBe(200)
      await server.restart()
      expect(await once(shop.get, (answer) => answer !== '500')).toBe(durable ? holds(2) : FRESH)
      if (durable) expect(await once(() => shop.set(4), (status) => status === 200)).toBe(200)
    })

    it('paused: 500 after storeTimeout, and goes on where it was', async () => {
      const { shop } = await shopOnLine()
      later(() => server.pause(false))
      server.pause(true)
      const began = performance.now()
      const stranger = async (): Promise<number> => (await shop.ask('/set', post({ n: 9 }))).status
      expect(await Promise.all([shop.get(), shop.get(), stranger()])).toEqual(['500', '500', 500])
      expect(performance.now() - began).toBeLessThan(4000)
      expect(shop.errors.map(String)).toEqual([1, 2, 3].map(() => expect.stringMatching(/did not answer (?:read|create) within 1 s/)))
      for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)
      expect(failures(shop)).not.toEqual([])
      server.pause(false)
      expect(await once(shop.get, (answer) => answer !== '500')).toBe(holds(1))
      expect(await once(() => shop.set(2), (status) => status === 200)).toBe(200)
      expect(await shop.get()).toBe(holds(2))
    })

    it('its answer lost half-way: 500, the change is there or not, and the next request works', async () => {
      const { line, shop } = await shopOnLine()
      line.loseAnswers()
      const lost = shop.set(2)
      expect(await lost).toBe(500)
      line.cut()
      for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)
      expect(failures(shop)).not.toEqual([])
      expect([holds(1), holds(2)]).toContain(await once(shop.get, (answer) => answer !== '500'))
      expect(await once(() => shop.set(3), (status) => status === 200)).toBe(200)
      expect(await shop.get()).toBe(holds(3))
    })

    it('its connections cut: the next requests find new ones, with nothing lost', async () => {
      const { line, shop } = await shopOnLine()
      line.cut()
      expect(await once(shop.get, (answer) => answer !== '500')).toBe(holds(1))
      expect(await once(() => shop.set(2), (status) => status === 200)).toBe(200)
      expect(await shop.get()).toBe(holds(2))
    })

    it('slow: the visitor waits and is served; beyond storeTimeout 500, and a late answer is given to nobody else', async () => {
      const { line, shop } = await shopOnLine()
      const held = line.hold()
      const waiting = shop.get()
      await held
      line.release()
      expect(await waiting).toBe(holds(1))
      void line.hold()
      expect(await shop.get()).toBe('500')
      line.release()
      expect(await once(shop.get, (answer) => answer !== '500')).toBe(holds(1))
      const second = await once(async () => cookieOf(await shop.ask('/set', post({ n: 7 }))), (cookie) => cookie !== undefined)
      expect((await once(() => shop.ask('/get', { cookie: second }), ({ status }) => status === 200)).body).toBe(holds(7))
      expect(await shop.get()).toBe(holds(1))
    })
  })
}
