// The nine requests of Plack's life of a session (PL-01 … PL-12), on every store and transport that needs no server.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { MemoryStore } from 'express-session'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cookieTransport, createSessions, memoryStore, type ExchangeStore, type Session, type Sessions, type Store, type Transport } from '../../src/index.ts'
import { cacheStore } from '../../src/stores/cache.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { expressStore } from '../../src/stores/express.ts'
import { fileStore } from '../../src/stores/file.ts'
import { migrateStore } from '../../src/stores/migrate.ts'
import { simpleStore } from '../../src/stores/simple.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { bearerTransport } from '../../src/transports/bearer.ts'
import { queryTransport } from '../../src/transports/query.ts'

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
  ['sqlite, table insert: PL-87', () => sqliteStore(join(folder, 'names.db'), { table: 'insert' })],
  ['migrate', () => migrateStore(memoryStore(), memoryStore())],
]

function simpleInMemory(text = { stringify: (plain: string) => plain, parse: (kept: string) => kept }): Store {
  const kept = new Map<string, string>()
  return simpleStore({ load: (id) => { const found = kept.get(id); return found === undefined ? undefined : text.parse(found) }, store: (id, plain) => { kept.set(id, text.stringify(plain)) } })
}

const ways: readonly Way[] = [
  { name: 'cookie', transport: () => cookieTransport({ name: 'sid' }), carry: (token) => ({ headers: { cookie: `sid=${token}` } }) },
  { name: 'bearer', transport: () => bearerTransport(), carry: (token) => ({ headers: { authorization: `Bearer ${token}` } }) },
  { name: 'query', transport: () => queryTransport({ name: 'sid' }), carry: (token) => ({ url: `/?sid=${token}` }) },
]

interface Way {
  readonly name: string
  transport(): Transport
  carry(token: string): { headers?: Record<string, string>; url?: string }
}

/** One request with a token or without, and the token that the visitor has after it. */
async function request<Result>(sessions: Sessions, way: Way, token: string | undefined, handler: (session: Session) => Result | Promise<Result>) {
  const exchange = new TestExchange(token === undefined ? {} : way.carry(token))
  const session = await sessions.open(exchange)
  const result = await handler(session)
  const { token: handedOut } = session
  await sessions.finish(session)
  return { result, token: session.token ?? handedOut ?? token, setCookies: exchange.setCookies }
}

describe.each(stores)('on %s', (_store, open) => {
  it.each(ways)('PL-01 PL-02 PL-03 PL-04 PL-07 PL-10 PL-12 over $name', async (way) => {
    const sessions = createSessions({ store: open(), transport: way.transport(), sweepEvery: 'never' })
    await nineRequests(sessions, way)
    await sessions.close()
  })
})

async function nineRequests(sessions: Sessions, way: Way): Promise<void> {
  const first = await request(sessions, way, undefined, (session) => {
    expect(session.get('foo')).toBeUndefined()
    expect(session.id).toMatch(/^[\w-]{22}$/)
    expect([session.set('foo', 'bar'), session.get('foo'), session.get('bar')]).toEqual(['bar', 'bar', undefined])
    session.set('bar', 'baz')
    expect(session.toObject()).toEqual({ foo: 'bar', bar: 'baz' })
    return session.id
  })
  const second = await request(sessions, way, undefined, (session) => {
    expect(session.id).not.toBe(first.result)
    expect(session.get('foo')).toBeUndefined()
    session.set('foo', 'baz')
    expect(session.toObject()).toEqual({ foo: 'baz' })
  })
  await request(sessions, way, first.token, (session) => {
    expect([session.id, session.get('foo')]).toEqual([first.result, 'bar'])
    session.delete('foo')
    expect([session.get('foo'), session.toObject()]).toEqual([undefined, { bar: 'baz' }])
  })
  await request(sessions, way, second.token, (session) => { expect(session.toObject()).toEqual({ foo: 'baz' }) })
  await request(sessions, way, first.token, (session) => { expect(session.toObject()).toEqual({ bar: 'baz' }) })
  const sixth = await request(sessions, way, first.token, async (session) => {
    expect(session.get('bar')).toBe('baz')
    await session.destroy()
    expect(session.toObject()).toEqual({})
  })
  if (way.name === 'cookie') expect(sixth.setCookies).toEqual([expect.stringMatching(/^sid=; Max-Age=0;.*Expires=Thu, 01 Jan 1970/)])
  await request(sessions, way, first.token, (session) => {
    expect(session.id).not.toBe(first.result)
    expect(session.toObject()).toEqual({})
  })
  await request(sessions, way, second.token, (session) => { expect(session.toObject()).toEqual({ foo: 'baz' }) })
  const ninth = await request(sessions, way, '../wrong', (session) => {
    expect([session.id === '../wrong', session.get('foo')]).toEqual([false, undefined])
    session.set('foo', 'baz')
    expect(session.toObject()).toEqual({ foo: 'baz' })
  })
  expect(ninth.token).not.toBe('../wrong')
  expect((await readdir(dirname(folder))).filter((name) => name === 'wrong')).toEqual([])
}

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
