import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type SessionsOptions } from '../index.ts'
import { cookieStore } from '../stores/cookie.ts'
import { memoryStore } from '../stores/memory.ts'
import { movableClock } from '../testing/clock.ts'
import { holdable } from '../testing/race-kit.ts'
import { revokeEveryone, security } from './index.ts'

function managed(options: SessionsOptions<Record<string, unknown>> = {}) {
  const clock = movableClock(1_700_000_000_000)
  const store = holdable(memoryStore())
  const sessions = createSessions({ store, clock, sweepEvery: 'never', security: security(), ...options })
  return { clock, store, sessions, visitor: () => new Visitor(sessions) }
}

describe('revokeEveryone', () => {
  it('ends every session, of every process, for good', async () => {
    const { store, clock, sessions, visitor } = managed()
    const elsewhere = createSessions({ store, clock, sweepEvery: 'never' })
    const [ann, bob, guest] = [visitor(), new Visitor(elsewhere), visitor()]
    await ann.visit((session) => session.login('ann'))
    await bob.visit((session) => session.login('bob'))
    await guest.visit((session) => session.set('cart', 1))
    expect(await revokeEveryone(sessions)).toBe(3)
    expect((await Promise.all([ann, bob, guest].map((each) => each.visit((session) => session.isNew)))).map(({ result }) => result)).toEqual([true, true, true])
    expect((await bob.visit((session) => session.endedBecause)).result).toBeDefined()
    expect((await ann.visit((session) => session.login('ann'))).result).toBe('ok')
  })

  it('lets no commit bring back what has expired, and does not count it', async () => {
    const { store, clock, sessions, visitor } = managed()
    const customer = visitor()
    await customer.visit((session) => session.login('ann'))
    clock.advance('29 minutes')
    const slow = await customer.begin()
    slow.session.set('cart', 1)
    const held = store.hold('patch', { when: 'before' })
    const commit = slow.finish()
    await held.reached
    clock.advance('10 minutes')
    expect(await revokeEveryone(sessions)).toBe(0)
    held.release()
    await commit
    expect(await sessions.load({ id: slow.session.id })).toBeUndefined()
  })

  it('lets no login through that is under way', async () => {
    const { store, sessions, visitor } = managed()
    const creating = store.hold('create')
    const late = visitor()
    const login = late.visit((session) => session.login('ann'))
    await creating.reached
    const everyone = revokeEveryone(sessions)
    creating.release()
    await everyone
    expect((await login).result).toBe('gone')
    expect((await late.visit((session) => session.owner)).result).toBeUndefined()
  })

  it('wants the extension, without which a login would slip through', async () => {
    const sessions = createSessions({ sweepEvery: 'never' })
    await expect(revokeEveryone(sessions)).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
  })

  it('says that it cannot where the visitors keep their sessions, where only an epoch can', async () => {
    const store = cookieStore({ keys: ['ab'.repeat(32)] })
    const sessions = createSessions({ store, security: security() })
    await expect(revokeEveryone(sessions)).rejects.toMatchObject({ code: 'ERR_SESSION_UNSUPPORTED' })
    const customer = new Visitor(sessions)
    await customer.visit((session) => session.login('ann'))
    expect((await customer.visit((session) => session.owner)).result).toBe('ann')
    const after = new Visitor(createSessions({ store, security: security({ epoch: new Date() }) }), customer.cookie)
    expect((await after.visit((session) => [session.owner, session.endedBecause])).result).toEqual([undefined, 'revoked'])
  })

  it('undoes a login that cannot be checked', async () => {
    const { store, visitor } = managed()
    const created = store.hold('create', { when: 'after' })
    const request = await visitor().begin()
    const login = request.session.login('ann')
    await created.reached
    const check = store.hold('read')
    created.release()
    await check.reached
    check.fail(new Error('down'))
    await expect(login).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect(await request.finish({ failed: true })).toEqual([])
  })
})

