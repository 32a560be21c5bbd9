// The nine requests of Plack's life of a session (PL-01 … PL-12), on every store that needs no server, over every transport. See life-on-servers.test.ts.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { MemoryStore } from 'express-session'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSessions, memoryStore, type ExchangeStore, type Session, type Store } from '../../src/index.ts'
import { cacheStore } from '../../src/stores/cache.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { expressStore } from '../../src/stores/express.ts'
import { fileStore } from '../../src/stores/file.ts'
import { migrateStore } from '../../src/stores/migrate.ts'
import { nullStore } from '../../src/stores/null.ts'
import { simpleStore } from '../../src/stores/simple.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { nineRequests, request, ways } from './nine-requests.ts'

let folder = ''
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'sojourn-life-')) })
afterAll(async () => { await rm(folder, { recursive: true, force: true }) })

const base64 = { stringify: (text: string) => Buffer.from(text).toString('base64'), parse: (text: string) => Buffer.from(text, 'base64').toString() }

const stores: readonly (readonly [string, () => Store])[] = [
  ['memory', () => memoryStore()],
  ['file', () => fileStore(join(folder, 'file'))],
  ['cache', () => cacheStore(new Map<string, string>())],
  ['simple', () => simpleInMemory()],
  ['simple, other text', () => simpleInMemory(base64)],
  ['express', () => expressStore(new MemoryStore())],
  ['sqlite', () => sqliteStore(join(folder, 'sessions.db'))],
  ['sqlite, table insert, columns where and set: PL-87', () => sqliteStore(join(folder, 'names.db'), { table: 'insert', columns: { id: 'where', record: 'set' } })],
  ['migrate', () => migrateStore(memoryStore(), memoryStore())],
]

function simpleInMemory(text = { stringify: (plain: string) => plain, parse: (kept: string) => kept }): Store {
  const kept = new Map<string, string>()
  return simpleStore({ load: (id) => { const found = kept.get(id); return found === undefined ? undefined : text.parse(found) }, store: (id, plain) => { kept.set(id, text.stringify(plain)) } })
}

describe.each(stores)('on %s', (_store, open) => {
  it.each(ways)('PL-01 PL-02 PL-03 PL-04 PL-07 PL-10 PL-12 over $name', async (way) => {
    const sessions = createSessions({ store: open(), transport: way.transport(), sweepEvery: 'never' })
    await nineRequests(sessions, way)
    await sessions.close()
    expect((await readdir(dirname(folder))).filter((name) => name === 'wrong')).toEqual([])
  })
})

it('PL-01 … PL-10 in sealed cookies', async () => {
  const store: ExchangeStore = cookieStore({ keys: ['1'.repeat(64)], name: 'sid' })
  const sessions = createSessions({ store })
  const jar: { cookie?: string } = {}
  const visit = async <Result>(handler: (session: Session) => Result | Promise<Result>): Promise<Result> => {
    const exchange = new TestExchange({ headers: { ...jar } })
    const session = await sessions.open(exchange)
    const result = await handler(session)
    await sessions.finish(session)
    const [line] = exchange.setCookies
    if (line !== undefined) jar.cookie = line.split(';')[0] ?? ''
    return result
  }
  const id = await visit((session) => { session.set('foo', 'bar'); session.set('bar', 'baz'); return session.id })
  await visit((session) => { expect([session.id, session.get('foo')]).toEqual([id, 'bar']); session.delete('foo') })
  await visit((session) => { expect(session.toObject()).toEqual({ bar: 'baz' }) })
  await visit(async (session) => { await session.destroy(); expect(session.toObject()).toEqual({}) })
  expect(jar.cookie).toBe('sid=')
  await visit((session) => { expect([session.id === id, session.toObject()]).toEqual([false, {}]) })
})

// Of the nine requests, those that read what an earlier one wrote make no sense here: each begins anew, which is what PL-91 asks for.
it.each(ways)('PL-01 PL-02 on the null store over $name: a session is whole while its request lasts, and nothing is handed out', async (way) => {
  const sessions = createSessions({ store: nullStore(), transport: way.transport() })
  const life = (): Promise<{ result: unknown; token: string | undefined; setCookies: readonly string[] }> => request(sessions, way, undefined, async (session) => {
    expect([session.get('foo'), session.set('foo', 'bar'), session.get('foo')]).toEqual([undefined, 'bar', 'bar'])
    await session.commit()
    session.set('bar', 'baz')
    session.delete('foo')
    expect(session.toObject()).toEqual({ bar: 'baz' })
    await session.destroy()
    expect(session.toObject()).toEqual({})
    return session.id
  })
  const [first, second] = [await life(), await life()]
  expect(first.result).not.toBe(second.result)
  expect([first.setCookies, second.setCookies]).toEqual([[], []])
  await sessions.close()
})
