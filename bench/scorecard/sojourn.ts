// One application with Sojourn, in a process of its own: node bench/scorecard/sojourn.ts <adapter> <store> <place>. Sends its port to its parent.
import { createServer, type RequestListener } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { RedisStore } from 'connect-redis'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { H3, toNodeHandler } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import { Memcache } from 'memcache'
import { createPool } from 'mysql2/promise'
import { Pool } from 'pg'
import { createClient } from 'redis'
import { createSessions, memoryStore, Session, type ExchangeStore, type Sessions, type Store } from 'sojourn'
import { expressSession } from 'sojourn/adapters/express'
import { fastifySession } from 'sojourn/adapters/fastify'
import { fetchSession } from 'sojourn/adapters/fetch'
import { h3Session } from 'sojourn/adapters/h3'
import { honoSession, type HonoSessionVariables } from 'sojourn/adapters/hono'
import { koaSession, type KoaSessionContext } from 'sojourn/adapters/koa'
import { nodeSession } from 'sojourn/adapters/node'
import { cacheStore } from 'sojourn/stores/cache'
import { cookieStore } from 'sojourn/stores/cookie'
import { expressStore } from 'sojourn/stores/express'
import { fileStore } from 'sojourn/stores/file'
import { memcachedStore } from 'sojourn/stores/memcached'
import { mysqlStore } from 'sojourn/stores/mysql'
import { postgresStore } from 'sojourn/stores/postgres'
import { redisStore } from 'sojourn/stores/redis'
import { simpleStore } from 'sojourn/stores/simple'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { isOneOf } from '../speed/subjects.ts'
import { ADAPTERS, STORES, type AdapterName, type StoreName } from './names.ts'
import { answer, holding, tellPort, waitAtGates } from './routes.ts'

function answerFor(url: string, session: Session): Promise<string> {
  return answer(url, {
    login: (owner) => session.login(owner),
    logout: () => session.logout(),
    write: (key, value) => session.set(key, value),
    owner: () => session.owner,
    data: () => session.toObject(),
  })
}

/** The store, which waits before it saves. A best-effort store waits between its reading and its writing, where another process can come in between. */
async function storeOf(name: StoreName, place: string): Promise<Store | ExchangeStore> {
  switch (name) {
    case 'memory': return holding(memoryStore(), 'create', 'patch')
    case 'sqlite': return holding(sqliteStore(place), 'create', 'patch')
    case 'file': return holding(fileStore(place), 'create', 'patch')
    case 'postgres': return holding(await postgresAt(place), 'create', 'patch')
    case 'mysql': return holding(await mysqlAt(place), 'create', 'patch')
    case 'memcached': return holding(memcachedStore(new Memcache(place)), 'create', 'patch')
    case 'redis': return holding(redisStore(await redisAt(place)), 'create', 'patch')
    case 'cache': return cacheStore(await redisCache(place), { ttl: 'milliseconds' })
    case 'express': return expressStore(holding(new RedisStore({ client: await redisAt(place) }), 'set'))
    case 'simple': return simpleStoreOver(await redisCache(place))
    case 'cookie': return cookieStore({ keys: ['1'.repeat(64)], name: 'sid' })
  }
}

async function postgresAt(url: string): Promise<Store> {
  const store = postgresStore(new Pool({ connectionString: url, max: 16 }))
  await store.createTable()
  return store
}

async function mysqlAt(url: string): Promise<Store> {
  const store = mysqlStore(createPool({ uri: url, connectionLimit: 16 }))
  await store.createTable()
  return store
}

async function redisAt(url: string): Promise<ReturnType<typeof connect>> {
  const client = connect(url)
  client.on('error', () => {})
  await client.connect()
  return client
}

function connect(url: string) {
  return createClient({ url, disableOfflineQueue: true })
}

interface Cache {
  get(key: string): Promise<unknown>
  set(key: string, text: string, ttl?: unknown): Promise<unknown>
  delete(key: string): Promise<unknown>
}

/** What a cache without an atomic step would make of Redis. */
async function redisCache(url: string): Promise<Cache> {
  const client = await redisAt(url)
  return {
    get: (key) => client.get(key),
    async set(key, text, ttl) {
      await waitAtGates(text)
      return client.set(key, text, { PX: Math.ceil(Number(ttl)) })
    },
    delete: (key) => client.del(key),
  }
}

function simpleStoreOver(cache: Cache): Store {
  return simpleStore({ load: (id) => cache.get(id), store: (id, text, { ttl }) => cache.set(id, text, ttl * 1000), remove: (id) => cache.delete(id) })
}

async function start(adapter: AdapterName, sessions: Sessions): Promise<void> {
  if (adapter === 'fastify') {
    const app = fastify()
    await app.register(fastifySession(sessions))
    app.all('/*', (request) => answerFor(request.url, request.session))
    await app.listen({ host: '127.0.0.1', port: 0 })
    return tellPort(app.server.address())
  }
  const server = adapter === 'hono' || adapter === 'fetch' ? createAdaptorServer({ fetch: fetchHandler(adapter, sessions) }) : createServer(listenerOf(adapter, sessions))
  server.listen(0, '127.0.0.1', () => tellPort(server.address()))
}

function fetchHandler(adapter: 'hono' | 'fetch', sessions: Sessions): (request: Request) => Promise<Response> | Response {
  if (adapter === 'fetch') return fetchSession(sessions, async (request, session) => new Response(await answerFor(request.url, session)))
  const app = new Hono<{ Variables: HonoSessionVariables }>()
  app.use(honoSession(sessions))
  app.onError((_error, context) => context.text('Internal Server Error', 500))
  return app.all('*', async (context) => context.text(await answerFor(context.req.url, context.var.session))).fetch
}

function listenerOf(adapter: Exclude<AdapterName, 'fastify' | 'hono' | 'fetch'>, sessions: Sessions): RequestListener {
  switch (adapter) {
    case 'node': return nodeSession(sessions, async (request, response, session) => void response.end(await answerFor(request.url ?? '/', session)))
    case 'express': return expressApp(express(), sessions)
    case 'express4': return expressApp(express4(), sessions)
    case 'koa': return koaApp(sessions)
    case 'h3': return h3App(sessions)
  }
}

function expressApp(app: express.Express, sessions: Sessions): RequestListener {
  app.use(expressSession(sessions))
  app.use((request, response, next) => { answerFor(request.url, request.session).then((text) => response.send(text), next) })
  return app
}

function koaApp(sessions: Sessions): RequestListener {
  const app = new Koa<Koa.DefaultState, KoaSessionContext>()
  app.silent = true
  app.use(koaSession(sessions)).use(async (context) => { context.body = await answerFor(context.url, context.session) })
  return app.callback()
}

function h3App(sessions: Sessions): RequestListener {
  const app = new H3({ silent: true })
  app.use(h3Session(sessions)).all('/**', ({ url, context: { session } }) => {
    if (!(session instanceof Session)) throw new Error('There is no session.')
    return answerFor(url.href, session)
  })
  return toNodeHandler(app)
}

const [, , adapter, name, place = ''] = process.argv
if (!isOneOf(ADAPTERS, adapter) || !isOneOf(STORES, name)) throw new Error('Usage: node bench/scorecard/sojourn.ts <adapter> <store> <place>')
// A save may be held for as long as a check is patient.
const sessions = createSessions({ store: await storeOf(name, place), storeTimeout: 30, ...(name !== 'cookie' && { cookie: { name: 'sid' } }) })
await start(adapter, sessions)
