import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, memoryStore, type SessionsOptions } from '../index.ts'
import { SessionError } from './errors.ts'
import type { SessionEventName } from './events.ts'
import type { Store } from './store.ts'

// What happened; what to do.
const TWO_SENTENCES = expect.stringMatching(/^[A-Z].+\. [A-Z].+\.$/)

interface Data { n: number; note: string; userId: number; list: string[] }

function manage(options: SessionsOptions<Data> = {}) {
  let now = 1_700_000_000_000
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, clock: () => now, sweepEvery: 'never', index: ['userId'], ...options })
  const events: unknown[] = []
  for (const name of ['load', 'expire', 'gone', 'superseded', 'unknown-token', 'unreadable', 'not-saved', 'error', 'destroy', 'regenerate', 'revoke', 'create', 'commit'] as const satisfies SessionEventName[]) {
    sessions.on(name, (event) => { events.push([name, event]) })
  }
  return { store, sessions, events, visitor: new Visitor<Data>(sessions), advance(seconds: number) { now += seconds * 1000 }, now: () => now, told: (name: SessionEventName) => events.filter((event) => Array.isArray(event) && event[0] === name) }
}

describe('an old token', () => {
  it('is recognised for 60 seconds after its rotation, and told; then it is one of many unknown ones', async () => {
    const { sessions, visitor, advance, events } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const { cookie } = visitor
    const { result: id } = await visitor.visit(async (session) => { await session.regenerate(); return session.id })
    const seen = async () => {
      events.length = 0
      const old = new Visitor<Data>(sessions, cookie)
      const { result, setCookies } = await old.visit(async (session) => [session.get('n'), await session.regenerate()])
      return [result, setCookies.length, ...events]
    }
    expect(await seen()).toEqual([[undefined, 'gone'], 0, ['superseded', { id }]])
    advance(60)
    expect(await seen()).toEqual([[undefined, 'gone'], 0, ['superseded', { id }]])
    advance(0.001)
    expect(await seen()).toEqual([[undefined, 'ok'], 0, ['unknown-token', { id, reason: 'unknown' }]])
  })

  it('of a session that ended is told with the reason', async () => {
    const { sessions, visitor, events, advance } = manage({ idleTimeout: '1 minute' })
    const { result: id } = await visitor.visit((session) => { session.set('n', 1); return session.id })
    const { cookie } = visitor
    const again = async () => (await new Visitor<Data>(sessions, cookie).visit((session) => [session.endedBecause, session.isNew, session.createdAt, session.expiresAt])).result
    events.length = 0
    expect((await new Visitor<Data>(sessions, cookie).visit((session) => session.isNew)).result).toBe(false)
    expect(events).toEqual([['load', { id }]])
    events.length = 0
    advance(67)
    expect(await again()).toEqual(['expired-idle', true, undefined, undefined])
    expect(events).toEqual([['expire', { id, reason: 'expired-idle' }]])
    const other = new Visitor<Data>(sessions)
    const { result: otherId } = await other.visit((session) => { session.set('n', 1); return session.id })
    const otherCookie = other.cookie
    await sessions.revoke(otherId)
    events.length = 0
    expect((await new Visitor<Data>(sessions, otherCookie).visit((session) => session.endedBecause)).result).toBe('revoked')
    expect(events).toEqual([['unknown-token', { id: otherId, reason: 'ended' }]])
  })

  it('whose secret does not fit is told as such', async () => {
    const { sessions, visitor, events } = manage()
    const { result: id } = await visitor.visit((session) => { session.set('n', 1); return session.id })
    const forged = visitor.cookie.replace(/\.\w/, (text) => (text === '.A' ? '.B' : '.A'))
    events.length = 0
    expect((await new Visitor<Data>(sessions, forged).visit((session) => session.get('n'))).result).toBeUndefined()
    expect(events).toEqual([['unknown-token', { id, reason: 'mismatch' }]])
  })
})

