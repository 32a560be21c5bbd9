import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { H3, toNodeHandler } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { expressSession } from '../../src/adapters/express.ts'
import { fastifySession } from '../../src/adapters/fastify.ts'
import { fetchSession } from '../../src/adapters/fetch.ts'
import { h3Session } from '../../src/adapters/h3.ts'
import { honoSession, type HonoSessionVariables } from '../../src/adapters/hono.ts'
import { koaSession, type KoaSessionContext } from '../../src/adapters/koa.ts'
import { nodeSession } from '../../src/adapters/node.ts'
import { continuations, restoredRequest, restoreRequest } from '../../src/continuations/index.ts'
import { createSessions, Session, type FieldSource, type Sessions } from '../../src/index.ts'
import { browser } from '../../src/testing/index.ts'
import type { RunningApp } from '../../src/testing/describe-adapter.ts'
import { serveFetch } from '../adapters/fetch-server.ts'
import { listen } from '../adapters/node-server.ts'

interface Answer {
  readonly status: number
  readonly text: string
  readonly location?: string
}

/** The site: an order needs a user. `fields` are those of the body, where the framework hands them over apart. */
async function answer(session: Session, method: string, path: string, body: FieldSource | undefined, isParsed: boolean): Promise<Answer> {
  const { continuations: one } = session
  const fields = isParsed || body === undefined ? {} : { fields: body }
  if (one.misplaced !== undefined) return to(one.misplaced)
  if (path === '/login' && method === 'GET') return { status: 200, text: one.hiddenField }
  if (path === '/login') {
    await session.login('ada')
    one.messages.set('welcome', 'Welcome')
    return to(await one.return({ values: { from: 'login' }, ...fields }))
  }
  const asked = one.arrived ?? { method, fields: body ?? {} }
  if (path !== '/order' || asked.method !== 'POST') return { status: 200, text: 'nothing ordered' }
  if (session.owner === undefined) return to(await one.save({ to: '/login', ...fields }))
  return { status: 200, text: JSON.stringify({ owner: session.owner, ...asked.fields, values: one.arrived?.values, messages: [...one.messages] }) }
}

const to = (location: string): Answer => ({ status: 303, text: '', location })
const pathOf = (url: string | undefined): string => new URL(url ?? '/', 'http://site').pathname
const responseOf = ({ status, text, location }: Answer): Response => new Response(text, { status, ...(location !== undefined && { headers: { location } }) })
const bodyOf = async (request: Request): Promise<FieldSource | undefined> => (request.method === 'GET' ? undefined : request.formData())

const ADAPTERS: readonly (readonly [name: string, start: (sessions: Sessions) => Promise<RunningApp>])[] = [
  ['node', (sessions) => listen(createServer(nodeSession(sessions, async (request: IncomingMessage, response, session) => {
    const { status, text, location } = await answer(session, request.method ?? 'GET', pathOf(request.url), await formOf(request), false)
    Object.assign(response, { statusCode: status })
    if (location !== undefined) response.setHeader('Location', location)
    response.end(text)
  })))],
  ['express 5', (sessions) => listen(createServer(express().use(express.urlencoded({ extended: false }), expressSession(sessions), (request, response, next) => {
    answer(request.session, request.method, request.path, request.body, true).then(({ status, text, location }) => (location === undefined ? response.status(status).send(text) : response.redirect(status, location)), next)
  })))],
  ['express 4', (sessions) => listen(createServer(express4().use(express4.urlencoded({ extended: false }), expressSession(sessions), (request, response, next) => {
    answer(request.session, request.method, request.path, request.body, true).then(({ status, text, location }) => (location === undefined ? response.status(status).send(text) : response.redirect(status, location)), next)
  })))],
  ['koa', (sessions) => {
    const app = new Koa<Koa.DefaultState, KoaSessionContext>()
    app.use(koaSession(sessions))
    app.use(async (context) => {
      // As a body parser of Koa does.
      if (context.method !== 'GET') Object.assign(context.request, { body: Object.fromEntries(await formOf(context.req)) })
      const body: unknown = Reflect.get(context.request, 'body')
      const { status, text, location } = await answer(context.session, context.method, context.path, isFields(body) ? body : undefined, true)
      context.status = status
      context.body = text
      if (location !== undefined) context.set('Location', location)
    })
    return listen(createServer(app.callback()))
  }],
  ['fastify', async (sessions) => {
    const app = fastify({ forceCloseConnections: true })
    // As @fastify/formbody does.
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))))
    await app.register(fastifySession(sessions))
    app.all('/*', async (request, reply) => {
      const { status, text, location } = await answer(request.session, request.method, pathOf(request.url), isFields(request.body) ? request.body : undefined, true)
      return location === undefined ? reply.code(status).send(text) : reply.redirect(location, status)
    })
    return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
  }],
  ['fetch', (sessions) => serveFetch(fetchSession(sessions, async (request, session) => responseOf(await answer(session, request.method, pathOf(request.url), await bodyOf(request), false))))],
  ['hono', (sessions) => {
    const app = new Hono<{ Variables: HonoSessionVariables }>()
    app.use(honoSession(sessions)).all('*', async ({ req, var: { session } }) => responseOf(await answer(session, req.method, req.path, req.method === 'GET' ? undefined : await req.parseBody(), false)))
    return listen(createAdaptorServer(app))
  }],
  ['h3', (sessions) => {
    const app = new H3()
    app.use(h3Session(sessions)).all('/**', async ({ req, url, context: { session } }) => {
      if (!(session instanceof Session)) throw new Error('no session')
      return responseOf(await answer(session, req.method, url.pathname, await bodyOf(req), false))
    })
    return listen(createServer(toNodeHandler(app)))
  }],
]

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(await text(request))
}

