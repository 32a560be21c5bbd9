import { createServer } from 'node:http'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { H3, toNodeHandler } from 'h3'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { serveFetch } from '../../test/adapters/fetch-server.ts'
import { listen } from '../../test/adapters/node-server.ts'
import { isSessionError } from '../core/errors.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Exchange } from '../core/transport.ts'
import { createSessions } from '../index.ts'
import type { RunningApp } from '../testing/describe-adapter.ts'
import { TestExchange, type TestExchangeOptions } from '../testing/exchange.ts'
import { send } from '../testing/adapter-cases/wire.ts'
import { bearerTransport } from '../transports/bearer.ts'
import { crossSiteCheck, type CrossSiteOptions } from './cross-site.ts'
import { expressSession } from './express.ts'
import { fastifySession } from './fastify.ts'
import { fetchSession } from './fetch.ts'
import { h3Session } from './h3.ts'
import { honoSession } from './hono.ts'
import { koaSession } from './koa.ts'
import { nodeSession } from './node.ts'

interface Options extends CrossSiteOptions {
  readonly trustProxy?: boolean
}

type Start = (sessions: Sessions, options: Options) => Promise<RunningApp>

function onExpress(makeApp: typeof express): Start {
  return (sessions, { trustProxy, ...options }) => {
    const app = makeApp().set('env', 'test').set('trust proxy', trustProxy ?? false)
    app.use(expressSession(sessions, options), (_request, response) => void response.send('ran'))
    return listen(createServer(app))
  }
}

const frameworks: readonly (readonly [name: string, start: Start])[] = [
  ['node, as a listener', (sessions, options) => listen(createServer(nodeSession(sessions, (_request, response) => void response.end('ran'), { ...options, onError: (error) => { throw error } })))],
  ['node, as middleware', (sessions, options) => {
    const middleware = nodeSession(sessions, options)
    return listen(createServer((request, response) => middleware(request, response, (error) => {
      response.statusCode = isSessionError(error, 'ERR_SESSION_CROSS_SITE') ? 403 : 200
      response.end(error === undefined ? 'ran' : 'refused')
    })))
  }],
  ['express 5', onExpress(express)],
  ['express 4', onExpress(express4)],
  ['fastify', async (sessions, { trustProxy = false, ...options }) => {
    const app = fastify({ trustProxy, forceCloseConnections: true })
    await app.register(fastifySession(sessions, options))
    app.post('/', async () => 'ran')
    return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
  }],
  ['koa', (sessions, { trustProxy = false, ...options }) => {
    const app = new Koa({ proxy: trustProxy })
    app.use(koaSession(sessions, options)).use((context) => { context.body = 'ran' })
    return listen(createServer(app.callback()))
  }],
  ['h3', (sessions, options) => {
    const app = new H3().use(h3Session(sessions, options))
    app.post('/', () => 'ran')
    return listen(createServer(toNodeHandler(app)))
  }],
  ['hono', (sessions, options) => {
    const app = new Hono().use(honoSession(sessions, options))
    app.post('/', (context) => context.text('ran'))
    return listen(createAdaptorServer(app))
  }],
  ['fetch', (sessions, options) => serveFetch(fetchSession(sessions, () => new Response('ran'), options))],
]