describe('epoch', () => {
  it('is over for what began before it, and asks the store nothing', async () => {
    const { store, clock, visitor } = managed()
    const [before, after] = [visitor(), visitor()]
    await before.visit((session) => session.login('ann'))
    const id = (await before.visit((session) => session.id)).result
    clock.advance(60)
    const epoch = new Date(clock())
    clock.advance(60)
    await after.visit((session) => session.login('ann'))
    const restarted = createSessions({ store, clock, sweepEvery: 'never', security: security({ epoch }) })
    store.forgetCalls()
    const first = await new Visitor(restarted, `__Host-sid=${before.token}`).visit((session) => [session.owner, session.endedBecause])
    const second = await new Visitor(restarted, `__Host-sid=${after.token}`).visit((session) => session.owner)
    expect([first.result, second.result]).toEqual([[undefined, 'revoked'], 'ann'])
    expect(store.calls.map(({ method }) => method)).toEqual(['read', 'read'])
    expect(await restarted.load({ id })).toBeUndefined()
    const owned = []
    for await (const session of restarted.findByOwner('ann')) owned.push(session.id)
    expect(owned).not.toContain(id)
    expect(owned).toHaveLength(1)
  })

  it('is not counted again by revokeAll and revokeEveryone, which end for good what it has ended', async () => {
    const { store, clock, sessions, visitor } = managed()
    const before = visitor()
    await before.visit((session) => session.login('ann'))
    clock.advance(60)
    const epoch = new Date(clock())
    clock.advance(60)
    await visitor().visit((session) => session.login('ann'))
    const restarted = createSessions({ store, clock, sweepEvery: 'never', security: security({ epoch }) })
    expect(await restarted.revokeAll('ann')).toBe(1)
    expect(await sessions.load(before.token ?? '')).toBeUndefined()
    await visitor().visit((session) => session.login('eve'))
    clock.advance(60)
    const later = createSessions({ store, clock, sweepEvery: 'never', security: security({ epoch: new Date(clock()) }) })
    expect(await revokeEveryone(later)).toBe(0)
    expect(await sessions.findByOwner('eve')[Symbol.asyncIterator]().next()).toMatchObject({ done: true })
  })

  it('counts from the latest login', async () => {
    const { store, clock, visitor } = managed()
    const guest = visitor()
    await guest.visit((session) => session.set('cart', 1))
    clock.advance(60)
    const epoch = new Date(clock())
    clock.advance(60)
    await guest.visit((session) => session.login('ann'))
    const restarted = createSessions({ store, clock, sweepEvery: 'never', security: security({ epoch }) })
    expect((await new Visitor(restarted, `__Host-sid=${guest.token}`).visit((session) => session.owner)).result).toBe('ann')
  })

  it.each(['5 minutes', '0', 'never', new Date(1_800_000_000_000)])('cannot be %s', (epoch) => {
    expect(() => managed({ security: security({ epoch }) })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})

describe('clearSiteData', () => {
  const headerAt = async (options: Parameters<typeof security>[0], secure: boolean): Promise<string | undefined> => {
    const { visitor } = managed({ security: security(options) })
    const customer = visitor()
    await customer.visit((session) => session.set('cart', 1), { secure })
    const { exchange } = await customer.visit((session) => session.logout(), { secure })
    return exchange.responseHeader('clear-site-data')
  }

  it('tells the browser at a logout what to delete, on https only', async () => {
    expect(await headerAt({ clearSiteData: true }, true)).toBe('"cache", "cookies", "storage"')
    expect(await headerAt({ clearSiteData: ['storage'] }, true)).toBe('"storage"')
    expect(await headerAt({ clearSiteData: true }, false)).toBeUndefined()
    expect(await headerAt({}, true)).toBeUndefined()
  })

  it('says nothing on any other response', async () => {
    const { visitor } = managed({ security: security({ clearSiteData: true }) })
    const customer = visitor()
    const seen = []
    for (const step of ['set', 'login', 'read'] as const) {
      const { exchange } = await customer.visit(async (session) => {
        if (step === 'set') session.set('cart', 1)
        if (step === 'login') await session.login('ann')
        return session.owner
      })
      seen.push(exchange.responseHeader('clear-site-data'))
    }
    expect(seen).toEqual([undefined, undefined, undefined])
  })

  it('takes no unknown type', () => {
    const types: unknown = JSON.parse('["cookie"]')
    expect(() => Reflect.apply(security, undefined, [{ clearSiteData: types }])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})
