// Dancer::Session and Dancer::Session::Abstract: the cases DN-… of cases.json.
import express from 'express'
import express4 from 'express4'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cookieTransport, createSessions, memoryStore, SessionError, type Session, type SessionEvent } from '../../src/index.ts'
import { expressSession } from '../../src/adapters/express.ts'
import { fetchSession } from '../../src/adapters/fetch.ts'
import { storeByName } from '../../src/stores.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { fileStore } from '../../src/stores/file.ts'
import { simpleStore } from '../../src/stores/simple.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { listen } from '../adapters/node-server.ts'
import { all } from './all.ts'
import { application, Client, type Data } from './seed.ts'

/** Mon 11 Apr 2011 00:58:26 GMT, the clock of Dancer's own expiry tests. */
const DANCER_CLOCK = 1_302_483_506_000

let folder = ''
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'sojourn-dancer-')) })
afterEach(async () => { await rm(folder, { recursive: true, force: true }) })

async function filesBelow(place: string): Promise<string[]> {
  const entries = await readdir(place, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

describe('engines', () => {
  it('DN-01 an engine that the configuration does not name is a clear error', () => {
    // @ts-expect-error -- what a missing setting gives in JavaScript
    expect(() => storeByName(undefined)).toThrow(/There is no store "undefined"\. The stores are cache, cookie, express, file/)
    // @ts-expect-error -- the same
    expect(() => createSessions({ store: {} })).toThrow(/store has no method read\. Pass a store such as memoryStore\(\)/)
  })

  it('DN-02 an unknown engine is named, and an engine without its client says what to pass', () => {
    // @ts-expect-error -- a name from a file is any text
    expect(() => storeByName('galactica')).toThrow(/There is no store "galactica"/)
    // @ts-expect-error -- what a missing client gives in JavaScript
    expect(() => storeByName('redis')).toThrow(/redisStore was not given a client .* npm package redis .* ioredis/)
  })

  it('DN-04 a new session object has an id', async () => {
    expect((await application().client().send((session) => session.id)).result).toMatch(/^[\w-]{22}$/)
  })

  it.each([['memory', () => memoryStore()], ['file', () => fileStore(folder)]] as const)('DN-09 three clients keep their own names on %s', async (_name, store) => {
    const { client } = application({ store: store() })
    for (const name of ['one', 'two', 'three']) {
      const visitor = client()
      const read = async (): Promise<string> => String((await visitor.send((session) => session.get('name') ?? '')).result)
      expect(await read()).toBe('')
      const { response } = await visitor.send((session) => session.set('name', name))
      expect([response.status, await read()]).toEqual([200, name])
    }
  })

  it('DN-14 an unknown id is absent', async () => {
    const { sessions } = application()
    expect([await sessions.load('XXX'), await sessions.load({ id: 'XXX' })]).toEqual([undefined, undefined])
  })

  it('DN-16 the file engine makes its folder on demand and names each record after its id', async () => {
    const place = join(folder, 'made', 'on-demand')
    const visitor = application({ store: fileStore(place) }).client()
    const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id })
    expect((await stat(place)).mode & 0o777).toBe(0o700)
    const [first = ''] = await filesBelow(join(place, 'records'))
    expect(first).toContain(`/${id}`)
  })

  it('DN-17 a folder that was deleted while running is made again', async () => {
    const place = join(folder, 'vanishing')
    const { client } = application({ store: fileStore(place) })
    await client().send((session) => session.set('x', 1))
    await rm(place, { recursive: true })
    const visitor = client()
    await visitor.send((session) => session.set('x', 2))
    expect((await visitor.send((session) => session.get('x'))).result).toBe(2)
  })

  it.each(['', '{"broken', '42', '"text"', 'null'])('DN-47 a stored text that is %j gives a fresh session and an event', async (text) => {
    const kept = new Map<string, string>()
    const { client, seen } = application({ store: simpleStore({ load: (id) => kept.get(id), store: (id, stored) => { kept.set(id, stored) } }) })
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id })
    kept.set(id, text)
    const { result, response } = await visitor.send((session) => session.toObject())
    expect([result, response.status, seen]).toEqual([{}, 200, ['unreadable']])
  })

  it.each(['', 'broken', '42\n'])('DN-47 a stored file that is %j gives a fresh session and an event', async (text) => {
    const app = application({ store: fileStore(folder) })
    const visitor = app.client()
    await visitor.send((session) => session.set('x', 1))
    for (const file of await filesBelow(join(folder, 'records'))) await writeFile(file, text)
    const later = application({ store: fileStore(folder) })
    const { result, response } = await later.client(visitor.cookie).send((session) => session.toObject())
    expect([result, response.status, later.seen]).toEqual([{}, 200, ['unreadable']])
  })
})

