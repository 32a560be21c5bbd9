import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions } from '../index.ts'
import { memoryStore } from '../stores/memory.ts'
import { movableClock } from '../testing/clock.ts'
import { holdable } from '../testing/race-kit.ts'
import type { SessionRecord } from './record.ts'
import type { Store } from './store.ts'

interface Data {
  cart: string[]
  name: string
}

function shop() {
  const store = holdable(memoryStore())
  const clock = movableClock()
  const sessions = createSessions<Data>({ store, clock, sweepEvery: 'never' })
  return { store, clock, sessions, visitor: () => new Visitor<Data>(sessions) }
}

/** A logged-in customer whose session has expired while the commit of one request was under way. */
async function overtaken() {
  const made = shop()
  const customer = made.visitor()
  await customer.visit((session) => session.login('ada'))
  made.clock.advance('29 minutes')
  const slow = await customer.begin()
  slow.session.set('name', 'late')
  const held = made.store.hold('patch', { when: 'before' })
  const commit = slow.finish()
  await held.reached
  made.clock.advance('10 minutes')
  return { ...made, customer, id: slow.session.id, async arrive() { held.release(); await commit } }
}

describe('held between two steps', () => {
  it.each(['before', 'after'] as const)('a rotation that overlaps a revocation (%s its patch) brings nothing back', async (when) => {
    const { store, sessions, visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'ada'))
    const request = await customer.begin()
    const held = store.hold('patch', { when })
    const rotation = request.session.regenerate()
    await held.reached
    await sessions.revoke(request.session.id)
    held.release()
    await rotation
    await request.finish()
    expect(await sessions.load({ id: request.session.id })).toBeUndefined()
    expect((await customer.visit((session) => session.get('name'))).result).toBeUndefined()
  })

  it('a login that overlaps a logout of the same session leaves the visitor logged in, in a session of its own', async () => {
    const { store, sessions, visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'ada'))
    const [one, two] = [await customer.begin(), await customer.begin()]
    const held = store.hold('patch', { when: 'before' })
    const login = one.session.login('ada')
    await held.reached
    await two.session.logout()
    held.release()
    expect(await login).toBe('ok')
    await two.finish()
    await one.finish()
    expect((await customer.visit((session) => [session.owner, session.toObject()])).result).toEqual(['ada', {}])
    expect(await sessions.load({ id: two.session.id })).toBeUndefined()
  })

  it('a login that overlaps an expire leaves the session with the expiry that was set', async () => {
    const { store, visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'ada'))
    const [one, two] = [await customer.begin(), await customer.begin()]
    const held = store.hold('patch', { when: 'before' })
    const login = one.session.login('ada')
    await held.reached
    two.session.expire('10 minutes')
    expect(await two.session.commit()).toBe('ok')
    held.release()
    expect(await login).toBe('ok')
    await two.finish()
    await one.finish()
    expect((await customer.visit((session) => [session.owner, session.expiresAt])).result).toEqual(['ada', two.session.expiresAt])
  })

  it('a commit that was under way when the session expired brings nothing back for whoever was told that it has ended', async () => {
    const { sessions, customer, id, arrive } = await overtaken()
    expect(await sessions.load({ headers: { cookie: customer.cookie } })).toBeUndefined()
    await arrive()
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('a commit that was under way when the session expired brings nothing back after all sessions of the owner were revoked', async () => {
    const { sessions, id, arrive } = await overtaken()
    expect(await sessions.revokeAll('ada')).toBe(0)
    await arrive()
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('a copy near a process that has not heard of a touch ends no session', async () => {
    const { store, clock, sessions, visitor } = shop()
    let copy: SessionRecord | undefined
    const near: Store = { ...store, read: async (id, options) => (options?.fresh === true ? store.read(id) : (copy ??= await store.read(id))) }
    const elsewhere = createSessions<Data>({ store: near, clock, sweepEvery: 'never' })
    const customer = visitor()
    await customer.visit((session) => session.login('ada'))
    clock.advance('32 minutes')
    const headers = { cookie: customer.cookie }
    expect((await elsewhere.load({ headers }))?.owner).toBe('ada')
    await customer.visit((session) => session.set('name', 'ada'))
    clock.advance('2 minutes')
    expect((await elsewhere.load({ headers }))?.owner).toBe('ada')
    expect((await sessions.load({ headers }))?.owner).toBe('ada')
  })

  it('whoever comes with the token of an expired session that was found by value does not end the next of that value', async () => {
    const { store, clock, sessions } = shop()
    const first = await sessions.findOrCreate('name', 'job')
    await first.regenerate()
    clock.advance('1 hour')
    const [near, fresh] = [store.hold('read', { when: 'after' }), store.hold('read', { when: 'after' })]
    near.release()
    const late = sessions.load(first.token ?? '')
    await fresh.reached
    const next = await sessions.findOrCreate('name', 'job')
    fresh.release()
    expect(await late).toBeUndefined()
    next.set('cart', ['kept'])
    expect(await next.commit()).toBe('ok')
  })

  it('a commit that overlaps a logout writes nothing', async () => {
    const { store, sessions, visitor } = shop()
    const customer = visitor()
    await customer.visit((session) => session.login('ada'))
    const [slow, quick] = [await customer.begin(), await customer.begin()]
    const { id } = slow.session
    slow.session.set('name', 'late')
    const held = store.hold('patch', { when: 'before' })
    const committed = slow.finish()
    await held.reached
    await quick.session.logout()
    await quick.finish()
    held.release()
    expect(await committed).toEqual([])
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('a session found by value that is revoked in between is not written to', async () => {
    const { store, sessions } = shop()
    const session = await sessions.findOrCreate('name', 'job')
    session.set('cart', ['late'])
    const held = store.hold('patch', { when: 'before' })
    const committed = session.commit()
    await held.reached
    await sessions.revoke(session.id)
    const next = await sessions.findOrCreate('name', 'job')
    held.release()
    expect(await committed).toBe('gone')
    expect((await next.load({ fresh: true })).has('cart')).toBe(false)
  })
})
