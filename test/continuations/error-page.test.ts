// Jifty saves the request whose page failed, and shows the error on a page of its own, from which it can be tried again.
import express from 'express'
import express4 from 'express4'
import { createServer, type RequestListener } from 'node:http'
import { describe, expect, it } from 'vitest'
import { expressSession } from '../../src/adapters/express.ts'
import { fetchSession } from '../../src/adapters/fetch.ts'
import { continuations, restoredRequest } from '../../src/continuations/index.ts'
import { createSessions, memoryStore, type Session, type Sessions } from '../../src/index.ts'
import { browser } from '../../src/testing/index.ts'
import type { RunningApp } from '../../src/testing/describe-adapter.ts'
import { serveFetch } from '../adapters/fetch-server.ts'
import { listen } from '../adapters/node-server.ts'

interface Shop {
  /** While true, orders fail half-way. */
  broken: boolean
  readonly ordered: unknown[]
}

/** What the handler of an order does: it writes, and may break before it is done. */
function order(shop: Shop, session: Session, item: unknown): string {
  session.set('half', 'written')
  if (shop.broken) throw new Error('no stock')
  session.set('last', item)
  shop.ordered.push(item)
  return `ordered ${String(item)}`
}

/** What the handler of errors does, whatever the framework. */
async function failed(session: Session, fields?: Record<string, string>): Promise<string> {
  session.discard()
  return session.continuations.save({ to: '/errors/500', ...(fields !== undefined && { fields }) })
}

const errorPage = ({ continuations: { caller } }: Session): string => JSON.stringify([caller?.method, caller?.path, caller?.fields, caller?.omitted])

function expressApp(create: typeof express | typeof express4, sessions: Sessions, shop: Shop): RequestListener {
  const app = create()
  app.use(create.urlencoded({ extended: false }), expressSession(sessions))
  app.get('/', (req, res) => { res.send(JSON.stringify(req.session.toObject())) })
  app.get('/errors/500', (req, res) => { res.status(500).send(errorPage(req.session)) })
  app.get('/again', (req, res, next) => { req.session.continuations.return().then((url) => { res.redirect(303, url) }, next) })
  app.all('/order', (req, res) => { res.send(order(shop, req.session, (req.session.continuations.arrived?.fields ?? req.body)['item'])) })
  const onError: express.ErrorRequestHandler = (_error, req, res, next) => { failed(req.session).then((url) => { res.redirect(303, url) }, next) }
  app.use(onError)
  return app
}

function fetchApp(sessions: Sessions, shop: Shop): (request: Request) => Promise<Response> {
  const see = (location: string): Response => new Response(null, { status: 303, headers: { location } })
  return fetchSession(sessions, async (request, session) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/errors/500') return new Response(errorPage(session), { status: 500 })
    if (pathname === '/again') return see(await session.continuations.return())
    if (pathname !== '/order') return Response.json(session.toObject())
    const { arrived } = session.continuations
    const form = await (arrived === undefined ? request : restoredRequest(request, arrived)).formData()
    try {
      return new Response(order(shop, session, form.get('item')))
    } catch {
      return see(await failed(session, Object.fromEntries([...form].map(([name, value]) => [name, String(value)]))))
    }
  })
}

const FRAMEWORKS: readonly (readonly [string, (sessions: Sessions, shop: Shop) => Promise<RunningApp>])[] = [
  ['express 5', (sessions, shop) => listen(createServer(expressApp(express, sessions, shop)))],
  ['express 4', (sessions, shop) => listen(createServer(expressApp(express4, sessions, shop)))],
  ['fetch', (sessions, shop) => serveFetch(fetchApp(sessions, shop))],
]

describe.each(FRAMEWORKS)('an error page in %s', (_name, start) => {
  it('knows the request that failed, keeps nothing of what that had written, and leads back to it', async () => {
    const store = memoryStore()
    const sessions = createSessions({ store, sweepEvery: 'never', continuations: continuations() })
    const shop: Shop = { broken: true, ordered: [] }
    const app = await start(sessions, shop)
    const tab = browser(app.origin).tab()
    const page = await tab.post('/order', { item: 'tea', password: 'hunter2' }, { follow: true })
    expect(new URL(page.url).pathname).toBe('/errors/500')
    expect([page.status, JSON.parse(page.text)]).toEqual([500, ['POST', '/order', { item: 'tea' }, ['password']]])
    expect((await tab.get('/')).text).toBe('{}')
    shop.broken = false
    const again = await tab.get(`/again${new URL(page.url).search}`, { follow: true })
    expect([again.text, shop.ordered]).toEqual(['ordered tea', ['tea']])
    expect((await tab.get('/')).text).toBe('{"half":"written","last":"tea"}')
    await app.close()
    await sessions.close()
  })
})
