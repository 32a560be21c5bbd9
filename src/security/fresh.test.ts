import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions } from '../index.ts'
import { memoryStore } from '../stores/memory.ts'
import { movableClock } from '../testing/clock.ts'
import { isFresh, requireFresh } from './index.ts'

function managed() {
  const clock = movableClock(1_700_000_000_000)
  const sessions = createSessions({ store: memoryStore(), clock, sweepEvery: 'never' })
  return { clock, sessions, customer: new Visitor(sessions) }
}

describe('session.assurance', () => {
  it('is what the login says, and gone with a login that says nothing', async () => {
    const { customer } = managed()
    await customer.visit((session) => session.login('ann', { assurance: 2 }))
    expect((await customer.visit((session) => session.assurance)).result).toBe(2)
    await customer.visit((session) => session.login('ann'))
    expect((await customer.visit((session) => session.assurance)).result).toBeUndefined()
  })

  it('does not go over to another owner', async () => {
    const { customer } = managed()
    await customer.visit((session) => session.login('ann', { assurance: 3 }))
    await customer.visit((session) => session.login('bob'))
    expect((await customer.visit((session) => [session.owner, session.assurance])).result).toEqual(['bob', undefined])
  })

  it('is set by no write of the application', async () => {
    const { customer } = managed()
    await customer.visit((session) => session.login('ann', { assurance: 1 }))
    await customer.visit((session) => {
      expect(() => session.metadata.set('assurance', 3)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE' }))
      session.set('assurance', 3)
      session.set('m:assurance', 3)
    })
    expect((await customer.visit((session) => session.assurance)).result).toBe(1)
  })
})

describe('session.stepUp', () => {
  it('gives a new token, and the old one opens nothing', async () => {
    const { sessions, customer, clock } = managed()
    await customer.visit((session) => session.login('ann', { assurance: 1 }))
    const before = new Visitor(sessions, `__Host-sid=${customer.token}`)
    clock.advance(60)
    expect((await customer.visit((session) => session.stepUp(2))).result).toBe('ok')
    expect((await customer.visit((session) => [session.owner, session.assurance, session.authenticatedAt])).result).toEqual(['ann', 2, clock()])
    expect((await before.visit((session) => [session.owner, session.assurance])).result).toEqual([undefined, undefined])
  })

  it('begins the absolute timeout anew', async () => {
    const { customer, clock } = managed()
    await customer.visit((session) => session.login('ann'))
    for (let hour = 0; hour < 47; hour += 1) {
      clock.advance('28 minutes')
      if (hour === 40) await customer.visit((session) => session.stepUp(1))
      else await customer.visit((session) => session.owner)
    }
    clock.advance('29 minutes')
    await customer.visit((session) => session.owner)
    expect((await customer.visit((session) => session.expiresAt)).result).toBeGreaterThan(clock() + 30 * 60_000)
  })

  it('logs nobody in', async () => {
    const { customer } = managed()
    expect((await customer.visit((session) => session.stepUp(2))).result).toBe('gone')
    expect((await customer.visit((session) => [session.owner, session.assurance, session.isNew])).result).toEqual([undefined, undefined, true])
  })

  it('brings no session back that was ended meanwhile', async () => {
    const { sessions, customer } = managed()
    await customer.visit((session) => session.login('ann'))
    const request = await customer.begin()
    await sessions.revoke(request.session.id)
    expect(await request.session.stepUp(2)).toBe('gone')
    expect(await request.finish()).toEqual([])
    expect((await customer.visit((session) => session.owner)).result).toBeUndefined()
  })
})

describe('requireFresh', () => {
  it('asks for an authentication that is not too long ago', async () => {
    const { customer, clock } = managed()
    await customer.visit((session) => session.login('ann', { assurance: 1 }))
    clock.advance('5 minutes')
    expect((await customer.visit((session) => isFresh(session, { within: '5 minutes' }))).result).toBe(true)
    clock.advance(1)
    await customer.visit((session) => {
      expect(() => requireFresh(session, { within: '5 minutes' })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_STALE', status: 403, statusCode: 403 }))
    })
    await customer.visit((session) => session.stepUp(1))
    expect((await customer.visit((session) => { requireFresh(session, { within: '5 minutes' }); return 'passed' })).result).toBe('passed')
  })

  it('asks for the assurance, of which an unstated one has none', async () => {
    const { customer } = managed()
    const passes = async (): Promise<boolean> => (await customer.visit((session) => isFresh(session, { within: 60, assurance: 2 }))).result
    await customer.visit((session) => session.login('ann'))
    expect(await passes()).toBe(false)
    await customer.visit((session) => session.stepUp(1))
    expect(await passes()).toBe(false)
    await customer.visit((session) => session.stepUp(3))
    expect(await passes()).toBe(true)
  })

  it('says 401 when nobody is logged in', async () => {
    const { customer } = managed()
    await customer.visit((session) => {
      session.set('owner', 'ann')
      expect(() => requireFresh(session, { within: 60 })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNAUTHENTICATED', status: 401 }))
    })
  })
})

describe('session.revokeOthers', () => {
  it('ends the owner\'s other sessions, and copies of this one', async () => {
    const { sessions, customer } = managed()
    const [other, bob] = [new Visitor(sessions), new Visitor(sessions)]
    await customer.visit((session) => session.login('ann'))
    await other.visit((session) => session.login('ann'))
    await bob.visit((session) => session.login('bob'))
    const thief = new Visitor(sessions, `__Host-sid=${customer.token}`)
    expect((await customer.visit((session) => session.revokeOthers())).result).toBe(1)
    const owners = await Promise.all([customer, other, thief, bob].map(async (visitor) => (await visitor.visit((session) => session.owner)).result))
    expect(owners).toEqual(['ann', undefined, undefined, 'bob'])
  })

  it('ends nothing under a token that was replaced, or for nobody', async () => {
    const { sessions, customer } = managed()
    const other = new Visitor(sessions)
    await customer.visit((session) => session.login('ann'))
    await other.visit((session) => session.login('ann'))
    const thief = new Visitor(sessions, `__Host-sid=${customer.token}`)
    const request = await thief.begin()
    await customer.visit((session) => session.regenerate())
    expect([await request.session.revokeOthers(), (await thief.visit((session) => session.revokeOthers())).result]).toEqual(['gone', 'gone'])
    expect((await new Visitor(sessions).visit((session) => session.revokeOthers())).result).toBe('gone')
    expect((await other.visit((session) => session.owner)).result).toBe('ann')
  })
})
