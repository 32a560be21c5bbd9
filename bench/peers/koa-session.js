// koa-session, as its documentation says: node bench/peers/koa-session.js cookie|redis [url]
import { createServer } from 'node:http'
import Koa from 'koa'
import session from 'koa-session'
import { createClient } from 'redis'
import { answer, holding, tellPort } from '../scorecard/routes.ts'

const [, , store, url] = process.argv

// Its documentation asks for these three methods.
async function redisStore() {
  const client = createClient({ url })
  await client.connect()
  return {
    get: async (key) => JSON.parse(await client.get(key)) ?? undefined,
    set: (key, value, maxAge) => client.set(key, JSON.stringify(value), { PX: maxAge }),
    destroy: (key) => client.del(key),
  }
}

function visit(context, current) {
  return {
    async login(owner) {
      current.user = owner
      await current.regenerate()
    },
    logout: () => { context.session = null },
    write: (key, value) => { current[key] = value },
    owner: () => current.user,
    data: () => Object.fromEntries(Object.entries(current.toJSON()).filter(([key]) => key !== 'user')),
  }
}

const app = new Koa()
app.keys = ['some secret hurr']
app.silent = true
app.use(session({ ...(store === 'redis' && { store: holding(await redisStore(), 'set') }) }, app))
app.use(async (context) => {
  // Asked for now, since a cookie is read only then.
  context.body = await answer(context.url, visit(context, context.session))
})

const server = createServer(app.callback()).listen(0, '127.0.0.1', () => tellPort(server.address()))
