import { randomBytes } from 'node:crypto'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool } from 'mysql2/promise'
import { Memcache } from 'memcache'
import { afterEach, describe, expect, it } from 'vitest'
import { continuations } from '../../src/continuations/index.ts'
import { localTarget } from '../../src/continuations/target.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { memcachedStore } from '../../src/stores/memcached.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { Visitor } from '../internal/visitor.ts'
import { needsMariadb, startMariadb } from '../servers/mariadb.ts'
import { needsMemcached, startMemcached } from '../servers/memcached.ts'
import { needsPostgres, poolOn, startPostgres } from '../servers/postgres.ts'
import { connectRedis } from '../servers/redis-clients.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'
import { describeWithServer } from '../servers/suite.ts'
import { cookieOf, post, startSite, type Data } from './site.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** What would be a command, a statement or a script, if anything took it for one. */
const PAYLOADS: readonly string[] = [
  `'; DROP TABLE sojourn_sessions; --`, `"; DROP TABLE "sojourn_sessions"; --`, '`; DROP TABLE `sojourn_sessions`; -- ', `' OR '1'='1`, `\\'; DELETE FROM sojourn_sessions; -- `, '$$; SELECT 1; $$', '$1', '?', ':name', '%s', '%',
  `'}')); DELETE FROM sojourn_sessions; --`, `{"$gt":""}`, `$[*]`, `"."`, `a"."b`, `'->>'`,
  '\r\nFLUSHALL\r\n', '*1\r\n$8\r\nFLUSHALL\r\n', `]] redis.call('FLUSHALL') --[[`, `' .. redis.call('FLUSHALL') .. '`, '"\n redis.call("FLUSHALL") --', '!', '!h', '!p', '!s', '!x', '!iterm', 'd:', 'm:owner',
  '\r\nflush_all\r\n', 'a 0 0 1\r\nx\r\nflush_all\r\nset b', ' noreply', '\0', '\x1b0021', '\x1b0021h', '../../etc/passwd', '\n', '\x1f', '\u{1f4a3}', '\ud800',
]

/** Sets, finds and ends sessions full of payloads; another session must see nothing of it. */
async function assertInert(store: Store): Promise<void> {
  const sessions = createSessions<Data>({ store, index: ['team'], sweepEvery: 'never' })
  const canary = new Visitor(sessions)
  await canary.visit(async (session) => { await session.login('canary'); session.set('team', 'canary'); session.set('kept', 1) })
  const attacker = new Visitor(sessions)
  for (const payload of PAYLOADS) {
    await attacker.visit((session) => { session.set(payload, payload); session.set('team', payload); session.flash.set(payload, payload) })
    await attacker.visit(async (session) => { await session.update(payload, () => `${payload}!`) })
    const { result } = await attacker.visit((session) => [session.get(payload), session.get('team'), session.flash.take(payload)])
    expect(result).toEqual([`${payload}!`, payload, payload])
    if (store.find !== undefined) {
      const found: string[] = []
      for await (const { id } of sessions.find('team', payload)) found.push(id)
      expect(found).toEqual([attacker.token?.slice(0, 22)])
    }
    await attacker.visit((session) => session.login(payload))
    if (store.find !== undefined) expect(await sessions.revokeAll(payload)).toBe(1)
    else await attacker.visit((session) => session.logout())
    await attacker.visit((session) => session.set('again', 1))
    expect(await sessions.load({ id: payload })).toBeUndefined()
    expect(await sessions.revoke(payload)).toBe(false)
  }
  const { result } = await canary.visit((session) => [session.owner, session.toObject()])
  expect(result).toEqual(['canary', { team: 'canary', kept: 1 }])
  await sessions.close()
}

describe('injection through keys, values, owners and ids', () => {
  it('does nothing in SQL: sqlite', () => assertInert(sqliteStore(':memory:')))

  it('does nothing in files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sojourn-injection-'))
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    await assertInert(fileStore(folder))
  })

  describeWithServer('in PostgreSQL', needsPostgres, (binary) => {
    it('does nothing in SQL and JSON', async () => {
      const server = await startPostgres(binary)
      const pool = poolOn({ connectionString: server.url })
      cleanups.push(() => server.stop(), () => pool.end())
      const store = postgresStore(pool)
      await store.createTable()
      await assertInert(store)
    })
  })

  describeWithServer('in MariaDB', needsMariadb, (binary) => {
    it('does nothing in SQL and JSON', async () => {
      const server = await startMariadb(binary)
      const pool = createPool(server.url)
      cleanups.push(() => server.stop(), () => pool.end())
      const store = mysqlStore(pool)
      await store.createTable()
      await assertInert(store)
    })
  })

  describeWithServer('in Redis', needsRedis, (binary) => {
    it.each(['node-redis', 'ioredis'] as const)('does nothing in Lua scripts and the protocol, through %s', async (kind) => {
      const server = await startRedis(binary)
      const { client, close } = await connectRedis(kind, 'single', { ports: [server.port], password: server.password })
      cleanups.push(() => server.stop(), close)
      await assertInert(redisStore(client))
      expect(await server.ask('INFO', 'commandstats')).not.toMatch(/cmdstat_(?:flush|config|set:|get:)/)
    })
  })

  describeWithServer('in memcached', needsMemcached, (binary) => {
    it('does nothing in the protocol', async () => {
      const server = await startMemcached(binary)
      const client = new Memcache(server.address)
      cleanups.push(() => server.stop(), () => client.disconnect())
      await assertInert(memcachedStore(client))
      expect(await server.ask('stats')).toContain('STAT cmd_flush 0\r')
    })
  })
})

