// What an application sees that tells Sojourn its data once. Compiled on its own by types.test.ts, since the augmentation holds for a whole program.
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createHttp2Server, type Http2ServerRequest } from 'node:http2'
import express from 'express'
import { fastify } from 'fastify'
import { H3, type H3Event } from 'h3'
import { Hono } from 'hono'
import Koa from 'koa'
import { createSessions, type Session } from 'sojourn'
import { expressSession } from 'sojourn/adapters/express'
import { fastifySession } from 'sojourn/adapters/fastify'
import { fetchSession } from 'sojourn/adapters/fetch'
import { h3Session, type H3SessionContext } from 'sojourn/adapters/h3'
import { honoSession, type HonoSessionVariables } from 'sojourn/adapters/hono'
import { koaSession, type KoaSessionContext } from 'sojourn/adapters/koa'
import { nextSession, type NextHeaders } from 'sojourn/adapters/next'
import { nodeSession } from 'sojourn/adapters/node'

interface Data {
  readonly userId: number
  readonly cart: readonly string[]
}

declare module 'sojourn' {
  interface Register { data: Data }
}

declare module 'fastify' {
  interface FastifyRequest { admin: Session<Admin> }
}

declare module 'h3' {
  interface H3EventContext extends H3SessionContext { admin: Session<Admin> }
}

/** Compiles only for exactly this type. */
function isExactly<Expected>(): <Actual>(value: Actual, ...equal: Equal<Actual, Expected> extends true ? [] : [never]) => void {
  return () => {}
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

interface Admin {
  readonly level: 1 | 2
}

const sessions = createSessions<Data>()
const admins = createSessions<Admin>({ cookie: { name: 'admin' } })

// A session alone.
const session = await sessions.create()
isExactly<number | undefined>()(session.get('userId'))
isExactly<readonly string[] | undefined>()(session.data.cart)
isExactly<('userId' | 'cart')[]>()(session.keys())
isExactly<Promise<number | 'gone'>>()(session.update('userId', (id = 0) => id + 1))

// Express: by augmentation, or by the manager's type.
const app = express()
const admin = expressSession(admins, { as: 'admin' })
app.use(expressSession(sessions), admin)
app.get('/', (request, response) => {
  isExactly<Session<Data>>()(request.session)
  isExactly<number | undefined>()(request.session.get('userId'))
  isExactly<Session<Admin>>()(admin.of(request))
  isExactly<1 | 2 | undefined>()(admin.of(request).get('level'))
  request.session.set('cart', ['book'])
  response.end()
})

// node:http and node:http2: the listener's argument has the manager's type, `request.session` the registered one.
createServer(nodeSession(admins, (_request, response, session) => {
  isExactly<1 | 2 | undefined>()(session.get('level'))
  response.end()
}))
createHttp2Server(nodeSession(admins, (_request, response, session) => {
  isExactly<1 | 2 | undefined>()(session.get('level'))
  response.end()
}))
const middleware = nodeSession(admins, { as: 'admin' })
createServer((request: IncomingMessage, response) => middleware(request, response, () => {
  isExactly<Session<Data>>()(request.session)
  isExactly<Session<Admin>>()(middleware.of(request))
}))
createHttp2Server((request: Http2ServerRequest, response) => middleware(request, response, () => {
  isExactly<Session<Data>>()(request.session)
}))

// Fetch: the handler's arguments.
const handle = fetchSession(admins, (_request, session, env: { readonly name: string }) => {
  isExactly<1 | 2 | undefined>()(session.get('level'))
  isExactly<string>()(env.name)
  return new Response()
})
export const answer: Response = await handle(new Request('http://localhost'), { name: 'env' })
isExactly<Promise<Response | undefined>>()(fetchSession(sessions, () => undefined)(new Request('http://localhost')))

// Hono: registered, or named.
const registered = new Hono<{ Variables: HonoSessionVariables }>().use(honoSession(sessions))
registered.get('/', (context) => {
  isExactly<Session<Data>>()(context.var.session)
  return context.text(String(context.get('session').get('userId')))
})
const named = new Hono<{ Variables: HonoSessionVariables<Admin> }>().use(honoSession(admins))
named.get('/', (context) => {
  isExactly<1 | 2 | undefined>()(context.var.session.get('level'))
  return context.text('page')
})

// Fastify: by augmentation; that of a second manager is named once.
const fastifyApp = fastify()
await fastifyApp.register(fastifySession(sessions))
await fastifyApp.register(fastifySession(admins, { as: 'admin' }))
fastifyApp.get('/', async (request) => {
  isExactly<Session<Data>>()(request.session)
  isExactly<number | undefined>()(request.session.get('userId'))
  isExactly<1 | 2 | undefined>()(request.admin.get('level'))
  return 'page'
})

// Koa: registered, or named.
const registeredKoa = new Koa<Koa.DefaultState, KoaSessionContext>()
registeredKoa.use(koaSession(sessions)).use((context) => {
  isExactly<Session<Data>>()(context.session)
  isExactly<number | undefined>()(context.session.get('userId'))
})
const namedKoa = new Koa<Koa.DefaultState, KoaSessionContext<Data> & { admin: Session<Admin> }>()
namedKoa.use(koaSession(sessions)).use(koaSession(admins, { as: 'admin' })).use((context) => {
  isExactly<readonly string[] | undefined>()(context.session.get('cart'))
  isExactly<1 | 2 | undefined>()(context.admin.get('level'))
})

// h3: its context is told once, with the registered type or a named one.
const h3App = new H3().use(h3Session(sessions)).use(h3Session(admins, { as: 'admin' }))
h3App.get('/', (event: H3Event) => {
  isExactly<number | undefined>()(event.context.session.get('userId'))
  isExactly<1 | 2 | undefined>()(event.context.admin.get('level'))
  return 'page'
})
export const level = (context: H3SessionContext<Admin>): 1 | 2 | undefined => context.session.get('level')

// Next: the manager's type.
declare const headers: NextHeaders
const next = nextSession(admins, headers)
isExactly<Promise<Session<Admin>>>()(next.readSession())
isExactly<Promise<1 | 2 | undefined>>()(next.withSession((session) => session.get('level')))

// Outside of requests: the manager's type, too.
isExactly<Promise<Session<Admin> | undefined>>()(admins.load({ headers: new Headers() }))
