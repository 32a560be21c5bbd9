import { createServer } from 'node:http'
import { json, text } from 'node:stream/consumers'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { H3, toNodeHandler } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { expressSession } from '../../src/adapters/express.ts'
import { fastifySession } from '../../src/adapters/fastify.ts'
import { fetchSession } from '../../src/adapters/fetch.ts'
import { h3Session, type H3SessionEvent } from '../../src/adapters/h3.ts'
import { honoSession, type HonoSessionVariables } from '../../src/adapters/hono.ts'
import { koaSession, type KoaSessionContext } from '../../src/adapters/koa.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { createSessions, Session } from '../../src/index.ts'
import type { RunningApp } from '../../src/testing/describe-adapter.ts'
import { queryTransport } from '../../src/transports/query.ts'
import { serveFetch } from './fetch-server.ts'
import { listen } from './node-server.ts'

/** What the session holds, and what the handler still finds in the form. */
const told = (session: unknown, note: unknown): string => `${session instanceof Session ? session.get('color') : 'none'} ${String(note)}`

const frameworks: readonly (readonly [name: string, start: (sessions: Sessions) => Promise<RunningApp>])[] = [
  ['express, behind a parser', (sessions) => {
    const app = express().use(express.urlencoded(), expressSession(sessions))
    app.post('/', (request, response) => void response.send(told(request.session, request.body.note)))
    return listen(createServer(app))
  }],
  ['koa, behind a parser', (sessions) => {
    const app = new Koa<Koa.DefaultState, KoaSessionContext>()
    app.use(async (context, next) => {
      Reflect.set(context.request, 'body', Object.fromEntries(new URLSearchParams(await text(context.req))))
      await next()
    })
    app.use(koaSession(sessions)).use((context) => { context.body = told(context.session, Reflect.get(Object(Reflect.get(context.request, 'body')), 'note')) })
    return listen(createServer(app.callback()))
  }],
  ['fastify, with a parser', async (sessions) => {
    const app = fastify({ forceCloseConnections: true })
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))))
    await app.register(fastifySession(sessions))
    app.post('/', async ({ session, body }) => told(session, Reflect.get(Object(body), 'note')))
    return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
  }],
  ['h3', (sessions) => {
    const app = new H3().use(h3Session(sessions))
    app.post('/', async ({ req, context }: H3SessionEvent) => told(context['session'], (await req.formData()).get('note')))
    return listen(createServer(toNodeHandler(app)))
  }],
  ['hono', (sessions) => {
    const app = new Hono<{ Variables: HonoSessionVariables }>().use(honoSession(sessions))
    app.post('/', async (context) => context.text(told(context.var.session, (await context.req.parseBody())['note'])))
    return listen(createAdaptorServer(app))
  }],
  ['fetch', (sessions) => serveFetch(fetchSession(sessions, async (request, session) => new Response(told(session, (await request.formData()).get('note')))))],
]

describe.each(frameworks)('a token in a form, with %s', (name, start) => {
  it('is found before the one in the address, and leaves the form to the handler, also a long one', async () => {
    const sessions = createSessions({ transport: queryTransport({ form: true }), sweepEvery: 'never' })
    const [red, blue] = [await sessions.create(), await sessions.create()]
    for (const [session, color] of [[red, 'red'], [blue, 'blue']] as const) {
      session.set('color', color)
      await session.commit()
    }
    const app = await start(sessions)
    const post = async (address: string, fields: [string, string][]): Promise<string> => (await fetch(new URL(address, app.origin), { method: 'POST', body: new URLSearchParams(fields) })).text()
    try {
      const field: [string, string] = ['sid', red.token ?? '']
      expect(await post('/', [field, ['note', 'short']])).toBe('red short')
      expect(await post(`/?sid=${blue.token}`, [field, ['note', 'both']])).toBe('red both')
      expect(await post(`/?sid=${blue.token}`, [['note', 'address']])).toBe('blue address')
      const long = 'x'.repeat(90_000)
      // What a parser has read anyway is looked into, whatever its length; a copy is made of 64 KiB at most.
      expect(await post('/', [field, ['note', long]])).toBe(`${name.includes('parser') ? 'red' : 'undefined'} ${long}`)
    } finally {
      await app.close()
      await sessions.close()
    }
  })
})

it('is not looked for in JSON, nor without being asked for', async () => {
  const [asked, plain] = [createSessions({ transport: queryTransport({ form: true }) }), createSessions({ transport: queryTransport() })]
  for (const [sessions, type] of [[asked, 'application/json'], [plain, 'application/x-www-form-urlencoded']] as const) {
    const { token } = await sessions.create()
    const app = await listen(createServer((request, response) => {
      void json(request).then((body) => {
        Reflect.set(request, 'body', body)
        expressSession(sessions)(request, response, () => response.end(String(Reflect.get(request, 'session').isNew)))
      })
    }))
    try {
      expect(await (await fetch(app.origin, { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify({ sid: token }) })).text()).toBe('true')
    } finally {
      await app.close()
      await sessions.close()
    }
  }
})

it('is none where the visitor goes away in the midst of the form', async () => {
  const sessions = createSessions({ transport: queryTransport({ form: true }), sweepEvery: 'never' })
  const body = new ReadableStream({ pull(controller) { controller.error(new Error('gone')) } })
  const request = new Request('http://localhost/', Object.assign({ method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } }, { duplex: 'half' as const }))
  const answer = fetchSession(sessions, (_request, session) => new Response(String(session.isNew)))
  expect(await (await answer(request)).text()).toBe('true')
})
