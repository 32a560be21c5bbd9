// What the end of a request stores, and whom it tells: by commit, commitWhen, onThrow, onGone, onStoreError, discard, and the hooks.
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { watched, type Data } from '../../test/internal/watched.ts'
import type { Session, SessionsOptions, Store } from '../index.ts'
import { TestExchange } from '../testing/exchange.ts'
import { SessionError } from './errors.ts'
import type { Outcome } from './sessions.ts'

/** A visitor with `n: 1`, whose next request sets 2 and ends in this way. */
async function ended(options: SessionsOptions<Data>, outcome: Outcome | undefined, late?: (session: Session<Data>) => unknown): Promise<number | undefined> {
  const all = watched()
  const one = all.visitor()
  await one.visit((session) => session.set('n', 1))
  const sessions = all.elsewhere(options)
  const request = await new Visitor<Data>(sessions, one.cookie).begin()
  request.session.set('n', 2)
  await late?.(request.session)
  await request.finish(outcome)
  return (await one.visit((later) => later.get('n'))).result
}

describe('the changes of a request are', () => {
  it.each<[string, SessionsOptions<Data>, Outcome | undefined, number]>([
    ['kept when nothing is said', {}, undefined, 2],
    ['kept at 499', {}, { status: 499 }, 2],
    ['dropped at 500', {}, { status: 500 }, 1],
    ['dropped when the handler threw', {}, { failed: true }, 1],
    ['dropped when the handler threw, whatever the status', {}, { failed: true, status: 200 }, 1],
    ['kept at 500 where a throw keeps', { onThrow: 'keep' }, { status: 500 }, 2],
    ['kept where the application says so', { commitWhen: (status) => status === 503 }, { status: 503 }, 2],
    ['dropped where the application says so', { commitWhen: (status) => status === 503 }, { status: 200 }, 1],
    ['dropped by a commitWhen that is not met by 200, the status when nothing is said', { commitWhen: (status) => status !== 200 }, {}, 1],
    ['dropped when the handler threw, though commitWhen would keep them', { commitWhen: () => true }, { failed: true }, 1],
    ['kept where a throw keeps, though commitWhen would not', { onThrow: 'keep', commitWhen: () => false }, { status: 500, failed: true }, 2],
    ['dropped by commits that are manual', { commit: 'manual' }, undefined, 1],
    ['kept by commits that are immediate, though the handler threw', { commit: 'immediate' }, { failed: true }, 2],
  ])('%s', async (_how, options, outcome, expected) => {
    expect(await ended(options, outcome)).toBe(expected)
  })

  it('dropped by a discard, unless they were committed before, or an end comes after it', async () => {
    expect(await ended({}, undefined, (session) => session.discard())).toBe(1)
    expect(await ended({}, undefined, async (session) => { await session.commit(); session.discard() })).toBe(2)
    expect(await ended({}, undefined, (session) => { session.discard(); session.expire('now') })).toBeUndefined()
    expect(await ended({ commit: 'manual' }, undefined, (session) => { session.expire('now') })).toBe(1)
    expect(await ended({ commit: 'manual' }, undefined, (session) => session.destroy())).toBeUndefined()
  })

  it('dropped with isChanged = false, and again counted with what is set after it', async () => {
    expect(await ended({}, undefined, (session) => { session.isChanged = false })).toBe(1)
    expect(await ended({}, undefined, (session) => { session.isChanged = false; session.set('n', 3) })).toBe(3)
    expect(await ended({}, undefined, (session) => { session.isChanged = false; session.data.n = 3 })).toBe(1)
    expect(await ended({}, undefined, (session) => { session.discard(); session.isChanged = true; session.data.n = 3 })).toBe(3)
  })
})

