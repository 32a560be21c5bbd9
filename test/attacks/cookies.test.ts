import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { ATTRIBUTES } from '../../src/core/internal/cookie-attributes.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { browser } from '../../src/testing/browser.ts'
import { bearerTransport } from '../../src/transports/bearer.ts'
import { cookieTransport } from '../../src/transports/cookie.ts'
import { queryTransport } from '../../src/transports/query.ts'
import { Visitor } from '../internal/visitor.ts'
import { needsNginx, startCachingNginx, type NginxServer } from '../servers/nginx.ts'
import { describeWithServer } from '../servers/suite.ts'
import { cookieOf, post, startSite, type Data, type Handler, type Site } from './site.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})
async function site(options?: SessionsOptions<Data>, handle?: Handler): Promise<Site> {
  const started = await startSite(options, handle)
  cleanups.push(() => started.close())
  return started
}

const JUNK = `sid=${'B'.repeat(22)}.${'B'.repeat(43)}`

describe('cookie tossing', () => {
  it('from a sibling host cannot reach the default name of https: browsers refuse a __Host- cookie with a domain, or over http', () => {
    const victim = browser('https://app.example.com')
    expect(victim.receive(['__Host-sid=evil; Path=/; Secure'], '/')).toBe(1)
    for (const host of ['https://evil.example.com', 'http://app.example.com', 'http://evil.example.com']) {
      const sibling = browser(host)
      expect(sibling.receive(['__Host-sid=evil; Domain=example.com; Path=/; Secure', '__host-sid=evil; Domain=example.com; Path=/', '=__Host-sid=evil; Domain=example.com'])).toBe(0)
    }
  })

  it('of a token that fits nothing does not hide the visitor’s own, before or behind it', async () => {
    const { ask } = await site()
    const own = cookieOf(await ask('/login', post({ owner: 'ada' })))
    for (const cookie of [`${JUNK}; ${own}`, `${own}; ${JUNK}`, `sid=x; sid=; ${JUNK}; ${own}`]) {
      const answer = await ask('/get', { cookie })
      expect([answer.body, answer.setCookies]).toEqual(['{"owner":"ada","data":{}}', []])
    }
  })

  it('of another session that lives is told in an event, and the first, of the longer path, is used', async () => {
    const { ask, events } = await site()
    const own = cookieOf(await ask('/login', post({ owner: 'ada' })))
    const tossed = cookieOf(await ask('/login', post({ owner: 'mallory' })))
    expect((await ask('/get', { cookie: `${own}; ${tossed}` })).body).toContain('ada')
    expect(events.at(-1)).toEqual({ name: 'duplicate-token', id: tossed?.slice(4, 26) })
  })

  it('is undone where the scopes of earlier versions are known: the twin is expired', async () => {
    const { ask } = await site({ cookie: { previously: [{ path: '/app' }] } })
    const own = cookieOf(await ask('/login', post({ owner: 'ada' })))
    const { setCookies } = await ask('/get', { cookie: `${JUNK}; ${own}` })
    expect(setCookies).toEqual([expect.stringMatching(/^sid=; Max-Age=0; Path=\/app;/)])
  })
})

describe('cookie shadowing', () => {
  it.each([
    ['a name that ends in ours', 'xsid=TOKEN'], ['a value that looks like a pair', 'a=sid=TOKEN'], ['a nameless cookie', '=sid=TOKEN'], ['another case', 'SID=TOKEN'],
    ['an encoded name', 's%69d=TOKEN'], ['a name with a blank inside', 'si d=TOKEN'], ['a comma', 'a=1, sid=TOKEN'], ['the name as a value', 'a=sid'], ['a prefix', '__Host-sid=TOKEN'],
  ])('by %s is no cookie of ours', async (_, header) => {
    const { ask } = await site()
    const token = cookieOf(await ask('/login', post({ owner: 'ada' })))?.slice(4) ?? ''
    expect((await ask('/get', { cookie: `sid=${token}` })).body).toContain('ada')
    expect((await ask('/get', { cookie: header.replace('TOKEN', token) })).body).toContain('null')
  })

  it('by a quoted value that swallows what follows does not work: the semicolon ends it', async () => {
    const { ask } = await site()
    const own = cookieOf(await ask('/login', post({ owner: 'ada' })))
    const { body } = await ask('/get', { cookie: `$Version=1; a="begin; ${own}; b=end"` })
    expect(body).toBe('{"owner":"ada","data":{}}')
  })
})