describe('times of a session', () => {
  it('are there once it is stored, and not before', async () => {
    const { visitor, now, advance } = manage({ idleTimeout: '30 minutes' })
    const start = now()
    const { result } = await visitor.visit(async (session) => {
      const before = [session.createdAt, session.expiresAt, session.authenticatedAt]
      session.set('n', 1)
      await session.commit()
      return [before, session.createdAt, session.isNew]
    })
    expect(result).toEqual([[undefined, undefined, undefined], start, true])
    advance(60)
    const later = (await visitor.visit((session) => [session.createdAt, (session.expiresAt ?? 0) > now() + 28 * 60_000, session.isNew])).result
    expect(later).toEqual([start, true, false])
    expect((await visitor.visit(async (session) => { await session.login('ann'); return session.authenticatedAt })).result).toBe(now())
  })

  it('are there no more once it has ended in the same request', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    expect((await visitor.visit(async (session) => { await session.logout(); return [session.createdAt, session.expiresAt] })).result).toEqual([undefined, undefined])
  })

  it('are those of the stored session again when its replacement is discarded', async () => {
    const { visitor } = manage()
    const before = (await visitor.visit(async (session) => { session.set('n', 1); await session.commit(); return session.expiresAt })).result
    const { result } = await visitor.visit((session) => {
      session.data = null
      session.set('n', 2)
      session.discard()
      return [session.expiresAt, session.get('n')]
    })
    expect(result).toEqual([before, 1])
  })
})

describe('isChanged', () => {
  it('set to false forgets the changes, and set to true keeps them', async () => {
    const { visitor, told } = manage()
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit((session) => { session.set('n', 2); session.isChanged = false })
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(1)
    await visitor.visit((session) => { session.set('n', 3); session.isChanged = true; expect(session.isChanged).toBe(true) })
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(3)
    await visitor.visit((session) => { session.set('n', 4); session.isChanged = false; expect([session.get('n'), session.isChanged]).toEqual([3, false]) })
    expect(told('commit')).toHaveLength(1)
  })

  it('says whether an end or an own expiry is to be stored', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const seen = await visitor.visit((session) => {
      const states = [session.isChanged]
      session.expire('2 hours')
      states.push(session.isChanged)
      session.discard()
      states.push(session.isChanged)
      session.expire(undefined)
      states.push(session.isChanged)
      session.discard()
      session.expire(0)
      states.push(session.isChanged)
      session.discard()
      return [...states, session.isChanged]
    })
    expect(seen.result).toEqual([false, true, false, true, true, false])
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(1)
  })
})

describe('an expiry of its own', () => {
  it('that is now ends the session at the end of the request, and one later takes that back', async () => {
    const { visitor, told } = manage()
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit((session) => { session.expire(0); session.expire('1 hour') })
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(1)
    const { setCookies } = await visitor.visit((session) => session.expire(0))
    expect(setCookies).toHaveLength(1)
    expect(visitor.token).toBeUndefined()
    expect(told('destroy')).toHaveLength(1)
  })

  it('is refused in the words of the option it was given to', async () => {
    await manage().visitor.visit((session) => { expect(() => session.expire('soon')).toThrow(/expire/) })
  })
})

describe('load and release', () => {
  it('begin once, however many wait', async () => {
    const memory = memoryStore()
    let reads = 0
    const { visitor } = manage({ load: 'lazy', store: { read: async (id) => { reads += 1; return memory.read(id) }, create: (id, record) => memory.create(id, record), patch: (id, patch) => memory.patch(id, patch), end: (id, because, at) => memory.end(id, because, at) } })
    await visitor.visit((session) => session.set('n', 1))
    const { result } = await visitor.visit(async (session) => {
      const before = [session.isLoaded, session.toJSON()]
      await Promise.all([session.load(), session.load()])
      return [before, session.get('n'), session.isLoaded]
    })
    expect(result).toEqual([[false, { id: expect.any(String), isLoaded: false }], 1, true])
    expect(reads).toBe(1)
  })

  it('leave a session that is not loaded unreadable, and tell what to do', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit(async (session) => {
      await session.release()
      const refused = expect.objectContaining({ code: 'ERR_SESSION_NOT_LOADED' })
      expect(() => session.set('n', 2)).toThrow(refused)
      expect(await session.commit()).toBe('ok')
      await session.load()
      expect(session.get('n')).toBe(1)
    })
  })

  it('of a session that was ended elsewhere meanwhile find nothing', async () => {
    const { sessions, visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const { result: id } = await visitor.visit((session) => session.id)
    const worker = await sessions.load({ id })
    await worker?.release()
    await sessions.revoke(id)
    await worker?.load()
    expect([worker?.get('n'), worker?.isNew]).toEqual([undefined, true])
    worker?.set('n', 2)
    expect(await worker?.commit()).toBe('gone')
  })

  it('by id do not follow a session into another that took its place', async () => {
    const { sessions } = manage()
    const held = await sessions.findOrCreate('userId', 7)
    await sessions.revoke(held.id)
    const next = await sessions.findOrCreate('userId', 7)
    next.set('n', 1)
    await next.commit()
    held.set('n', 2)
    expect(await held.commit()).toBe('gone')
    expect((await sessions.findOrCreate('userId', 7)).get('n')).toBe(1)
  })
})

