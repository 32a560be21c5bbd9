import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { cookieOf, post } from '../attacks/site.ts'
import { connectRedis } from '../servers/redis-clients.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'
import { describeOnSmallDisk } from '../servers/small-disk.ts'
import { describeWithServer } from '../servers/suite.ts'
import { failures, holds, once, openShop } from './shop.ts'

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
      const shop = await openShop(open(disk.path))
      cleanups.push(() => shop.close())
      expect(await shop.set('acknowledged')).toBe(200)
      disk.fill()
      // What a log had reserved may still take the first of them.
      let acknowledged: unknown = 'acknowledged'
      const statuses: number[] = []
      for (let n = 0; n < 30 && statuses.at(-1) !== 500; n += 1) {
        const text = `${n}${'x'.repeat(50_000)}`
        statuses.push(await shop.set(text))
        if (statuses.at(-1) === 200) acknowledged = text
      }
      expect(statuses.at(-1)).toBe(500)
      expect(failures(shop)).toEqual(['ERR_SESSION_STORE none'])
      expect(await shop.get()).toBe(holds(acknowledged))
      expect(cookieOf(await shop.ask('/set', post({ n: 'y'.repeat(100_000) })))).toBeUndefined()
      disk.free()
      expect(await shop.set('again')).toBe(200)
      expect(await shop.get()).toBe(holds('again'))
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
