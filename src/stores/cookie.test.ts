import { createSecretKey } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions } from '../index.ts'
import { TestExchange } from '../testing/exchange.ts'
import { cookieStore, type CookieStoreOptions } from './cookie.ts'
import { fits, join, seal, split, unseal } from './internal/sealed-cookie.ts'

const [ONE, TWO, THREE] = ['1'.repeat(64), '2'.repeat(64), '3'.repeat(64)] as const

function sealedSessions(options: Partial<CookieStoreOptions> = {}, more: object = {}) {
  let now = 1_700_000_000_000
  const sessions = createSessions<{ cart: string[]; note: string }>({ store: cookieStore({ keys: [ONE], ...options }), clock: () => now, ...more })
  const seen: string[] = []
  for (const name of ['unknown-token', 'expire', 'gone'] as const) sessions.on(name, ({ reason }) => { seen.push(`${name}: ${reason}`) })
  return { sessions, seen, visitor: (cookie?: string) => new Visitor(sessions, cookie), advance(seconds: number) { now += seconds * 1000 } }
}

describe('a session in sealed cookies', () => {
  it('lives through set, read, login and logout', async () => {
    const { visitor } = sealedSessions()
    const customer = visitor()
    expect((await customer.visit((session) => session.get('cart'))).setCookies).toEqual([])
    await customer.visit((session) => session.set('cart', ['tea']))
    expect(customer.cookie).not.toContain('tea')
    expect((await customer.visit((session) => session.get('cart'))).setCookies).toEqual([])
    const { setCookies, exchange } = await customer.visit((session) => { session.get('cart')?.push('jam') })
    expect(setCookies).toEqual([expect.stringMatching(/^__Host-sid=1\..*; Path=\/; HttpOnly; Secure; SameSite=Lax$/)])
    expect(exchange.responseHeader('cache-control')).toBe('no-store')
    await customer.visit((session) => session.login('ada'))
    expect((await customer.visit((session) => [session.owner, session.get('cart')])).result).toEqual(['ada', ['tea', 'jam']])
    expect((await customer.visit((session) => session.logout())).setCookies).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0/)])
    expect(customer.cookie).toBe('')
    expect((await customer.visit((session) => session.owner)).result).toBeUndefined()
  })

  it('acknowledges no change that comes after the head', async () => {
    const customer = sealedSessions().visitor()
    await customer.visit((session) => session.set('note', 'x'))
    const { session, finish } = await customer.begin()
    await finish()
    session.set('note', 'y')
    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SESSION_LATE' })
    await expect(session.destroy()).rejects.toMatchObject({ code: 'ERR_SESSION_LATE' })
  })

  it('takes a second cookie when it needs one, and clears it when it does not', async () => {
    const { visitor } = sealedSessions()
    const customer = visitor()
    const { setCookies } = await customer.visit((session) => session.set('note', 'x'.repeat(4000)))
    expect(setCookies.map((line) => line.split('=')[0])).toEqual(['__Host-sid', '__Host-sid.1'])
    for (const line of setCookies) expect((line.split(';')[0] ?? '').length).toBeLessThanOrEqual(4096)
    expect((await customer.visit((session) => session.get('note'))).result).toBe('x'.repeat(4000))
    const after = await customer.visit((session) => session.set('note', 'short'))
    expect(after.setCookies[1]).toMatch(/^__Host-sid\.1=; Max-Age=0/)
    expect((await customer.visit((session) => session.get('note'))).result).toBe('short')
  })

  it('refuses to acknowledge what will not fit once it is sealed', async () => {
    const { session, finish } = await sealedSessions().visitor().begin()
    session.set('note', 'x'.repeat(5900))
    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE', message: expect.stringContaining('2 cookies of 4096 bytes') })
    expect(await finish({ failed: true })).toEqual([])
  })

  it('names the biggest keys when it does not fit, and leaves the old cookie alone', async () => {
    const { visitor } = sealedSessions({ chunks: 1 })
    const customer = visitor()
    await customer.visit((session) => session.set('cart', ['tea']))
    const request = await customer.begin()
    request.session.set('note', 'x'.repeat(4000))
    await expect(request.finish()).rejects.toThrow(expect.objectContaining({ code: 'ERR_SESSION_TOO_LARGE', message: expect.stringContaining('"note" (4002 bytes)') }))
    expect(await request.finish({ failed: true })).toEqual([])
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ cart: ['tea'] })
  })

  it('is sealed anew with the current key when an earlier one opened it, and refused by others', async () => {
    const before = sealedSessions({ keys: [ONE] }).visitor()
    await before.visit((session) => session.set('note', 'kept'))
    const after = sealedSessions({ keys: [TWO, ONE] })
    const customer = after.visitor(before.cookie)
    const { result, setCookies } = await customer.visit((session) => session.get('note'))
    expect([result, setCookies.length]).toEqual(['kept', 1])
    expect((await customer.visit((session) => session.get('note'))).setCookies).toEqual([])
    expect((await sealedSessions({ keys: [TWO] }).visitor(customer.cookie).visit((session) => session.get('note'))).result).toBe('kept')
    const foreign = sealedSessions({ keys: [THREE] })
    expect((await foreign.visitor(before.cookie).visit((session) => session.isNew)).result).toBe(true)
    expect(foreign.seen).toEqual(['unknown-token: malformed'])
  })

  it('opens under no other name', async () => {
    const customer = sealedSessions({ name: 'one' }).visitor()
    await customer.visit((session) => session.set('note', 'x'))
    const { visitor, seen } = sealedSessions({ name: 'two' })
    expect((await visitor(customer.cookie.replace('one=', 'two=')).visit((session) => session.get('note'))).result).toBeUndefined()
    expect(seen).toEqual(['unknown-token: malformed'])
  })

  it('ends by the server\'s clock, whatever the browser does', async () => {
    const { visitor, advance, seen } = sealedSessions()
    const customer = visitor()
    await customer.visit((session) => session.set('note', 'x'))
    advance(2 * 3600)
    expect((await customer.visit((session) => [session.get('note'), session.endedBecause])).result).toEqual([undefined, 'expired-idle'])
    expect(seen).toEqual(['expire: expired-idle'])
  })

  it('leaves the cookie alone when it has expired: a login that the request overlaps stands', async () => {
    const { visitor, advance } = sealedSessions()
    const customer = visitor()
    await customer.visit((session) => session.set('note', 'x'))
    advance(2 * 3600)
    const slow = await customer.begin()
    slow.exchange.setResponseHeader('Cache-Control', 'public')
    await customer.visit((session) => session.login('ada'))
    expect(await slow.finish()).toEqual([])
    expect(slow.exchange.responseHeader('cache-control')).toBe('public')
    expect((await customer.visit((session) => session.owner)).result).toBe('ada')
  })

  it('is not sealed anew with the current key when it has expired', async () => {
    const before = sealedSessions({ keys: [ONE] }).visitor()
    await before.visit((session) => session.set('note', 'x'))
    const { visitor, advance } = sealedSessions({ keys: [TWO, ONE] })
    expect((await visitor(before.cookie).visit((session) => session.get('note'))).setCookies).toHaveLength(1)
    advance(2 * 3600)
    expect((await visitor(before.cookie).visit((session) => session.endedBecause))).toMatchObject({ result: 'expired-idle', setCookies: [] })
  })

  it('is no error when it has expired and is read after the head', async () => {
    const { sessions, visitor, advance } = sealedSessions({}, { load: 'lazy' })
    const errors: unknown[] = []
    sessions.on('error', (event) => { errors.push(event) })
    const customer = visitor()
    await customer.visit((session) => session.set('note', 'x'))
    advance(2 * 3600)
    const { session, exchange } = await customer.begin()
    exchange.headSent = true
    await session.load()
    expect([session.endedBecause, errors]).toEqual(['expired-idle', []])
  })

  it('is refused after a logout only where revokedBefore says so', async () => {
    const revoked = new Map<string, number>()
    for (const [hook, expected] of [[undefined, 'ada'], [(owner: string) => revoked.get(owner), undefined], [async (owner: string) => revoked.get(owner), undefined]] as const) {
      revoked.clear()
      const { visitor, advance } = sealedSessions(hook === undefined ? {} : { revokedBefore: hook })
      const customer = visitor()
      await customer.visit((session) => session.login('ada'))
      const copied = customer.cookie
      advance(10)
      await customer.visit((session) => { revoked.set('ada', session.authenticatedAt ?? 0); return session.logout() })
      expect((await visitor(copied).visit((session) => session.owner)).result).toBe(expected)
    }
  })

  it('says by name what cannot work', async () => {
    const { visitor, sessions } = sealedSessions()
    await visitor().visit(async (session) => {
      await expect(session.update('note', () => 'x')).rejects.toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNSUPPORTED', message: expect.stringContaining('session.update') }))
      expect(session.has('note')).toBe(false)
    })
    await expect(sessions.revoke('abcdefgh')).rejects.toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNSUPPORTED' }))
    await expect(sessions.revokeAll('ada')).rejects.toThrow(/visitor/)
    await expect((async () => { for await (const each of sessions.findByOwner('ada')) expect(each).toBeUndefined() })()).rejects.toThrow(/visitor/)
  })

  it.each<[string, object, RegExp]>([
    ['no key', { keys: [] }, /openssl/],
    ['a key of another length', { keys: ['abc'] }, /32 bytes/],
    ['too many cookies', { chunks: 4 }, /1 to 3/],
    ['a name whose prefix cannot hold', { name: '__Host-x', path: '/app' }, /__Secure-/],
    ['an unknown setting', { secret: 'x' }, /no setting "secret"/],
  ])('refuses %s', (_title, options, message) => {
    expect(() => sealedSessions(options)).toThrow(message)
  })
})

