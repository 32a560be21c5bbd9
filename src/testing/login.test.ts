import { describe, expect, it } from 'vitest'
import { fetchSession } from '../adapters/fetch.ts'
import { createSessions, type Sessions } from '../index.ts'
import { browser } from './browser.ts'
import { login } from './login.ts'

interface Data {
  readonly cart: readonly string[]
}

function application(sessions: Sessions<Data>): (request: Request) => Promise<Response> {
  return fetchSession(sessions, (_request, session) => Response.json({ owner: session.owner, cart: session.get('cart'), id: session.id }))
}

describe('login', () => {
  it('gives the cookie of a real session, with its owner and data', async () => {
    const sessions = createSessions<Data>()
    const { headers, cookie, id } = await login(sessions, 'ada', { cart: ['book'] })
    expect(headers).toEqual({ cookie })
    const answer = await application(sessions)(new Request('http://localhost', { headers }))
    expect(await answer.json()).toEqual({ owner: 'ada', cart: ['book'], id })
  })

  it('is for https when the application is', async () => {
    const sessions = createSessions<Data>()
    const { headers } = await login(sessions, 'ada', {}, { url: 'https://shop.example.com' })
    expect(headers.cookie).toMatch(/^__Host-sid=/)
    expect(await (await application(sessions)(new Request('https://shop.example.com', { headers }))).json()).toMatchObject({ owner: 'ada' })
  })

  it('logs a browser of the tests in', async () => {
    const sessions = createSessions<Data>()
    const visitor = browser(application(sessions))
    visitor.receive((await login(sessions, 'ada', { cart: [] })).setCookies)
    expect((await visitor.tab().get('/')).json()).toMatchObject({ owner: 'ada', cart: [] })
  })

  it('uses the name that the cookie has at the port', async () => {
    const sessions = createSessions<Data>({ cookie: { name: 'sid$PORT' } })
    expect((await login(sessions, 'ada', {}, { url: 'http://localhost:3000' })).cookie).toMatch(/^sid3000=/)
  })

  it('says so when a browser would not send the cookie there', async () => {
    await expect(login(createSessions<Data>({ cookie: { path: '/app' } }), 'ada')).rejects.toMatchObject({ code: 'ERR_SESSION_UNSUPPORTED' })
    await expect(login(createSessions<Data>({ cookie: { path: '/app' } }), 'ada', {}, { url: 'http://localhost/app' })).resolves.toMatchObject({ cookie: expect.stringContaining('sid=') })
  })
})
