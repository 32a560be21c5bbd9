import express, { type Express, type Request, type RequestHandler } from 'express'
import { createSessions, type Session, type Sessions, type Store } from 'sojourn'
import { expressSession } from 'sojourn/adapters/express'
import { continuations, restoreRequest } from 'sojourn/continuations'
import { loginPage, page, type Device, type Order } from './page.ts'

export interface Shop {
  cart: string[]
  theme: 'light' | 'dark'
  views: number
  device: string
  orders: Order[]
}

export const GOODS = ['Green tea', 'Rye bread', 'Plum jam', 'Sea salt', 'Olive oil', 'Dark chocolate']

/** The shop: an Express application. Where its sessions live is up to the caller. */
export function shop(store: Store): { app: Express; sessions: Sessions<Shop> } {
  const sessions = createSessions<Shop>({
    store,
    idleTimeout: '2 hours',
    absoluteTimeout: '7 days',
    // Two tabs put something into the cart at once: both things are in it.
    merge: { cart: (base = [], theirs = [], mine = []) => [...theirs, ...mine.slice(base.length)] },
    continuations: continuations<Shop>(),
    cookie: { name: 'shop', persistent: true },
  })
  const app = express()
  app.disable('x-powered-by')
  app.use(express.urlencoded({ extended: false }))
  const session = expressSession(sessions)
  app.use(session)
  const visitor = (request: Request): Session<Shop> => session.of(request)

  // Who has come back from a detour gets the request that was interrupted, with its body, once.
  app.use((request, response, next) => {
    const { arrived, misplaced } = visitor(request).continuations
    if (misplaced !== undefined) return response.redirect(303, misplaced)
    if (arrived !== undefined) restoreRequest(request, arrived)
    return next()
  })

  const requireUser: RequestHandler = async (request, response, next) => {
    const session = visitor(request)
    if (session.owner !== undefined) return next()
    return response.redirect(303, await session.continuations.save({ to: '/login' }))
  }

  app.get('/', async (request, response) => {
    const session = visitor(request)
    const flashes = session.flash.keys().length > 0 ? session.flash.takeAll('notice') : []
    response.type('html').send(page({
      user: session.owner,
      cart: session.get('cart') ?? [],
      theme: session.get('theme') ?? 'light',
      views: session.get('views') ?? 0,
      orders: session.get('orders') ?? [],
      notices: [...session.continuations.messages.values(), ...flashes].map(String),
      devices: await devicesOf(sessions, session),
      goods: GOODS,
      id: session.isNew ? undefined : session.id,
    }))
  })

  app.get('/me', (request, response) => {
    const session = visitor(request)
    response.json({ user: session.owner ?? null, views: session.get('views') ?? 0, id: session.isNew ? null : session.id })
  })

  app.get('/login', (request, response) => {
    const session = visitor(request)
    const { caller, hiddenField } = session.continuations
    response.type('html').send(loginPage({ theme: session.get('theme') ?? 'light', wanted: caller === undefined ? undefined : `${caller.method} ${caller.path}`, hiddenField }))
  })

  app.post('/login', async (request, response) => {
    const session = visitor(request)
    const user = field(request, 'user').trim().slice(0, 40)
    if (user === '') return response.redirect(303, session.continuations.link('/login'))
    session.set('device', request.get('user-agent')?.slice(0, 200) ?? 'unknown device')
    await session.login(user)
    session.continuations.messages.set('welcome', `Welcome, ${user}. Your token is a new one.`)
    return response.redirect(303, await session.continuations.return({ fallback: '/' }))
  })

  app.post('/logout', async (request, response) => {
    await visitor(request).logout()
    response.redirect(303, '/')
  })

  app.post('/views', async (request, response) => {
    const views = await visitor(request).update('views', (n = 0) => n + 1)
    if (request.accepts(['json', 'html']) === 'html') return response.redirect(303, '/')
    return response.json({ views })
  })

  app.post('/cart', (request, response) => {
    const item = field(request, 'item')
    const session = visitor(request)
    if (GOODS.includes(item)) session.set('cart', [...(session.get('cart') ?? []), item])
    response.redirect(303, '/')
  })

  app.post('/cart/empty', (request, response) => {
    visitor(request).delete('cart')
    response.redirect(303, '/')
  })

  // Where a return was taken already: a reload, or a request too large to be kept with its body.
  app.get('/order', (_request, response) => response.redirect(303, '/'))

  app.post('/order', requireUser, async (request, response) => {
    const session = visitor(request)
    const items = session.get('cart') ?? []
    if (items.length > 0) {
      session.set('orders', [...(session.get('orders') ?? []), { items, note: field(request, 'note').slice(0, 200) }])
      session.delete('cart')
    }
    session.continuations.messages.set('order', items.length > 0 ? `Thank you: ${items.length} in your order.` : 'There is nothing in your cart.')
    response.redirect(303, await session.continuations.redirect({ to: '/' }))
  })

  app.post('/theme', (request, response) => {
    const session = visitor(request)
    session.set('theme', session.get('theme') === 'dark' ? 'light' : 'dark')
    response.redirect(303, '/')
  })

  app.post('/stamps', (request, response) => {
    const session = visitor(request)
    session.namespace('stamps').clear()
    session.namespace('stamps').set('begun', true)
    response.json({ begun: true })
  })

  // Fifty of these run at once, each with a key of its own.
  app.post('/stamps/:number', (request, response) => {
    visitor(request).namespace('stamps').set(request.params.number.slice(0, 2), true)
    response.json({ number: request.params.number })
  })

  app.get('/stamps', (request, response) => {
    response.json({ landed: visitor(request).namespace('stamps').keys().length - 1 })
  })

  app.post('/devices/:id/end', async (request, response) => {
    const devices = await devicesOf(sessions, visitor(request))
    // Only one's own: an id is public, so knowing it must not be enough.
    if (devices.some(({ id }) => id === request.params.id)) await sessions.revoke(request.params.id)
    response.redirect(303, '/')
  })

  app.post('/devices/end', async (request, response) => {
    const { owner } = visitor(request)
    if (owner !== undefined) await sessions.revokeAll(owner)
    response.redirect(303, '/')
  })

  return { app, sessions }
}

async function devicesOf(sessions: Sessions<Shop>, session: Session<Shop>): Promise<Device[]> {
  if (session.owner === undefined) return []
  const devices: Device[] = []
  for await (const device of sessions.findByOwner(session.owner)) {
    devices.push({ id: device.id, name: device.get('device') ?? 'unknown device', since: device.authenticatedAt ?? 0, isThis: device.id === session.id })
  }
  return devices.toSorted((a, b) => b.since - a.since)
}

function field(request: Request, name: string): string {
  const value: unknown = request.body?.[name]
  return typeof value === 'string' ? value : ''
}
