import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import connectPgSimple from 'connect-pg-simple'
import { RedisStore } from 'connect-redis'
import session from 'express-session'
import { Pool } from 'pg'
import { createClient } from 'redis'
import sessionFileStore from 'session-file-store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needsPostgres, startPostgres, type PostgresServer } from '../../test/servers/postgres.ts'
import { needsRedis, startRedis, type RedisServer } from '../../test/servers/redis.ts'
import { freshPrefix } from '../../test/servers/redis-clients.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import type { Store } from '../core/store.ts'
import { describeStore } from '../testing/describe-store.ts'
import { collect, newId, newPatch, newRecord, NOW } from '../testing/store-cases/trial.ts'
import { expressStore, type ExpressSessionStore } from './express.ts'

const MINUTE = 60_000
const FileStore = sessionFileStore(session)
const PgStore = connectPgSimple(session)

/** The three rules that two processes cannot keep with such a store. The list may not grow. */
const NOT_BETWEEN_PROCESSES = [
  'applies the patches and creates of two handles in one atomic step each',
  'gives a rotation one winner across two handles',
  'lets nothing live after an end on one handle, whatever patches are under way on another',
]

/** Puts something under an id that says it is ours and is no record. */
function corrupting(store: ExpressSessionStore): (id: string) => Promise<void> {
  return (id) => new Promise((resolve, reject) => {
    const cookie = { expires: new Date(Date.now() + 10 * MINUTE), originalMaxAge: 10 * MINUTE, path: '/' }
    store.set(id, { cookie, sojourn: { id, record: '{}' } }, (error) => (error ? reject(error) : resolve()))
  })
}

function fileStore(path: string): ExpressSessionStore {
  return new FileStore({ path, retries: 0, reapInterval: -1, logFn: () => undefined })
}

describeStore({ describe, it }, 'two expressStores over one MemoryStore', () => {
  const memory = new session.MemoryStore()
  return { store: expressStore(memory), reopen: () => expressStore(memory), corrupt: corrupting(memory), close: () => {} }
}, { lacks: ['find', 'sweep', 'watch'] })

describeStore({ describe, it }, 'expressStore over session-file-store', async () => {
  const path = await mkdtemp(join(tmpdir(), 'sojourn-express-'))
  const files = fileStore(path)
  return { store: expressStore(files), reopen: () => expressStore(fileStore(path)), corrupt: corrupting(files), close: () => rm(path, { recursive: true }) }
}, { lacks: ['find', 'list', 'sweep', 'watch'], knownFailures: NOT_BETWEEN_PROCESSES })

describeWithServer('expressStore over connect-redis', needsRedis, (binary) => {
  let server: RedisServer
  let clients: ReturnType<typeof connect>[]
  const connect = (): ReturnType<typeof createClient> => createClient({ url: `redis://:${server.password}@127.0.0.1:${server.port}` })
  beforeAll(async () => {
    server = await startRedis(binary)
    clients = [connect(), connect()]
    for (const client of clients) await client.connect()
  })
  afterAll(async () => {
    for (const client of clients) await client.close()
    await server.stop()
  })
  const make = (n: number, prefix: string): RedisStore => new RedisStore({ client: clients[n], prefix })

  describeStore({ describe, it }, 'two clients', () => {
    const prefix = freshPrefix()
    return { store: expressStore(make(0, prefix)), reopen: () => expressStore(make(1, prefix)), corrupt: corrupting(make(0, prefix)), close: () => {} }
  }, { lacks: ['find', 'sweep', 'watch'], knownFailures: NOT_BETWEEN_PROCESSES })

  it('gives Redis a time to live a minute longer than the session’s', async () => {
    const prefix = freshPrefix()
    const store = expressStore(make(0, prefix))
    const id = newId()
    await store.create(id, newRecord({ expiresAt: NOW + 10 * MINUTE }))
    expect(await clients[0]?.ttl(prefix + id)).toEqual(expect.closeTo(660, -1))
    await store.end(id, 'destroyed', NOW)
    expect(await clients[0]?.ttl(prefix + id)).toEqual(expect.closeTo(120, -1))
  })
})

