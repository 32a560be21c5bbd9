import { describe, expect, it, vi } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions } from '../index.ts'
import { SessionError } from './errors.ts'
import type { SessionEvent, SessionEventName } from './events.ts'
import { cookieStore } from '../stores/cookie.ts'
import { memoryStore } from '../stores/memory.ts'
import { nullStore } from '../stores/null.ts'
import type { Session } from './session.ts'

interface Shop {
  userId: number
  cart: string[]
  views: number
  theme: string
  note: unknown
}

function shop(options: Parameters<typeof createSessions<Shop>>[0] = {}) {
  let now = 1_700_000_000_000
  const sessions = createSessions<Shop>({ clock: () => now, sweepEvery: 'never', ...options })
  const events: (SessionEvent & { name: SessionEventName })[] = []
  const record = (name: SessionEventName) => sessions.on(name, (event) => { events.push({ name, ...event }) })
  for (const name of ['create', 'commit', 'touch', 'gone', 'conflict', 'unreadable', 'unknown-token', 'superseded', 'expire', 'destroy', 'revoke', 'regenerate', 'duplicate-token', 'not-saved', 'error'] as const) record(name)
  return {
    sessions, events,
    named: (name: SessionEventName) => events.filter((event) => event.name === name),
    visitor: () => new Visitor<Shop>(sessions),
    advance(seconds: number) { now += seconds * 1000 },
    now: () => now,
  }
}