describe('path traversal through ids', () => {
  it('reaches no file: neither by a cookie nor by an id that an application takes from a visitor', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'sojourn-outside-'))
    cleanups.push(() => rmSync(outside, { recursive: true, force: true }))
    const { ask, sessions, close } = await startSite({ store: fileStore(join(outside, 'a', 'b', 'store')) })
    cleanups.push(close)
    const own = cookieOf(await ask('/set', post({ a: 1 })))
    const files = (): readonly string[] => globSync('**/*', { cwd: outside }).filter((path) => !path.startsWith(join('a', 'b', 'store'))).toSorted()
    const before = files()
    for (const id of ['../../../evil', '..%2f..%2fevil', '/etc/passwd', 'a/../../evil', '....//evil', '..\\evil', '.', '..', 'con', 'a\0b', 'A'.repeat(5000)]) {
      const secret = 'B'.repeat(43)
      expect((await ask('/set', { ...post({ a: 2 }), headers: { cookie: `sid=${encodeURIComponent(id)}.${secret}` } })).status).toBe(200)
      expect((await ask('/get', { cookie: `sid=${id.replaceAll('\0', '')}.${secret}` })).body).toBe('{"owner":null,"data":{}}')
      expect(await sessions.load({ id })).toBeUndefined()
      expect(await sessions.load(`${id}.${secret}`)).toBeUndefined()
      expect(await sessions.revoke(id)).toBe(false)
    }
    expect(files()).toEqual(before)
    expect((await ask('/get', { cookie: own })).body).toContain('"a":1')
  })

  it('reaches no file either where the application has a token format of its own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sojourn-outside-'))
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const sessions = createSessions<Data>({ store: fileStore(join(folder, 'store')), validateToken: (text) => ({ id: text, secret: 'B'.repeat(43) }) })
    const refused: unknown[] = []
    sessions.on('unknown-token', ({ reason }) => { refused.push(reason) })
    const { result } = await new Visitor(sessions, '__Host-sid=../../evil').visit((session) => session.toObject())
    expect([result, refused]).toEqual([{}, ['malformed']])
    expect(globSync('*', { cwd: folder }).filter((name) => name !== 'store')).toEqual([])
    await sessions.close()
  })
})

describe('open redirect', () => {
  const ELSEWHERE = [
    '//evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example', 'HTTPS:evil.example', '/\t/evil.example', '/%09/evil.example', '///evil.example', '/.//evil.example', '/a/..//evil.example',
    'javascript:alert(1)', '/%2f%2fevil.example', '/%5cevil.example', '/%252f%252fevil.example', '//evil.example%2f..', '/;@evil.example/..//x', '/\u2028/evil.example', '//\u3002evil', '/%2e//evil.example', '?//evil', '#//evil',
  ]

  it.each(ELSEWHERE)('is not possible by the address of the request that is saved, nor by the fallback: %s', async (url) => {
    const sessions = createSessions<Data>({ continuations: continuations(), sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    const saved = await visitor.visit((session) => session.continuations.save({ to: '/login' }), { url })
    const returned = await visitor.visit((session) => session.continuations.return({ fallback: '/' }), { url: saved.result })
    for (const target of [saved.result, returned.result]) expect([target, localTarget(target)]).toEqual([target, target])
    expect(localTarget(url)).toBeUndefined()
  })

  it('is not possible by an id that was made up, signed with another key, or stored by hand', async () => {
    const own = createSessions<Data>({ continuations: continuations({ keys: ['1'.repeat(64)] }), sweepEvery: 'never' })
    const foreign = createSessions<Data>({ continuations: continuations({ keys: ['2'.repeat(64)] }), sweepEvery: 'never' })
    const forged = (await new Visitor(foreign).visit((session) => session.continuations.save({ to: '/login' }), { url: '/elsewhere' })).result.split('c=')[1]
    for (const id of [forged, 'https://evil.example', '//evil.example', '~Ly9ldmlsLmV4YW1wbGU.x', randomBytes(16).toString('base64url')]) {
      const { result } = await new Visitor(own).visit((session) => session.continuations.return({ fallback: '/' }), { url: `/login?c=${encodeURIComponent(id ?? '')}` })
      expect(result).toBe('/')
    }
  })

  it('is not possible over the wire', async () => {
    const { ask, close } = await startSite({ continuations: continuations() }, async (request, response, session) => {
      const back = request.url?.startsWith('/login') === true
      const location = back ? await session.continuations.return({ fallback: '/' }) : await session.continuations.save({ to: '/login' })
      response.writeHead(303, { Location: location }).end()
    })
    cleanups.push(close)
    for (const path of ['//evil.example/', '/%2f%2fevil.example', '/.//evil.example', '/a/..//evil.example', '/page?next=//evil.example']) {
      const away = (await ask(path)).header('location') ?? ''
      expect(away).toMatch(/^\/login/)
      expect((await ask(away)).header('location')).toMatch(/^\/(?![/\\])/)
    }
  })
})
