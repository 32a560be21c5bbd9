import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createPool } from 'mysql2/promise'
import { afterEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { cookieOf, post } from '../attacks/site.ts'
import { needsMariadb, startMariadb } from '../servers/mariadb.ts'
import { needsPostgres, poolOn, startPostgres } from '../servers/postgres.ts'
import { connectRedis } from '../servers/redis-clients.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'
import { describeOnSmallDisk, type SmallDisk } from '../servers/small-disk.ts'
import { describeWithServer } from '../servers/suite.ts'
import { failures, holds, once, openShop, type Shop } from './shop.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const STORES: readonly (readonly [string, (folder: string) => Store])[] = [['sqlite', (folder) => sqliteStore(join(folder, 'sessions.db'))], ['file', (folder) => fileStore(join(folder, 'sessions'))]]

describeOnSmallDisk('a disk', (newDisk) => {
  describe.each(STORES)('under the store %s', (_, open) => {
    it('full: writes are answered with 500 and the error that nothing was changed, reads go on, and everything works when there is room', async () => {
      const disk = newDisk()
      cleanups.push(() => disk.remove())
      await assertBearsAFullDisk(open(disk.path), disk)
    })

    it('read-only: writes are answered with 500, nothing is lost, and everything works when it can be written to', async () => {
      const disk = newDisk()
      cleanups.push(() => disk.remove())
      const before = await openShop(open(disk.path))
      await before.close()
      disk.readOnly(true)
      const shop = await openShop(open(disk.path))
      cleanups.push(() => shop.close())
      expect((await shop.ask('/set', post({ n: 2 }, before.cookie))).status).toBe(500)
      expect(failures(shop)).toEqual(['ERR_SESSION_STORE none'])
      expect((await shop.ask('/')).status).toBe(200)
      disk.readOnly(false)
      expect((await shop.ask('/get', { cookie: before.cookie })).body).toBe(holds(1))
      expect((await shop.ask('/set', post({ n: 2 }, before.cookie))).status).toBe(200)
      expect((await shop.ask('/get', { cookie: before.cookie })).body).toBe(holds(2))
    })
  })

  describeWithServer('under PostgreSQL', needsPostgres, (binary) => {
    async function onSmallDisk() {
      const disk = newDisk(80)
      const server = await startPostgres(binary, { min_wal_size: '2MB', max_wal_size: '64MB' }, { parent: disk.path })
      const pool = poolOn({ connectionString: server.url })
      cleanups.push(() => disk.remove(), () => server.stop(), () => pool.end())
      return { disk, server, pool, store: postgresStore(pool, { createTable: true }) }
    }

    it('full under PostgreSQL: writes are answered with 500 and the error that nothing was changed, reads go on, and everything works when there is room', async () => {
      const { disk, store } = await onSmallDisk()
      await assertBearsAFullDisk(store, disk)
    })

    it('full under the log of PostgreSQL: it breaks off, and has everything acknowledged when it is started again', async () => {
      const { disk, server, pool, store } = await onSmallDisk()
      const { shop } = await onFullDisk(store, disk)
      let [n, acknowledged] = [0, 0]
      // Each switch asks for a new file. It may recover by itself, and does not when there is no room for that either.
      const end = await once(async () => {
        n += 1
        if ((await shop.set(n)) === 200) acknowledged = n
        return pool.query('SELECT pg_switch_wal()').then(() => undefined, (error: unknown) => String(error))
      }, (error) => error !== undefined)
      expect(end).toMatch(/ECONNRE|terminated|recovery|shutting down/)
      disk.free()
      await server.kill()
      await server.restart()
      const page = await once(shop.get, (answer) => answer !== '500')
      expect(Array.from({ length: n - acknowledged + 1 }, (_, more) => holds(acknowledged + more))).toContain(page)
      expect(await once(() => shop.set('again'), (status) => status === 200)).toBe(200)
      for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)
    })
  })

  describeWithServer('under MariaDB', needsMariadb, (binary) => {
    it('full under MariaDB: writes are answered with 500 and the error that nothing was changed, reads go on, and if that ends the server it has everything acknowledged when it is started again', async () => {
      const disk = newDisk(120)
      const server = await startMariadb(binary, { 'innodb-log-file-size': '4M', 'innodb-undo-tablespaces': '0' }, { parent: disk.path })
      const pool = createPool(server.url)
      cleanups.push(() => disk.remove(), () => server.stop(), () => pool.end().catch(() => undefined))
      const { shop, acknowledged } = await onFullDisk(mysqlStore(pool, { createTable: true }), disk)
      // MariaDB 10.11 aborts at an insert that it finds no room for.
      await server.kill()
      disk.free()
      await server.restart()
      expect(await once(shop.get, (answer) => answer !== '500')).toBe(holds(acknowledged))
      expect(await once(() => shop.set('again'), (status) => status === 200)).toBe(200)
      expect(await shop.get()).toBe(holds('again'))
    })
  })

  describeWithServer('under Redis', needsRedis, (binary) => {
    it('full under the log of Redis: writes are answered with 500 and nothing is changed, reads go on, and writes work when there is room', async () => {
      const disk = newDisk()
      cleanups.push(() => disk.remove())
      const server = await startRedis(binary, [['dir', disk.path], ['appendonly', 'yes'], ['appendfsync', 'everysec']])
      const { client, close } = await connectRedis('node-redis', 'single', { ports: [server.port], password: server.password })
      cleanups.push(() => server.stop(), close)
      const shop = await openShop(redisStore(client))
      cleanups.push(() => shop.close())
      disk.fill()
      // Redis answers the write whose log it could not write, and refuses those after it.
      let acknowledged: unknown = 1
      const refused = await once(async () => {
        const text = `${Math.random()}${'x'.repeat(20_000)}`
        const status = await shop.set(text)
        if (status === 200) acknowledged = text
        return status
      }, (status) => status === 500)
      expect(refused).toBe(500)
      expect(failures(shop)).toEqual(['ERR_SESSION_STORE none'])
      expect(await shop.get()).toBe(holds(acknowledged))
      disk.free()
      expect(await once(() => shop.set('again'), (status) => status === 200)).toBe(200)
      expect(await shop.get()).toBe(holds('again'))
    })
  })
})