function isFields(body: unknown): body is Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null
}

describe.each(ADAPTERS)('with %s', (_name, start) => {
  it('a visitor comes back from the login to the order that it interrupted, once, with its fields, values and messages', async () => {
    const sessions = createSessions({ continuations: continuations() })
    const app = await start(sessions)
    try {
      const visitor = browser(app.origin)
      const tab = visitor.tab()
      const login = await tab.post('/order', { item: 'tea', password: 'SECRET' })
      expect(login.status).toBe(303)
      const page = await tab.get(String(login.headers.get('location')))
      const [, name = '', value = ''] = /name="(\w+)" value="([\w-]+)"/.exec(page.text) ?? []
      const back = await visitor.tab().post('/login', { user: 'ada', [name]: value })
      expect(back.headers.get('location')).toMatch(/^\/order\?r=[\w-]{22}$/)
      const wrong = await tab.get(`${back.headers.get('location')}&x=1`)
      expect(wrong.headers.get('location')).toBe(back.headers.get('location'))
      const order = await tab.get(String(back.headers.get('location')))
      expect(order.json()).toEqual({ owner: 'ada', item: 'tea', values: { from: 'login' }, messages: [['welcome', 'Welcome']] })
      expect((await tab.get(String(back.headers.get('location')))).text).toBe('nothing ordered')
    } finally {
      await app.close()
      await sessions.close()
    }
  })
})

describe('the restored request', () => {
  it('goes through the routes of Express as the one that was interrupted', async () => {
    const sessions = createSessions({ continuations: continuations() })
    const site = express()
    site.use(express.urlencoded({ extended: false }), expressSession(sessions), (request, _response, next) => {
      const { arrived } = request.session.continuations
      if (arrived !== undefined) restoreRequest(request, arrived)
      next()
    })
    site.put('/order/:number', ({ session }, response, next) => {
      if (session.owner !== undefined) return next()
      session.continuations.save({ to: '/login' }).then((url) => response.redirect(303, url), next)
    }, (request, response) => {
      response.json([request.params['number'], request.query['coupon'], request.body, request.get('x-live')])
    })
    site.get('/login', ({ session }, response, next) => {
      session.login('ada').then(() => session.continuations.return()).then((url) => response.redirect(303, url), next)
    })
    const app = await listen(createServer(site))
    const tab = browser(app.origin).tab()
    const interrupted = await tab.request('/order/7?coupon=x', { method: 'PUT', body: new URLSearchParams({ item: 'tea' }), headers: { 'x-live': 'saved' } })
    const back = await tab.get(String(interrupted.headers.get('location')))
    const page = await tab.get(String(back.headers.get('location')), { headers: { 'x-live': 'live' } })
    expect(page.json()).toEqual(['7', 'x', { item: 'tea' }, 'live'])
    await app.close()
    await sessions.close()
  })

  it('goes through a router of Fetch as the one that was interrupted', async () => {
    const sessions = createSessions({ continuations: continuations() })
    const routed = async (request: Request, session: Session): Promise<Response> => {
      if (pathOf(request.url) === '/login') {
        await session.login('ada')
        return responseOf(to(await session.continuations.return()))
      }
      const fields = Object.fromEntries(await request.formData())
      if (session.owner === undefined) return responseOf(to(await session.continuations.save({ to: '/login', fields })))
      return Response.json([request.method, fields, request.headers.get('x-live')])
    }
    const handle = fetchSession(sessions, (request, session) => {
      const { arrived } = session.continuations
      return routed(arrived === undefined ? request : restoredRequest(request, arrived), session)
    })
    const tab = browser(handle).tab()
    const interrupted = await tab.post('/order', { item: 'tea' })
    const back = await tab.get(String(interrupted.headers.get('location')))
    expect((await tab.get(String(back.headers.get('location')), { headers: { 'x-live': 'live' } })).json()).toEqual(['POST', { item: 'tea' }, 'live'])
    await sessions.close()
  })
})