describe('the cookie', () => {
  const line = async (cookie: object, url = 'https://shop.example/', start?: number): Promise<string> => {
    const { client } = application({ cookie }, start)
    return (await client().send((session) => session.set('x', 1), { url })).setCookies[0] ?? ''
  }

  it('DN-05 is named __Host-sid on https and sid on plain http', async () => {
    expect(await line({})).toMatch(/^__Host-sid=/)
    expect(await line({}, 'http://shop.example/')).toMatch(/^sid=/)
  })

  it('DN-06 has the name that was set', async () => {
    expect(await line({ name: 'foo_session' })).toMatch(/^foo_session=/)
  })

  it('DN-07 has the name of an engine that brings its own, whatever the configuration says', async () => {
    const { client } = application({ store: cookieStore({ keys: ['1'.repeat(64)], name: 'dr_seuss' }), cookie: { name: 'foo_session' } })
    const { setCookies } = await client().send((session) => session.set('id', 613))
    expect(setCookies).toEqual([expect.stringMatching(/^dr_seuss=/)])
  })

  it('DN-18 is secure when that is on', async () => {
    expect(await line({ name: 'sid', secure: false })).not.toContain('Secure')
    expect(await line({ name: 'sid', secure: true })).toContain('; Secure')
  })

  it('DN-19 has a domain when one is set', async () => {
    expect(await line({ name: 'sid' })).not.toContain('Domain')
    expect(await line({ name: 'sid', domain: '.test-domain.com' })).toContain('; Domain=.test-domain.com;')
  })

  it.each(['StrictlyComeDancing', ''])('DN-22 refuses the SameSite value %j and keeps the one before', async (sameSite) => {
    expect(() => cookieTransport({ sameSite })).toThrow(/sameSite is "/)
    const { client } = application({ cookie: { name: 'sid', sameSite: 'strict' } })
    const { result, setCookies } = await client().send((session) => {
      session.set('x', 1)
      try { session.cookie.set({ sameSite }) } catch (error) { return error }
    })
    expect(result).toBeInstanceOf(SessionError)
    expect(setCookies).toEqual([expect.stringContaining('SameSite=Strict')])
  })

  it('DN-23 is never SameSite=None without Secure', async () => {
    expect(await line({ name: 'sid' }, 'http://shop.example/')).toMatch(/; HttpOnly; SameSite=Lax$/)
  })

  it('DN-24 DN-25 lasts as long as expires says', async () => {
    expect(await line({ name: 'sid', expires: 42 }, undefined, DANCER_CLOCK)).toContain('; Expires=Mon, 11 Apr 2011 00:59:08 GMT;')
    expect(await line({ name: 'sid', expires: '+36h' }, undefined, DANCER_CLOCK)).toContain('; Expires=Tue, 12 Apr 2011 12:58:26 GMT;')
  })

  it('DN-26 has its expiry refreshed while the visitor comes back', async () => {
    const { client, advance } = application({ idleTimeout: '2h', cookie: { name: 'sid', expires: '+2h' } }, DANCER_CLOCK)
    const visitor = client()
    const { setCookies: [first] } = await visitor.send((session) => session.set('x', 1))
    advance(3600)
    const { setCookies: [second] } = await visitor.send((session) => session.get('x'))
    expect(first).toContain('Expires=Mon, 11 Apr 2011 02:58:26 GMT')
    expect(second).toContain('Expires=Mon, 11 Apr 2011 03:58:26 GMT')
  })

  it('DN-27 is not sent where the session is not used', async () => {
    const { client, store } = application()
    const { setCookies } = await client().send(() => undefined)
    expect([setCookies, await all(store.list())]).toEqual([[], []])
  })

  it('DN-28 is not sent where the session is only read', async () => {
    const { client, store } = application()
    const { setCookies } = await client().send((session) => [session.get('x'), session.has('x'), session.keys(), session.id, session.toObject(), session.data['x']])
    expect([setCookies, await all(store.list())]).toEqual([[], []])
  })

  it('DN-29 is not written by who loads the session without a response', async () => {
    const { client, sessions } = application({ cookie: { name: 'sid', persistent: true } })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    const session = await sessions.load({ headers: new Headers({ cookie: visitor.cookie }) })
    session?.set('x', 2)
    await session?.commit()
    expect([session?.token, session?.cookie.name]).toEqual([undefined, undefined])
    const { result, setCookies } = await visitor.send((own) => own.get('x'))
    expect([result, setCookies]).toEqual([2, []])
  })

  it('DN-31 is one header, with what was set last', async () => {
    const { setCookies } = await application().client().send((session) => { session.set('x', 1); session.cookie.set({ path: '/one' }); session.cookie.set({ path: '/two' }) })
    expect(setCookies).toEqual([expect.stringContaining('; Path=/two;')])
  })

  it('DN-39 is cleared with its own attributes', async () => {
    const visitor = application({ cookie: { name: 'sid', domain: '.test-domain.com', path: '/shop', sameSite: 'strict' } }).client()
    await visitor.send((session) => session.set('x', 1))
    const { setCookies } = await visitor.send((session) => session.destroy())
    expect(setCookies).toEqual(['sid=; Max-Age=0; Domain=.test-domain.com; Path=/shop; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Strict'])
  })

  it.each(['a\r\nb', 'a;b', 'a,b', 'a b', ''])('DN-56 refuses the name %j', (name) => {
    expect(() => cookieTransport({ name })).toThrow(SessionError)
  })

  it('DN-56 encodes what its value could break out with', () => {
    const exchange = new TestExchange()
    cookieTransport({ name: 'sid' }).write(exchange, { token: 'a b;c,d\r\ne', expiresAt: 0, now: 0, lasting: false, isNew: true, overrides: undefined })
    expect(exchange.setCookies).toEqual([expect.stringMatching(/^sid=a%20b%3Bc%2Cd%0D%0Ae; Path=\/;/)])
  })

  it.each([{ path: '/a\r\nX: 1' }, { domain: 'a.example\r\nX: 1' }])('DN-57 refuses %j', async (attributes) => {
    expect(() => cookieTransport(attributes)).toThrow(SessionError)
    await expect(application().client().send((session) => { session.cookie.set(attributes) })).rejects.toThrow(SessionError)
  })
})

describe('hooks and views', () => {
  it('DN-10 DN-11 a hook after the route sees the value and stores its own', async () => {
    const { sessions, client } = application()
    const route = (session: Session<Data>): Response => { session.set('route', 1); return new Response('ok') }
    const after = (session: Session<Data>): void => { session.set('hook', `saw ${String(session.get('route'))}`) }
    const app = fetchSession(sessions, (_request, session) => { const response = route(session); after(session); return response })
    const response = await app(new Request('https://shop.example/'))
    const [cookie = ''] = response.headers.getSetCookie()[0]?.split(';') ?? []
    expect((await client(cookie).send((session) => session.toObject())).result).toEqual({ route: 1, hook: 'saw 1' })
  })

  it('DN-51 what a hook before the route sets is there after its redirect', async () => {
    const { sessions, client } = application()
    const before = (session: Session<Data>): Response => { session.set('seen', 'yes'); return Response.redirect('https://shop.example/target', 303) }
    const response = await fetchSession(sessions, (_request, session) => before(session))(new Request('https://shop.example/'))
    const [cookie = ''] = response.headers.getSetCookie()[0]?.split(';') ?? []
    expect(response.status).toBe(303)
    expect((await client(cookie).send((session) => session.get('seen'), { url: 'https://shop.example/target' })).result).toBe('yes')
  })

  it('DN-53 a dump for the error page masks what is named like a secret', async () => {
    const { result } = await application().client().send((session) => {
      session.data = { password: 'p1', card_num: 'p2', cvv2: 'p3', my_secret: 'p4', cookie_key: 'p5', user: { name: 'ada', password: 'p6' }, shown: 'yes' }
      return JSON.stringify(session)
    })
    expect(JSON.parse(result)).toMatchObject({ data: { password: '••••', card_num: '••••', cvv2: '••••', my_secret: '••••', cookie_key: '••••', user: { name: 'ada', password: '••••' }, shown: 'yes' } })
    expect(result).not.toMatch(/p[1-6]/)
  })

  it('DN-54 a view that gets the session and does not write creates none', async () => {
    const { client, store } = application()
    const view = (page: { readonly session: { readonly token: string | undefined; toJSON(): unknown } }): string => `<p>${page.session.token ?? ''}</p>`
    const { result, setCookies } = await client().send((session) => view({ session }))
    expect([result, setCookies, await all(store.list())]).toEqual(['<p></p>', [], []])
  })
})

describe('forward', () => {
  it.each([['express 5', express], ['express 4', express4]] as const)('keeps the session that this very request has begun, in %s', async (_name, create) => {
    const { sessions, store } = application()
    const app = create()
    app.use(expressSession(sessions))
    app.get('/start', (req, res) => {
      req.session.set('from', 'start')
      req.url = '/target'
      app(req, res)
    })
    app.get('/target', (req, res) => {
      req.session.set('to', 'target')
      res.json([req.session.id, req.session.toObject()])
    })
    const { origin, close } = await listen(createServer(app))
    const response = await fetch(`${origin}/start`)
    const [id] = await all(store.list())
    expect([await response.json(), response.headers.getSetCookie().length]).toEqual([[id, { from: 'start', to: 'target' }], 1])
    expect(await all(store.list())).toHaveLength(1)
    await close()
  })
})

describe('keys and values', () => {
  it('DN-32 the key "id" is an ordinary key', async () => {
    const visitor = application().client()
    const { result: id } = await visitor.send((session) => { session.set('id', 'mine'); return session.id })
    expect((await visitor.send((session) => [session.get('id'), session.id])).result).toEqual(['mine', id])
  })

  it('DN-33 the keys "0" and "" are kept', async () => {
    const visitor = application().client()
    await visitor.send((session) => { session.set('0', 'zero'); session.set('', 'empty') })
    expect((await visitor.send((session) => [session.get('0'), session.get('')])).result).toEqual(['zero', 'empty'])
  })

  it('DN-34 set returns the value', async () => {
    expect((await application().client().send((session) => session.set('k', 'v'))).result).toBe('v')
  })

  it('DN-35 null and undefined stay what they are, and their keys exist', async () => {
    const visitor = application().client()
    await visitor.send((session) => { session.set('n', null); session.set('u', undefined) })
    expect((await visitor.send((session) => [session.get('n'), session.has('n'), session.get('u'), session.has('u'), session.has('x')])).result).toEqual([null, true, undefined, true, false])
  })

  it('DN-37 what a handler that throws has set is discarded, or kept by option', async () => {
    for (const [options, expected] of [[{}, undefined], [{ onThrow: 'keep' }, 2]] as const) {
      const visitor = application(options).client()
      await visitor.send((session) => session.set('x', 1))
      await expect(visitor.send((session) => { session.set('y', 2); throw new Error('broken') })).rejects.toThrow('broken')
      expect((await visitor.send((session) => session.get('y'))).result).toBe(expected)
    }
  })
})

describe('ending, and ids from outside', () => {
  it('DN-13 after destroy the next read finds nothing', async () => {
    const visitor = application().client()
    await visitor.send((session) => session.set('x', 1))
    const { cookie } = visitor
    await visitor.send((session) => session.destroy())
    visitor.cookie = cookie
    expect((await visitor.send((session) => session.toObject())).result).toEqual({})
  })

  it('DN-40 destroy twice, or without a session, is no error', async () => {
    const visitor = application().client()
    expect((await visitor.send((session) => session.destroy())).response.status).toBe(200)
    await visitor.send((session) => session.set('x', 1))
    expect((await visitor.send(async (session) => { await session.destroy(); await session.destroy() })).setCookies).toHaveLength(1)
  })

  it('DN-41 a path as token gives an event without the text, and a fresh id', async () => {
    const { client, sessions } = application()
    const events: SessionEvent[] = []
    sessions.on('unknown-token', (event) => { events.push(event) })
    const visitor = client('sid=../etc/passwd')
    const { result } = await visitor.send((session) => { session.set('x', 1); return session.id })
    expect(events).toEqual([{ reason: 'malformed' }])
    expect([result, visitor.token]).toEqual([expect.stringMatching(/^[\w-]{22}$/), expect.stringMatching(/^[\w-]{22}\.[\w-]{43}$/)])
  })

  it('DN-42 a token with a line feed at its end opens nothing', async () => {
    const { client, sessions, seen } = application({ store: fileStore(folder) })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    expect((await new Client(sessions, `${visitor.cookie}%0A`).send((session) => session.toObject())).result).toEqual({})
    expect(seen).toEqual(['unknown-token: malformed'])
  })
})