describe('data', () => {
  it('stores a value that is set apart from any request, though it is what was read before another changed it', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('views', 1); return session.id })
    const held = await sessions.load({ id })
    await customer.visit((session) => session.set('views', 2))
    held?.set('views', 1)
    expect(await held?.commit()).toBe('ok')
    expect((await customer.visit((session) => session.get('views'))).result).toBe(1)
  })

  it('keeps what one request set for the next', async () => {
    const visitor = shop().visitor()
    await visitor.visit((session) => session.set('cart', ['tea']))
    expect((await visitor.visit((session) => session.get('cart'))).result).toEqual(['tea'])
  })

  it('stores nothing and sends no cookie for a visitor who stored nothing', async () => {
    const { visitor, events } = shop()
    const { setCookies, result } = await visitor().visit((session) => [session.get('cart'), session.has('views'), session.keys(), session.owner, session.isNew])
    expect(result).toEqual([undefined, false, [], undefined, true])
    expect(setCookies).toEqual([])
    expect(events).toEqual([])
  })

  it('has an id before anything is stored, and keeps it', async () => {
    const visitor = shop().visitor()
    const { result } = await visitor.visit((session) => { const { id } = session; session.set('views', 1); return id })
    expect(result).toMatch(/^[\w-]{22}$/)
    expect((await visitor.visit((session) => session.id)).result).toBe(result)
  })

  it('notices a change inside a value', async () => {
    const { visitor, events } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('cart', ['tea']))
    await customer.visit((session) => { session.get('cart')?.push('jam') })
    await customer.visit((session) => { session.data.cart?.push('rye') })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ cart: ['tea', 'jam', 'rye'] })
    expect(events.filter((event) => event.name === 'commit')).toHaveLength(2)
  })

  it('notices a change inside a value after it was set in the same request', async () => {
    const visitor = shop().visitor()
    await visitor.visit((session) => { const cart = session.set('cart', []); cart.push('tea') })
    expect((await visitor.visit((session) => session.get('cart'))).result).toEqual(['tea'])
  })

  it('commits nothing when values were only read, or set to what they are', async () => {
    const { visitor, named } = shop()
    const customer = visitor()
    await customer.visit((session) => { session.set('cart', ['tea']); session.set('views', 1) })
    await customer.visit((session) => { session.get('cart'); session.set('views', 1); session.toObject() })
    expect(named('commit')).toEqual([])
  })

  it('deletes, lists and clears', async () => {
    const visitor = shop().visitor()
    await visitor.visit((session) => { session.set('views', 1); session.set('theme', 'dark'); session.set('userId', 7); session.delete('note') })
    await visitor.visit((session) => session.delete('views'))
    expect((await visitor.visit((session) => session.keys())).result).toEqual(['theme', 'userId'])
    await visitor.visit((session) => { session.set('note', 'x'); session.clear() })
    expect((await visitor.visit((session) => session.toObject())).result).toEqual({})
  })

  it('gives properties of data the meaning of entries', async () => {
    const visitor = shop().visitor()
    await visitor.visit((session) => {
      session.data.views = 1
      session.data.theme = 'dark'
      delete session.data.theme
      expect(Object.keys(session.data)).toEqual(['views'])
      expect('views' in session.data && !('theme' in session.data)).toBe(true)
      expect({ ...session.data }).toEqual({ views: 1 })
    })
    await visitor.visit((session) => { session.data = { theme: 'light' } })
    expect((await visitor.visit((session) => session.toObject())).result).toEqual({ theme: 'light' })
  })

  it('ends the session when data is set to null', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('views', 1); return session.id })
    const { setCookies } = await customer.visit((session) => { session.data = null })
    expect(setCookies[0]).toMatch(/^__Host-sid=; Max-Age=0/)
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('begins a new session with what is written after data was set to null', async () => {
    const { visitor, sessions, named } = shop()
    const customer = visitor()
    const { result: old } = await customer.visit((session) => { session.set('views', 1); session.set('theme', 'dark'); return session.id })
    await customer.visit((session) => { session.data = null; session.flash.set('notice', 'bye'); session.set('views', 2) })
    const { result } = await customer.visit((session) => [session.id === old, session.toObject(), session.flash.take('notice')])
    expect(result).toEqual([false, { views: 2 }, 'bye'])
    expect(await sessions.load({ id: old })).toBeUndefined()
    expect(named('destroy')).toMatchObject([{ id: old, reason: 'destroyed' }])
  })

  it.each([
    ['an update', (session: Session<Shop>) => session.update('views', (n = 0) => n + 2), { views: 2 }, undefined],
    ['a login', (session: Session<Shop>) => session.login('ada'), {}, 'ada'],
  ] as const)('ends the old session before the new one that %s begins, and hands out the new token', async (_what, act, data, owner) => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    const { result: old } = await customer.visit((session) => { session.set('views', 1); session.set('theme', 'dark'); return session.id })
    const { result: begun } = await customer.visit(async (session) => { session.data = null; await act(session); return session.id })
    expect((await customer.visit((session) => [session.id, session.toObject(), session.owner])).result).toEqual([begun, data, owner])
    expect(await sessions.load({ id: old })).toBeUndefined()
  })

  it('ends the old session at a logout after data was set to null and something was written', async () => {
    const { visitor, sessions, named } = shop()
    const customer = visitor()
    const { result: old } = await customer.visit((session) => { session.set('views', 1); return session.id })
    const { setCookies } = await customer.visit(async (session) => {
      session.data = null
      session.set('views', 2)
      await session.logout()
      expect([await sessions.load({ id: old }), session.id]).toEqual([undefined, old])
    })
    expect(setCookies[0]).toMatch(/^__Host-sid=; Max-Age=0/)
    expect(named('destroy')).toMatchObject([{ id: old, reason: 'destroyed' }])
  })

  it('takes back an expiry that was set, from what the session tells of its deadline, too', async () => {
    const customer = shop().visitor()
    const { result: deadline } = await customer.visit(async (session) => { session.set('views', 1); await session.commit(); return session.expiresAt })
    const { result } = await customer.visit((session) => {
      session.expire('2 weeks')
      const set = session.expiresAt
      session.discard()
      return [set === deadline, session.expiresAt]
    })
    expect(result).toEqual([false, deadline])
  })

  it('ends the session when data is set to null, also where what comes after it cannot be stored', async () => {
    const { visitor, sessions, named } = shop()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('views', 1); return session.id })
    const request = await customer.begin()
    request.exchange.setResponseHeader('Cache-Control', 'public, max-age=60')
    request.session.data = null
    request.session.set('views', 2)
    expect(await request.finish()).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0/)])
    expect(await sessions.load({ id })).toBeUndefined()
    expect(named('not-saved')).toHaveLength(1)
  })

  it('takes both back, the end and what came after it', async () => {
    const customer = shop().visitor()
    const { result: id } = await customer.visit((session) => { session.set('views', 1); return session.id })
    await customer.visit((session) => { session.data = null; session.set('views', 2); session.discard(); expect(session.get('views')).toBe(1) })
    expect((await customer.visit((session) => [session.id, session.get('views')])).result).toEqual([id, 1])
  })

  it('takes any text as key', async () => {
    const sessions = createSessions({ sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    const keys = ['', '0', '__proto__', 'constructor', 'toString', 'id', 'a\0b', '\ud800', 'ключ']
    await visitor.visit((session) => { for (const key of keys) session.set(key, `value of ${key}`) })
    const { result } = await visitor.visit((session) => keys.map((key) => session.get(key)))
    expect(result).toEqual(keys.map((key) => `value of ${key}`))
    expect((await visitor.visit((session) => Object.keys(session.toObject()).length)).result).toBe(keys.length)
  })

  it('refuses what cannot be kept at the line that sets it, naming the path', async () => {
    await shop().visitor().visit((session) => {
      expect(() => session.set('note', { list: [1, () => 2] })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('note.list[1]') }))
      expect(session.has('note')).toBe(false)
    })
  })

  it('refuses an unknown property and names the fix', async () => {
    await shop().visitor().visit((session) => {
      expect(() => Reflect.set(session, 'user', 'bob')).toThrow(/session\.set\("user", value\)/)
    })
  })

  it('names the biggest keys when a session grows too large', async () => {
    const { visitor } = shop({ maxSessionBytes: 2000 })
    await expect(visitor().visit((session) => { session.set('note', 'x'.repeat(1500)); session.set('theme', 'y'.repeat(600)) })).rejects.toThrow(expect.objectContaining({ code: 'ERR_SESSION_TOO_LARGE', message: expect.stringMatching(/"note" \(\d+ bytes\), "theme"/) }))
  })

  it('lets a key end before its session', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => { session.set('theme', 'dark', { expires: '5 minutes' }); session.set('views', 1) })
    advance(299)
    expect((await customer.visit((session) => session.get('theme'))).result).toBe('dark')
    advance(1)
    expect((await customer.visit((session) => [session.get('theme'), session.has('theme'), session.keys()])).result).toEqual([undefined, false, ['views']])
  })

  it('masks what looks like a secret in dumps', async () => {
    const sessions = createSessions({ sweepEvery: 'never' })
    const { result } = await new Visitor(sessions).visit((session) => {
      session.set('password', 'hunter2')
      session.set('form', { card_num: '4111', name: 'Bob', nested: [{ cvv2: '123' }] })
      return JSON.stringify(session)
    })
    expect(result).toContain('Bob')
    expect(result).not.toMatch(/hunter2|4111|123/)
  })
})