describeWithServer('expressStore on a server that fails', needsRedis, (binary) => {
  it('rejects with ERR_SESSION_STORE when it was killed, and works again when it is back', async () => {
    const server = await startRedis(binary, [['appendonly', 'yes'], ['appendfsync', 'always']])
    const client = createClient({ url: `redis://:${server.password}@127.0.0.1:${server.port}`, disableOfflineQueue: true })
    client.on('error', () => undefined)
    await client.connect()
    const store = expressStore(new RedisStore({ client }))
    const id = newId()
    await store.create(id, newRecord())
    await store.patch(id, newPatch({ set: [['d:a', '1']] }))
    await server.kill()
    await expect.poll(() => client.isReady).toBe(false)
    await expect(store.read(id)).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    await expect(store.patch(id, newPatch({ set: [['d:b', '1']] }))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    await server.restart()
    await expect.poll(() => client.isReady, { timeout: 15_000 }).toBe(true)
    expect((await store.read(id))?.entries).toMatchObject({ 'd:a': '1' })
    expect(await store.patch(id, newPatch({ set: [['d:b', '1']] }))).toMatchObject({ status: 'ok' })
    await client.close()
    await server.stop()
  })
})

describeWithServer('expressStore over connect-pg-simple', needsPostgres, (binary) => {
  let server: PostgresServer
  let pools: Pool[]
  let tables = 0
  beforeAll(async () => {
    server = await startPostgres(binary)
    pools = [new Pool({ connectionString: server.url }), new Pool({ connectionString: server.url })]
    // A connection that the pool keeps while the server stops is no failure of a test.
    for (const pool of pools) pool.on('error', () => undefined)
  })
  afterAll(async () => {
    for (const pool of pools) await pool.end()
    await server.stop()
  })
  const make = (n: number, tableName: string): ExpressSessionStore => new PgStore({ pool: pools[n], tableName, pruneSessionInterval: false })
  const newTable = async (): Promise<string> => {
    const name = `session_${(tables += 1)}`
    await pools[0]?.query(`CREATE TABLE "${name}" (sid varchar PRIMARY KEY COLLATE "C", sess json NOT NULL, expire timestamp(6) NOT NULL)`)
    return name
  }

  describeStore({ describe, it }, 'two pools', async () => {
    const table = await newTable()
    return { store: expressStore(make(0, table)), reopen: () => expressStore(make(1, table)), corrupt: corrupting(make(0, table)), close: async () => void (await pools[0]?.query(`DROP TABLE "${table}"`)) }
  }, { lacks: ['find', 'list', 'sweep', 'watch'], knownFailures: NOT_BETWEEN_PROCESSES })

  it('gives PostgreSQL an expiry a minute later than the session’s', async () => {
    const table = await newTable()
    const id = newId()
    await expressStore(make(0, table)).create(id, newRecord({ expiresAt: NOW + 10 * MINUTE }))
    const answer = await pools[0]?.query(`SELECT extract(epoch FROM expire - now()::timestamp) AS left FROM "${table}"`)
    expect(Number(answer?.rows[0]?.left)).toEqual(expect.closeTo(660, -1))
  })
})

/** A store of express-session over a Map, in one of the ways in which they answer. */
function recorder(calls: string[] = [], documents = new Map<string, unknown>()): { readonly store: ExpressSessionStore; readonly calls: string[]; readonly documents: Map<string, unknown> } {
  const note = (name: string, id: string): void => void calls.push(`${name} ${id}`)
  return {
    calls,
    documents,
    store: {
      get: (id, done) => (note('get', id), done(null, documents.get(id))),
      set: (id, document, done) => (note('set', id), documents.set(id, structuredClone(document)), done(null)),
      destroy: (id, done) => (note('destroy', id), documents.delete(id), done(null)),
    },
  }
}

describe('expressStore', () => {
  it('says that it is best-effort', () => {
    expect(expressStore(new session.MemoryStore()).consistency).toBe('best-effort')
  })

  it('writes a cookie from which every store can tell how long to keep it, and the session in one property', async () => {
    const { store, documents } = recorder()
    const id = newId()
    const record = newRecord({ expiresAt: NOW + 10 * MINUTE })
    const before = Date.now()
    await expressStore(store).create(id, record)
    const after = Date.now()
    const document = documents.get(id)
    expect(document).toEqual({
      cookie: { originalMaxAge: 11 * MINUTE, maxAge: 11 * MINUTE, expires: expect.any(Date), path: '/', httpOnly: true },
      sojourn: { id, record: expect.stringMatching(/^\{"format":1,/) },
    })
    const { expires } = (document as { cookie: { expires: Date } }).cookie
    expect(expires.getTime() - 11 * MINUTE).toBeGreaterThanOrEqual(before)
    expect(expires.getTime() - 11 * MINUTE).toBeLessThanOrEqual(after)
  })

  it('writes a cookie that express-session itself can read back', async () => {
    const { store, documents } = recorder()
    const id = newId()
    await expressStore(store).create(id, newRecord({ expiresAt: NOW + 10 * MINUTE }))
    const stored: unknown = JSON.parse(JSON.stringify(documents.get(id)))
    const theirs = Reflect.apply(session.Store.prototype.createSession, new session.MemoryStore(), [{}, stored])
    expect(theirs.cookie.originalMaxAge).toBe(11 * MINUTE)
    expect(theirs.cookie.expires).toEqual(expect.any(Date))
    expect(theirs.cookie.maxAge).toEqual(expect.closeTo(11 * MINUTE, -4))
  })

  it('takes one call to read, and one to read and one to write for a commit', async () => {
    const { store, calls } = recorder()
    const express = expressStore(store)
    const id = newId()
    await express.create(id, newRecord())
    calls.length = 0
    await express.read(id)
    expect(calls.splice(0)).toEqual([`get ${id}`])
    await express.patch(id, newPatch({ set: [['d:a', '1']] }))
    expect(calls).toEqual([`get ${id}`, `set ${id}`])
  })

  it('writes a tombstone first, and destroys it when its time is over', async () => {
    const { store, calls } = recorder()
    const express = expressStore(store)
    const [id, other] = [newId(), newId()]
    for (const each of [id, other]) await express.create(each, newRecord())
    calls.length = 0
    await express.end(id, 'destroyed', NOW)
    expect(calls.splice(0)).toEqual([`get ${id}`, `set ${id}`])
    expect(await express.patch(id, newPatch({ set: [['d:late', '1']] }))).toEqual({ status: 'gone' })
    await express.end(other, 'destroyed', NOW + 2 * MINUTE)
    expect(calls).toContain(`destroy ${id}`)
    expect(await express.patch(id, newPatch({ set: [['d:late', '1']] }))).toEqual({ status: 'gone' })
    expect(await express.read(id)).toBeUndefined()
  })

  it('takes what express-session stored for absent, and leaves it alone', async () => {
    const memory = new session.MemoryStore()
    const express: Store = expressStore(memory)
    const document = { cookie: new session.Cookie(), user: 'ada' }
    await new Promise((resolve) => memory.set('their-session', document, resolve))
    expect(await express.read('their-session')).toBeUndefined()
    expect(await express.patch('their-session', newPatch({ set: [['d:user', '"eve"']] }))).toEqual({ status: 'gone' })
    expect(await express.end('their-session', 'revoked', NOW)).toBe(false)
    await express.create(newId(), newRecord())
    expect((await collect(express.list?.())).includes('their-session')).toBe(false)
    const kept = await new Promise((resolve) => memory.get('their-session', (_error, found) => resolve(found)))
    expect(kept).toMatchObject({ user: 'ada' })
  })

  it('lists from a store that answers with a list as from one that answers with an object', async () => {
    const { store, documents } = recorder()
    const ids = [newId(), newId()]
    for (const id of ids) await expressStore(store).create(id, newRecord())
    for (const answer of [[...documents.values()], Object.fromEntries(documents)]) {
      expect(await collect(expressStore({ ...store, all: (done) => done(null, answer) }).list?.())).toEqual([...ids].sort())
    }
    expect(expressStore(store).list).toBeUndefined()
  })
})

describe('a store of express-session that answers in its own way', () => {
  it('may answer with promises and never call back', async () => {
    const documents = new Map<string, unknown>()
    const promising: object = {
      get: async (id: string) => documents.get(id),
      set: async (id: string, document: object) => void documents.set(id, document),
      destroy: async (id: string) => void documents.delete(id),
    }
    await assertWorks(Reflect.apply(expressStore, undefined, [promising]))
  })

  it('may be an async function that calls back after its promise has resolved', async () => {
    const { store } = recorder()
    await assertWorks(expressStore({
      get: async (id, done) => void setImmediate(() => store.get(id, done)),
      set: async (id, document, done) => void setImmediate(() => store.set(id, document, done)),
      destroy: async (id, done) => void setImmediate(() => store.destroy(id, done)),
    }))
  })

  it('may say ENOENT, false, null or nothing for what is not there', async () => {
    const { store } = recorder()
    const answers = [[Object.assign(new Error('no such file'), { code: 'ENOENT' })], [null, null], [undefined, undefined], [null, false], []]
    for (const answer of answers) {
      const express = expressStore({ ...store, get: (_id, done) => done(...answer) })
      expect(await express.read(newId())).toBeUndefined()
      expect(await express.patch(newId(), newPatch())).toEqual({ status: 'gone' })
    }
  })

  it('fails with ERR_SESSION_STORE when it calls back with an error, throws or rejects', async () => {
    const cause = Object.assign(new Error('down'), { code: 'ENOENT' })
    const down = new Error('down')
    const { store } = recorder()
    const id = newId()
    await expressStore(store).create(id, newRecord())
    const ways = [(error: Error) => (...args: unknown[]) => (args.at(-1) as (error: Error) => void)(error), (error: Error) => () => { throw error }, (error: Error) => () => Promise.reject(error)]
    for (const way of ways) {
      const failsToRead = expressStore({ ...store, get: way(down) })
      await expect(failsToRead.read(id)).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: down })
      await expect(failsToRead.patch(id, newPatch())).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
      const failsToWrite = expressStore({ ...store, set: way(cause) })
      await expect(failsToWrite.patch(id, newPatch({ set: [['d:a', '1']] }))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown', cause })
      await expect(failsToWrite.create(newId(), newRecord())).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown' })
    }
  })

  it('is refused when it is none', () => {
    for (const wrong of [undefined, null, {}, new Map(), { get() {}, set() {} }]) {
      expect(() => Reflect.apply(expressStore, undefined, [wrong])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    }
  })
})

async function assertWorks(store: Store): Promise<void> {
  const id = newId()
  expect(await store.create(id, newRecord())).toBe(true)
  expect(await store.create(id, newRecord())).toBe(false)
  expect(await store.patch(id, newPatch({ set: [['d:a', '1']] }))).toEqual({ status: 'ok', version: 2 })
  expect((await store.read(id))?.entries['d:a']).toBe('1')
  expect(await store.end(id, 'destroyed', NOW)).toBe(true)
  expect(await store.patch(id, newPatch())).toEqual({ status: 'gone' })
}
