import { parseCookie, stringifySetCookie } from 'cookie'
import { beforeEach, describe, expect, it } from 'vitest'
import { createSessions, memoryStore, type Sessions } from '../index.ts'
import { browser, type Browser } from '../testing/browser.ts'
import { movableClock } from '../testing/clock.ts'
import { nextSession, type NextHeaders, type NextSession } from './next.ts'

/** What `next/headers` gives for one request of a visitor: cookies that are set can be read at once. */
function request(visitor: Browser, headers: Readonly<Record<string, string>> = {}): NextHeaders & { readonly setCookies: readonly string[] } {
  const jar = new Map(Object.entries(parseCookie(visitor.cookieHeader() ?? '')))
  const setCookies: string[] = []
  return {
    setCookies,
    headers: async () => new Headers(headers),
    cookies: async () => ({
      getAll: () => [...jar].map(([name, value = '']) => ({ name, value })),
      set(name, value, attributes) {
        jar.set(name, value)
        setCookies.push(stringifySetCookie({ name, value, ...attributes }))
        visitor.receive(setCookies.slice(-1))
      },
    }),
  }
}

const clock = movableClock()
let sessions: Sessions<{ color: string }>
let visitor: Browser

beforeEach(() => {
  sessions = createSessions<{ color: string }>({ clock, store: memoryStore(), idleTimeout: '30 minutes' })
  visitor = browser('http://localhost')
})

const next = (headers?: Readonly<Record<string, string>>): NextSession<{ color: string }> => nextSession(sessions, request(visitor, headers))

describe('withSession', () => {
  it('resolves when the commit is acknowledged and the cookie is set', async () => {
    const from = request(visitor)
    expect(await nextSession(sessions, from).withSession((session) => session.set('color', 'red'))).toBe('red')
    expect(from.setCookies).toEqual([expect.stringMatching(/^sid=[\w-]{22}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)])
    expect((await next().readSession()).get('color')).toBe('red')
  })

  it('makes the cookie secure where Next was reached over https', async () => {
    const from = request(browser('https://localhost'), { 'x-forwarded-proto': 'https' })
    await nextSession(sessions, from).withSession((session) => session.set('color', 'red'))
    expect(from.setCookies).toEqual([expect.stringMatching(/^__Host-sid=.*; Secure/)])
  })

  it.each([['NEXT_REDIRECT;replace;/;307;', 'red'], ['NEXT_REDIRECT;push;/list;500;page;303;', 'red'], ['NEXT_HTTP_ERROR_FALLBACK;404', 'red'], ['NEXT_HTTP_ERROR_FALLBACK;500', undefined], ['1234567', undefined]])('commits what was done before %s: %s', async (digest, color) => {
    const error = Object.assign(new Error('thrown'), { digest })
    await expect(next().withSession((session) => {
      session.set('color', 'red')
      throw error
    })).rejects.toBe(error)
    expect((await next().readSession()).get('color')).toBe(color)
  })

  it('hands out the token of a login after which something was thrown', async () => {
    await expect(next().withSession(async (session) => {
      await session.login('ada')
      session.set('color', 'red')
      throw new Error('thrown')
    })).rejects.toThrow('thrown')
    const session = await next().readSession()
    expect([session.owner, session.get('color')]).toEqual(['ada', undefined])
  })

  it('lets what is rendered after it see the new session', async () => {
    const from = request(visitor)
    await nextSession(sessions, from).withSession((session) => session.login('ada'))
    expect((await nextSession(sessions, from).readSession()).owner).toBe('ada')
    await nextSession(sessions, from).withSession((session) => session.logout())
    expect((await nextSession(sessions, from).readSession()).owner).toBeUndefined()
    expect(visitor.cookies).toEqual([])
  })

  it('rejects when the commit fails, and sets no cookie', async () => {
    const store = Object.assign(memoryStore(), { create: () => { throw new Error('no disk') } })
    const from = request(visitor)
    await expect(nextSession(createSessions({ store }), from).withSession((session) => session.set('color', 'red'))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect(from.setCookies).toEqual([])
  })
})

describe('readSession', () => {
  it('sets no cookie, begins no session and lets data be committed by hand', async () => {
    const blank = await next().readSession()
    expect(() => blank.set('color', 'red')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_LATE' }))
    await next().withSession((session) => session.set('color', 'red'))
    const from = request(visitor)
    const session = await nextSession(sessions, from).readSession()
    session.set('color', 'blue')
    expect(await session.commit()).toBe('ok')
    expect(from.setCookies).toEqual([])
    expect((await next().readSession()).get('color')).toBe('blue')
  })

  it('keeps the session of a visitor who only reads', async () => {
    await next().withSession((session) => session.set('color', 'red'))
    for (let visit = 0; visit < 3; visit += 1) {
      clock.advance('25 minutes')
      expect((await next().readSession()).get('color')).toBe('red')
    }
    clock.advance('34 minutes')
    expect((await next().readSession()).get('color')).toBeUndefined()
  })
})