describe('the words of a refusal', () => {
  const usage = (part: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_USAGE', message: expect.stringContaining(part) })

  it('name what was asked for', async () => {
    const { sessions, visitor } = manage()
    await visitor.visit(async (session) => {
      for (const owner of JSON.parse('["", 5, null]')) await expect(session.login(owner)).rejects.toEqual(usage('session.login'))
      expect(() => session.namespace('a b')).toThrow(usage('"a b"'))
      expect(() => session.namespace('x'.repeat(99))).toThrow(usage(`"${'x'.repeat(70)}"`))
      expect(() => session.continuations).toThrow(usage('sojourn/continuations'))
    })
    const option = (part: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(part) })
    expect(() => sessions.find('note', 'x')).toThrow(option('"note"'))
    expect(() => Reflect.apply(sessions.on, sessions, ['y'.repeat(99), () => 1])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(`"${'y'.repeat(60)}"`) }))
  })

  it('tell a hook that starts the session what to do', async () => {
    const refused: unknown[] = []
    const { visitor } = manage({ onStart: async (session) => { await session.regenerate().catch((error: unknown) => { refused.push(error) }) } })
    await visitor.visit((session) => session.set('n', 1))
    expect(refused).toEqual([usage('onStart')])
  })

  it('tell a request whose session has gone to repeat it', async () => {
    const { sessions, visitor } = manage({ onGone: 'fail' })
    await visitor.visit((session) => session.set('n', 1))
    const request = await visitor.begin()
    request.session.set('n', 2)
    await sessions.revoke(request.session.id)
    await expect(request.finish()).rejects.toMatchObject({ code: 'ERR_SESSION_GONE', message: TWO_SENTENCES })
  })
})

describe('the end of a request', () => {
  it('comes once', async () => {
    const { visitor, sessions, told } = manage()
    const request = await visitor.begin()
    request.session.set('n', 1)
    expect(await request.finish()).toHaveLength(1)
    request.session.set('n', 2)
    await sessions.finish(request.session)
    expect([request.exchange.setCookies.length, told('commit').length]).toEqual([1, 0])
  })

  it('with a commit that fails names the session, unless it never was', async () => {
    const memory = memoryStore()
    let down = false
    const check = <T>(answer: T): T => { if (down) throw new Error('down'); return answer }
    const store: Store = { read: (id) => memory.read(id), create: (id, record) => check(memory.create.bind(memory))(id, record), patch: (id, patch) => check(memory.patch.bind(memory))(id, patch), end: (id, because, at) => memory.end(id, because, at) }
    const { visitor, told, sessions } = manage({ store })
    const { result: id } = await visitor.visit((session) => { session.set('n', 1); return session.id })
    down = true
    const failure = expect.objectContaining({ code: 'ERR_SESSION_STORE' })
    const request = await visitor.begin()
    request.session.set('n', 2)
    await expect(request.finish()).rejects.toEqual(failure)
    down = false
    // The adapter answers the error, and nothing of what failed is stored with that.
    await request.finish({ status: 500, failed: true })
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(1)
    down = true
    await expect(new Visitor<Data>(sessions).visit((session) => session.set('n', 1))).rejects.toEqual(failure)
    expect(told('error')).toEqual([['error', { id, error: failure }], ['error', { error: failure }]])
  })

  it('leaves unsaved what a public response would begin, and nothing else', async () => {
    const { visitor, told } = manage()
    const open = { 'Cache-Control': 'public, max-age=60' }
    const visit = (act: (session: Awaited<ReturnType<typeof visitor.begin>>['session']) => unknown) => visitor.visit((session, exchange) => { for (const [name, value] of Object.entries(open)) exchange.setResponseHeader(name, value); return act(session) })
    expect((await visit((session) => session.get('n'))).setCookies).toEqual([])
    expect(told('not-saved')).toEqual([])
    expect((await visit((session) => session.set('n', 1))).setCookies).toEqual([])
    expect(told('not-saved')).toEqual([['not-saved', { reason: 'the response is publicly cacheable' }]])
    await visitor.visit((session) => session.set('n', 1))
    expect((await visit((session) => session.set('n', 2))).setCookies).toEqual([])
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(2)
  })

  it('in development fails what a public response would begin', async () => {
    const { visitor } = manage()
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'development'
    try {
      await expect(visitor.visit((session, exchange) => { exchange.setResponseHeader('Cache-Control', 'public, max-age=60'); session.set('n', 1) })).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE', message: TWO_SENTENCES })
    } finally {
      if (before === undefined) delete process.env['NODE_ENV']
      else process.env['NODE_ENV'] = before
    }
  })

  it('sends no cookie once the head has left', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const request = await visitor.begin()
    await request.session.regenerate()
    request.exchange.headSent = true
    expect(await request.finish()).toEqual([])
  })

  it('says that the answer depends on the cookie when the session was looked at, and only then', async () => {
    const { visitor } = manage()
    expect((await visitor.visit(() => 1)).exchange.responseHeader('Vary')).toBeUndefined()
    expect((await visitor.visit((session) => session.get('n'))).exchange.responseHeader('Vary')).toBe('Cookie')
  })
})

