import { createServer } from 'node:http'
import { inspect } from 'node:util'
import express, { type Express, type Request, type Response } from 'express'
import express4 from 'express4'
import { Passport } from 'passport'
import { Strategy } from 'passport-local'
import { describe, expect, it } from 'vitest'
import { listen } from '../../test/adapters/node-server.ts'
import { onSite } from '../../test/adapters/on-site.ts'
import type { Sessions } from '../core/sessions.ts'
import { createSessions } from '../index.ts'
import { cookieStore } from '../stores/cookie.ts'
import { browser } from '../testing/browser.ts'
import { assertFailed, assertNoSessionCookie, assertSessionCookie, cookieNames } from '../testing/adapter-cases/trial.ts'
import type { AdapterFixture, RunningApp } from '../testing/describe-adapter.ts'
import { expressCompatSession, type CompatSession, type ExpressCompatSession } from './express-compat.ts'
import { expressSession } from './express.ts'

type View = CompatSession<Record<string, unknown>>

/** What code written for express-session sees. */
function view(request: object): View {
  return Reflect.get(request, 'session')
}

type Compat = ExpressCompatSession<Record<string, unknown>>

function started(makeApp: typeof express, routes: (app: Express, compat: Compat, sessions: Sessions) => void) {
  return ({ sessions }: AdapterFixture): Promise<RunningApp> => {
    const app = makeApp().set('env', 'test')
    const compat = expressCompatSession(sessions)
    app.get('/-quiet', (_request, response) => void response.end())
    app.use(express.urlencoded({ extended: false }), compat)
    app.get('/look', (request, response) => void response.json(view(request)))
    routes(app, compat, sessions)
    return listen(createServer(app))
  }
}

function withPassport(app: Express): void {
  const passport = new Passport()
  passport.use(new Strategy((name, password, done) => done(null, password === 'right' ? { name } : false)))
  passport.serializeUser((user, done) => done(null, 'name' in user ? String(user.name) : ''))
  passport.deserializeUser((name, done) => done(null, { name }))
  app.use(passport.authenticate('session'))
  app.get('/who', (request, response) => void response.json({ user: request.user ?? null, known: request.isAuthenticated() }))
  app.post('/fill', (request, response) => { view(request)['cart'] = ['tea']; response.end() })
  app.post('/login', passport.authenticate('local', { successRedirect: '/who', failureRedirect: '/login' }))
  app.post('/login-keeping', passport.authenticate('local', { keepSessionInfo: true }), (_request, response) => void response.end('in'))
  const leave = (keepSessionInfo: boolean) => (request: Request, response: Response, next: (error?: unknown) => void): void => {
    request.logout({ keepSessionInfo }, (error: unknown) => (error === undefined ? response.end('out') : next(error)))
  }
  app.post('/logout', leave(false))
  app.post('/logout-keeping', leave(true))
}

const ada = { username: 'ada', password: 'right' }