describe('concurrent requests', () => {
  it('keep both keys when two requests write at once', async () => {
    const { visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 0))
    const [one, two] = [await customer.begin(), await customer.begin()]
    one.session.set('theme', 'dark')
    two.session.set('userId', 7)
    await Promise.all([one.finish(), two.finish()])
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ views: 0, theme: 'dark', userId: 7 })
  })

  it('report a conflict when both changed the same key, and the later wins', async () => {
    const { visitor, named } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('cart', ['tea']))
    const [one, two] = [await customer.begin(), await customer.begin()]
    one.session.get('cart')?.push('jam')
    two.session.get('cart')?.push('rye')
    await one.finish()
    await two.finish()
    expect((await customer.visit((session) => session.get('cart'))).result).toEqual(['tea', 'rye'])
    expect(named('conflict')).toEqual([expect.objectContaining({ key: 'd:cart' })])
  })

  it('are settled by a declared merge', async () => {
    const { visitor, named } = shop({ merge: { cart: (base = [], theirs = [], mine = []) => [...theirs, ...mine.filter((item) => !base.includes(item))] } })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 0))
    const [one, two] = [await customer.begin(), await customer.begin()]
    one.session.set('cart', [...(one.session.get('cart') ?? []), 'jam'])
    two.session.set('cart', [...(two.session.get('cart') ?? []), 'rye'])
    await one.finish()
    await two.finish()
    expect((await customer.visit((session) => session.get('cart'))).result).toEqual(['jam', 'rye'])
    expect(named('conflict')).toEqual([])
  })

  it('add up with update', async () => {
    const { visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('theme', 'dark'))
    await Promise.all(Array.from({ length: 100 }, () => customer.visit((session) => session.update('views', (n = 0) => n + 1))))
    expect((await customer.visit((session) => session.get('views'))).result).toBe(100)
  })

  it('leave data that another request added when one clears', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    const [one, two] = [await customer.begin(), await customer.begin()]
    one.session.clear()
    two.session.set('theme', 'dark')
    await two.finish()
    await one.finish()
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ theme: 'dark' })
  })
})

