// What the response tells the visitor about the token, by what the request did.
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { headerTransport, watched, type Data } from '../../test/internal/watched.ts'
import { bearerTransport } from '../transports/bearer.ts'
import { TestExchange } from '../testing/exchange.ts'
import { nullStore, type NullStore } from '../stores/null.ts'
import type { Session, SessionsOptions, TokenHandout, Transport } from '../index.ts'

type Act = (session: Session<Data>, exchange: TestExchange) => unknown

/** Requests whose token travels in a header; tells what the transport was told to hand out. */
function line(facts: Partial<Transport> = {}, options: SessionsOptions<Data> = {}) {
  const { transport, handouts, settled } = headerTransport(facts)
  const all = watched({ idleTimeout: '30 minutes', ...options, transport })
  let token = ''
  const visit = async (act: Act, outcome = {}): Promise<{ readonly handout: TokenHandout | undefined; readonly exchange: TestExchange }> => {
    const exchange = new TestExchange({ headers: token === '' ? {} : { 'x-token': token } })
    const session = await all.sessions.open(exchange)
    handouts.length = 0
    await act(session, exchange)
    await all.sessions.finish(session, outcome)
    expect(handouts.length).toBeLessThan(2)
    const [handout] = handouts
    if (handout !== undefined) token = handout.token ?? ''
    return { handout, exchange }
  }
  return { ...all, visit, settled, token: () => token }
}

const set: Act = (session) => session.set('n', 1)

describe('of a cookie that ends with the browser', () => {
  it('is told a session that was made, with its deadline', async () => {
    const { visit, now } = line()
    expect((await visit(set)).handout).toEqual({ token: expect.stringMatching(/^[\w-]{22}\.[\w-]{43}$/), expiresAt: now() + 33 * 60_000, now: now(), lasting: false, isNew: true, overrides: undefined })
  })

  it('is told nothing by a request that reads, writes, or moves the deadline', async () => {
    const { visit, advance, told } = line()
    await visit(set)
    expect((await visit((session) => session.get('n'))).handout).toBeUndefined()
    expect((await visit((session) => session.set('n', 2))).handout).toBeUndefined()
    advance(600)
    expect((await visit((session) => session.get('n'))).handout).toBeUndefined()
    expect(told('touch')).toHaveLength(1)
  })

  it.each<[string, Act]>([
    ['regenerate', (session) => session.regenerate()],
    ['login', (session) => session.login('ann')],
  ])('is told the new token of a %s, also when the deadline is moved after it', async (_what, act) => {
    const { visit, token } = line()
    await visit(set)
    const before = token()
    const { handout } = await visit(async (session, exchange) => { await act(session, exchange); session.isChanged = true; await session.commit() })
    expect(handout).toMatchObject({ token: expect.stringMatching(/./), isNew: true, lasting: false })
    expect(token()).not.toBe(before)
  })

  it('is told to forget a session that ended, with the settings that were given', async () => {
    const { visit } = line()
    await visit(set)
    expect((await visit(async (session) => { session.cookie.set({ path: '/a' }); await session.logout() })).handout).toMatchObject({ token: undefined, isNew: false, overrides: { path: '/a' } })
  })

  it('is told the token again where the handler asks, whatever else the request does', async () => {
    const { visit, token, advance } = line()
    await visit(set)
    const before = token()
    expect((await visit((session) => session.cookie.send())).handout).toMatchObject({ token: before, isNew: false, lasting: false, overrides: undefined })
    advance(600)
    expect((await visit((session) => { session.set('n', 2); session.cookie.send() })).handout).toMatchObject({ token: before, isNew: false })
    expect((await visit(async (session) => { session.cookie.send(); session.isChanged = true; await session.commit() })).handout).toMatchObject({ token: before })
    expect((await visit((session) => { session.cookie.set({ maxAge: 60 }); session.cookie.set({ path: '/b' }) })).handout).toMatchObject({ token: before, overrides: { maxAge: 60, path: '/b' } })
  })

  it('is told the token where the handler asks after the deadline was moved', async () => {
    const { visit, token } = line()
    await visit(set)
    const before = token()
    expect((await visit(async (session) => { session.isChanged = true; await session.commit(); session.cookie.send() })).handout).toMatchObject({ token: before, isNew: false })
  })

  it('is told nothing where the handler asks and there is no session', async () => {
    const { visit } = line()
    expect((await visit((session) => session.cookie.send())).handout).toBeUndefined()
  })

  it('is still told the new token where the handler asks for it again, and still told to forget', async () => {
    const { visit } = line()
    expect((await visit((session) => { session.set('n', 1); session.cookie.send() })).handout).toMatchObject({ isNew: true })
    expect((await visit(async (session) => { await session.regenerate(); session.cookie.send() })).handout).toMatchObject({ isNew: true })
    expect((await visit(async (session) => { await session.destroy(); session.cookie.send() })).handout).toMatchObject({ token: undefined })
  })

  it('is told nothing of a session that is gone, whatever the handler asks', async () => {
    const { visit, sessions } = line()
    await visit(set)
    const { handout } = await visit(async (session) => {
      await sessions.revoke(session.id)
      session.cookie.send()
      session.set('n', 2)
    })
    expect(handout).toBeUndefined()
  })

  it('is told the token when an expiry of its own is set, and by no other request', async () => {
    const { visit, advance, now, token } = line()
    await visit(set)
    const before = token()
    const at = now() + 7_200_000
    expect((await visit((session) => session.expire('2 hours'))).handout).toEqual({ token: before, expiresAt: at, now: now(), lasting: true, isNew: false, overrides: undefined })
    expect((await visit((session) => session.get('n'))).handout).toBeUndefined()
    expect((await visit((session) => session.set('n', 2))).handout).toBeUndefined()
    advance(600)
    expect((await visit((session) => session.expire(undefined))).handout).toBeUndefined()
  })

  it('says at the rotation of a session with an expiry of its own that it lasts', async () => {
    const { visit, now } = line()
    await visit((session) => { session.set('n', 1); session.expire('2 hours') })
    expect((await visit((session) => session.regenerate())).handout).toMatchObject({ lasting: true, isNew: true, expiresAt: now() + 7_200_000 })
  })
})

