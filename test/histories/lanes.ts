import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Pool } from 'pg'
import { createClient } from 'redis'
import type { Store } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { needsPostgres, startPostgres } from '../servers/postgres.ts'
import { temporaryFolder } from '../servers/process.ts'
import { nodeRedis, urlOf } from '../servers/redis-clients.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'

export const STORE_NAMES = ['memory', 'sqlite', 'file', 'redis', 'postgres'] as const
export type StoreName = (typeof STORE_NAMES)[number]

/** Where histories are played. Those of one lane share their data and come one after the other. */
export interface Lanes {
  /** A store that nobody else uses. */
  open(): Promise<Store>
  close(): Promise<void>
}

/** Starts what the store needs. Undefined where that is not on this machine. */
export async function lanesOf(name: StoreName): Promise<Lanes | undefined> {
  switch (name) {
    case 'memory': return { open: async () => memoryStore(), close: async () => {} }
    case 'sqlite': return inFolder((path) => sqliteStore(join(path, 'sessions.db')))
    case 'file': return inFolder((path) => fileStore(join(path, 'sessions')))
    case 'redis': return needsRedis.binary === undefined ? undefined : onRedis(needsRedis.binary)
    case 'postgres': return needsPostgres.binary === undefined ? undefined : onPostgres(needsPostgres.binary)
  }
}

async function inFolder(make: (path: string) => Store): Promise<Lanes> {
  const closers: (() => Promise<void>)[] = []
  return {
    async open() {
      const folder = await temporaryFolder('histories')
      const store = make(folder.path)
      await store.open?.()
      closers.push(async () => {
        await store.close?.()
        await folder.remove()
      })
      return store
    },
    close: async () => { for (const close of closers) await close() },
  }
}

async function onRedis(binary: string): Promise<Lanes> {
  const server = await startRedis(binary)
  const { client, close } = await nodeRedis(createClient({ url: urlOf({ ports: [server.port], password: server.password }), disableOfflineQueue: true }))
  return {
    async open() {
      const store = redisStore(client, { prefix: `${randomBytes(6).toString('hex')}:` })
      await store.open?.()
      return store
    },
    async close() {
      await close()
      await server.stop()
    },
  }
}

async function onPostgres(binary: string): Promise<Lanes> {
  const server = await startPostgres(binary, { fsync: 'off' })
  const pool = new Pool({ connectionString: server.url, max: 16 })
  // Each lane's store listens; and the server takes idle connections with it when it stops.
  pool.setMaxListeners(100).on('error', () => undefined)
  const stores: Store[] = []
  return {
    async open() {
      const store = postgresStore(pool, { table: `lane_${stores.length}` })
      stores.push(store)
      await store.createTable()
      await store.open?.()
      return store
    },
    async close() {
      for (const store of stores) await store.close?.()
      await pool.end()
      await server.stop()
    },
  }
}
