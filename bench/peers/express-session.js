// express-session, as its documentation says: node bench/peers/express-session.js memory|redis [url]
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import { answer, holding, tellPort } from '../scorecard/routes.ts'

const [, , store, url] = process.argv

async function makeStore() {
  if (store !== 'redis') return new session.MemoryStore()
  const client = createClient({ url })
  await client.connect()
  return new RedisStore({ client })
}

function visit(request) {
  return {
    async login(owner) {
      await promisify((done) => request.session.regenerate(done))()
      request.session.user = owner
      await promisify((done) => request.session.save(done))()
    },
    logout: () => promisify((done) => request.session.destroy(done))(),
    write: (key, value) => { if (request.session) request.session[key] = value },
    owner: () => request.session.user,
    data: () => Object.fromEntries(Object.entries(request.session).filter(([key]) => key !== 'cookie' && key !== 'user')),
  }
}

const app = express()
app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: false, store: holding(await makeStore(), 'set') }))
app.use(async (request, response) => { response.send(await answer(request.url, visit(request))) })
app.use((_error, _request, response, _next) => { if (!response.headersSent) response.status(500).end() })

const server = createServer(app).listen(0, '127.0.0.1', () => tellPort(server.address()))
