// One server of the benchmark, in a process of its own: node bench/speed/server.ts <framework> <variant> [url]. Sends its port to its parent.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { Pool } from 'pg'
import { createClient } from 'redis'
import { createSessions, memoryStore, type ExchangeStore, type Session, type Sessions, type Store } from 'sojourn'
import { expressSession } from 'sojourn/adapters/express'
import { fastifySession } from 'sojourn/adapters/fastify'
import { honoSession, type HonoSessionVariables } from 'sojourn/adapters/hono'
import { koaSession, type KoaSessionContext } from 'sojourn/adapters/koa'
import { nodeSession } from 'sojourn/adapters/node'
import { cookieStore } from 'sojourn/stores/cookie'
import { fileStore } from 'sojourn/stores/file'
import { postgresStore } from 'sojourn/stores/postgres'
import { redisStore } from 'sojourn/stores/redis'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { limitOnExpress, limitOnFastify, limitOnNode, workOf } from './limits.ts'
import { answer, serveParent, type Bag } from './routes.ts'
import { FRAMEWORKS, isOneOf, LIMITS, VARIANTS, type Framework, type Limit, type Variant } from './subjects.ts'

function bagOf(session: Session): Bag {
  return { get: (key) => session.get(key), set: (key, value) => session.set(key, value), end: () => session.destroy() }
}

async function storeOf(variant: Variant, url: string): Promise<Store | ExchangeStore> {
  switch (variant) {
    case 'sqlite': return sqliteStore(join(temporaryFolder(), 'sessions.db'))
    case 'file': return fileStore(temporaryFolder())
    case 'cookie': return cookieStore({ keys: ['1'.repeat(64)], name: 'sid' })
    case 'redis': return redisStore(await createClient({ url }).connect())
    case 'near': return redisStore(await createClient({ url, RESP: 3, clientSideCache: { ttl: 1000, maxEntries: 10_000, evictPolicy: 'LRU' } }).connect(), { nearCache: true })
    case 'postgres': return postgresAt(url)
    default: return memoryStore()
  }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function postgresAt(url: string): Promise<Store> {
  const store = postgresStore(new Pool({ connectionString: url, max: 16 }))
  await store.createTable()
  return store
}

function plainExpress(): express.Express {
  return express().disable('x-powered-by').disable('etag')
}

function withExpress(sessions: Sessions | undefined): RequestListener {
  const app = plainExpress()
  if (sessions !== undefined) app.use(expressSession(sessions))
  return app.use((request, response, next) => {
    const text = answer(request.url, sessions && bagOf(request.session))
    if (typeof text === 'string') response.send(text)
    else text.then((late) => response.send(late), next)
  })
}

function withNode(sessions: Sessions | undefined): RequestListener {
  const respond = (request: IncomingMessage, response: ServerResponse, bag: Bag | undefined): void | Promise<void> => {
    response.setHeader('Content-Type', 'text/plain')
    const text = answer(request.url ?? '/', bag)
    if (typeof text !== 'string') return text.then((late) => void response.end(late))
    response.end(text)
  }
  if (sessions === undefined) return (request, response) => void respond(request, response, undefined)
  return nodeSession(sessions, (request: IncomingMessage, response: ServerResponse, session) => respond(request, response, bagOf(session)))
}

function withKoa(sessions: Sessions | undefined): RequestListener {
  const app = new Koa<object, Partial<KoaSessionContext>>()
  if (sessions !== undefined) app.use(koaSession(sessions))
  app.use(async (context) => { context.body = await answer(context.url, context.session && bagOf(context.session)) })
  return app.callback()
}

async function startFastify(sessions: Sessions | undefined): Promise<void> {
  const app = fastify()
  if (sessions !== undefined) await app.register(fastifySession(sessions))
  app.get('/*', (request, reply) => {
    const text = answer(request.url, sessions && bagOf(request.session))
    if (typeof text !== 'string') return text
    reply.send(text)
  })
  await listenWith(app)
}

async function listenWith(app: FastifyInstance): Promise<void> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  serveParent(app.server.address())
}

async function startLimit(framework: Framework, limit: Limit, url: string): Promise<void> {
  const work = await workOf(limit, url, temporaryFolder)
  if (framework === 'fastify') return listenWith(limitOnFastify(work, fastify()))
  listen(framework === 'express' ? limitOnExpress(work, plainExpress()) : limitOnNode(work))
}

function startHono(sessions: Sessions | undefined): void {
  const app = new Hono<{ Variables: HonoSessionVariables }>()
  if (sessions !== undefined) app.use(honoSession(sessions))
  app.get('*', async (context) => context.text(await answer(context.req.path, sessions && bagOf(context.var.session))))
  const server = createAdaptorServer({ fetch: app.fetch })
  server.listen(0, '127.0.0.1', () => serveParent(server.address()))
}

function listenerOf(framework: Framework, sessions: Sessions | undefined): RequestListener {
  if (framework === 'express') return withExpress(sessions)
  return framework === 'koa' ? withKoa(sessions) : withNode(sessions)
}

async function start(framework: Framework, variant: Variant, url: string): Promise<void> {
  if (isOneOf(LIMITS, variant)) return startLimit(framework, variant, url)
  const sessions = variant === 'bare' ? undefined : createSessions({ store: await storeOf(variant, url), ...(variant !== 'cookie' && { cookie: { name: 'sid' } }) })
  if (framework === 'fastify') return startFastify(sessions)
  if (framework === 'hono') return startHono(sessions)
  listen(listenerOf(framework, sessions))
}

function listen(listener: RequestListener): void {
  const server = createServer(listener).listen(0, '127.0.0.1', () => serveParent(server.address()))
}

const [, , framework, variant, url = ''] = process.argv
if (!isOneOf(FRAMEWORKS, framework) || !isOneOf(VARIANTS, variant)) throw new Error('Usage: node bench/speed/server.ts <framework> <variant> [url]')
await start(framework, variant, url)