/** A text that nothing can make smaller. */
function incompressible(): string {
  return randomBytes(50_000).toString('base64')
}

/** A shop with a disk that has no room left, and what its visitor has stored. */
async function onFullDisk(store: Store, disk: SmallDisk): Promise<{ readonly shop: Shop; readonly acknowledged: string }> {
  const shop = await openShop(store)
  cleanups.push(() => shop.close())
  expect(await shop.set('acknowledged')).toBe(200)
  disk.fill()
  // What a log or a table had reserved may still take the first of them.
  let acknowledged = 'acknowledged'
  const statuses: number[] = []
  for (let n = 0; n < 30 && statuses.at(-1) !== 500; n += 1) {
    const text = incompressible()
    statuses.push(await shop.set(text))
    if (statuses.at(-1) === 200) acknowledged = text
  }
  expect(statuses.at(-1)).toBe(500)
  expect(failures(shop)).toEqual(['ERR_SESSION_STORE none'])
  expect(await shop.get()).toBe(holds(acknowledged))
  expect(cookieOf(await shop.ask('/set', post({ n: incompressible() })))).toBeUndefined()
  return { shop, acknowledged }
}

/** Fills the disk under a store, which must go on by itself when there is room. */
async function assertBearsAFullDisk(store: Store, disk: SmallDisk): Promise<void> {
  const { shop, acknowledged } = await onFullDisk(store, disk)
  expect([await shop.get(), failures(shop)]).toEqual([holds(acknowledged), ['ERR_SESSION_STORE none']])
  disk.free()
  expect(await shop.set('again')).toBe(200)
  expect(await shop.get()).toBe(holds('again'))
}
