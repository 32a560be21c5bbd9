import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { setCookie } from 'hono/cookie'
import { etag } from 'hono/etag'
import { HTTPException } from 'hono/http-exception'
import { streamSSE, streamText } from 'hono/streaming'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import { responseFrom } from '../../test/adapters/fetch-server.ts'
import { listen } from '../../test/adapters/node-server.ts'
import { onSite } from '../../test/adapters/on-site.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import { createSessions } from '../index.ts'
import { assertFailed, assertNoSessionCookie, assertSessionCookie, cookieNames, Latch } from '../testing/adapter-cases/trial.ts'
import { describeAdapter, type AdapterFixture, type RunningApp } from '../testing/describe-adapter.ts'
import { honoSession, type HonoSessionVariables } from './hono.ts'

function application({ sessions, second, answer, late }: AdapterFixture): Hono<{ Variables: HonoSessionVariables & { second: Session } }> {
  const app = new Hono<{ Variables: HonoSessionVariables & { second: Session } }>()
  app.use(honoSession(sessions, { late }), honoSession(second, { as: 'second' }))
  app.onError((error, context) => ('getResponse' in error ? error.getResponse() : context.text('Internal Server Error', 500)))
  app.all('*', async ({ req, var: { session, second } }) => {
    const { pathname, search } = new URL(req.url)
    return responseFrom(await answer({ method: req.method, url: pathname + search, session, second, text: () => req.text() }))
  })
  return app
}

describeAdapter({ describe, it }, 'hono', (fixture) => listen(createAdaptorServer(application(fixture))), { lacks: ['node-response'] })

type App = Hono<{ Variables: HonoSessionVariables }>
const LONG = 'lorem ipsum '.repeat(10_000)

/** An application that stores something at every request but `/-quiet`. */
function storing(sessions: Sessions, routes: (app: App) => void, before: (app: App) => void = () => {}): App {
  const app: App = new Hono()
  before(app)
  app.use(honoSession(sessions))
  app.get('/-quiet', (context) => context.text('quiet'))
  app.use((context, next) => { context.var.session.set('color', 'red'); return next() })
  routes(app)
  return app
}

function served(routes: (app: App) => void, before?: (app: App) => void): (fixture: AdapterFixture) => Promise<RunningApp> {
  return ({ sessions }) => listen(createAdaptorServer(storing(sessions, routes, before)))
}