describe('a cookie that was tampered with', () => {
  it.each<[string, (cookie: string) => string]>([
    ['garbage', () => '__Host-sid=garbage'],
    ['empty', () => '__Host-sid='],
    ['only separators', () => '__Host-sid=....;;=;'],
    ['10 MB long', () => `__Host-sid=1.${'a'.repeat(16)}.${'x'.repeat(10_000_000)}`],
    ['with a flipped letter', (cookie) => `${cookie.slice(0, -20)}${cookie.at(-20) === 'A' ? 'B' : 'A'}${cookie.slice(-19)}`],
    ['with another nonce', (cookie) => cookie.replace(/=1\.(.)/, (_all, first) => `=1.${first === 'A' ? 'B' : 'A'}`)],
    ['that claims a second piece', (cookie) => cookie.replace('=1.', '=2.')],
    ['that claims nine pieces', (cookie) => cookie.replace('=1.', '=9.')],
  ])('%s gives a fresh session and an event', async (_title, change) => {
    const { visitor, seen } = sealedSessions()
    const customer = visitor()
    await customer.visit((session) => session.set('note', 'x'))
    const cookie = change(customer.cookie)
    const session = await sealedOpen(cookie)
    expect([session.isNew, session.get('note')]).toEqual([true, undefined])
    expect((await visitor(cookie.split(';')[0]).visit((each) => each.isNew)).result).toBe(true)
    expect(seen).toEqual(['unknown-token: malformed'])
  })

  it('with a piece missing, or of an older seal, gives a fresh session', async () => {
    const { visitor } = sealedSessions()
    const customer = visitor()
    const first = await customer.visit((session) => session.set('note', 'a'.repeat(4000)))
    const second = await customer.visit((session) => session.set('note', 'b'.repeat(4000)))
    const piece = (lines: readonly string[], at: number): string => lines[at]?.split(';')[0] ?? ''
    for (const cookie of [piece(first.setCookies, 0), `${piece(second.setCookies, 0)}; ${piece(first.setCookies, 1)}`, piece(first.setCookies, 1)]) {
      expect((await sealedOpen(cookie)).get('note')).toBeUndefined()
    }
    expect((await sealedOpen(`${piece(first.setCookies, 0)}; ${piece(first.setCookies, 1)}`)).get('note')).toBe('a'.repeat(4000))
  })

  it('never throws, whatever it is', async () => {
    await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 0, max: 9 }), async (junk, count) => {
      expect((await sealedOpen(`__Host-sid=${count}.${'a'.repeat(16)}.${junk}; __Host-sid.1=${junk}`)).toObject()).toEqual({})
    }))
  })
})

