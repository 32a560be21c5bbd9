import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, memoryStore, type SessionsOptions } from '../index.ts'
import type { Patch } from './patch.ts'
import type { Store } from './store.ts'
import { hashSecret, indexTerm } from './token.ts'

interface Data { n: number; note: string; userId: number; list: string[] }

/** The patches that reach the store, without what every patch has: `now`, and a nonce of its own. */
function manage(options: SessionsOptions<Data> = {}) {
  let now = 1_700_000_000_000
  const memory = memoryStore()
  const patches: Partial<Patch>[] = []
  const nonces = new Set<string>()
  const store: Store = {
    read: (id) => memory.read(id), create: (id, record) => memory.create(id, record), end: (id, because, at) => memory.end(id, because, at),
    patch(id, patch) {
      expect(patch.now).toBe(now)
      expect(nonces.has(patch.nonce)).toBe(false)
      nonces.add(patch.nonce)
      const { now: _now, nonce: _nonce, ...rest } = patch
      patches.push(rest)
      return memory.patch(id, patch)
    },
  }
  const sessions = createSessions<Data>({ store, clock: () => now, sweepEvery: 'never', index: ['userId'], idleTimeout: '30 minutes', random: (size) => crypto.getRandomValues(new Uint8Array(size)), ...options })
  const visitor = new Visitor<Data>(sessions)
  return { sessions, memory, patches, visitor, advance(seconds: number) { now += seconds * 1000 }, now: () => now, tokenHash: () => hashSecret(visitor.token?.split('.')[1] ?? '') }
}

describe('the patch of a request', () => {
  it('holds what was changed and nothing else', async () => {
    const { visitor, patches, tokenHash } = manage()
    await visitor.visit((session) => { session.set('n', 1); session.set('note', 'x'); session.set('list', ['a']) })
    expect(patches).toEqual([])
    await visitor.visit((session) => { session.get('n'); session.get('list'); session.keys() })
    expect(patches).toEqual([])
    await visitor.visit((session) => session.set('n', 2))
    await visitor.visit((session) => session.delete('note'))
    await visitor.visit((session) => { session.get('list')?.push('b') })
    expect(patches).toEqual([
      { tokenHash: tokenHash(), set: [['d:n', '2']] },
      { tokenHash: tokenHash(), remove: ['d:note'] },
      { tokenHash: tokenHash(), set: [['d:list', '["a","b"]']], expect: [['d:list', '["a"]']] },
    ])
  })

  it('says what a changed entry was read as', async () => {
    const { visitor, patches, tokenHash } = manage()
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit((session) => { session.set('n', (session.get('n') ?? 0) + 1); session.has('note'); session.set('note', 'x') })
    await visitor.visit((session) => session.update('n', (n = 0) => n + 1))
    expect(patches).toEqual([
      { tokenHash: tokenHash(), set: [['d:n', '2'], ['d:note', '"x"']], expect: [['d:n', '1'], ['d:note', null]] },
      { tokenHash: tokenHash(), set: [['d:n', '3']], expect: [['d:n', '2']] },
    ])
  })

  it('lists a session under what it came to hold', async () => {
    const { visitor, patches, tokenHash } = manage()
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit((session) => session.set('userId', 7))
    expect(patches).toEqual([{ tokenHash: tokenHash(), set: [['d:userId', '7']], index: [indexTerm('d:userId', '7')] }])
  })

  it('moves the deadline once a tenth of the idle timeout has passed, scores every term anew, and does so only while no expiry was set', async () => {
    const { visitor, patches, tokenHash, advance, now, memory } = manage()
    const { result: id } = await visitor.visit((session) => { session.set('userId', 7); return session.id })
    await visitor.visit((session) => session.set('userId', 8))
    patches.length = 0
    advance(100)
    await visitor.visit((session) => session.get('n'))
    expect(patches).toEqual([])
    advance(200)
    await visitor.visit((session) => session.get('n'))
    const [seven, eight] = [indexTerm('d:userId', '7'), indexTerm('d:userId', '8')]
    expect(patches).toEqual([{ tokenHash: tokenHash(), expect: [[expect.stringMatching(/^m:/), null]], touchedAt: now(), index: [seven, eight], expiresAt: now() + 33 * 60_000 }])
    expect((await memory.read(id))?.expiresAt).toBe(now() + 33 * 60_000)
    patches.length = 0
    advance(300)
    await visitor.visit((session) => session.set('userId', 9))
    expect(patches).toEqual([expect.objectContaining({ index: [seven, eight, indexTerm('d:userId', '9')], set: [['d:userId', '9']], touchedAt: now() })])
    patches.length = 0
    advance(300)
    // What was added in this request is scored again as well, and nothing twice.
    await visitor.visit(async (session) => { session.set('userId', 7); await session.commit() })
    expect(patches.map(({ index }) => index)).toEqual([[seven, eight, indexTerm('d:userId', '9')]])
  })

  it('takes a new token in the same step as the data', async () => {
    const { visitor, patches, tokenHash } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const before = tokenHash()
    await visitor.visit(async (session) => { session.set('n', 2); await session.regenerate() })
    expect(patches).toEqual([{ tokenHash: before, rotateTo: tokenHash(), set: [['d:n', '2']] }])
    expect(before).not.toBe(tokenHash())
  })

  it('of a login moves the deadline on purpose, and expects that no expiry was set meanwhile', async () => {
    const { visitor, patches, tokenHash, now } = manage()
    await visitor.visit((session) => session.set('n', 1))
    const before = tokenHash()
    await visitor.visit((session) => session.login('ann'))
    expect(patches).toEqual([{ tokenHash: before, rotateTo: tokenHash(), set: [[expect.any(String), '"ann"'], [expect.any(String), String(now())]], expect: [[expect.stringMatching(/^m:/), null]], expiresAt: now() + 33 * 60_000, deadline: 'replace', touchedAt: now(), index: [expect.any(String)] }])
  })

  it('of an expiry of its own replaces the deadline, and one that takes it back goes to the timeouts', async () => {
    const { visitor, patches, now, advance, memory } = manage()
    const { result: id } = await visitor.visit((session) => { session.set('n', 1); return session.id })
    await visitor.visit((session) => session.expire('2 hours'))
    expect(patches).toEqual([expect.objectContaining({ deadline: 'replace', expiresAt: now() + 7_200_000, touchedAt: now() })])
    patches.length = 0
    advance(3600)
    await visitor.visit((session) => session.get('n'))
    expect((await memory.read(id))?.expiresAt).toBe(now() + 3_600_000)
    for (const patch of patches) expect(patch).not.toHaveProperty('expiresAt')
    patches.length = 0
    await visitor.visit((session) => session.expire(undefined))
    expect(patches).toEqual([expect.objectContaining({ deadline: 'replace', expiresAt: now() + 33 * 60_000 })])
  })

  it('by id carries no token, and of a session with a derived id says in which life that was', async () => {
    const { sessions, visitor, patches } = manage()
    const { result: id } = await visitor.visit((session) => { session.set('n', 1); return session.id })
    const worker = await sessions.load({ id })
    worker?.set('n', 2)
    await worker?.commit()
    const derived = await sessions.findOrCreate('note', 'x')
    derived.set('n', 1)
    await derived.commit()
    expect(patches).toEqual([{ set: [['d:n', '2']] }, { set: [['d:n', '1']], expect: [[expect.stringMatching(/^m:/), expect.any(String)]] }])
  })
})