describe.each([['express 5', express], ['express 4', express4]])('Passport on %s', (_name, makeApp) => {
  const site = started(makeApp, withPassport)

  it('logs in, and knows the user at the next request', onSite(site, async ({ visitor }) => {
    const tab = visitor().tab()
    const page = await tab.post('/login', ada)
    expect([page.status, page.headers.get('location')]).toEqual([302, '/who'])
    assertSessionCookie(page)
    expect((await tab.get('/who')).json()).toEqual({ user: { name: 'ada' }, known: true })
    expect((await tab.get('/look')).json()).toEqual({ passport: { user: 'ada' } })
  }))

  it('logs nobody in whose password is wrong, and stores nothing for them', onSite(site, async ({ visitor, store }) => {
    const tab = visitor().tab()
    expect((await tab.post('/login', { ...ada, password: 'wrong' })).headers.get('location')).toBe('/login')
    expect((await tab.get('/who')).json()).toEqual({ user: null, known: false })
    expect(await store.size()).toBe(0)
  }))

  it('empties the session at login, and keeps what was in it with keepSessionInfo', onSite(site, async ({ visitor }) => {
    const [one, two] = [visitor().tab(), visitor().tab()]
    await one.post('/fill')
    await one.post('/login', ada)
    expect((await one.get('/look')).json()).toEqual({ passport: { user: 'ada' } })
    await two.post('/fill')
    await two.post('/login-keeping', ada)
    expect((await two.get('/look')).json()).toEqual({ cart: ['tea'], passport: { user: 'ada' } })
  }))

  it('gives another token at login, and the one from before is worth nothing (session fixation)', onSite(site, async ({ visitor, store }) => {
    const [victim, attacker] = [visitor(), visitor()]
    const planted = (await attacker.tab().post('/fill')).setCookies
    victim.receive(planted)
    for (const path of ['/login', '/login-keeping']) {
      const before = victim.cookieHeader()
      await victim.tab().post(path, ada)
      expect(victim.cookieHeader()).not.toBe(before)
      attacker.receive(planted)
      expect((await attacker.tab().get('/who')).json()).toEqual({ user: null, known: false })
      expect((await attacker.tab().get('/look')).json()).toEqual({})
    }
    expect(await store.size()).toBe(1)
  }))

  it('forgets the user at logout, and the token from before is worth nothing', onSite(site, async ({ visitor, store }) => {
    const [someone, thief] = [visitor(), visitor()]
    thief.receive((await someone.tab().post('/login', ada)).setCookies)
    const page = await someone.tab().post('/logout')
    expect(page.text).toBe('out')
    assertSessionCookie(page)
    expect(someone.cookies).toEqual([])
    for (const each of [someone, thief]) expect((await each.tab().get('/who')).json()).toEqual({ user: null, known: false })
    expect(await store.size()).toBe(0)
  }))

  it('keeps what was in the session at logout with keepSessionInfo, under another token', onSite(site, async ({ visitor }) => {
    const [someone, thief] = [visitor(), visitor()]
    const tab = someone.tab()
    await tab.post('/fill')
    thief.receive((await tab.post('/login-keeping', ada)).setCookies)
    await tab.post('/logout-keeping')
    expect((await tab.get('/look')).json()).toEqual({ cart: ['tea'], passport: {} })
    expect((await tab.get('/who')).json()).toEqual({ user: null, known: false })
    expect((await thief.tab().get('/look')).json()).toEqual({})
  }))

  it('logs out twice at once without an error', onSite(site, async ({ visitor, send, store }) => {
    const someone = visitor()
    await someone.tab().post('/login', ada)
    const held = store.hold('patch')
    const first = send('/logout', { method: 'POST', visitor: someone })
    await held.reached
    expect((await send('/logout', { method: 'POST', visitor: someone }).answer).status).toBe(200)
    held.release()
    expect((await first.answer).status).toBe(200)
    expect(await store.size()).toBe(0)
  }))

  it('redirects after a login when the store has acknowledged, not before', onSite(site, async ({ visitor, send, store, quiet }) => {
    const someone = visitor()
    const held = store.hold('create')
    const sent = send('/login', { method: 'POST', body: new URLSearchParams(ada).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    await held.reached
    await quiet()
    expect(sent.hasArrived).toBe(false)
    held.release()
    const answer = await sent.answer
    assertSessionCookie(answer)
    someone.receive(answer.setCookies)
    expect((await someone.tab().get('/who')).json()).toEqual({ user: { name: 'ada' }, known: true })
  }))

  it('costs a login one write, and the end of the session before it', onSite(site, async ({ visitor, store }) => {
    const tab = visitor().tab()
    const calls = async (path: string): Promise<string[]> => {
      store.forgetCalls()
      await tab.post(path, ada)
      return store.calls.map(({ method }) => method)
    }
    expect(await calls('/login')).toEqual(['create'])
    expect(await calls('/login')).toEqual(['read', 'end', 'create'])
  }))

  it('logs nobody in when the store fails', onSite(site, async ({ visitor, store }) => {
    const tab = visitor().tab()
    store.fail('create')
    const page = await tab.post('/login', ada)
    expect(page.status).toBe(500)
    assertNoSessionCookie(page)
    expect((await tab.get('/who')).json()).toEqual({ user: null, known: false })
  }))
})

const on = (routes: (app: Express, compat: Compat, sessions: Sessions) => void) => started(express, routes)

describe('the session of express-session', () => {
  it('keeps plain properties, changes inside them, and forgets what is deleted', onSite(on((app) => {
    app.post('/set', (request, response) => { Object.assign(view(request), { views: 1, user: { name: 'ada', tags: ['a'] }, gone: true }); response.end() })
    app.post('/change', (request, response) => {
      const session = view(request)
      const { user } = session
      if (typeof user === 'object' && user !== null && 'tags' in user && Array.isArray(user.tags)) user.tags.push('b')
      delete session['gone']
      response.json({ has: 'gone' in session, keys: Object.keys(session), own: Object.hasOwn(session, 'views') })
    })
  }), async ({ visitor }) => {
    const tab = visitor().tab()
    await tab.post('/set')
    expect((await tab.post('/change')).json()).toEqual({ has: false, keys: ['views', 'user'], own: true })
    expect((await tab.get('/look')).json()).toEqual({ views: 1, user: { name: 'ada', tags: ['a', 'b'] } })
  }))

  it('serves middleware that queues messages in an array and empties it', onSite(on((app) => {
    const flash = (session: View): Record<string, string[]> => Object(session['flash'] ??= {})
    app.post('/say', (request, response) => { (flash(view(request))['info'] ??= []).push('saved'); response.end() })
    app.get('/hear', (request, response) => {
      const messages = flash(view(request))
      const info = messages['info'] ?? []
      delete messages['info']
      response.json(info)
    })
  }), async ({ visitor }) => {
    const tab = visitor().tab()
    await tab.post('/say')
    await tab.post('/say')
    expect((await tab.get('/hear')).json()).toEqual(['saved', 'saved'])
    expect((await tab.get('/hear')).json()).toEqual([])
  }))

  it('has an id that another one takes the place of at regenerate', onSite(on((app) => {
    app.post('/', (request, response) => {
      const session = view(request)
      session['color'] = 'red'
      const before = [session.id, Reflect.get(request, 'sessionID')]
      session.regenerate((error) => {
        view(request)['color'] = 'blue'
        response.json({ error, before, after: [view(request).id, Reflect.get(request, 'sessionID')], old: session['color'], isAnother: view(request) !== session })
      })
    })
  }), async ({ visitor }) => {
    const tab = visitor().tab()
    for (let round = 0; round < 2; round += 1) {
      const told = (await tab.post('/')).json()
      expect(told).toMatchObject({ old: 'red', isAnother: true, before: [expect.any(String), expect.any(String)] })
      const { before, after } = told && typeof told === 'object' && 'before' in told && 'after' in told ? told : { before: [], after: [] }
      expect(new Set([before, after].flat()).size).toBe(2)
    }
  }))

  it('lets what another request still writes to the old session go nowhere after regenerate', onSite(on((app, _compat, sessions) => {
    app.post('/begin', (request, response) => { view(request)['color'] = 'red'; response.end(view(request).id) })
    app.post('/regenerate', (request, response) => view(request).regenerate(() => { view(request)['fresh'] = true; response.end() }))
    app.post('/late', async (request, response) => {
      await sessions.revoke(view(request).id)
      view(request)['late'] = true
      await view(request).save()
      response.end()
    })
  }), async ({ visitor, store }) => {
    const tab = visitor().tab()
    await tab.post('/begin')
    await tab.post('/regenerate')
    expect((await tab.get('/look')).json()).toEqual({ fresh: true })
    await tab.post('/late')
    expect(await store.size()).toBe(0)
  }))

  it('begins a session at regenerate also for who comes under a token that was just replaced', onSite(on((app, compat) => {
    app.post('/begin', (request, response) => { view(request)['color'] = 'red'; response.end() })
    app.post('/login', async (request, response) => { await compat.of(request).login('ada'); response.end() })
    app.post('/regenerate', (request, response) => view(request).regenerate(() => { view(request)['color'] = 'blue'; response.end() }))
  }), async ({ visitor }) => {
    const [someone, other] = [visitor(), visitor()]
    other.receive((await someone.tab().post('/begin')).setCookies)
    await someone.tab().post('/login')
    assertSessionCookie(await other.tab().post('/regenerate'))
    expect((await other.tab().get('/look')).json()).toEqual({ color: 'blue' })
    expect((await someone.tab().get('/look')).json()).toEqual({ color: 'red' })
  }))

  it('hands a store that fails to the callback, or to who awaits, and is not brought down by who does neither', onSite(on((app) => {
    app.post('/callback', (request, response) => { view(request)['a'] = 1; view(request).save((error) => response.json({ failed: error instanceof Error })) })
    app.post('/promise', async (request, response) => {
      view(request)['a'] = 1
      response.json({ failed: await view(request).save().then(() => false, () => true) })
    })
    app.post('/neither', (request, response) => { view(request)['a'] = 1; void view(request).save(); response.end('all is well') })
    app.use((_error: Error, _request: Request, response: Response, _next: () => void) => void response.status(503).end())
  }), async ({ ask, store }) => {
    store.fail('create')
    for (const path of ['/callback', '/promise', '/neither']) assertFailed(await ask(path, { method: 'POST' }))
  }))

  it('calls back outside of the promise, so that an error in a callback is nobody else’s', onSite(on((app) => {
    app.post('/', (request, response) => {
      const order: string[] = []
      view(request)['a'] = 1
      view(request).save((error) => { order.push(String(error)); response.json(order) })
      order.push('first')
    })
  }), async ({ ask }) => {
    expect((await ask('/', { method: 'POST' })).body).toBe('["first","undefined"]')
  }))

  it('is gone from the request at destroy, and the visitor forgets the cookie', onSite(on((app) => {
    app.post('/begin', (request, response) => { view(request)['a'] = 1; response.end() })
    app.post('/destroy', (request, response) => {
      view(request).destroy((error) => response.json({ error: error ?? null, session: view(request) === undefined }))
    })
  }), async ({ visitor, store }) => {
    const someone = visitor()
    const tab = someone.tab()
    await tab.post('/begin')
    expect((await tab.post('/destroy')).json()).toEqual({ error: null, session: true })
    expect(someone.cookies).toEqual([])
    expect(await store.size()).toBe(0)
  }))

  it('reads what another request has stored at reload, forgets its own, and says when the session has ended', onSite(on((app, compat, sessions) => {
    app.post('/begin', (request, response) => { view(request)['color'] = 'red'; response.end() })
    app.post('/reload', async (request, response) => {
      const session = view(request)
      session['own'] = true
      await (await sessions.load({ id: session.id }))?.update('color', () => 'blue')
      await session.reload()
      const seen = { color: session['color'], own: session['own'] }
      await sessions.revoke(compat.of(request).id)
      session.reload((error) => response.json({ ...seen, code: error instanceof Error && 'code' in error ? error.code : error }))
    })
  }), async ({ visitor }) => {
    const tab = visitor().tab()
    await tab.post('/begin')
    expect((await tab.post('/reload')).json()).toEqual({ color: 'blue', code: 'ERR_SESSION_GONE' })
  }))

  it('moves the deadline at touch, and begins nothing by it', onSite(on((app) => {
    app.post('/begin', (request, response) => { view(request)['a'] = 1; response.end() })
    app.post('/touch', (request, response) => { view(request).touch().resetMaxAge(); response.end() })
  }), async ({ visitor, store, advance }) => {
    const tab = visitor().tab()
    await tab.post('/touch')
    expect(await store.size()).toBe(0)
    await tab.post('/begin')
    store.forgetCalls()
    advance(1)
    await tab.post('/touch')
    expect(store.calls.map(({ method }) => method)).toEqual(['read', 'patch'])
  }))

  it('lasts as long as cookie.maxAge and cookie.expires say, and begins nothing by them alone', onSite(on((app) => {
    app.use((request, _response, next) => { view(request).cookie.maxAge = 30 * 86_400_000; next() })
    app.post('/only', (_request, response) => void response.end())
    app.post('/remember', (request, response) => { view(request)['a'] = 1; response.json(view(request).cookie.maxAge) })
    app.post('/until', (request, response) => { view(request).cookie.expires = new Date(Date.UTC(2099, 0, 1)); response.json([view(request).cookie.expires, view(request).cookie.originalMaxAge !== null]) })
    app.post('/day', (request, response) => { view(request).cookie.originalMaxAge = 86_400_000; response.json(view(request).cookie.maxAge) })
    app.post('/closing', (request, response) => { view(request).cookie.maxAge = null; response.json([view(request).cookie.maxAge, view(request).cookie.expires]) })
  }), async ({ visitor, store, advance }) => {
    const tab = visitor().tab()
    expect((await tab.post('/only')).setCookies).toEqual([])
    expect(await store.size()).toBe(0)
    const [cookie] = (await tab.post('/remember')).setCookies
    expect(cookie).toMatch(/Max-Age=2592000/)
    advance('20 days')
    expect((await tab.get('/look')).json()).toEqual({ a: 1 })
    expect((await tab.post('/until')).json()).toEqual(['2099-01-01T00:00:00.000Z', true])
    expect((await tab.post('/day')).json()).toBe(86_400_000)
    expect((await tab.post('/closing')).json()).toEqual([null, null])
  }))

  it('sends a cookie with the attributes that were set on it', onSite(on((app) => {
    app.post('/', (request, response) => {
      const session = view(request)
      session['a'] = 1
      Object.assign(session.cookie, { path: '/app', domain: 'example.com', httpOnly: false, sameSite: 'strict', secure: false })
      const { path, domain, httpOnly, sameSite, secure } = session.cookie
      response.json({ path, domain, httpOnly, sameSite, secure })
    })
  }), async ({ ask }) => {
    const answer = await ask('/', { method: 'POST' })
    expect(JSON.parse(answer.body)).toEqual({ path: '/app', domain: 'example.com', httpOnly: false, sameSite: 'strict', secure: false })
    expect(answer.setCookies).toEqual([expect.stringMatching(/^sid=(?!.*HttpOnly).*Domain=example.com; Path=\/app.*SameSite=Strict/)])
  }))

  it('leads to no prototype, whatever the name', onSite(on((app) => {
    app.post('/', (request, response) => {
      const session = view(request)
      const before = [session['__proto__'], session['constructor'], typeof session['hasOwnProperty'], Object.getPrototypeOf(session)]
      session['__proto__'] = { polluted: true }
      response.json([...before, Reflect.get({}, 'polluted') ?? 'clean', Object.keys(session)])
    })
  }), async ({ ask }) => {
    expect(JSON.parse((await ask('/', { method: 'POST' })).body)).toEqual([null, null, 'function', null, 'clean', ['__proto__']])
  }))

  it('refuses values under the names of its own, and shows its properties in logs', onSite(on((app) => {
    app.post('/', (request, response) => {
      const session = view(request)
      session['a'] = 1
      const codes = ['id', 'cookie', 'save'].map((name) => {
        try {
          return Reflect.set(session, name, 1)
        } catch (error) {
          return error instanceof Error && 'code' in error ? error.code : error
        }
      })
      response.json([...codes, inspect(session)])
    })
  }), async ({ ask }) => {
    expect(JSON.parse((await ask('/', { method: 'POST' })).body)).toEqual([...Array.from({ length: 3 }, () => 'ERR_SESSION_USAGE'), '{ a: 1 }'])
  }))

  it('has Sojourn’s session behind it', onSite(on((app, compat) => {
    app.post('/login', async (request, response) => {
      view(request)['cart'] = ['tea']
      await compat.of(request).login('ada')
      response.json([compat.of(request).owner ?? null, view(request)['cart']])
    })
  }), async ({ ask, sessions }) => {
    expect(JSON.parse((await ask('/login', { method: 'POST' })).body)).toEqual(['ada', ['tea']])
    expect(await sessions.revokeAll('ada')).toBe(1)
  }))
})

describe('expressCompatSession', () => {
  it('makes one session when it is mounted twice, or behind expressSession', onSite(({ sessions }) => {
    const [app, compat] = [express().set('env', 'test'), expressCompatSession(sessions)]
    app.use('/twice', compat, compat)
    app.use('/behind', expressSession(sessions), compat)
    app.use((request, response) => { view(request)['a'] = 1; response.json(compat.of(request).get('a')) })
    return listen(createServer(app))
  }, async ({ ask, store }) => {
    for (const path of ['/twice', '/behind']) {
      store.forgetCalls()
      expect((await ask(path, { method: 'POST' })).body).toBe('1')
      expect(store.calls.map(({ method }) => method)).toEqual(['create'])
    }
  }))

  it('works with a session that the visitor keeps', async () => {
    const sessions = createSessions({ store: cookieStore({ keys: [Buffer.alloc(32, 1).toString('base64')] }) })
    const app = express().set('env', 'test').use(express.urlencoded({ extended: false }), expressCompatSession(sessions))
    withPassport(app)
    const { origin, close } = await listen(createServer(app))
    try {
      const tab = browser(origin).tab()
      await tab.post('/fill')
      await tab.post('/login-keeping', ada)
      expect((await tab.get('/who')).json()).toEqual({ user: { name: 'ada' }, known: true })
      await tab.post('/logout')
      expect((await tab.get('/who')).json()).toEqual({ user: null, known: false })
    } finally {
      await close()
      await sessions.close()
    }
  })

  it('refuses requests of other sites', onSite(on((app) => void app.post('/', (request, response) => { view(request)['a'] = 1; response.end() })), async ({ ask, visitor }) => {
    const someone = visitor()
    await someone.tab().post('/')
    expect((await ask('/', { method: 'POST', visitor: someone, headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403)
  }))

  it('finds another name, and says when there is no session', onSite(({ sessions, second }) => {
    const [app, one, two] = [express().set('env', 'test'), expressCompatSession(sessions), expressCompatSession(second, { as: 'second' })]
    app.get('/none', (request, response) => { try { one.of(request) } catch (error) { response.end(String(error)) } })
    app.use(one, two, (request, response) => { Reflect.get(request, 'second').a = 1; response.end() })
    return listen(createServer(app))
  }, async ({ ask }) => {
    expect(cookieNames(await ask('/', { method: 'POST' }))).toEqual(['second'])
    expect((await ask('/none')).body).toContain('There is no session')
  }))
})