describe('the seal', () => {
  it('opens in no other spelling of its bytes', () => {
    const key = createSecretKey(Buffer.alloc(32, 7))
    for (let length = 3000; length < 3003; length += 1) {
      const { nonce, text } = seal('x'.repeat(length), key, 'name')
      expect(unseal({ nonce, text }, key, 'name')).toBe('x'.repeat(length))
      for (const other of [`${text}!`, `!${text}`, `${text}!!`, `${text}=`, `${text.slice(0, 9)}\u{1F36A}${text.slice(9)}`, text.replaceAll('-', '+'), text.replaceAll('_', '/')]) {
        expect(unseal({ nonce, text: other }, key, 'name')).toBeUndefined()
      }
    }
  })

  it('fits where it is said to fit, to the last byte', () => {
    const key = createSecretKey(Buffer.alloc(32, 7))
    for (const most of [1, 2, 3]) {
      let bytes = 3000 * most
      while (fits(bytes + 1, 'name', most)) bytes += 1
      expect(split(seal('x'.repeat(bytes), key, 'name'), 'name', most)).toHaveLength(most)
      expect(split(seal('x'.repeat(bytes + 1), key, 'name'), 'name', most)).toBeUndefined()
    }
  })

  it('survives splitting and joining at any length', () => {
    const key = createSecretKey(Buffer.alloc(32, 7))
    fc.assert(fc.property(fc.string({ maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (text, repeat) => {
      const plain = text.repeat(repeat)
      const pieces = split(seal(plain, key, 'name'), 'name', 9)
      if (pieces === undefined) return
      const joined = join((at) => pieces[at], 9)
      expect(joined === undefined ? undefined : unseal(joined, key, 'name')).toBe(Buffer.from(plain).toString())
    }))
  })
})

async function sealedOpen(cookie: string) {
  return sealedSessions().sessions.open(new TestExchange({ headers: { cookie } }))
}
