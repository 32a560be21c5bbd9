import { once } from 'node:events'
import { createServer, request as ask, type IncomingMessage, type RequestListener } from 'node:http'
import express, { type Express } from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { expressSession } from '../../src/adapters/express.ts'
import { fastifySession } from '../../src/adapters/fastify.ts'
import { createSessions, type Session, type Sessions } from '../../src/index.ts'
import { listen } from './node-server.ts'

type Trust = 'loopback' | ((address: string) => boolean)
type Handler = (request: IncomingMessage, session: Session) => Promise<string>

const FORWARDED = { 'x-forwarded-proto': 'https' }

function withExpress(make: () => Express, sessions: Sessions, trust: Trust, handler: Handler): RequestListener {
  const app = make().set('trust proxy', trust)
  app.use(expressSession(sessions))
  return app.use((request, response) => void handler(request, request.session).then((text) => response.send(text)))
}

async function withFastify(sessions: Sessions, trust: Trust, handler: Handler): Promise<RequestListener> {
  const app = fastify({ trustProxy: trust })
  await app.register(fastifySession(sessions))
  app.get('/', (request) => handler(request.raw, request.session))
  await app.ready()
  return (request, response) => app.routing(request, response)
}

const frameworks: readonly [string, (sessions: Sessions, trust: Trust, handler: Handler) => RequestListener | Promise<RequestListener>][] = [
  ['Express 5', (...given) => withExpress(express, ...given)],
  ['Express 4', (...given) => withExpress(express4, ...given)],
  ['Fastify', withFastify],
]

describe.each(frameworks)('what %s knows of where a request came from', (_, application) => {
  it.each<[string, Trust]>([
    ['a list', 'loopback'],
    ['a function', (address) => address.startsWith('127.')],
  ])('is known from its beginning, though its visitor leaves, with %s of proxies that are trusted', async (_kind, trust) => {
    const sessions = createSessions({ cookie: { secure: true }, sweepEvery: 'never' })
    const began = Promise.withResolvers<void>()
    const committed = Promise.withResolvers<unknown>()
    const server = await listen(createServer(await application(sessions, trust, async (request, session) => {
      const left = once(request.socket, 'close')
      began.resolve()
      await left
      session.set('cart', 1)
      await session.commit().then(committed.resolve, committed.resolve)
      return 'done'
    })))
    const visitor = ask(`${server.origin}/`, { headers: FORWARDED })
    visitor.on('error', () => {})
    visitor.end()
    await began.promise
    visitor.destroy()
    expect(await committed.promise).toBe('ok')
    await server.close()
  })
})

describe.each([['Express 5', express], ['Express 4', express4]])('an application of %s inside another', (_, make) => {
  it.each(['mounted', 'called'])('that trusts no proxy, %s, leaves the cookie as the outer one reads it', async (how) => {
    const app = make().set('trust proxy', 1)
    const inner = make().set('trust proxy', false)
    const count: RequestListener = (request, response) => void response.end(String(request.session.set('n', Number(request.session.get('n') ?? 0) + 1)))
    app.use(expressSession(createSessions({ sweepEvery: 'never' })))
    inner.get('/inner', count)
    app.get('/outer', count)
    app.use(how === 'mounted' ? inner : (request, response, next) => inner(request, response, next))
    const server = await listen(createServer(app))
    const first = await fetch(`${server.origin}/inner`, { headers: FORWARDED })
    expect(first.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-sid=.*; Secure/)])
    const again = await fetch(`${server.origin}/outer`, { headers: { ...FORWARDED, cookie: first.headers.getSetCookie()[0]?.split(';')[0] ?? '' } })
    expect(await again.text()).toBe('2')
    await server.close()
  })
})