describe('update', () => {
  it('sees pending sets, serialises within the request, and returns the new value', async () => {
    const { result } = await shop().visitor().visit(async (session) => {
      session.set('views', 5)
      const all = await Promise.all([session.update('views', (n = 0) => n + 1), session.update('views', (n = 0) => n + 1)])
      return [...all, session.get('views')]
    })
    expect(result).toEqual([6, 7, 7])
  })

  it('creates a session that does not exist yet', async () => {
    const visitor = shop().visitor()
    const { setCookies, result } = await visitor.visit((session) => session.update('views', (n = 0) => n + 1))
    expect(result).toBe(1)
    expect(setCookies).toHaveLength(1)
  })

  it('leaves a key its own expiry', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 0, { expires: 60 }))
    await customer.visit((session) => session.update('views', (n = 0) => n + 1))
    advance(59)
    expect((await customer.visit((session) => session.get('views'))).result).toBe(1)
    advance(1)
    expect((await customer.visit((session) => session.get('views'))).result).toBeUndefined()
  })

  it('gives no expiry of what was deleted to what comes after it', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 0, { expires: 60 }))
    await customer.visit((session) => { session.delete('views'); return session.update('views', (n = 5) => n) })
    advance(61)
    expect((await customer.visit((session) => session.get('views'))).result).toBe(5)
  })

  it('leaves a key the expiry that another request has given it meanwhile', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 0, { expires: 60 }))
    const slow = await customer.begin()
    expect(slow.session.get('views')).toBe(0)
    await customer.visit((session) => session.set('views', 10, { expires: 600 }))
    expect(await slow.session.update('views', (n = 0) => n + 1)).toBe(11)
    await slow.finish()
    advance(61)
    expect((await customer.visit((session) => session.get('views'))).result).toBe(11)
  })

  it('resolves to gone when the session has ended', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const request = await customer.begin()
    await sessions.revoke(request.session.id)
    expect(await request.session.update('views', (n = 0) => n + 1)).toBe('gone')
    expect(await request.finish()).toEqual([])
  })
})

describe('flash', () => {
  it('is shown once, in order, and is not lost when parallel requests leave messages', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const [one, two] = [await customer.begin(), await customer.begin()]
    one.session.flash.set('notice', 'first')
    advance(1)
    two.session.flash.set('notice', 'second')
    await two.finish()
    await one.finish()
    const { result } = await customer.visit((session) => [session.flash.keys(), session.flash.peek('notice'), session.flash.take('notice'), session.flash.takeAll('notice'), session.flash.take('notice')])
    expect(result).toEqual([['notice'], 'first', 'first', ['second'], undefined])
    expect((await customer.visit((session) => session.flash.take('notice'))).result).toBeUndefined()
  })

  it('reports a message that two requests took', async () => {
    const { visitor, named } = shop()
    const customer = visitor()
    await customer.visit((session) => session.flash.set('notice', 'once'))
    const [one, two] = [await customer.begin(), await customer.begin()]
    one.session.flash.take('notice')
    two.session.flash.take('notice')
    await one.finish()
    await two.finish()
    expect(named('conflict')).toHaveLength(1)
    expect((await customer.visit((session) => session.flash.take('notice'))).result).toBeUndefined()
  })
})

describe('namespaces', () => {
  it('do not meet', async () => {
    const visitor = shop().visitor()
    await visitor.visit((session) => {
      session.set('note', 'data')
      session.metadata.set('note', 'metadata')
      session.namespace('wizard').set('note', 'wizard')
      session.clear()
    })
    const { result } = await visitor.visit((session) => [session.get('note'), session.metadata.get('note'), session.namespace('wizard').entries()])
    expect(result).toEqual([undefined, 'metadata', [['note', 'wizard']]])
  })

  it('guard the metadata that belongs to the session', async () => {
    await shop().visitor().visit((session) => {
      expect(() => session.metadata.set('owner', 'admin')).toThrow(/session\.login/)
      expect(() => session.metadata.delete('expires')).toThrow(/session\.expire/)
      expect(() => session.namespace('a:b')).toThrow(SessionError)
    })
  })
})