describe('keys with an expiry of their own', () => {
  it('are listed until then, whether they were read or not, and updated with it', async () => {
    const { visitor, advance } = manage()
    await visitor.visit((session) => { session.set('note', 'x', { expires: '5 minutes' }); session.set('n', 1, { expires: '5 minutes' }) })
    await visitor.visit((session) => session.update('n', (n = 0) => n + 1))
    advance(299.999)
    expect((await visitor.visit((session) => [session.keys(), session.get('n')])).result).toEqual([['note', 'n'], 2])
    advance(0.001)
    expect((await visitor.visit((session) => [session.keys(), session.has('note'), session.get('n')])).result).toEqual([[], false, undefined])
    await visitor.visit((session) => session.update('n', (n = 10) => n + 1))
    advance(400)
    expect((await visitor.visit((session) => [session.keys(), session.get('n')])).result).toEqual([['n'], 11])
  })

  it('are listed with what this request wrote and without what it deleted, in order', async () => {
    const { visitor } = manage()
    await visitor.visit((session) => { session.set('note', 'x'); session.set('n', 1) })
    const { result } = await visitor.visit((session) => {
      session.set('list', [])
      session.delete('note')
      session.set('userId', 7)
      session.delete('userId')
      return [session.keys(), session.flash.keys()]
    })
    expect(result).toEqual([['n', 'list'], []])
  })
})

describe('a codec that fails', () => {
  it('is told apart from a value that cannot be kept, with its error as the cause', async () => {
    const cause = new Error('no key')
    const { visitor } = manage({ codec: { encode: () => { throw cause }, decode: (text) => text } })
    await visitor.visit((session) => {
      expect(() => session.set('n', 1)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('"d:n"'), cause }))
    })
  })

  it('at a value that was only read, and that it cannot have stored, does not fail its reader', async () => {
    const { visitor, memory, sessions } = manage()
    const { result: id } = await visitor.visit((session) => { session.set('list', ['a']); session.set('n', 1); return session.id })
    const unreadable: unknown[] = []
    const picky = createSessions<Data>({
      store: memory, sweepEvery: 'never', clock: () => 1_700_000_000_000,
      codec: { encode: (value) => { if (Array.isArray(value)) throw new Error('no lists'); return JSON.stringify(value) }, decode: (text) => JSON.parse(text) },
    })
    picky.on('unreadable', ({ id: of, reason }) => { unreadable.push([of, reason]) })
    const reader = new Visitor<Data>(picky, `${visitor.cookie}`)
    await reader.visit((session) => { session.get('list'); session.set('n', 2) })
    expect(unreadable).toHaveLength(1)
    expect(unreadable[0]).toContain(id)
    const again = await sessions.load({ id })
    expect([again?.get('list'), again?.get('n')]).toEqual([['a'], 2])
  })
})
