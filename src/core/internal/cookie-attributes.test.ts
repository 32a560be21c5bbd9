import { describe, expect, it } from 'vitest'
import { TestExchange } from '../../testing/exchange.ts'
import { checkedAttributes, checkKnown, checkName, cookieNamer, isSecure, lifetimeOf, serialise } from './cookie-attributes.ts'
import { headersExchange } from './headers-exchange.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('attributes of a cookie', () => {
  const refused = (part: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(new RegExp(`^The settings of the session cookie are wrong: .*${part}.*\\. [A-Z].*\\.$`, 's')) })

  it('have their defaults, and what one of them implies', () => {
    const plain = { path: '/', domain: undefined, secure: 'auto', httpOnly: true, sameSite: 'lax', partitioned: false, maxAge: undefined, expires: undefined }
    expect(checkedAttributes({})).toEqual(plain)
    expect(checkedAttributes({ partitioned: true, secure: false, sameSite: 'strict' })).toEqual({ ...plain, partitioned: true, secure: true, sameSite: 'none' })
    expect(checkedAttributes({ sameSite: 'NONE' })).toEqual({ ...plain, secure: true, sameSite: 'none' })
    expect(checkedAttributes({ secure: false, httpOnly: false, sameSite: 'Strict', path: '/a', domain: '.a-b.example', maxAge: '1 m', expires: 5, partitioned: false })).toEqual({ path: '/a', domain: '.a-b.example', secure: false, httpOnly: false, sameSite: 'strict', partitioned: false, maxAge: 60, expires: 5 })
    expect(checkedAttributes({ path: undefined }).path).toBeUndefined()
  })

  it.each<[object, string]>([
    [{ path: '' }, 'path is empty'], [{ path: 5 }, 'path is empty'], [{ path: `/${'x'.repeat(1024)}` }, 'path is empty, longer'], [{ path: '/ä' }, 'path is empty'], [{ path: '/\n' }, 'path is empty'], [{ path: '/;' }, 'path is empty'], [{ path: 'a' }, 'path is "a"'],
    [{ domain: '' }, 'domain is empty'], [{ domain: '-a' }, 'domain is "-a"'], [{ domain: 'a-' }, 'domain is "a-"'], [{ domain: '..a' }, 'domain is "..a"'], [{ domain: 'a b' }, 'domain is "a b"'],
    [{ httpOnly: 1 }, 'httpOnly is not true or false'], [{ partitioned: 'yes' }, 'partitioned is not true or false'], [{ secure: 1 }, 'secure is not true, false or "auto"'],
    [{ sameSite: 5 }, 'sameSite is "5"'], [{ sameSite: 'x' }, 'sameSite is "x"'], [{ sameSite: 'none', secure: false }, 'sameSite is "none" and secure is false'],
  ])('%o are refused', (given, part) => {
    expect(() => checkedAttributes(given)).toThrow(refused(part))
  })

  it('may have the longest path, and a domain of one letter', () => {
    expect(checkedAttributes({ path: `/${'x'.repeat(1023)}`, domain: 'a' })).toMatchObject({ domain: 'a' })
    expect(() => checkedAttributes({ maxAge: -1 })).toThrow(/cookie\.maxAge/)
    expect(() => checkedAttributes({ expires: 'x' })).toThrow(/cookie\.expires/)
  })

  it('are quoted to their first 60 characters, no more', () => {
    const long = 'x'.repeat(61)
    const quoted = (text: string): unknown => expect.objectContaining({ message: expect.stringContaining(`"${text}"`) })
    expect(() => checkedAttributes({ path: long })).toThrow(quoted(long.slice(1)))
    expect(() => checkedAttributes({ domain: `-${long}` })).toThrow(quoted(`-${long.slice(2)}`))
    expect(() => checkedAttributes({ sameSite: long })).toThrow(quoted(long.slice(1)))
    expect(() => checkName(`;${long}`, checkedAttributes({}))).toThrow(quoted(`;${long.slice(2)}`))
    expect(() => checkKnown({ [long]: 1 }, ['a', 'b'])).toThrow(/: there is no setting "x{60}"\. The settings are a, b\.$/)
  })

  it('are secure as they say, or as the request is', () => {
    const on = (secure: boolean): TestExchange => new TestExchange({ secure })
    expect([isSecure(checkedAttributes({}), on(true)), isSecure(checkedAttributes({}), on(false)), isSecure(checkedAttributes({}), headersExchange({})), isSecure(checkedAttributes({ secure: true }), on(false)), isSecure(checkedAttributes({ secure: false }), on(true))]).toEqual([true, false, false, true, false])
  })

  it.each<[string, object, boolean]>([
    ['shop', { secure: false, path: '/a' }, true], ['__Host-a', {}, true], ['__Host-a', { secure: false }, false], ['__HOST-a', { path: '/a' }, false], ['__Host-a', { domain: 'a.example' }, false], ['__Secure-a', { path: '/a', domain: 'a.example' }, true], ['__secure-a', { secure: false }, false],
    ['x__Host-a', { path: '/a' }, true], ['a b', {}, false], ['', {}, false], ['x'.repeat(256), {}, true], ['x'.repeat(257), {}, false], ["!#$%&'*+-.^_`|~09AZaz", {}, true], ['a=b', {}, false],
  ])('allow the name %s with %o: %s', (name, given, isAllowed) => {
    const check = (): void => checkName(name, checkedAttributes(given))
    if (isAllowed) expect(check).not.toThrow()
    else expect(check).toThrow(refused('name is'))
  })

  it('give the name, with the port in each place that asks for it', () => {
    const names = (name: string | undefined, given: object = {}, port?: number): string[] => [true, false].map((secure) => cookieNamer(name, checkedAttributes(given))(secure, new TestExchange(port === undefined ? {} : { port })))
    expect([names(undefined), names(undefined, { path: '/a' }), names(undefined, { domain: 'a' }), names('x'), names('$PORT-x-$PORT', {}, 81), names('x$PORT')]).toEqual([['__Host-sid', 'sid'], ['__Secure-sid', 'sid'], ['__Secure-sid', 'sid'], ['x', 'x'], ['81-x-81', '81-x-81'], ['xNOPORT', 'xNOPORT']])
  })

  it('tell how long the browser keeps it', () => {
    const handout = { token: 'T', now: NOW, expiresAt: NOW + 90_999, lasting: false, isNew: true, overrides: undefined }
    const life = (given: object, changed: object = {}, persistent = false): unknown => lifetimeOf(checkedAttributes(given), { ...handout, ...changed }, persistent)
    const of = (seconds: number): unknown => ({ maxAge: seconds, expires: new Date(NOW + seconds * 1000) })
    expect([life({}), life({}, {}, true), life({}, { lasting: true }), life({}, { lasting: true, expiresAt: NOW - 1 }), life({ maxAge: 5 }, {}, true), life({ expires: 7, maxAge: 5 }), life({}, { expiresAt: NOW + 401 * 86_400_000 }, true), life({ expires: new Date(0) })])
      .toEqual([{}, of(90), of(90), of(0), of(5), of(7), of(400 * 86_400), of(0)])
  })

  it('are a header', () => {
    expect(serialise('a', 'b', checkedAttributes({ path: undefined }), {}, false)).toBe('a=b; HttpOnly; SameSite=Lax')
    expect(serialise('a', '', checkedAttributes({ domain: 'x.example', httpOnly: false }), { maxAge: 1 }, true)).toBe('a=; Max-Age=1; Domain=x.example; Path=/; Secure; SameSite=Lax')
  })
})