describe('login', () => {
  it('attaches an owner, keeps an anonymous visitor\'s data, and gives a new token', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('cart', ['tea']))
    const before = customer.token ?? ''
    const { setCookies } = await customer.visit((session) => session.login('bob'))
    expect(setCookies).toHaveLength(1)
    expect(customer.token).not.toBe(before)
    expect((await customer.visit((session) => [session.owner, session.get('cart'), session.authenticatedAt !== undefined])).result).toEqual(['bob', ['tea'], true])
    expect(await sessions.load(before)).toBeUndefined()
  })

  it('keeps only what it is told to keep', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => { session.set('cart', ['tea']); session.set('theme', 'dark') })
    await customer.visit((session) => session.login('bob', { keep: ['cart'] }))
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ cart: ['tea'] })
  })

  it('drops another owner\'s data, and what their requests still write', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    await customer.visit(async (session) => { session.set('cart', ['tea']); session.set('theme', 'dark'); await session.login('bob') })
    const late = await customer.begin()
    const { result: id } = await customer.visit((session) => session.id)
    await customer.visit((session) => session.login('eve', { keep: ['theme'] }))
    late.session.set('note', 'from bob')
    expect(await late.finish()).toEqual([])
    expect((await customer.visit((session) => [session.owner, session.toObject()])).result).toEqual(['eve', { theme: 'dark' }])
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('works without a session before, and for one that ended meanwhile', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('cart', ['tea']))
    const request = await customer.begin()
    await sessions.revoke(request.session.id)
    await request.session.login('bob')
    await request.finish()
    expect((await customer.visit((session) => [session.owner, session.toObject()])).result).toEqual(['bob', {}])
  })

  it('leaves a request under the old token without a cookie, and that request writes nothing', async () => {
    const { visitor, named } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('theme', 'dark'))
    const cookie = customer.cookie
    const held = await customer.begin()
    await customer.visit((session) => session.login('bob'))
    held.session.set('note', 'late')
    expect(await held.finish()).toEqual([])
    const straggler = await customer.begin({ headers: { cookie } })
    expect(straggler.session.toObject()).toEqual({})
    straggler.session.set('note', 'later')
    expect(await straggler.finish()).toEqual([])
    expect(named('superseded')).toHaveLength(1)
    expect((await customer.visit((session) => [session.owner, session.has('note')])).result).toEqual(['bob', false])
  })

  it('refuses an owner that is not text', async () => {
    await shop().visitor().visit(async (session) => {
      await expect(session.login('')).rejects.toThrow(/owner/)
    })
  })

  it('begins the absolute timeout anew', async () => {
    const { visitor, advance } = shop({ idleTimeout: '20 hours', absoluteTimeout: '24 hours' })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    advance(18 * 3600)
    await customer.visit((session) => session.login('bob'))
    advance(18 * 3600)
    expect((await customer.visit((session) => session.owner)).result).toBe('bob')
    advance(6 * 3600)
    expect((await customer.visit((session) => [session.owner, session.endedBecause])).result).toEqual([undefined, 'expired-absolute'])
  })
})