describe('of a cookie that outlives the browser', () => {
  it('is told the token again with each move of the deadline, and not otherwise', async () => {
    const { visit, advance, now, token } = line({ persistent: true })
    await visit(set)
    const before = token()
    expect((await visit((session) => session.get('n'))).handout).toBeUndefined()
    expect((await visit((session) => session.set('n', 2))).handout).toBeUndefined()
    advance(600)
    expect((await visit((session) => session.get('n'))).handout).toEqual({ token: before, expiresAt: now() + 33 * 60_000, now: now(), lasting: false, isNew: false, overrides: undefined })
    expect((await visit((session) => session.get('n'))).handout).toBeUndefined()
  })

  it('is told nothing with a move of the deadline that a public response makes', async () => {
    const { visit, advance } = line({ persistent: true })
    await visit(set)
    advance(600)
    const open: Act = (session, exchange) => { exchange.setResponseHeader('Cache-Control', 'public, max-age=60'); session.cookie.send() }
    const { handout, exchange } = await visit(open)
    expect([handout, exchange.responseHeader('cache-control')]).toEqual([undefined, 'public, max-age=60'])
  })

  it('is told nothing after a session has gone', async () => {
    const { visit, sessions, advance } = line({ persistent: true })
    await visit(set)
    const { handout } = await visit(async (session) => {
      advance(600)
      session.set('n', 2)
      await session.commit()
      await sessions.revoke(session.id)
      session.set('n', 3)
    })
    expect(handout).toBeUndefined()
  })
})

describe('where nothing is kept', () => {
  const nothing = (): NullStore => nullStore()

  it('no token is told, however often it is asked for', async () => {
    const { visit } = line({ persistent: true, exposesToken: true }, { store: nothing() })
    for (const act of [set, async (session: Session<Data>) => { session.set('n', 1); await session.commit(); await session.regenerate(); session.cookie.send(); expect(session.token).toBeUndefined() }]) expect((await visit(act)).handout).toBeUndefined()
  })

  it('a session is live once it was committed, and an end in the same request tells nothing', async () => {
    const { visit, told } = line({}, { store: nothing() })
    const { handout } = await visit(async (session) => {
      session.set('n', 1)
      expect(await session.commit()).toBe('ok')
      session.set('n', 2)
      expect([await session.commit(), await session.update('n', (n = 0) => n + 1), session.get('n')]).toEqual(['ok', 3, 3])
      await session.destroy()
    })
    expect(handout).toBeUndefined()
    expect(told('create', 'commit', 'destroy').map(([name]) => name)).toEqual(['create', 'commit', 'commit', 'destroy'])
  })
})