const cookie = `sid=${'A'.repeat(22)}.${'A'.repeat(43)}`
const elsewhere = { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' }
const proxied = { host: 'internal:8080', 'x-forwarded-host': 'shop.example', origin: 'https://shop.example' }

/** The status of a POST with our cookie, and what the answer says. */
async function post(start: Start, headers: Readonly<Record<string, string>>, options: Options = {}): Promise<readonly [number, string]> {
  const app = await start(createSessions({ sweepEvery: 'never' }), options)
  try {
    const { status, body } = await send(new URL(app.origin), { method: 'POST', headers: { cookie, ...headers } }, false).answer
    return [status, body]
  } finally {
    await app.close()
  }
}

describe.each(frameworks)('%s', (_name, start) => {
  it('refuses with 403 by default, and says nothing of its inside', async () => {
    const [status, body] = await post(start, elsewhere)
    expect(status).toBe(403)
    expect(body).not.toMatch(/ran|\.ts\b/)
  })

  it('lets everything pass with crossSite: "allow"', async () => {
    expect(await post(start, elsewhere, { crossSite: 'allow' })).toEqual([200, 'ran'])
  })

  it('lets pages of trustedOrigins pass, and no others', async () => {
    const trustedOrigins = ['https://app.example']
    expect(await post(start, elsewhere, { trustedOrigins })).toEqual([200, 'ran'])
    expect((await post(start, { ...elsewhere, origin: 'https://app.example.evil' }, { trustedOrigins }))[0]).toBe(403)
  })

  it('believes X-Forwarded-Host only of a proxy that is trusted', async () => {
    expect(await post(start, proxied, { trustProxy: true })).toEqual([200, 'ran'])
    expect((await post(start, proxied))[0]).toBe(403)
    expect((await post(start, { ...proxied, origin: 'http://internal:8080' }, { trustProxy: true }))[0]).toBe(403)
  })

  it('refuses options that cannot work', async () => {
    const sessions = createSessions({ sweepEvery: 'never' })
    for (const trustedOrigins of [['https://app.example/'], ['app.example'], ['*'], ['null']]) {
      await expect((async () => start(sessions, { trustedOrigins }))()).rejects.toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    }
  })
})

type Headers = Readonly<Record<string, string>>

type Row = readonly [passes: boolean, what: string, headers: Headers, request?: TestExchangeOptions, host?: string]

/** The whole table: who is let through. */
const table: readonly Row[] = [
  [true, 'a page of its own', { 'sec-fetch-site': 'same-origin' }],
  [true, 'a page of its own that hides where it is', { 'sec-fetch-site': 'same-origin', origin: 'null' }],
  [true, 'an address that was typed in', { 'sec-fetch-site': 'none' }],
  [false, 'another site', { 'sec-fetch-site': 'cross-site' }],
  [false, 'another host of the site', { 'sec-fetch-site': 'same-site' }],
  [false, 'a value that there is not', { 'sec-fetch-site': 'same-origin, cross-site' }],
  [false, 'a page over plain http of the same host, in a browser that knows', { 'sec-fetch-site': 'cross-site', origin: 'http://shop.example', host: 'shop.example' }],
  [true, 'the origin it is sent to', { origin: 'https://shop.example', host: 'shop.example' }],
  [true, 'the origin with its port', { origin: 'https://shop.example:8443', host: 'shop.example:8443' }],
  [true, 'the origin where Host names the port of https', { origin: 'https://shop.example', host: 'shop.example:443' }],
  [true, 'the origin where Host is in upper case', { origin: 'https://shop.example', host: 'SHOP.example' }],
  [true, 'the origin over HTTP/2', { origin: 'https://shop.example', ':authority': 'shop.example' }],
  [true, 'the origin as a proxy that is trusted says it', { origin: 'https://shop.example', host: 'internal' }, {}, 'shop.example'],
  [false, 'the origin of the inside, behind a proxy that is trusted', { origin: 'https://internal', host: 'internal' }, {}, 'shop.example'],
  [true, 'https, where a proxy ends it and is not trusted', { origin: 'https://shop.example', host: 'shop.example' }, { secure: false }],
  [false, 'plain http, where we are on https', { origin: 'http://shop.example', host: 'shop.example' }],
  [false, 'another host', { origin: 'https://evil.example', host: 'shop.example' }],
  [false, 'another port', { origin: 'https://shop.example:8443', host: 'shop.example' }],
  [false, 'a host whose name begins like ours', { origin: 'https://shop.example.evil', host: 'shop.example' }],
  [false, 'a frame without an origin', { origin: 'null', host: 'shop.example' }],
  [false, 'an empty origin', { origin: '', host: 'shop.example' }],
  [false, 'an origin where no host is known', { origin: 'https://shop.example' }],
  [true, 'no browser', { host: 'shop.example' }],
  [false, 'another site, by a method of somebody’s own', { 'sec-fetch-site': 'cross-site' }, { method: 'PROPFIND' }],
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE'].map((method): Row => [true, `another site, by ${method}`, { 'sec-fetch-site': 'cross-site' }, { method }]),
  [false, 'another site, to open a socket', { 'sec-fetch-site': 'cross-site', upgrade: 'WebSocket' }, { method: 'GET' }],
  [true, 'a page of its own, to open a socket', { origin: 'https://shop.example', host: 'shop.example', upgrade: 'websocket' }, { method: 'GET' }],
]

describe('crossSiteCheck', () => {
  it.each(table.map(([passes, what, ...rest]) => ({ passes, title: `${passes ? 'lets pass' : 'refuses'} ${what}`, rest })))('$title', ({ passes, rest: [headers, request, host] }) => {
    const exchange: Exchange = Object.assign(new TestExchange({ method: 'POST', ...request, headers: { cookie: `__Host-${cookie}; ${cookie}`, ...headers } }), { host })
    expect(crossSiteCheck(createSessions())(exchange) === undefined).toBe(passes)
  })

  it('asks only of cookies, and only of ours', () => {
    const headers = { 'sec-fetch-site': 'cross-site' }
    const passes = (sessions: Sessions, more: Headers): boolean => crossSiteCheck(sessions)(new TestExchange({ method: 'POST', headers: { ...headers, ...more } })) === undefined
    expect(passes(createSessions(), {})).toBe(true)
    expect(passes(createSessions(), { cookie: 'theme=dark' })).toBe(true)
    expect(passes(createSessions({ transport: bearerTransport() }), { cookie: `__Host-${cookie}`, authorization: 'Bearer token' })).toBe(true)
    expect(passes(createSessions(), { cookie: `__Host-${cookie}` })).toBe(false)
  })

  it('says what to do, and what frameworks ask for', async () => {
    const refused = crossSiteCheck(createSessions())(new TestExchange({ method: 'POST', headers: { 'sec-fetch-site': 'cross-site', cookie: `__Host-${cookie}` } }))
    expect(refused).toMatchObject({ code: 'ERR_SESSION_CROSS_SITE', status: 403, statusCode: 403, expose: true, message: expect.stringContaining('trustedOrigins') })
    expect(refused?.getResponse().status).toBe(403)
    expect(await refused?.getResponse().text()).toContain('another origin')
  })

  it('refuses a crossSite that there is not', () => {
    const wrong: unknown = { crossSite: 'deny' }
    expect(() => Reflect.apply(crossSiteCheck, undefined, [createSessions(), wrong])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})