describe('honoSession', () => {
  it('sends the cookie beside those that handlers set', onSite(served((app) => app.get('/', (context) => {
    setCookie(context, 'theme', 'dark')
    setCookie(context, 'lang', 'en')
    return context.redirect('/elsewhere')
  })), async ({ ask }) => {
    const answer = await ask('/')
    expect(cookieNames(answer)).toEqual(['theme', 'lang', 'sid'])
    expect([answer.status, answer.header('location')]).toEqual([302, '/elsewhere'])
  }))

  it('stores nothing for an error with a status of its own', onSite(served((app) => app.get('/', () => { throw new HTTPException(401, { message: 'Who are you?' }) })), async ({ ask, store }) => {
    const answer = await ask('/')
    expect([answer.status, answer.body]).toEqual([401, 'Who are you?'])
    assertNoSessionCookie(answer)
    expect(store.count()).toBe(0)
  }))

  it('hands a failed commit to onError, with nothing of the head of the success', onSite(served((app) => {
    app.get('/', (context) => context.html('<p>all is well</p>', 201, { etag: '"1"', 'x-mine': 'success', 'content-language': 'en' }))
    app.onError((error, context) => context.json({ oops: error.name }, 503))
  }), async ({ ask, store }) => {
    store.fail('create')
    const answer = await ask('/')
    expect([answer.status, answer.body]).toEqual([503, '{"oops":"SessionError"}'])
    for (const name of ['etag', 'x-mine', 'content-language']) expect(answer.header(name)).toBeUndefined()
  }))

  it('cancels the body of a response that a failed commit takes the place of', async () => {
    const cancelled = new Latch()
    await onSite(served((app) => {
      app.get('/', () => new Response(new ReadableStream({ cancel: () => cancelled.open() })))
      app.onError((_error, context) => context.text('failed', 500))
    }), async ({ ask, store }) => {
      store.fail('create')
      assertFailed(await ask('/'))
      await cancelled.opened
    })()
  })

  it('goes with the default error handler', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    await onSite(served((app) => app.get('/', (context) => context.text('all is well'))), async ({ ask, store }) => {
      store.fail('create')
      const answer = await ask('/')
      assertFailed(answer)
      expect(answer.body).not.toContain('well')
    })()
    expect(logged.mock.calls.flat()).toEqual([expect.objectContaining({ code: 'ERR_SESSION_STORE' })])
    logged.mockRestore()
  })

  describe.each([
    ['before', (app: App) => { app.use(compress(), etag()) }, () => {}],
    ['after', () => {}, (app: App) => { app.use(compress(), etag()) }],
  ])('with compress and etag %s the session', (_where, before, after) => {
    const start = served((app) => {
      after(app)
      app.get('/page', (context) => context.text(LONG))
      app.get('/stream', (context) => streamText(context, async (stream) => { for (let n = 0; n < 10; n += 1) await stream.write(LONG) }))
      app.onError((_error, context) => context.text('failed', 500))
    }, before)

    it('holds and compresses a page', onSite(start, async ({ send, store, quiet }) => {
      const held = store.hold('create')
      const sent = send('/page', { headers: { 'accept-encoding': 'gzip' } })
      await held.reached
      await quiet()
      expect(sent.hasArrived).toBe(false)
      held.release()
      const answer = await sent.answer
      assertSessionCookie(answer)
      expect(answer.header('content-encoding')).toBe('gzip')
      expect(gunzipSync(answer.bytes).toString() === LONG).toBe(true)
    }))

    it('streams', onSite(start, async ({ ask }) => {
      const answer = await ask('/stream')
      assertSessionCookie(answer)
      expect(answer.body === LONG.repeat(10)).toBe(true)
    }))

    it('answers a failed commit', onSite(start, async ({ ask, store }) => {
      store.fail('create')
      const answer = await ask('/page')
      assertFailed(answer)
      assertNoSessionCookie(answer)
      expect(answer.body).toBe('failed')
    }))
  })

  it('sends events one by one', async () => {
    const latch = new Latch()
    await onSite(served((app) => app.get('/', (context) => streamSSE(context, async (stream) => {
      await stream.writeSSE({ data: '1' })
      await latch.wait()
      await stream.writeSSE({ data: '2' })
    }))), async ({ send }) => {
      const sent = send('/')
      await sent.contains('data: 1')
      latch.open()
      const answer = await sent.answer
      assertSessionCookie(answer)
      expect(answer.body).toBe('data: 1\n\ndata: 2\n\n')
    })()
  })

  it('works without a server', async () => {
    const app = storing(createSessions(), (app) => app.get('/', (context) => context.text('page')))
    const answer = await app.request('/')
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^sid=/)])
    const cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    expect((await app.request('/', { headers: { cookie } })).headers.getSetCookie()).toEqual([])
  })

  it('sends a secure cookie behind a proxy only when that is trusted', async () => {
    const cookieOf = async (trustProxy: boolean): Promise<string | undefined> => {
      const app: App = new Hono()
      app.use(honoSession(createSessions(), { trustProxy }))
      app.get('/', (context) => { context.var.session.set('color', 'red'); return context.text('page') })
      return (await app.request('/', { headers: { 'x-forwarded-proto': 'https' } })).headers.getSetCookie()[0]
    }
    expect(await cookieOf(true)).toMatch(/^__Host-sid=.*Secure/)
    expect(await cookieOf(false)).toMatch(/^sid=(?!.*Secure)/)
  })

  it('makes one session when it is mounted twice, and says when its place is taken', async () => {
    const sessions = createSessions()
    const app: App = new Hono()
    app.use(honoSession(sessions))
    app.use('/twice', honoSession(sessions))
    app.use('/clash', honoSession(createSessions()))
    app.get('*', (context) => { context.var.session.set('color', 'red'); return context.text('page') })
    app.onError((error, context) => context.text(error.message, 500))
    expect((await app.request('/twice')).headers.getSetCookie()).toHaveLength(1)
    expect(await (await app.request('/clash')).text()).toContain('There is something under "session" already')
  })
})
