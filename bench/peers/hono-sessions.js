// hono-sessions, as its documentation says: node bench/peers/hono-sessions.js memory|redis|cookie [url]
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { CookieStore, MemoryStore, sessionMiddleware } from 'hono-sessions'
import { createClient } from 'redis'
import { answer, holding, tellPort } from '../scorecard/routes.ts'

const [, , store, url] = process.argv

// Its documentation asks for these four methods.
async function redisStore() {
  const client = createClient({ url })
  await client.connect()
  const save = (id, data) => client.set(id, JSON.stringify(data), { EX: 3600 })
  return { getSessionById: async (id) => JSON.parse(await client.get(id)), createSession: save, persistSessionData: save, deleteSession: (id) => client.del(id) }
}

async function makeStore() {
  if (store === 'cookie') return new CookieStore()
  return holding(store === 'redis' ? await redisStore() : new MemoryStore(), 'createSession', 'persistSessionData')
}

function visit(context) {
  const session = context.get('session')
  return {
    login(owner) {
      session.set('user', owner)
      context.set('session_key_rotation', true)
    },
    logout: () => session.deleteSession(),
    write: (key, value) => session.set(key, value),
    owner: () => session.get('user') ?? undefined,
    data: () => Object.fromEntries(Object.entries(session.getCache()._data).filter(([key]) => key !== 'user').map(([key, { value }]) => [key, value])),
  }
}

const app = new Hono()
app.use('*', sessionMiddleware({ store: await makeStore(), encryptionKey: 'password_at_least_32_characters_long', expireAfterSeconds: 900, cookieOptions: { path: '/', httpOnly: true } }))
app.onError((_error, context) => context.text('Internal Server Error', 500))
app.all('*', async (context) => context.text(await answer(context.req.url, visit(context))))

const server = createAdaptorServer(app).listen(0, '127.0.0.1', () => tellPort(server.address()))