describe('an end', () => {
  it('clears the cookie and lets a later write begin anew', async () => {
    const { visitor } = shop()
    const customer = visitor()
    const { result: before } = await customer.visit((session) => { session.set('theme', 'dark'); return session.id })
    const { result: after, setCookies } = await customer.visit(async (session) => {
      await session.destroy()
      await session.destroy()
      session.set('views', 1)
      return session.id
    })
    expect(setCookies).toHaveLength(1)
    expect(after).not.toBe(before)
    expect((await customer.visit((session) => session.id)).result).toBe(after)
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ views: 1 })
    expect((await customer.visit((session) => session.logout())).setCookies).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0;/)])
  })

  it('is not undone by a request that was under way', async () => {
    const { visitor, named } = shop()
    const customer = visitor()
    await customer.visit((session) => session.login('bob'))
    const held = await customer.begin()
    const token = customer.token ?? ''
    await customer.visit((session) => session.logout())
    held.session.set('views', 1)
    expect(await held.finish()).toEqual([])
    expect(named('gone')).toHaveLength(1)
    expect((await new Visitor(shop().sessions, `__Host-sid=${token}`).visit((session) => session.owner)).result).toBeUndefined()
  })

  it('sends no cookie for a session that was never there', async () => {
    const { setCookies } = await shop().visitor().visit((session) => session.destroy())
    expect(setCookies).toEqual([])
    const fresh = await shop().visitor().visit(async (session) => { session.set('views', 1); await session.commit(); await session.destroy() })
    expect(fresh.setCookies).toEqual([])
  })

  it('says why, to whoever holds the token', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('views', 1); return session.id })
    await sessions.revoke(id)
    expect((await customer.visit((session) => session.endedBecause)).result).toBe('revoked')
  })

  it('fires the signal of the session', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const request = await customer.begin()
    const { signal } = request.session
    expect(signal.aborted).toBe(false)
    await sessions.revoke(request.session.id)
    expect(signal.aborted).toBe(true)
    expect(request.session.signal).toBe(signal)
    await customer.visit(async (session) => { session.set('views', 1); await session.commit(); await session.destroy(); expect(session.signal.aborted).toBe(true) })
  })

  it('fires the signal that was asked for before the session was stored, and one of a session read later', async () => {
    const { visitor, sessions } = shop({ load: 'lazy' })
    const customer = visitor()
    const first = await customer.begin()
    const { signal } = first.session
    first.session.set('views', 1)
    await first.finish()
    const later = await customer.begin()
    const { signal: lazy } = later.session
    await later.session.load()
    await sessions.revoke(later.session.id)
    expect([signal.aborted, lazy.aborted]).toEqual([true, true])
  })

  it('gives a signal of its own to the session that begins after an end', async () => {
    const { visitor } = shop()
    await visitor().visit(async (session) => {
      session.set('views', 1)
      await session.commit()
      const { signal } = session
      await session.destroy()
      session.set('views', 2)
      const { signal: next } = session
      expect([signal.aborted, next.aborted]).toEqual([true, false])
      await session.commit()
      expect(session.signal).toBe(next)
      await session.destroy()
      expect(next.aborted).toBe(true)
    })
  })

  it('gives every request of a session the same signal, and watches the store once', async () => {
    const store = memoryStore()
    const watch = vi.spyOn(store, 'watch')
    const { visitor, sessions } = shop({ store })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const signals = new Set<AbortSignal>()
    for (let n = 0; n < 5; n += 1) await customer.visit((session) => { signals.add(session.signal) })
    expect([signals.size, watch.mock.calls.length]).toEqual([1, 1])
    await customer.visit((session) => sessions.revoke(session.id))
    expect([...signals].map(({ aborted }) => aborted)).toEqual([true])
  })

  it('fires a signal that is asked for after the session was revoked', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const request = await customer.begin()
    await sessions.revoke(request.session.id)
    const { signal } = request.session
    await Promise.resolve()
    expect(signal.aborted).toBe(true)
  })

  it.each([
    ['the visitor keeps', () => cookieStore({ keys: ['1'.repeat(64)] })],
    ['nobody keeps', () => nullStore()],
  ])('does not take a session that %s for ended because it cannot be looked up', async (_who, store) => {
    await shop({ store: store() }).visitor().visit(async (session) => {
      session.set('views', 1)
      await session.commit()
      const { signal } = session
      await new Promise(setImmediate)
      expect(signal.aborted).toBe(false)
    })
  })

  it('does not fire the signal of a session whose token another request replaced', async () => {
    const { visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const slow = await customer.begin()
    const { signal } = slow.session
    await customer.visit((session) => session.regenerate())
    slow.session.set('views', 2)
    expect(await slow.session.commit()).toBe('gone')
    await new Promise(setImmediate)
    expect(signal.aborted).toBe(false)
  })

  it('fires the signal of a session that has expired, at the next sweep', async () => {
    vi.useFakeTimers()
    try {
      const sessions = createSessions<Shop>({ idleTimeout: '1 minute', sweepEvery: '2 minutes' })
      const session = await sessions.create()
      const { signal } = session
      await vi.advanceTimersByTimeAsync(50_000)
      expect(signal.aborted).toBe(false)
      await vi.advanceTimersByTimeAsync(150_000)
      expect(signal.aborted).toBe(true)
      await sessions.close()
    } finally {
      vi.useRealTimers()
    }
  })

  it('fails the request when that is asked for', async () => {
    const { visitor, sessions } = shop({ onGone: 'fail' })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const request = await customer.begin()
    request.session.set('views', 2)
    await sessions.revoke(request.session.id)
    await expect(request.finish()).rejects.toThrow(expect.objectContaining({ code: 'ERR_SESSION_GONE' }))
  })
})

