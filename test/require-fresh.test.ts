import { createServer } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { expressSession } from '../src/adapters/express.ts'
import { fastifySession } from '../src/adapters/fastify.ts'
import { honoSession, type HonoSessionVariables } from '../src/adapters/hono.ts'
import { koaSession } from '../src/adapters/koa.ts'
import { createSessions, type Sessions } from '../src/index.ts'
import { requireFresh } from '../src/security/index.ts'
import { login } from '../src/testing/login.ts'
import type { RunningApp } from '../src/testing/describe-adapter.ts'
import { listen } from './adapters/node-server.ts'

const sensitive = { within: '5 minutes', assurance: 2 } as const

const frameworks: readonly (readonly [name: string, start: (sessions: Sessions) => Promise<RunningApp>])[] = [
  ['Express', (sessions) => {
    const app = express().set('env', 'test')
    app.use(expressSession(sessions))
    app.post('/', (request, response) => { requireFresh(request.session, sensitive); response.send('done') })
    return listen(createServer(app))
  }],
  ['Fastify', async (sessions) => {
    const app = fastify({ forceCloseConnections: true })
    await app.register(fastifySession(sessions))
    app.post('/', async (request) => { requireFresh(request.session, sensitive); return 'done' })
    return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
  }],
  ['Koa', (sessions) => {
    const app = new Koa()
    app.silent = true
    app.use(koaSession(sessions))
    app.use((context) => { requireFresh(context.session, sensitive); context.body = 'done' })
    return listen(createServer(app.callback()))
  }],
  ['Hono', (sessions) => {
    const app = new Hono<{ Variables: HonoSessionVariables }>()
    app.use(honoSession(sessions))
    app.post('/', (context) => { requireFresh(context.var.session, sensitive); return context.text('done') })
    return listen(createAdaptorServer({ fetch: app.fetch }))
  }],
]

describe.each(frameworks)('requireFresh in %s', (_name, start) => {
  it('is answered with 401 for nobody, with 403 for one factor, and lets two pass', async () => {
    const sessions = createSessions({ sweepEvery: 'never' })
    const app = await start(sessions)
    const [one, two] = [await login(sessions, 'ann', {}, { url: app.origin }), await login(sessions, 'bob', {}, { url: app.origin })]
    const upgraded = await sessions.load({ headers: two.headers })
    await upgraded?.stepUp(2)
    const cookies = [undefined, one.cookie, `${two.cookie.split('=')[0]}=${upgraded?.token}`]
    const statuses = await Promise.all(cookies.map(async (cookie) => (await fetch(app.origin, { method: 'POST', headers: cookie === undefined ? {} : { cookie } })).status))
    expect(statuses).toEqual([401, 403, 200])
    await app.close()
    await sessions.close()
  })
})
