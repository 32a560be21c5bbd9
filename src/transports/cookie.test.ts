import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions } from '../index.ts'
import { TestExchange, type TestExchangeOptions } from '../testing/exchange.ts'
import { cookieTransport, type CookieOptions } from './cookie.ts'
import { cookieValues } from '../core/internal/cookie-values.ts'

const NOW = Date.UTC(2011, 3, 11, 0, 58, 26)

function setCookie(options: CookieOptions = {}, request: TestExchangeOptions = {}, handout: object = {}): string | undefined {
  const exchange = new TestExchange(request)
  cookieTransport(options).write(exchange, { token: 'T', expiresAt: NOW + 3_600_000, now: NOW, lasting: false, isNew: true, overrides: undefined, ...handout })
  return exchange.setCookies[0]
}

describe('the cookie', () => {
  it.each<[string, CookieOptions, TestExchangeOptions, string]>([
    ['is __Host- on https', {}, {}, '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['is __Secure- with a domain', { domain: 'example.com' }, {}, '__Secure-sid=T; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['is __Secure- below a path', { path: '/app' }, {}, '__Secure-sid=T; Path=/app; HttpOnly; Secure; SameSite=Lax'],
    ['has no prefix and no Secure on plain http', {}, { secure: false }, 'sid=T; Path=/; HttpOnly; SameSite=Lax'],
    ['takes a name', { name: 'shop' }, {}, 'shop=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['takes the port into its name', { name: 'sid_$PORT' }, { port: 8080 }, 'sid_8080=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['says NOPORT where the port is not known', { name: 'sid_$PORT' }, {}, 'sid_NOPORT=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    ['adds what Partitioned needs', { partitioned: true }, {}, '__Host-sid=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=None'],
    ['adds Secure to SameSite=None', { sameSite: 'None' }, {}, '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None'],
    ['can be read by scripts when that is asked for', { httpOnly: false, sameSite: 'STRICT' }, {}, '__Host-sid=T; Path=/; Secure; SameSite=Strict'],
    ['lasts as long as the session when persistent', { persistent: true }, {}, '__Host-sid=T; Max-Age=3600; Path=/; Expires=Mon, 11 Apr 2011 01:58:26 GMT; HttpOnly; Secure; SameSite=Lax'],
    ['lasts as long as is asked for', { maxAge: '36h' }, {}, '__Host-sid=T; Max-Age=129600; Path=/; Expires=Tue, 12 Apr 2011 12:58:26 GMT; HttpOnly; Secure; SameSite=Lax'],
    ['lasts until an instant', { expires: 42 }, {}, '__Host-sid=T; Max-Age=42; Path=/; Expires=Mon, 11 Apr 2011 00:59:08 GMT; HttpOnly; Secure; SameSite=Lax'],
    ['can leave the path out', { path: undefined }, {}, '__Secure-sid=T; HttpOnly; Secure; SameSite=Lax'],
  ])('%s', (_title, options, request, expected) => {
    expect(setCookie(options, request)).toBe(expected)
  })

  it('lasts 400 days at most', () => {
    expect(setCookie({ persistent: true }, {}, { expiresAt: 8.64e15 })).toContain(`Max-Age=${400 * 86_400};`)
  })

  it('is cleared with the attributes it was set with', () => {
    expect(setCookie({ domain: 'example.com', partitioned: true }, {}, { token: undefined })).toBe('__Secure-sid=; Max-Age=0; Domain=example.com; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned; SameSite=None')
  })

  it('takes settings for one response, which cannot undo what Partitioned needs', () => {
    expect(setCookie({ domain: '.example.com', maxAge: 3600, path: '/cgi-bin', secure: true }, {}, { overrides: { path: '/', domain: '.perl.org' } })).toBe('__Secure-sid=T; Max-Age=3600; Domain=.perl.org; Path=/; Expires=Mon, 11 Apr 2011 01:58:26 GMT; HttpOnly; Secure; SameSite=Lax')
    expect(setCookie({ partitioned: true }, {}, { overrides: { secure: false } })).toContain('Secure; Partitioned; SameSite=None')
  })

  it.each<[string, object, RegExp]>([
    ['a SameSite that is none of the three', { sameSite: 'StrictlyComeDancing' }, /sameSite is "StrictlyComeDancing"/],
    ['an empty SameSite', { sameSite: '' }, /"strict", "lax" or "none"/],
    ['SameSite=None without Secure', { sameSite: 'none', secure: false }, /Browsers refuse/],
    ['a line break in the domain', { domain: 'a\r\nSet-Cookie: x=1' }, /domain/],
    ['a semicolon in the path', { path: '/a; Domain=evil.example' }, /path/],
    ['a path without a slash', { path: 'app' }, /Begin it with a slash/],
    ['a domain that is none', { domain: 'exa mple' }, /domain/],
    ['a name with a semicolon', { name: 'a;b' }, /name is/],
    ['a name with a line break', { name: 'a\nb' }, /name is/],
    ['an empty name', { name: '' }, /name is/],
    ['__Host- with a domain', { name: '__Host-x', domain: 'example.com' }, /__Secure-/],
    ['__host- below a path', { name: '__host-x', path: '/app' }, /__Secure-/],
    ['__Secure- without Secure', { name: '__Secure-x', secure: false }, /secure is false/],
    ['a flag that is no flag', { httpOnly: 'yes' }, /httpOnly/],
    ['secure that is none of its values', { secure: 'maybe' }, /secure/],
    ['an expiry that is none', { expires: 'bogus' }, /bogus/],
    ['a setting that does not exist', { signed: true }, /no setting "signed"/],
    ['a previous scope that is wrong', { previously: [{ path: 'x' }] }, /Begin it with a slash/],
  ])('refuses %s', (_title, options, message) => {
    expect(() => cookieTransport(options)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(message) }))
  })
})

describe('in a request', () => {
  it('a cookie that cannot be sent leaves no session behind, and warns once', async () => {
    const warnings: Error[] = []
    const listener = (warning: Error): void => { warnings.push(warning) }
    process.on('warning', listener)
    const sessions = createSessions({ cookie: { secure: true }, sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    for (let n = 0; n < 3; n += 1) {
      const { setCookies } = await visitor.visit((session) => session.set('a', 1), { secure: false, headers: { 'x-forwarded-proto': 'https' } })
      expect(setCookies).toEqual([])
    }
    const stored: unknown[] = []
    for await (const session of sessions.list()) stored.push(session.id)
    await new Promise((resolve) => { setImmediate(resolve) })
    process.off('warning', listener)
    expect(stored).toEqual([])
    expect(warnings.filter(({ name }) => name === 'SojournWarning').map(({ message }) => message)).toEqual([expect.stringContaining('trust proxy')])
  })

  it('settings of one response are checked where they are made, and used', async () => {
    const visitor = new Visitor(createSessions({ sweepEvery: 'never', cookie: { name: 'shop' } }))
    await visitor.visit((session) => session.set('a', 1))
    const { setCookies } = await visitor.visit((session) => {
      expect(() => session.cookie.set({ path: 'x' })).toThrow(/Begin it with a slash/)
      expect(() => session.cookie.set({ colour: 'red' })).toThrow(/no setting "colour"/)
      session.cookie.set({ path: '/app' })
      session.cookie.set({ maxAge: 60 })
      expect(session.cookie.name).toBe('shop')
    })
    expect(setCookies[0]).toMatch(/^shop=[\w.-]{66}; Max-Age=60; Path=\/app;/)
  })

  it('settings of one response cannot break the promise of the prefix', async () => {
    await new Visitor(createSessions({ sweepEvery: 'never' })).visit((session) => {
      expect(() => session.cookie.set({ path: '/app' })).toThrow(/"__Host-sid", and path is not/)
    })
  })

  it('the cookie is sent again only when something about it changed', async () => {
    let now = NOW
    const sessions = createSessions({ cookie: { persistent: true }, idleTimeout: 1000, clock: () => now, sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.set('a', 1))
    expect((await visitor.visit((session) => session.set('a', 2))).setCookies).toEqual([])
    now += 150_000
    expect((await visitor.visit((session) => session.get('a'))).setCookies[0]).toContain('Max-Age=1100;')
  })

  it('is sent on demand', async () => {
    const visitor = new Visitor(createSessions({ sweepEvery: 'never' }))
    await visitor.visit((session) => session.set('a', 1))
    expect((await visitor.visit((session) => session.cookie.send())).setCookies).toHaveLength(1)
    expect((await new Visitor(createSessions({ sweepEvery: 'never' })).visit((session) => session.cookie.send())).setCookies).toEqual([])
  })

  it('a twin of an earlier scope is expired when it is met', async () => {
    const sessions = createSessions({ cookie: { name: 'sid', previously: [{ domain: 'example.com' }, { path: '/app' }] }, sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.set('a', 1))
    const cookie = visitor.cookie
    expect((await visitor.visit(() => undefined)).setCookies).toEqual([])
    const { setCookies } = await visitor.visit(() => undefined, { headers: { cookie: `sid=old; ${cookie}` } })
    expect(setCookies).toEqual([expect.stringMatching(/^sid=; Max-Age=0; Domain=example.com; Path=\/;/), expect.stringMatching(/^sid=; Max-Age=0; Path=\/app;/)])
  })
})

describe('reading the header', () => {
  it.each<[string, string[]]>([
    ['sid=a', ['a']],
    ['a=1; sid=b; c=2', ['b']],
    ['sid=a; sid="b";sid=c', ['a', 'b', 'c']],
    ['xsid=a; sid2=b; sid=c', ['c']],
    ['a=sid=b; sid=c', ['c']],
    ['a="x; sid=b"', ['b"']],
    [' sid = a ', ['a']],
    ['sid', []],
    ['sid=', ['']],
    [';;;=;sid==', ['=']],
    ['', []],
  ])('finds in %j the values %j', (header, values) => {
    expect(cookieValues(header, 'sid')).toEqual(values)
  })

  it('never throws, and finds what it was given', () => {
    const value = fc.stringMatching(/^[\w.-]{1,40}$/)
    fc.assert(fc.property(fc.string(), fc.array(value, { minLength: 1, maxLength: 4 }), (junk, values) => {
      const header = [junk.replaceAll(/sid|;/g, ''), ...values.map((each) => `sid=${each}`)].join('; ')
      expect(cookieValues(header, 'sid')).toEqual(values)
      cookieValues(junk, 'sid')
    }))
  })

  it('takes time in proportion to the header', () => {
    const steps = (header: string): number => cookieValues(header, 's').length
    expect(steps('s'.repeat(200_000))).toBe(0)
    expect(steps('s=1;'.repeat(50_000))).toBe(50_000)
  })
})