describe('header injection', () => {
  const BREAKS = ['\r\nSet-Cookie: evil=1', '\nSet-Cookie: evil=1', '\rx', '; Domain=evil.example', '\0', '\u2028', '\u0085', '\u010a', 'é', '\u007f', '\t']
  const valid: Readonly<Record<string, string>> = { name: 'sid', path: '/app', domain: 'example.com', sameSite: 'lax', maxAge: '2 weeks', expires: '2 weeks', secure: 'auto', httpOnly: 'true', partitioned: 'true' }
  const attributes = [...ATTRIBUTES, 'name']

  it.each(attributes)('is refused in %s, for the cookie and for the sealed cookie, at construction and for one response', async (attribute) => {
    expect(valid).toHaveProperty(attribute)
    const visitor = new Visitor(createSessions<Data>())
    // Durations become numbers, so blanks around them are only blanks.
    const isDuration = attribute === 'maxAge' || attribute === 'expires'
    for (const piece of BREAKS.filter((each) => !isDuration || each.trim() !== '')) {
      for (const text of [valid[attribute] + piece, piece, piece + valid[attribute]]) {
        const refused = expect.objectContaining({ code: 'ERR_SESSION_OPTION' })
        expect(() => cookieTransport({ [attribute]: text })).toThrow(refused)
        expect(() => cookieStore({ keys: ['1'.repeat(64)], [attribute]: text })).toThrow(refused)
        await visitor.visit((session) => { expect(() => session.cookie.set({ [attribute]: text })).toThrow(refused) })
      }
    }
  })

  it('is refused in the scopes of earlier versions, in the name of a header, and in the name of a parameter', () => {
    const refused = expect.objectContaining({ code: 'ERR_SESSION_OPTION' })
    for (const piece of BREAKS) {
      expect(() => cookieTransport({ previously: [{ path: `/app${piece}` }] })).toThrow(refused)
      expect(() => cookieTransport({ previously: [{ domain: `example.com${piece}` }] })).toThrow(refused)
      expect(() => bearerTransport({ header: `X-Session${piece}` })).toThrow(refused)
      expect(() => queryTransport({ name: `sid${piece}` })).toThrow(refused)
    }
  })

  it('reaches no response over the wire, whatever a visitor’s text an application puts into the cookie', async () => {
    const { origin, ask } = await site({}, (request, _response, session) => {
      session.set('a', 1)
      session.cookie.set({ path: new URL(request.url ?? '/', 'http://x').searchParams.get('path') ?? '/' })
    })
    for (const piece of ['%0d%0aSet-Cookie:%20evil=1', '%0aSet-Cookie:%20evil=1', '%3b%20Domain=evil.example', '%e5%98%8a%e5%98%8dSet-Cookie:%20evil=1']) {
      const answer = await ask(`/?path=/x${piece}`)
      expect([origin !== '', answer.status, answer.setCookies.filter((line) => /evil/.test(line)), answer.header('evil')]).toEqual([true, 500, [], undefined])
    }
    expect((await ask('/?path=/x')).setCookies).toEqual([expect.stringContaining('Path=/x')])
  })

  it('is refused in a token of the application’s own format', async () => {
    for (const piece of BREAKS) {
      const sessions = createSessions<Data>({ generateToken: () => ({ id: 'A'.repeat(22), secret: 'B'.repeat(43) + piece }) })
      await expect(new Visitor(sessions).visit((session) => session.set('a', 1))).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION' })
    }
  })
})

describeWithServer('Set-Cookie cached by a proxy', needsNginx, (binary) => {
  // The worst that a proxy can be set to: it keeps answers that carry cookies.
  const CARELESS = 'proxy_ignore_headers Set-Cookie;'

  async function cached(settings: string, handle: Handler): Promise<Site & { readonly through: (cookie?: string) => Promise<{ cache: string | null; cookies: readonly string[]; body: string; cookie: string | undefined }> }> {
    const started = await site({}, handle)
    const nginx: NginxServer = await startCachingNginx(binary, started.origin, settings)
    cleanups.push(() => nginx.stop())
    const through = async (cookie?: string) => {
      const response = await fetch(nginx.origin, cookie === undefined ? {} : { headers: { cookie } })
      const cookies = response.headers.getSetCookie()
      return { cache: response.headers.get('x-cache'), cookies, body: await response.text(), cookie: cookies[0]?.split(';')[0] }
    }
    return { ...started, through }
  }

  it('happens to an application that sends a cookie by hand: the proxy of this test does cache', async () => {
    const { through } = await cached(CARELESS, (_request, response) => void response.setHeader('Set-Cookie', `mine=${randomUUID()}`).end('page'))
    const [first, second] = [await through(), await through()]
    expect([first.cache, second.cache]).toEqual(['MISS', 'HIT'])
    expect(second.cookie).toBe(first.cookie)
  })

  it.each([['as it comes', ''], ['told to ignore Set-Cookie', CARELESS]])('does not happen to a session that begins behind a proxy %s', async (_, settings) => {
    const { through } = await cached(settings, (_request, response, session) => {
      session.set('a', randomUUID())
      response.end('page')
    })
    const [first, second] = [await through(), await through()]
    expect([first.cache, second.cache]).toEqual(['MISS', 'MISS'])
    expect([first.cookies.length, second.cookies.length]).toEqual([1, 1])
    expect(second.cookie).not.toBe(first.cookie)
  })

  it('does not happen when the application said public: the page is cached, no session begins', async () => {
    const { through, events } = await cached(CARELESS, (_request, response, session) => {
      session.set('a', 1)
      response.setHeader('Cache-Control', 'public, max-age=3600').end('page')
    })
    const [first, second] = [await through(), await through()]
    expect([first.cache, second.cache, first.cookies, second.cookies]).toEqual(['MISS', 'HIT', [], []])
    expect(events.filter(({ name }) => name === 'create')).toEqual([])
  })

  it('does not happen to a login on a page that the application said public', async () => {
    const { through } = await cached(CARELESS, async (_request, response, session) => {
      await session.login('ada')
      response.setHeader('Cache-Control', 'public, max-age=3600').end('page')
    })
    const [first, second] = [await through(), await through()]
    expect([first.cache, second.cache, first.cookies.length, second.cookies.length]).toEqual(['MISS', 'MISS', 1, 1])
    expect(second.cookie).not.toBe(first.cookie)
  })

  it('does not give the page of one visitor to another: it depends on the cookie', async () => {
    const { through, ask } = await cached('', (request, response, session) => {
      if (request.url === '/') response.setHeader('Cache-Control', 'max-age=3600').end(`page of ${session.owner}`)
    })
    const [ada, grace] = [cookieOf(await ask('/login', post({ owner: 'ada' }))), cookieOf(await ask('/login', post({ owner: 'grace' })))]
    expect([(await through(ada)).body, (await through(grace)).body, (await through()).body]).toEqual(['page of ada', 'page of grace', 'page of undefined'])
    const again = await through(ada)
    expect([again.cache, again.body]).toEqual(['HIT', 'page of ada'])
  })
})
