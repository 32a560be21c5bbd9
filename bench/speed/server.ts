// One server of the benchmark, in a process of its own: node bench/speed/server.ts <framework> <variant> [url]. Sends its port to its parent.
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
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
import { answer, serveParent, type Bag } from './routes.ts'
import { FRAMEWORKS, isOneOf, VARIANTS, type Framework, type Variant } from './subjects.ts'

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

/** Nothing but a fixed number of commands on the client that the store would have. */
async function limit(commands: number, url: string): Promise<RequestListener> {
  const client = await createClient({ url }).connect()
  await client.hSet('limit', Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`key${n}`, `${n}`.repeat(120)])))
  const app = plainExpress()
  return app.use(async (request, response) => {
    for (let n = 0; n < commands; n += 1) await client.hGetAll('limit')
    response.send(request.url === '/write' ? 'hello written 33' : 'hello 33333333333333333333')
  })
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

/** What no session can do without whose store knows only the hash of a token: the hash, and what the answer varies with. */
function hashing(): RequestListener {
  const secret = 'x'.repeat(43)
  const known = hash('sha256', secret, 'base64url')
  return (_request, response) => {
    if (hash('sha256', secret, 'base64url') !== known) response.statusCode = 401
    response.setHeader('Vary', 'Cookie')
    response.setHeader('Content-Type', 'text/plain')
    response.end('hello 33333333333333333333')
  }
}

async function startFastify(sessions: Sessions | undefined): Promise<void> {
  const app = fastify()
  if (sessions !== undefined) await app.register(fastifySession(sessions))
  app.get('/*', (request, reply) => {
    const text = answer(request.url, sessions && bagOf(request.session))
    if (typeof text !== 'string') return text
    reply.send(text)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  serveParent(app.server.address())
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
  const sessions = variant === 'bare' ? undefined : createSessions({ store: await storeOf(variant, url), ...(variant !== 'cookie' && { cookie: { name: 'sid' } }) })
  if (framework === 'fastify') return startFastify(sessions)
  if (framework === 'hono') return startHono(sessions)
  const commands = variant === 'limit of one command' ? 1 : variant === 'limit of two commands' ? 2 : 0
  const listener = commands > 0 ? await limit(commands, url) : variant === 'limit of one hash' ? hashing() : listenerOf(framework, sessions)
  const server = createServer(listener).listen(0, '127.0.0.1', () => serveParent(server.address()))
}

const [, , framework, variant, url = ''] = process.argv
if (!isOneOf(FRAMEWORKS, framework) || !isOneOf(VARIANTS, variant)) throw new Error('Usage: node bench/speed/server.ts <framework> <variant> [url]')
await start(framework, variant, url)