describe('regenerate', () => {
  it('keeps id and data and makes the old token worthless', async () => {
    const { visitor, sessions } = shop()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('theme', 'dark'); return session.id })
    const before = customer.token ?? ''
    await customer.visit(async (session) => { session.set('views', 1); await session.regenerate() })
    expect((await customer.visit((session) => [session.id, session.toObject()])).result).toEqual([id, { theme: 'dark', views: 1 }])
    expect(await sessions.load(before)).toBeUndefined()
  })

  it('has one winner', async () => {
    const { visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('theme', 'dark'))
    const [one, two] = [await customer.begin(), await customer.begin()]
    expect([await one.session.regenerate(), await two.session.regenerate()]).toEqual(['ok', 'gone'])
    expect(await two.finish()).toEqual([])
    await one.finish()
    expect((await customer.visit((session) => session.get('theme'))).result).toBe('dark')
  })

  it('does nothing for nobody', async () => {
    const { setCookies, result } = await shop().visitor().visit((session) => session.regenerate())
    expect([setCookies, result]).toEqual([[], 'ok'])
  })
})

describe('discard, release, lazy loading', () => {
  it('forgets what the request changed, until it sets again', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    await customer.visit((session) => { session.set('views', 2); session.discard(); session.data = { theme: 'dark' } })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ views: 1 })
    await customer.visit((session) => { session.set('views', 2); session.discard(); session.set('theme', 'dark') })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ views: 1, theme: 'dark' })
  })

  it.each([
    ['flash.set', (session: Session<Shop>) => { session.flash.set('notice', 'hi') }, (session: Session<Shop>) => session.flash.peek('notice') === 'hi'],
    ['metadata.set', (session: Session<Shop>) => { session.metadata.set('device', 'phone') }, (session: Session<Shop>) => session.metadata.get('device') === 'phone'],
    ['expire', (session: Session<Shop>) => { session.expire('1 minute') }, (session: Session<Shop>) => session.metadata.get('expires') === '1 minute'],
    ['clear', (session: Session<Shop>) => { session.clear() }, (session: Session<Shop>) => !session.has('theme')],
  ])('keeps what %s changes after a discard', async (_name, change, isKept) => {
    const customer = shop().visitor()
    await customer.visit((session) => { session.set('views', 1); session.set('theme', 'dark') })
    await customer.visit((session) => { session.set('views', 2); session.discard(); change(session) })
    expect((await customer.visit((session) => [session.get('views') ?? 1, isKept(session)])).result).toEqual([1, true])
  })

  it('keeps rotation and destruction when the data is discarded', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    const before = customer.token
    await customer.visit(async (session) => { await session.regenerate(); session.discard() })
    expect(customer.token).not.toBe(before)
    expect((await customer.visit((session) => session.get('views'))).result).toBe(1)
  })

  it('commits and goes blank when released, and can be loaded again', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    await customer.visit(async (session) => {
      session.set('views', 2)
      await session.release()
      expect([session.isLoaded, session.get('views')]).toEqual([false, undefined])
      expect(() => session.set('views', 3)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_NOT_LOADED' }))
      await session.load()
      expect(session.get('views')).toBe(2)
    })
  })

  it('reads only when asked to with lazy loading', async () => {
    const { visitor } = shop({ load: 'lazy' })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    await customer.visit(async (session) => {
      expect(() => session.get('views')).toThrow(/await session\.load\(\)/)
      await session.load()
      expect(session.get('views')).toBe(1)
    })
  })

  it('ends what it destroys after a release', async () => {
    const { sessions, visitor } = shop()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('views', 1); return session.id })
    const { setCookies } = await customer.visit(async (session) => { await session.release(); await session.destroy() })
    expect(setCookies[0]).toMatch(/Max-Age=0/)
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('finds a session without a token again after a release', async () => {
    const { sessions } = shop()
    const { id } = await sessions.create()
    const worker = await sessions.load({ id })
    await worker?.release()
    await worker?.load()
    worker?.set('views', 2)
    await worker?.commit()
    expect((await sessions.load({ id }))?.get('views')).toBe(2)
  })

  it('holds nothing of a session that ended before it was read again', async () => {
    const { sessions, visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.login('ann'))
    const { session } = await customer.begin()
    await sessions.revoke(session.id)
    await session.load({ fresh: true })
    expect([session.owner, session.keys()]).toEqual([undefined, []])
    session.set('views', 1)
    expect(await session.commit()).toBe('gone')
  })

  it('takes back an expiry that has passed, but not an end', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    await customer.visit((session) => { session.expire('-1 s'); session.expire('1 hour') })
    expect((await customer.visit((session) => session.get('views'))).result).toBe(1)
    await customer.visit((session) => { session.data = null; session.expire('1 hour') })
    expect(customer.token).toBeUndefined()
  })

  it('forces and cancels a commit through isChanged', async () => {
    const { visitor, named } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    await customer.visit((session) => { session.isChanged = true })
    expect(named('touch')).toHaveLength(1)
    await customer.visit((session) => { session.set('views', 2); session.isChanged = false })
    const { result } = await customer.visit((session) => [session.get('views'), session.isChanged])
    expect(result).toEqual([1, false])
  })
})

