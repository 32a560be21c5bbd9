import { describe, expect, it, vi } from 'vitest'
import { onSite } from '../../test/adapters/on-site.ts'
import { responseFrom, serveFetch } from '../../test/adapters/fetch-server.ts'
import type { Session } from '../core/session.ts'
import { createSessions } from '../index.ts'
import { Latch } from '../testing/adapter-cases/trial.ts'
import { browser } from '../testing/browser.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { fetchSession, type FetchSessionOptions } from './fetch.ts'

/** A handler within a handler: one for each manager. */
function application({ sessions, second, answer, late }: AdapterFixture): (request: Request) => Promise<Response> {
  return fetchSession(sessions, (request, session) => fetchSession(second, async (request, second) => {
    const { pathname, search } = new URL(request.url)
    return responseFrom(await answer({ method: request.method, url: pathname + search, session, second, text: () => request.text() }))
  })(request), { late })
}

describeAdapter({ describe, it }, 'fetch', (fixture) => serveFetch(application(fixture)), { lacks: ['node-response'] })

const cancelled = new Latch()
const HOST = 'http://localhost'

/** Answers one request of a new visitor, whose session gets something stored. */
async function visit(handler: (session: Session) => Response | Promise<Response>, options: FetchSessionOptions = {}, request = new Request(HOST)): Promise<Response> {
  return fetchSession(createSessions(), (_request, session: Session) => {
    session.set('color', 'red')
    return handler(session)
  }, options)(request)
}

const broken = (): never => { throw new Error('The handler is broken.') }

describe('fetchSession', () => {
  it('puts the cookie on responses whose headers cannot be changed', async () => {
    for (const response of [Response.redirect(`${HOST}/elsewhere`, 303), await fetch('data:text/plain,page')]) {
      const { status } = response
      const answer = await visit(() => response)
      expect(answer.status).toBe(status)
      expect(answer.headers.getSetCookie()).toHaveLength(1)
    }
    expect((await visit(() => Response.redirect(`${HOST}/elsewhere`, 303))).headers.get('location')).toBe(`${HOST}/elsewhere`)
  })

  it('takes a response that is thrown for an answer, and stores', async () => {
    const answer = await visit(() => { throw new Response('thrown', { status: 302 }) })
    expect([answer.status, await answer.text(), answer.headers.getSetCookie().length]).toEqual([302, 'thrown', 1])
  })

  it('hands on what the server passes beyond the request', async () => {
    const handle = fetchSession(createSessions(), async (_request, session: Session, env: { readonly name: string }, count: number) => new Response(`${env.name} ${count} ${session.isNew}`))
    expect(await (await handle(new Request(HOST), { name: 'env' }, 2)).text()).toBe('env 2 true')
  })

  it('throws the errors of the handler and of the store on to the server', async () => {
    await expect(visit(broken)).rejects.toThrow('The handler is broken.')
  })

  it('answers with a plain 500, and logs the error, when the cookie of a login has to go out', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const answer = await visit(async (session) => { await session.login('ada'); return broken() })
    expect([answer.status, await answer.text(), answer.headers.getSetCookie().length]).toEqual([500, 'Internal Server Error\n', 1])
    expect(logged.mock.calls).toEqual([[new Error('The handler is broken.')]])
    logged.mockRestore()
  })

  it('lets onError answer, and puts the cookie of a login on that', async () => {
    const onError = (error: unknown, request: Request): Response => new Response(`${request.method} ${error instanceof Error ? error.message : ''}`, { status: 503 })
    const plain = await visit(broken, { onError })
    expect([plain.status, await plain.text(), plain.headers.getSetCookie().length]).toEqual([503, 'GET The handler is broken.', 0])
    const loggedIn = await visit(async (session) => { await session.login('ada'); return broken() }, { onError })
    expect([loggedIn.status, loggedIn.headers.getSetCookie().length]).toEqual([503, 1])
  })

  it('cancels the body of a response that a failed commit takes the place of', onSite(({ sessions }) => serveFetch(fetchSession(sessions, (request, session) => {
    if (request.url.endsWith('quiet')) return new Response()
    session.set('color', 'red')
    return new Response(new ReadableStream({ cancel: () => cancelled.open() }))
  })), async ({ ask, store }) => {
    store.fail('create')
    expect((await ask('/')).status).toBe(500)
    await cancelled.opened
  }))

  it('lets a connection be upgraded, and stores what an existing session changed', async () => {
    const sessions = createSessions()
    const handle = fetchSession(sessions, (request, session: Session) => {
      session.set('color', new URL(request.url).pathname)
      return request.url.endsWith('/upgrade') ? undefined : new Response()
    })
    const answer = await handle(new Request(HOST))
    const cookie = answer?.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    expect(await handle(new Request(`${HOST}/upgrade`, { headers: { cookie } }))).toBeUndefined()
    expect((await sessions.load({ headers: new Headers({ cookie }) }))?.get('color')).toBe('/upgrade')
    await expect(handle(new Request(`${HOST}/upgrade`))).rejects.toMatchObject({ code: 'ERR_SESSION_LATE' })
  })

  it('sends a secure cookie over https, also behind a proxy that is trusted', async () => {
    const cookieOf = async (url: string, options: FetchSessionOptions, proto?: string): Promise<string | undefined> =>
      (await visit(() => new Response(), options, new Request(url, proto === undefined ? {} : { headers: { 'x-forwarded-proto': proto } }))).headers.getSetCookie()[0]
    expect(await cookieOf('https://localhost', {})).toMatch(/^__Host-sid=.*Secure/)
    expect(await cookieOf('https://localhost', { trustProxy: true }, 'http')).toMatch(/^__Host-sid=.*Secure/)
    expect(await cookieOf(HOST, { trustProxy: true }, 'https, http')).toMatch(/^__Host-sid=.*Secure/)
    expect(await cookieOf(HOST, {}, 'https')).toMatch(/^sid=(?!.*Secure)/)
  })

  it('names the cookie after the port', async () => {
    const sessions = createSessions({ cookie: { name: 'sid$PORT' } })
    const handle = fetchSession(sessions, (_request, session: Session) => { session.set('color', 'red'); return new Response() })
    const names = await Promise.all(['http://localhost', 'https://localhost', 'http://localhost:3000'].map(async (url) => (await handle(new Request(url))).headers.getSetCookie()[0]?.split('=')[0]))
    expect(names).toEqual(['sid80', 'sid443', 'sid3000'])
  })

  it('is a fetch function for the browser of the tests', async () => {
    const visitor = browser(fetchSession(createSessions(), (_request, session: Session) => {
      session.set('count', Number(session.get('count') ?? 0) + 1)
      return new Response(String(session.get('count')))
    }))
    const tab = visitor.tab()
    await tab.get('/')
    expect((await tab.get('/')).text).toBe('2')
  })
})