describe('a commit at each write', () => {
  it('makes one patch for each, and none at the end', async () => {
    const { patches, visitor, created } = watched({ commit: 'immediate' })
    const one = visitor()
    const turn = (): Promise<unknown> => new Promise(setImmediate)
    await one.visit(async (session) => { session.set('n', 1); await turn(); session.set('n', 2); await turn(); session.flash.set('x', 1); await turn() })
    expect([created.length, patches.map(({ set }) => set?.map(([key]) => key.slice(0, 2)))]).toEqual([1, [['d:'], ['f:']]])
    patches.length = 0
    await one.visit(async (session) => { session.data.n = 3; await turn(); session.delete('n'); await turn(); session.metadata.set('x', 1); await turn(); session.namespace('a').set('b', 1) })
    expect(patches.map(({ set, remove }) => [set?.map(([key]) => key), remove])).toEqual([[['d:n'], undefined], [undefined, ['d:n']], [['m:x'], undefined], [['n:a:b'], undefined]])
  })

  it('goes on after the record was made, and hooks have run', async () => {
    const one = watched({ commit: 'immediate', onStart: (session) => { session.set('note', 'begun') } }).visitor()
    const request = await one.begin()
    request.session.set('n', 1)
    await request.session.commit()
    request.session.set('n', 2)
    await new Promise(setImmediate)
    expect(await request.finish({ failed: true })).toHaveLength(1)
    expect((await one.visit((session) => session.toObject())).result).toEqual({ n: 2, note: 'begun' })
  })

  it('that fails is tried again at the end of the request, and then tells', async () => {
    let failures = 1
    const all = watched()
    const one = all.visitor()
    await one.visit((session) => session.set('n', 1))
    const store: Store = { ...all.store, patch: (id, patch, options) => { failures -= 1; if (failures >= 0) throw new Error('down'); return all.store.patch(id, patch, options) } }
    const sessions = all.elsewhere({ store, commit: 'immediate' })
    const other = new Visitor<Data>(sessions, one.cookie)
    await other.visit((session) => session.set('n', 2))
    expect((await one.visit((session) => session.get('n'))).result).toBe(2)
    failures = 2
    await expect(other.visit((session) => session.set('n', 3))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect((await one.visit((session) => session.get('n'))).result).toBe(2)
  })
})

describe('a commit that fails at the end', () => {
  /** A store whose every write fails, at once or later. */
  async function failing(isLate: boolean, options: SessionsOptions<Data> = {}, error: Error = new Error('down')) {
    const all = watched()
    const one = all.visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
    let isDown = true
    const down = (): never => { throw error }
    const fails = <T>(ask: () => T): T | Promise<never> => (isDown ? (isLate ? Promise.resolve().then(down) : down()) : ask())
    const store: Store = { ...all.store, patch: (key, patch, settings) => fails(() => all.store.patch(key, patch, settings)), create: (key, record) => fails(() => all.store.create(key, record)), end: (key, because, at) => fails(() => all.store.end(key, because, at)) }
    const sessions = all.elsewhere({ store, ...options })
    const told: unknown[] = []
    for (const name of ['error', 'gone', 'commit', 'not-saved'] as const) sessions.on(name, (event) => { told.push([name, event]) })
    return { id, told, one, request: await new Visitor<Data>(sessions, one.cookie).begin(), nobody: await new Visitor<Data>(sessions).begin(), up: () => { isDown = false } }
  }
  const failure = expect.objectContaining({ code: 'ERR_SESSION_STORE' })

  it.each([false, true])('(later: %s) fails the request, is told once, and is not tried again for the error response', async (isLate) => {
    const { request, told, id, one, up } = await failing(isLate)
    request.session.set('n', 2)
    await expect(request.finish()).rejects.toEqual(failure)
    expect(request.session.get('n')).toBe(2)
    up()
    expect(await request.finish()).toEqual([])
    expect(told).toEqual([['error', { id, error: failure }]])
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })

  it.each([false, true])('(later: %s) is gone without where the application says so: its changes are dropped, and hooks run', async (isLate) => {
    const accessed: unknown[] = []
    const { request, nobody, told, id, one } = await failing(isLate, { onStoreError: 'degrade', onAccess: (session, { stored }) => { accessed.push([stored, session.get('n')]) } })
    request.session.set('n', 2)
    expect(await request.finish()).toEqual([])
    nobody.session.set('n', 3)
    expect(await nobody.finish()).toEqual([])
    expect(told).toEqual([['error', { id, error: failure }], ['error', { error: failure }]])
    expect(accessed).toEqual([[false, 1], [false, undefined]])
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })

  it.each([false, true])('(later: %s) with another error than the store’s is never gone without', async (isLate) => {
    const { request } = await failing(isLate, { onStoreError: 'degrade' }, new SessionError('ERR_SESSION_TOO_LARGE', 'It is too large. Keep less.'))
    request.session.set('n', 2)
    await expect(request.finish()).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
  })

  it.each([false, true])('(later: %s) does not pretend that data = null has ended the session', async (isLate) => {
    const { request, one } = await failing(isLate)
    request.session.data = null
    await expect(request.finish()).rejects.toEqual(failure)
    expect(await request.finish({ failed: true })).toEqual([])
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })
})

describe('the hook at the end', () => {
  it('runs once, after the commit, with the request and what was stored', async () => {
    const seen: unknown[] = []
    const { visitor, sessions } = watched({ onAccess: (session, context) => { seen.push([session.isChanged, context]) } })
    const one = visitor()
    const request = await one.begin()
    request.session.set('n', 1)
    await request.finish()
    await sessions.finish(request.session)
    await one.visit((session) => session.delete('n'))
    await one.visit((session) => { session.isChanged = true })
    await one.visit(async (session) => { await session.regenerate() })
    const context = (stored: boolean): unknown => [false, { stored, request: undefined }]
    expect(seen).toEqual([true, true, true, false].map(context))
  })

  it('sees what is stored, not what was dropped', async () => {
    const seen: unknown[] = []
    const { visitor } = watched({ onAccess: (session) => { seen.push([session.get('n'), session.isChanged]) } })
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    const failing = await one.begin()
    failing.session.set('n', 2)
    await failing.finish({ failed: true })
    await visitor().visit((session, exchange) => { exchange.setResponseHeader('Cache-Control', 'public, max-age=60'); session.set('n', 3) })
    expect(seen).toEqual([[1, false], [1, false], [undefined, false]])
  })

  it('is waited for, and what it writes comes too late for this commit', async () => {
    const steps: string[] = []
    const { visitor } = watched({ onAccess: async (session) => { session.set('n', 9); await Promise.resolve(); steps.push('hook') } })
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    steps.push('answered')
    expect(steps).toEqual(['hook', 'answered'])
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })

  it.each([['at once', () => { throw new Error('hook') }], ['later', async () => { throw new Error('hook') }]] as const)('that fails %s after the handler has failed is told, and the response ends as it would', async (_when, onAccess) => {
    const { visitor, told } = watched({ onAccess })
    const request = await visitor().begin()
    await request.session.login('ann')
    expect(await request.finish({ failed: true })).toHaveLength(1)
    expect(told('error')).toEqual([['error', { reason: 'onAccess', error: expect.objectContaining({ message: 'hook' }) }]])
  })

  it('is given the framework’s own request, and so is the one at the beginning', async () => {
    const seen: unknown[] = []
    const { sessions } = watched({ onStart: (_session, { request }) => { seen.push(['start', request]) }, onAccess: (_session, { request }) => { seen.push(['access', request]) } })
    const request = { framework: true }
    const session = await sessions.open(Object.defineProperty(new TestExchange(), 'request', { value: request }))
    session.set('n', 1)
    await sessions.finish(session)
    expect(seen).toEqual([['start', request], ['access', request]])
  })

  it('at the beginning is told the request, and runs before the record is made, once', async () => {
    const seen: unknown[] = []
    const { visitor, created } = watched({ onStart: (session, context) => { seen.push([session.id, context]); session.set('note', 'begun') } })
    const { result: id } = await visitor().visit(async (session) => { session.set('n', 1); await session.commit(); session.set('n', 2); return session.id })
    expect(seen).toEqual([[id, { request: undefined }]])
    expect(created.map(({ entries }) => ({ ...entries }))).toEqual([{ 'd:n': '1', 'd:note': '"begun"' }])
  })

  it('at the beginning that fails lets nothing be stored, and the next write is tried as any', async () => {
    let fails = true
    const { visitor, created } = watched({ commit: 'manual', onStart: async () => { if (fails) throw new Error('hook') } })
    const { session } = await visitor().begin()
    session.set('n', 1)
    await expect(session.commit()).rejects.toThrow('hook')
    expect(created).toEqual([])
    fails = false
    expect(await session.commit()).toBe('ok')
    expect(created).toHaveLength(1)
  })
})

describe('a public response', () => {
  const open = (exchange: TestExchange): void => exchange.setResponseHeader('Cache-Control', 'public, max-age=60')

  it('begins no session after an end, whose cookie it clears', async () => {
    const { visitor, told, created } = watched()
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    created.length = 0
    const { setCookies, exchange } = await one.visit(async (session, response) => { open(response); await session.destroy(); session.set('n', 2) })
    expect(setCookies).toEqual([expect.stringMatching(/Max-Age=0/)])
    expect(exchange.responseHeader('cache-control')).toBe('no-store')
    expect([created, told('not-saved')]).toEqual([[], [['not-saved', { reason: 'the response is publicly cacheable' }]]])
  })

  it('begins none by a forced commit after an end, either', async () => {
    const { visitor, created, told } = watched()
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    created.length = 0
    await one.visit(async (session, exchange) => { open(exchange); await session.destroy(); session.isChanged = true })
    expect([created, told('not-saved').length]).toEqual([[], 1])
  })

  it('ends what was to end before one that is not begun', async () => {
    const { visitor, told } = watched()
    const one = visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
    await one.visit((session, exchange) => { open(exchange); session.data = null; session.set('n', 2) })
    expect(told('destroy', 'not-saved')).toEqual([['not-saved', { reason: 'the response is publicly cacheable' }], ['destroy', { id, reason: 'destroyed' }]])
  })

  it('stores what changes in a session that is there, and ends one', async () => {
    const { visitor, sessions, told } = watched()
    const one = visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
    await one.visit((session, exchange) => { open(exchange); session.set('n', 2) })
    expect((await sessions.load({ id }))?.get('n')).toBe(2)
    await one.visit((session, exchange) => { open(exchange); session.data = null })
    expect(await sessions.load({ id })).toBeUndefined()
    expect(told('not-saved')).toEqual([])
  })

  it('begins a session that the handler commits itself', async () => {
    const { visitor } = watched()
    const one = visitor()
    await one.visit(async (session, exchange) => { open(exchange); session.set('n', 1); await session.commit() })
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })
})

describe('a session apart from requests', () => {
  it('can be finished, too: what changed is stored', async () => {
    const { sessions } = watched()
    const session = await sessions.create()
    session.set('n', 1)
    await sessions.finish(session)
    expect((await sessions.load({ id: session.id }))?.get('n')).toBe(1)
  })
})

describe('a session that has gone', () => {
  it.each([['continue', false], ['fail', false], ['fail', true]] as const)('with onGone %s (the store answers later: %s)', async (onGone, isLate) => {
    const all = watched()
    const one = all.visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
    const store: Store = isLate ? { ...all.store, patch: async (key, patch, options) => all.store.patch(key, patch, options) } : all.store
    const request = await new Visitor<Data>(all.elsewhere({ onGone, store }), one.cookie).begin()
    await all.sessions.revoke(id)
    request.session.set('n', 2)
    if (onGone === 'continue') expect(await request.finish()).toEqual([])
    else await expect(request.finish()).rejects.toMatchObject({ code: 'ERR_SESSION_GONE' })
  })
})