describe('timeouts', () => {
  it('end an idle session, never early, at most a touch interval late', async () => {
    const { visitor, advance, named } = shop({ idleTimeout: 1000, touchAfter: 100 })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    advance(79)
    await customer.visit((session) => session.get('views'))
    expect(named('touch')).toEqual([])
    advance(1000)
    expect((await customer.visit((session) => session.get('views'))).result).toBe(1)
    expect(named('touch')).toHaveLength(1)
    advance(1100)
    expect((await customer.visit((session) => [session.get('views'), session.endedBecause])).result).toEqual([undefined, 'expired-idle'])
  })

  it('judge by the clock at the commit, too', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    const held = await customer.begin()
    advance(3600)
    held.session.set('views', 2)
    await held.finish()
    expect((await customer.visit((session) => session.get('views'))).result).toBeUndefined()
  })

  it('give way to the session\'s own expiry, which a touch leaves alone', async () => {
    const { visitor, advance } = shop()
    const customer = visitor()
    await customer.visit((session) => { session.set('views', 1); session.expire('2 weeks') })
    advance(13 * 86_400)
    expect((await customer.visit((session) => [session.get('views'), session.metadata.get('expires')])).result).toEqual([1, '2 weeks'])
    advance(86_400)
    expect((await customer.visit((session) => session.get('views'))).result).toBeUndefined()
    await customer.visit((session) => { session.set('views', 2); session.expire('10 minutes') })
    advance(9 * 60)
    expect((await customer.visit((session) => session.get('views'))).result).toBe(2)
    advance(60)
    expect((await customer.visit((session) => session.get('views'))).result).toBeUndefined()
  })

  it('are not moved by a touch that began before the session\'s own expiry was set', async () => {
    const { visitor, advance } = shop({ idleTimeout: 1000, touchAfter: 100 })
    const customer = visitor()
    await customer.visit((session) => session.set('views', 1))
    advance(200)
    const held = await customer.begin()
    await customer.visit((session) => session.expire('5 minutes'))
    await held.finish()
    advance(300)
    expect((await customer.visit((session) => session.get('views'))).result).toBeUndefined()
  })

  it('make the cookie last when the session has its own expiry', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    const { setCookies } = await customer.visit((session) => session.expire('2 weeks'))
    expect(setCookies[0]).toContain('Max-Age=1209600')
  })

  it('end the session at once when it expires now', async () => {
    const customer = shop().visitor()
    await customer.visit((session) => session.set('views', 1))
    const { setCookies } = await customer.visit((session) => session.expire('now'))
    expect(setCookies[0]).toContain('Max-Age=0')
  })

  it('go on with the timeouts when the own expiry is taken back', async () => {
    const { visitor, now } = shop()
    const customer = visitor()
    await customer.visit((session) => { session.set('views', 1); session.expire('never') })
    expect((await customer.visit((session) => session.expiresAt)).result).toBe(8.64e15)
    await customer.visit((session) => session.expire(undefined))
    expect((await customer.visit((session) => session.expiresAt)).result).toBe(now() + 1_980_000)
  })
})
