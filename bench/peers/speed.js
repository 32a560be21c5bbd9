// One peer of the benchmark, set up as its documentation says: node bench/peers/speed.js <library> <store> [url]
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createAdaptorServer } from '@hono/node-server'
import { answer, serveParent } from '../speed/routes.ts'

const [, , library, store, url] = process.argv

async function redisClient() {
  return (await import('redis')).createClient({ url }).connect()
}

async function redisStore() {
  const { RedisStore } = await import('connect-redis')
  return new RedisStore({ client: await redisClient() })
}

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function listen(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1', () => serveParent(server.address()))
}

async function withExpress(middleware, bagOf) {
  const { default: express } = await import('express')
  const app = express().disable('x-powered-by').disable('etag').use(middleware)
  listen(app.use(async (request, response) => { response.send(await answer(request.url, bagOf(request))) }))
}

function propertiesOf(request) {
  return {
    get: (key) => request.session?.[key],
    set: (key, value) => { if (request.session) request.session[key] = value },
    end: async () => { request.session = null },
  }
}

async function expressSessionStore(session) {
  if (store === 'redis') return redisStore()
  if (store === 'file') return new ((await import('session-file-store')).default(session))({ path: temporaryFolder(), logFn: () => {} })
  if (store !== 'postgres') return new session.MemoryStore()
  const PgSession = (await import('connect-pg-simple')).default(session)
  return new PgSession({ conString: url, createTableIfMissing: true })
}

// koa-session asks for these three methods.
async function koaRedisStore() {
  const client = await redisClient()
  return {
    get: async (key) => JSON.parse(await client.get(key)) ?? undefined,
    set: (key, value, maxAge) => client.set(key, JSON.stringify(value), { PX: maxAge }),
    destroy: (key) => client.del(key),
  }
}

// hono-sessions asks for these four.
async function honoRedisStore() {
  const client = await redisClient()
  const save = (id, data) => client.set(id, JSON.stringify(data), { EX: 3600 })
  return { getSessionById: async (id) => JSON.parse(await client.get(id)), createSession: save, persistSessionData: save, deleteSession: (id) => client.del(id) }
}

const start = {
  async 'express-session'() {
    const { default: session } = await import('express-session')
    const middleware = session({ secret: 'keyboard cat', resave: false, saveUninitialized: false, store: await expressSessionStore(session) })
    return withExpress(middleware, (request) => ({ ...propertiesOf(request), end: () => promisify((done) => request.session.destroy(done))() }))
  },
  async 'cookie-session'() {
    const { default: session } = await import('cookie-session')
    return withExpress(session({ keys: ['keyboard cat'] }), propertiesOf)
  },
  async '@fastify/session'() {
    const [{ default: fastify }, { default: cookie }, { default: session }] = [await import('fastify'), await import('@fastify/cookie'), await import('@fastify/session')]
    const app = fastify()
    await app.register(cookie)
    await app.register(session, {
      secret: 'a secret with minimum length of 32 characters', cookie: { secure: false }, saveUninitialized: false,
      store: store === 'redis' ? await redisStore() : new session.MemoryStore(new Map()),
    })
    app.get('/*', async (request) => answer(request.url, { get: (key) => request.session.get(key), set: (key, value) => request.session.set(key, value), end: () => request.session.destroy() }))
    await app.listen({ host: '127.0.0.1', port: 0 })
    serveParent(app.server.address())
  },
  async 'iron-session'() {
    const { getIronSession } = await import('iron-session')
    const options = { password: 'complex_password_at_least_32_characters_long', cookieName: 'sid', cookieOptions: { secure: false } }
    listen(async (request, response) => {
      const session = await getIronSession(request, response, options)
      const bag = { get: (key) => session[key], set: (key, value) => { session[key] = value }, end: async () => session.destroy(), save: () => session.save() }
      response.setHeader('Content-Type', 'text/plain')
      response.end(await answer(request.url, bag))
    })
  },
  async 'koa-session'() {
    const [{ default: Koa }, { default: session }] = [await import('koa'), await import('koa-session')]
    const app = new Koa()
    app.keys = ['some secret hurr']
    app.use(session({ ...(store === 'redis' && { store: await koaRedisStore() }) }, app))
    app.use(async (context) => {
      context.body = await answer(context.url, { get: (key) => context.session?.[key], set: (key, value) => { if (context.session) context.session[key] = value }, end: async () => { context.session = null } })
    })
    listen(app.callback())
  },
  async 'hono-sessions'() {
    const [{ Hono }, { sessionMiddleware, CookieStore, MemoryStore }] = [await import('hono'), await import('hono-sessions')]
    const app = new Hono()
    app.use(sessionMiddleware({ store: store === 'redis' ? await honoRedisStore() : store === 'cookie' ? new CookieStore() : new MemoryStore(), encryptionKey: 'password_at_least_32_characters_long', expireAfterSeconds: 900, cookieOptions: { sameSite: 'Lax', path: '/', httpOnly: true } }))
    app.get('*', async (context) => {
      const session = context.get('session')
      return context.text(await answer(context.req.path, { get: (key) => session.get(key), set: (key, value) => session.set(key, value), end: async () => session.deleteSession() }))
    })
    const server = createAdaptorServer({ fetch: app.fetch })
    server.listen(0, '127.0.0.1', () => serveParent(server.address()))
  },
}[library]
await start()