describe('operations from outside', () => {
  it('take nothing for an id that is none', async () => {
    const { sessions, told } = manage()
    expect(await sessions.revoke('../etc/passwd')).toBe(false)
    expect(await sessions.load({ id: 'short' })).toBeUndefined()
    expect(await sessions.load('no token')).toBeUndefined()
    expect(told('revoke')).toEqual([])
  })

  it('tell of a revocation once', async () => {
    const { sessions, told } = manage()
    const { id } = await sessions.create()
    expect([await sessions.revoke(id), await sessions.revoke(id)]).toEqual([true, false])
    expect(told('revoke')).toEqual([['revoke', { id }]])
    expect(told('create')).toEqual([['create', { id }]])
  })

  it('find the sessions of one owner and no other’s', async () => {
    const { sessions } = manage()
    const [ann, bob] = [new Visitor(sessions), new Visitor(sessions)]
    const { result: id } = await ann.visit(async (session) => { await session.login('ann'); return session.id })
    await bob.visit((session) => session.login('bob'))
    const found: string[] = []
    for await (const session of sessions.findByOwner('ann')) found.push(session.id)
    expect(found).toEqual([id])
    await ann.visit((session) => session.login('eve'))
    for await (const session of sessions.findByOwner('ann')) found.push(session.id)
    expect(found).toEqual([id])
  })

  it('sweep what is older than an age or an instant', async () => {
    for (const olderThan of ['1 hour', new Date(1_700_000_000_000 + 3_600_000)]) {
      const { sessions, advance } = manage({ idleTimeout: '2 days', absoluteTimeout: '3 days' })
      await sessions.create()
      advance(2 * 3600)
      const young = await sessions.create()
      expect(await sessions.sweep({ olderThan, by: 'created' })).toBe(1)
      expect(await sessions.load({ id: young.id })).toBeDefined()
    }
  })

  it('give up on a value of which every session has another by now', async () => {
    const { sessions } = manage()
    for (let n = 0; n < 16; n += 1) {
      const session = await sessions.findOrCreate('note', 'one')
      session.set('note', `other ${n}`)
      await session.commit()
    }
    await expect(sessions.findOrCreate('note', 'one')).rejects.toMatchObject({ code: 'ERR_SESSION_CONFLICT', message: TWO_SENTENCES })
  })

  it('tell of what cannot be read, and go on', async () => {
    const memory = memoryStore()
    const { id: known } = await createSessions({ store: memory, sweepEvery: 'never' }).create()
    const store: Store = { read: () => { throw new SessionError('ERR_SESSION_UNREADABLE', 'It is not a record. Ignore it.') }, create: (id, record) => memory.create(id, record), patch: (id, patch) => memory.patch(id, patch), end: (id, because, at) => memory.end(id, because, at) }
    const { sessions, told } = manage({ store })
    expect(await sessions.load({ id: known })).toBeUndefined()
    expect(told('unreadable')).toEqual([['unreadable', { id: known, error: expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }) }]])
  })
})

describe('regenerate', () => {
  it('is told once, with the id, and not for what is not stored', async () => {
    const { visitor, told } = manage()
    expect((await visitor.visit((session) => session.regenerate())).result).toBe('ok')
    expect(told('regenerate')).toEqual([])
    await visitor.visit((session) => session.set('n', 1))
    const { result: id } = await visitor.visit(async (session) => { expect(await session.regenerate()).toBe('ok'); return session.id })
    expect(told('regenerate')).toEqual([['regenerate', { id }]])
  })

  it('comes too late once the head has left', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const request = await visitor.begin()
    request.exchange.headSent = true
    await expect(request.session.regenerate()).rejects.toMatchObject({ code: 'ERR_SESSION_LATE', message: expect.stringContaining('too late to give the visitor a new token') })
  })

  it('after an end has nothing to do', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => session.set('n', 1))
    expect((await visitor.visit(async (session) => { await session.destroy(); return session.regenerate() })).result).toBe('ok')
  })
})