describe('session.token', () => {
  it('is there in the request that made it, and in no other', async () => {
    const { visit, token } = line()
    const seen: unknown[] = []
    await visit(async (session) => { seen.push(session.token); session.set('n', 1); seen.push(session.token); await session.commit(); seen.push(typeof session.token) })
    await visit((session) => { seen.push(session.token) })
    await visit(async (session) => { await session.regenerate(); seen.push(session.token !== token()); await session.destroy(); seen.push(session.token) })
    expect(seen).toEqual([undefined, undefined, 'string', undefined, true, undefined])
  })

  it('is there in every request of a transport that leaves it to the application', async () => {
    const { visit, token } = line({ exposesToken: true })
    await visit(set)
    await visit((session) => { expect(session.token).toBe(token()) })
  })

  it('stays away in a bearer’s later requests', async () => {
    const all = watched({ transport: bearerTransport() })
    const { session, exchange } = await all.visitor().begin()
    session.set('n', 1)
    await all.sessions.finish(session)
    const token = exchange.responseHeader('session-token')
    const later = await all.sessions.open(new TestExchange({ headers: { authorization: `Bearer ${token}` } }))
    expect([typeof token, later.get('n'), later.token]).toEqual(['string', 1, undefined])
  })
})

describe('beside the token', () => {
  it('a response that sets it is kept by no cache, unless the handler said what may keep it', async () => {
    const { visit } = line()
    expect((await visit(set)).exchange.responseHeader('cache-control')).toBe('no-store')
    expect((await visit((session) => session.get('n'))).exchange.responseHeader('cache-control')).toBeUndefined()
    expect((await visit((session, exchange) => { exchange.setResponseHeader('Cache-Control', 'no-cache'); session.cookie.send() })).exchange.responseHeader('cache-control')).toBe('no-cache')
    expect((await visit((session, exchange) => { exchange.setResponseHeader('Cache-Control', 'public'); return session.destroy() })).exchange.responseHeader('cache-control')).toBe('no-store')
  })

  it('the response depends on the header that carries it, in each request that looked at the session', async () => {
    const { visit } = line({ vary: 'X-Token' })
    const varies = async (act: Act): Promise<unknown> => (await visit(act)).exchange.responseHeader('vary')
    expect(await varies(() => 1)).toBeUndefined()
    for (const act of [set, (session) => session.get('n'), (session) => session.owner, (session) => session.keys(), (session) => session.flash.keys(), (session) => session.metadata.get('x'), (session) => session.delete('n')] satisfies Act[]) expect(await varies(act)).toBe('X-Token')
    expect(await varies((session) => session.isNew)).toBeUndefined()
  })

  it('every transport settles each response once, before its head leaves', async () => {
    const { visit, settled, sessions } = line()
    await visit(set)
    await visit(() => 1)
    await visit(() => 1, { failed: true })
    expect(settled()).toBe(3)
    const exchange = new TestExchange()
    const session = await sessions.open(exchange)
    exchange.headSent = true
    await sessions.finish(session)
    expect(settled()).toBe(3)
  })

  it('what clears site data is told of an end alone', async () => {
    const cleared: unknown[] = []
    const { visit } = line({}, { security: { apply: (settings) => ({ ...settings, onClear: (exchange) => { cleared.push(exchange) } }) } })
    await visit(set)
    await visit((session) => session.regenerate())
    expect(cleared).toEqual([])
    const { exchange } = await visit((session) => session.destroy())
    expect(cleared).toEqual([exchange])
  })

  it('the first of several transports hands out a new session, and each session keeps to the one it came by', async () => {
    const [first, second] = [headerTransport(), headerTransport({ read: (exchange) => exchange.header('x-other')?.split(',') ?? [] })]
    const all = watched({ transport: [first.transport, second.transport] })
    const { session, finish } = await new Visitor<Data>(all.sessions).begin()
    session.set('n', 1)
    await finish()
    expect([first.handouts.length, second.handouts.length]).toEqual([1, 0])
    const later = await all.sessions.open(new TestExchange({ headers: { 'x-other': first.handouts[0]?.token ?? '' } }))
    await later.regenerate()
    await all.sessions.finish(later)
    expect([first.handouts.length, second.handouts.length]).toEqual([1, 1])
  })
})
