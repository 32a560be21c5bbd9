// @fastify/session, as its documentation says: node bench/peers/fastify-session.js memory|redis [url]
import cookie from '@fastify/cookie'
import session from '@fastify/session'
import { RedisStore } from 'connect-redis'
import fastify from 'fastify'
import { createClient } from 'redis'
import { answer, holding, tellPort } from '../scorecard/routes.ts'

const [, , store, url] = process.argv

async function makeStore() {
  if (store !== 'redis') return new session.MemoryStore(new Map())
  const client = createClient({ url })
  await client.connect()
  return new RedisStore({ client })
}

function visit(request) {
  return {
    async login(owner) {
      await request.session.regenerate()
      request.session.set('user', owner)
    },
    logout: () => request.session.destroy(),
    write: (key, value) => request.session.set(key, value),
    owner: () => request.session.get('user'),
    data: () => Object.fromEntries(Object.entries(JSON.parse(JSON.stringify(request.session))).filter(([key]) => key !== 'cookie' && key !== 'user')),
  }
}

const app = fastify()
await app.register(cookie)
await app.register(session, { secret: 'a secret with minimum length of 32 characters', cookie: { secure: false }, saveUninitialized: false, store: holding(await makeStore(), 'set') })
app.all('/*', (request) => answer(request.url, visit(request)))
await app.listen({ host: '127.0.0.1', port: 0 })
tellPort(app.server.address())
