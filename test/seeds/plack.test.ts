import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fetchSession } from '../../src/adapters/fetch.ts'
import { sameHash } from '../../src/core/token.ts'
import { cookieTransport, memoryStore, SessionError } from '../../src/index.ts'
import { cookieStore, type CookieStoreOptions } from '../../src/stores/cookie.ts'
import { fileStore } from '../../src/stores/file.ts'
import { mysqlStore, mysqlTables } from '../../src/stores/mysql.ts'
import { nullStore } from '../../src/stores/null.ts'
import { postgresStore, postgresTables } from '../../src/stores/postgres.ts'
import { storeByName } from '../../src/stores.ts'
import { queryTransport } from '../../src/transports/query.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { application, Client } from './seed.ts'

async function withUser() {
  const app = application()
  const client = app.client()
  const { result: id } = await client.send((session) => { session.set('u', 1); return session.id })
  return { ...app, client, id, before: client.cookie }
}

describe('options', () => {
  it('PL-20 gives a new token under change_id, and the old one opens nothing', async () => {
    const { client, before, stored, id, sessions } = await withUser()
    await client.send((session) => session.regenerate())
    expect(client.cookie).not.toBe(before)
    expect(await stored(id)).toEqual({ u: 1 })
    expect((await new Client(sessions, before).send((session) => session.toObject())).result).toEqual({})
  })

  it('PL-21 keeps the data under change_id and no_store', async () => {
    const { client, before, stored, id } = await withUser()
    await client.send(async (session) => { await session.regenerate(); session.discard() })
    expect(client.cookie).not.toBe(before)
    expect(await stored(id)).toEqual({ u: 1 })
    await client.send(async (session) => { session.discard(); await session.regenerate() })
    expect((await client.send((session) => session.get('u'))).result).toBe(1)
  })

  it('PL-22 ends the session under expire, no_store and change_id', async () => {
    const { client, stored, id } = await withUser()
    const { setCookies } = await client.send(async (session) => { await session.destroy(); session.discard(); await session.regenerate() })
    expect(await stored(id)).toBeUndefined()
    expect(setCookies).toEqual([expect.stringMatching(/^sid=; Max-Age=0/)])
  })

  it('PL-23 gives a new id and nothing else after expire', async () => {
    const { client, before, sessions, id } = await withUser()
    await client.send((session) => session.destroy())
    const { result } = await new Client(sessions, before).send((session) => [session.id === id, session.toObject()])
    expect(result).toEqual([false, {}])
  })

  it('PL-24 sends no cookie when a session that was never there expires', async () => {
    expect((await application().client().send((session) => session.destroy())).setCookies).toEqual([])
  })

  it('PL-25 leaves the store alone under no_store, whatever replaces the data', async () => {
    const { client, stored, id } = await withUser()
    const { response } = await client.send((session) => { session.discard(); session.data = { replaced: true } })
    expect([response.status, await stored(id)]).toEqual([200, { u: 1 }])
  })

  it('PL-27 never adopts a token that the store does not know', async () => {
    const { client } = application()
    const planted = `${'A'.repeat(22)}.${'A'.repeat(43)}`
    const visitor = client(`sid=${planted}`)
    const { result } = await visitor.send((session) => { session.set('x', 1); return session.id })
    expect([result === 'A'.repeat(22), visitor.token === planted]).toEqual([false, false])
  })

  it('PL-29 stores a whole new data object', async () => {
    const { client, stored, id } = await withUser()
    await client.send((session) => { session.data = { new: 1 } })
    expect(await stored(id)).toEqual({ new: 1 })
  })

  it.each([null, undefined])('PL-30 ends the session when data becomes %s', async (nothing) => {
    const { client, stored, id } = await withUser()
    const { setCookies } = await client.send((session) => { session.data = nothing })
    expect([await stored(id), setCookies]).toEqual([undefined, [expect.stringMatching(/^sid=; Max-Age=0/)]])
  })

  it('PL-31 stores nothing and sends nothing when the application throws', async () => {
    const { client, stored, id, sessions } = await withUser()
    await expect(client.send((session) => { session.set('x', 1); throw new Error('broken') })).rejects.toThrow('broken')
    expect(await stored(id)).toEqual({ u: 1 })
    const exchange = new TestExchange({ headers: { cookie: client.cookie } })
    const session = await sessions.open(exchange)
    session.set('x', 1)
    await sessions.finish(session, { failed: true, status: 500 })
    expect([await stored(id), exchange.setCookies]).toEqual([{ u: 1 }, []])
  })

  it('PL-32 counts', async () => {
    const { sessions, client } = application()
    const app = fetchSession(sessions, (_request, session) => {
      const counter = Number(session.get('counter') ?? 0)
      session.set('counter', counter + 1)
      return new Response(`Counter=${counter}`)
    })
    const first = await app(new Request('https://shop.example/'))
    const jar = client(first.headers.getSetCookie()[0]?.split(';')[0])
    const second = await app(new Request('https://shop.example/', { headers: { cookie: jar.cookie } }))
    expect([await first.text(), await second.text()]).toEqual(['Counter=0', 'Counter=1'])
  })

  it('PL-33 adds exactly one Set-Cookie and leaves the application\'s headers alone', async () => {
    const { response, setCookies } = await application().client().send((session) => session.set('x', 1), {
      answer: () => new Response('ok', { headers: [['content-type', 'text/html'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }),
    })
    expect(response.headers.get('content-type')).toBe('text/html')
    expect(setCookies).toEqual(['a=1', 'b=2', expect.stringMatching(/^sid=/)])
  })

  it('PL-34 stores what came before the head, and not what came while streaming', async () => {
    const { client, stored, id } = await withUser()
    const { response } = await client.send((session) => { session.set('early', 1); streaming.session = session }, { answer: () => new Response(new ReadableStream({
      pull(controller) { streaming.session?.set('late', 1); controller.enqueue(new TextEncoder().encode('chunk')); controller.close() },
    }, { highWaterMark: 0 })) })
    expect(await response.text()).toBe('chunk')
    expect(await stored(id)).toEqual({ u: 1, early: 1 })
  })

  it('PL-36 stores late changes when the application commits them', async () => {
    const { client, stored, id } = await withUser()
    const { response } = await client.send((session) => { streaming.session = session }, { answer: () => new Response(new ReadableStream({
      async pull(controller) { streaming.session?.set('late', 1); await streaming.session?.commit(); controller.enqueue(new TextEncoder().encode('chunk')); controller.close() },
    }, { highWaterMark: 0 })) })
    await response.text()
    expect(await stored(id)).toEqual({ u: 1, late: 1 })
  })

  it('PL-36 stores late changes when the application commits them after the stream was closed, as in waitUntil', async () => {
    const { client, stored, id } = await withUser()
    const { result: session, response } = await client.send((session) => session)
    await response.text()
    session.set('late', 1)
    expect(await stored(id)).toEqual({ u: 1 })
    expect(await session.commit()).toBe('ok')
    expect(await stored(id)).toEqual({ u: 1, late: 1 })
  })

  it('PL-37 has stored the data when a redirect leaves', async () => {
    const { client, store, stored, id } = await withUser()
    const { response } = await client.send((session) => session.set('x', 1), { answer: () => Response.redirect('https://shop.example/next', 303) })
    expect([response.status, await stored(id)]).toEqual([303, { u: 1, x: 1 }])
    // What another process would make of it: a manager of its own on the same store.
    const { sessions } = application({ store })
    expect((await new Client(sessions, client.cookie).send((session) => session.get('x'))).result).toBe(1)
  })
})

type Step = 'set' | 'regenerate' | 'discard' | 'destroy' | 'commit'

/** Every order of every choice of steps. */
function orders(steps: readonly Step[]): (readonly Step[])[] {
  return [[], ...steps.flatMap((step) => orders(steps.filter((other) => other !== step)).map((rest) => [step, ...rest]))]
}

describe('change_id, expire, no_store and a commit of its own, in every combination and order (PL-20 … PL-37)', () => {
  /** Whether what `set` wrote is stored: undefined where regenerate, which may store or not, comes before a discard. */
  function isKept(sequence: readonly Step[]): boolean | undefined {
    if (!sequence.includes('set')) return false
    const [set, discard, destroy] = [sequence.indexOf('set'), sequence.indexOf('discard'), sequence.indexOf('destroy')]
    if (destroy > set) return false
    if (discard < set) return true
    const between = sequence.slice(set, discard)
    return between.includes('commit') || (between.includes('regenerate') ? undefined : false)
  }

  it.each(orders(['set', 'regenerate', 'discard', 'destroy', 'commit']).map((sequence) => ({ sequence, title: sequence.join(', ') || 'nothing' })))('$title', async ({ sequence }) => {
    const { client, before, sessions, stored, id } = await withUser()
    const { setCookies } = await client.send(async (session) => {
      for (const step of sequence) {
        if (step === 'set') session.set('x', 1)
        else await session[step]()
      }
    })
    const { result: data } = await client.send((session) => session.toObject())
    const kept = isKept(sequence)
    expect(setCookies.length).toBeLessThanOrEqual(1)
    if (sequence.includes('destroy')) {
      expect(await stored(id)).toBeUndefined()
      expect(client.cookie === '').toBe(Object.keys(data).length === 0)
      expect(kept === undefined ? ['{}', '{"x":1}'] : [kept ? '{"x":1}' : '{}']).toContain(JSON.stringify(data))
    } else {
      expect(kept === undefined ? [{ u: 1 }, { u: 1, x: 1 }] : [kept ? { u: 1, x: 1 } : { u: 1 }]).toContainEqual(data)
      expect(await stored(id)).toEqual(data)
    }
    const hasNewToken = sequence.includes('destroy') || sequence.includes('regenerate')
    expect(client.cookie === before).toBe(!hasNewToken)
    if (hasNewToken) expect((await new Client(sessions, before).send((session) => session.toObject())).result).toEqual({})
  })
})

const streaming: { session?: { set(key: string, value: unknown): unknown; commit(): Promise<unknown> } } = {}

describe('the cookie', () => {
  const STATE = { name: 'sid', domain: '.example.com', secure: true, expires: 3600, path: '/cgi-bin' }
  const line = async (options: object, overrides?: object): Promise<string> => {
    const { client } = application({ cookie: options })
    const { setCookies } = await client().send((session) => { session.set('x', 1); if (overrides !== undefined) session.cookie.set({ ...overrides }) })
    return setCookies[0] ?? ''
  }

  it('PL-40 has the attributes that were set', async () => {
    expect(await line(STATE)).toMatch(/^sid=[\w.-]{66}; Max-Age=3600; Domain=\.example\.com; Path=\/cgi-bin; Expires=Tue, 15 Jun 2010 01:00:00 GMT; HttpOnly; Secure; SameSite=Lax$/)
  })

  it('PL-41 takes those of one response, and keeps the others', async () => {
    expect(await line(STATE, { path: '/', domain: '.perl.org' })).toMatch(/Max-Age=3600; Domain=\.perl\.org; Path=\/; Expires=Tue, 15 Jun 2010 01:00:00 GMT; HttpOnly; Secure/)
  })

  it('PL-43 stays secure when it is partitioned', async () => {
    expect(await line({ name: 'sid', partitioned: true }, { secure: false })).toMatch(/; Secure; Partitioned; SameSite=None$/)
  })

  it('PL-45 leaves the path out when it is undefined', async () => {
    const text = await line({ name: 'sid' }, { path: undefined, domain: '.example.com', httpOnly: true, sameSite: 'Lax' })
    expect(text).toMatch(/; Domain=\.example\.com; HttpOnly; Secure; SameSite=Lax$/)
    expect(text).not.toContain('Path')
  })

  it('PL-46 takes a path for one response', async () => {
    expect(await line({ name: 'sid' }, { path: '/foo' })).toContain('; Path=/foo;')
  })

  it('PL-47 has everything that Partitioned needs', async () => {
    expect(await line({ name: 'sid', partitioned: true })).toMatch(/; HttpOnly; Secure; Partitioned; SameSite=None$/)
  })

  it('PL-48 is safe by default', async () => {
    expect(await line({})).toMatch(/^__Host-sid=[\w.-]{66}; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  })

  it('PL-49 gets Secure with SameSite=None', async () => {
    expect(await line({ name: 'sid', sameSite: 'none' })).toMatch(/; Secure; SameSite=None$/)
  })

  it('PL-50 PL-51 refuses what is none, and what would inject a header', async () => {
    expect(() => cookieTransport({ sameSite: 'bogus' })).toThrow(SessionError)
    expect(() => cookieTransport({ domain: 'a\r\nX: 1' })).toThrow(SessionError)
    await expect(line({ name: 'sid' }, { domain: 'a\r\nX: 1' })).rejects.toThrow(SessionError)
  })

  it('PL-52 PL-53 of two that fit the first is used; garbage before one that fits is passed over', async () => {
    const { client, sessions } = application()
    const [one, two] = [client(), client()]
    await one.send((session) => session.set('name', 'one'))
    await two.send((session) => session.set('name', 'two'))
    const read = async (cookie: string): Promise<unknown> => (await new Client(sessions, cookie).send((session) => session.get('name'))).result
    expect(await read(`${one.cookie}; ${two.cookie}`)).toBe('one')
    expect(await read(`sid=garbage; ${two.cookie}`)).toBe('two')
  })

  it('PL-55 PL-56 the last parameter wins, without a cookie; a form field is not read', async () => {
    const { client, sessions } = application({ transport: queryTransport({ name: 'k' }), cookie: undefined } as object)
    const visitor = client()
    const token = async (name: string): Promise<string> => (await visitor.send(async (session) => { session.set('name', name); await session.commit(); return session.token ?? '' })).result
    const [one, two] = [await token('one'), await token('two')]
    const { result, setCookies } = await visitor.send((session) => session.get('name'), { url: `https://shop.example/?k=${one}&k=${two}` })
    expect([result, setCookies]).toEqual(['two', []])
    const app = fetchSession(sessions, async (request, session) => new Response(`${String(session.get('name'))} ${await request.text()}`))
    const posted = await app(new Request('https://shop.example/', { method: 'POST', body: `k=${one}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } }))
    expect([await posted.text(), posted.headers.getSetCookie()]).toEqual([`undefined k=${one}`, []])
  })

  it.each([
    ['PL-57', (token: string) => `${token}%0A`], ['PL-58', (token: string) => token.slice(0, -1)], ['PL-58', (token: string) => `${token}a`], ['PL-58', () => 'A'.repeat(40)],
  ])('%s rejects another form before the store is asked', async (_id, change) => {
    const store = memoryStore()
    const reads = vi.spyOn(store, 'read')
    const { client, seen } = application({ store })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    reads.mockClear()
    const { result } = await client(`sid=${change(visitor.token)}`).send((session) => session.get('x'))
    expect([result, seen, reads.mock.calls]).toEqual([undefined, ['unknown-token: malformed'], []])
  })
})

describe('stores', () => {
  let folder = ''
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'sojourn-seeds-')) })
  afterEach(async () => { await rm(folder, { recursive: true, force: true }) })

  it('PL-70 what a request changes without storing stays its own', async () => {
    const client = application().client()
    await client.send((session) => session.set('n', { value: 0 }))
    await client.send((session) => { Object.assign(session.get('n') ?? {}, { value: 99 }); session.discard() })
    expect((await client.send((session) => session.get('n'))).result).toEqual({ value: 0 })
  })

  it('PL-71 PL-73 PL-82 the file store keeps nested data, forgets unknown ids quietly, and shows files to nobody', async () => {
    const { client, sessions } = application({ store: fileStore(folder) })
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('a', [1, { b: 2 }]); return session.id })
    expect((await visitor.send((session) => session.get('a'))).result).toEqual([1, { b: 2 }])
    expect(await sessions.revoke('AAAAAAAAAAAAAAAAAAAAAA')).toBe(false)
    for (const file of await filesBelow(folder)) expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(id).toHaveLength(22)
  })

  it('PL-72 a folder that cannot be used is named', async () => {
    const occupied = join(folder, 'a-file')
    await writeFile(occupied, '')
    await expect((async () => fileStore(join(occupied, 'sessions')).open())()).rejects.toThrow(join(occupied, 'sessions'))
  })

  it('PL-75 an emptied file gives a fresh session and an event', async () => {
    const { client, seen } = application({ store: fileStore(folder) })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    for (const file of await filesBelow(folder)) await truncate(file)
    const { result } = await visitor.send((session) => [session.isNew, session.get('x')])
    expect(result).toEqual([true, undefined])
    expect(seen).toEqual(['unreadable'])
  })

  it('PL-77 a reader meets a new session whole or not at all', async () => {
    const [writer, reader] = [fileStore(folder), fileStore(folder)]
    const { sessions } = application({ store: writer })
    const other = application({ store: reader })
    for (let round = 0; round < 300; round += 1) {
      const id = `round-${String(round).padStart(8, '0')}`
      const record = { version: 1, createdAt: other.now(), touchedAt: other.now(), expiresAt: other.now() + 60_000, tokenHash: 'h', nonce: String(round), index: [], entries: { 'd:x': '"y"' } }
      const reads = Promise.all([other.sessions.load({ id }), other.sessions.load({ id })])
      await writer.create(id, record)
      for (const session of await reads) if (session !== undefined) expect(session.get('x')).toBe('y')
    }
    expect(other.seen).toEqual([])
    await sessions.close()
  }, 60_000)

  it('PL-80 a session that ended meanwhile stays ended', async () => {
    const { sessions, client, id } = await withUser()
    const exchange = new TestExchange({ headers: { cookie: client.cookie } })
    const slow = await sessions.open(exchange)
    await client.send((session) => session.destroy())
    slow.set('user', 'alice')
    await sessions.finish(slow)
    expect([await sessions.load({ id }), exchange.setCookies]).toEqual([undefined, []])
  })

  it('PL-84 PL-85 PL-86 SQL stores want a connection, ask for it at each call, and quote their names', async () => {
    // @ts-expect-error -- what a missing setting gives in JavaScript
    expect(() => postgresStore(undefined)).toThrow(/Pass a Pool or Client of pg/)
    // @ts-expect-error -- the same
    expect(() => mysqlStore(undefined)).toThrow(/Pass a pool/)
    let asked = 0
    const store = postgresStore(() => { asked += 1; return { query: async () => ({ rows: [] }) } })
    await store.read('AAAAAAAAAAAAAAAAAAAAAA')
    await store.read('AAAAAAAAAAAAAAAAAAAAAA')
    expect(asked).toBe(2)
    expect(postgresTables({ table: 'mysession' })).toMatch(/^CREATE TABLE IF NOT EXISTS "mysession" \(/)
    expect(postgresTables({ schema: 'otherdb', table: 'mysession' })).toMatch(/^CREATE TABLE IF NOT EXISTS "otherdb"."mysession" \(/)
    expect(mysqlTables({ schema: 'otherdb', table: 'mysession' })).toMatch(/^CREATE TABLE IF NOT EXISTS `otherdb`.`mysession` \(/)
  })

  it('PL-91 the null store keeps nothing and sends no cookie', async () => {
    const client = application({ store: nullStore() }).client()
    const visit = async () => client.send((session) => session.set('n', Number(session.get('n') ?? 0) + 1))
    const [first, second] = [await visit(), await visit()]
    expect([first.result, second.result, first.setCookies, second.setCookies]).toEqual([1, 1, [], []])
  })

  it('PL-92 a store is found by its short name, and an unknown one fails where it is made', async () => {
    const visitor = application({ store: storeByName('file', folder) }).client()
    await visitor.send((session) => session.set('x', 1))
    expect((await application({ store: fileStore(folder) }).client(visitor.cookie).send((session) => session.get('x'))).result).toBe(1)
    // @ts-expect-error -- a name from a file is any text
    expect(() => storeByName('nosuch')).toThrow(/There is no store "nosuch"/)
  })

  async function filesBelow(place: string): Promise<string[]> {
    const entries = await readdir(place, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }
})

describe('cookie-only sessions', () => {
  const KEYS = ['1'.repeat(64)] as const
  const sealed = (options: Partial<CookieStoreOptions> = {}) => application({ store: cookieStore({ keys: KEYS, name: 'sid', ...options }), cookie: undefined } as object)

  it('PL-100 a key is needed', () => {
    expect(() => cookieStore({ keys: [] as never })).toThrow(SessionError)
  })

  it('PL-102 a codec of the application\'s own works with it', async () => {
    const { client } = application({ store: cookieStore({ keys: KEYS, name: 'sid' }), cookie: undefined, codec: { encode: (value: unknown) => `x${JSON.stringify(value)}`, decode: (text: string) => JSON.parse(text.slice(1)) as unknown } } as object)
    const visitor = client()
    await visitor.send((session) => session.set('n', 1))
    await visitor.send((session) => session.set('n', Number(session.get('n')) + 1))
    expect((await visitor.send((session) => session.get('n'))).result).toBe(2)
  })

  it.each([['PL-104 garbage', 'garbage'], ['PL-104 empty', ''], ['PL-104 separators', '...;;'], ['PL-104 10 MB', 'x'.repeat(10_000_000)]])('%s gives an empty session', async (_id, value) => {
    const { client, seen, sessions } = sealed()
    const warnings: unknown[] = []
    for (const name of ['warning', 'error'] as const) sessions.on(name, (event) => { warnings.push(event) })
    expect((await client(`sid=${value}`).send((session) => session.toObject())).result).toEqual({})
    expect([seen.length <= 1, warnings]).toEqual([true, []])
  })

  it('PL-105 PL-106 another key opens nothing; an earlier one does, and is replaced', async () => {
    const old = sealed().client()
    await old.send((session) => session.set('n', 1))
    expect((await sealed({ keys: ['2'.repeat(64)] }).client(old.cookie).send((session) => session.toObject())).result).toEqual({})
    const both = sealed({ keys: ['2'.repeat(64), ...KEYS] }).client(old.cookie)
    const { result, setCookies } = await both.send((session) => session.get('n'))
    expect([result, setCookies.length]).toEqual([1, 1])
    expect((await sealed({ keys: ['2'.repeat(64)] }).client(both.cookie).send((session) => session.get('n'))).result).toBe(1)
  })

  it('PL-107 any changed letter, the times included, is refused', async () => {
    const visitor = sealed().client()
    await visitor.send((session) => session.set('n', 1))
    const { token } = visitor
    for (let at = 2; at < token.length; at += 7) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expect((await sealed().client(`sid=${changed}`).send((session) => session.toObject())).result).toEqual({})
    }
  })

  it('PL-112 what was sealed properly and no longer decodes is an empty session', async () => {
    const codec = { encode: (value: unknown) => `old ${JSON.stringify(value)}`, decode: (text: string): unknown => JSON.parse(text.slice(4)) }
    const old = application({ store: cookieStore({ keys: KEYS, name: 'sid' }), cookie: undefined, codec } as object).client()
    await old.send((session) => session.set('n', 1))
    const { client, seen } = sealed()
    const { result, response } = await client(old.cookie).send((session) => session.toObject())
    expect([result, response.status, seen]).toEqual([{}, 200, ['unreadable']])
  })

  it('PL-109 a copied cookie is refused after a logout where the hook says so', async () => {
    let before: number | undefined
    const app = sealed({ revokedBefore: () => before })
    const visitor = app.client()
    await visitor.send((session) => session.login('ada'))
    const copied = visitor.cookie
    await visitor.send((session) => session.logout())
    expect((await app.client(copied).send((session) => session.owner)).result).toBe('ada')
    before = app.now()
    expect((await app.client(copied).send((session) => session.owner)).result).toBeUndefined()
  })

  it('PL-111 what does not fit names the key, and the old cookie stays', async () => {
    const visitor = sealed({ chunks: 1 }).client()
    await visitor.send((session) => session.set('n', 1))
    await expect(visitor.send((session) => session.set('big', 'x'.repeat(6000)))).rejects.toThrow(/"big" \(6002 bytes\)/)
    expect((await visitor.send((session) => session.toObject())).result).toEqual({ n: 1 })
  })

  it('PL-113 hashes are compared in constant time: every byte is looked at, wherever they differ', () => {
    const hash = 'a'.repeat(43)
    const others = Array.from(hash, (_, at) => `${hash.slice(0, at)}x${hash.slice(at + 1)}`)
    expect([hash, ...others].filter((other) => sameHash(hash, other))).toEqual([hash])
    expect(sameHash.toString().split('for (')[1]).toMatch(/^[^)]*\)\s*difference \|= [^;]*;\s*return difference === 0;?\s*}$/)
  })
})
