// One peer of the benchmark, set up as its documentation says: node bench/peers/speed.js <library> <store> [url]
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createAdaptorServer } from '@hono/node-server'
import { answer, serveParent } from '../speed/routes.ts'

const [, , library, store, url] = process.argv

async function redisStore() {
  const [{ RedisStore }, { createClient }] = [await import('connect-redis'), await import('redis')]
  return new RedisStore({ client: await createClient({ url }).connect() })
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
  if (store === 'file') return new ((await import('session-file-store')).default(session))({ path: mkdtempSync(join(tmpdir(), 'sojourn-bench-')), logFn: () => {} })
  if (store !== 'postgres') return new session.MemoryStore()
  const PgSession = (await import('connect-pg-simple')).default(session)
  return new PgSession({ conString: url, createTableIfMissing: true })
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
  async 'hono-sessions'() {
    const [{ Hono }, { sessionMiddleware, MemoryStore }] = [await import('hono'), await import('hono-sessions')]
    const app = new Hono()
    app.use(sessionMiddleware({ store: new MemoryStore(), encryptionKey: 'password_at_least_32_characters_long', expireAfterSeconds: 900, cookieOptions: { sameSite: 'Lax', path: '/', httpOnly: true } }))
    app.get('*', async (context) => {
      const session = context.get('session')
      return context.text(await answer(context.req.path, { get: (key) => session.get(key), set: (key, value) => session.set(key, value), end: async () => session.deleteSession() }))
    })
    const server = createAdaptorServer({ fetch: app.fetch })
    server.listen(0, '127.0.0.1', () => serveParent(server.address()))
  },
}[library]
await start()
