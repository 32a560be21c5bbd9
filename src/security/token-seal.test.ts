import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type SessionRecord, type SessionsOptions } from '../index.ts'
import { cookieStore } from '../stores/cookie.ts'
import { memoryStore } from '../stores/memory.ts'
import { movableClock } from '../testing/clock.ts'
import { holdable } from '../testing/race-kit.ts'
import { sealingCodec, security } from './index.ts'

interface Data {
  userId: number
  diagnosis: string
  list: string[]
}

function sealed(options: SessionsOptions<Data> = {}) {
  const clock = movableClock(1_700_000_000_000)
  const store = holdable(memoryStore())
  const sessions = createSessions<Data>({ store, clock, sweepEvery: 'never', index: ['userId'], security: security({ seal: 'token' }), ...options })
  const unreadable: unknown[] = []
  sessions.on('unreadable', ({ key }) => { unreadable.push(key) })
  const read = async (id: string | undefined): Promise<SessionRecord> => {
    const record = await store.read(id ?? '', {})
    if (record === undefined) throw new Error('there is no such record')
    return record
  }
  return { clock, store, sessions, unreadable, read, visitor: (cookie?: string) => new Visitor<Data>(sessions, cookie) }
}

const idOf = (visitor: Visitor<Data>): string => visitor.token?.split('.')[0] ?? ''
const closed = expect.objectContaining({ code: 'ERR_SESSION_UNSUPPORTED' })

describe('entries sealed with the token', () => {
  it('are read, changed, updated and deleted as if they were not', async () => {
    const { visitor, clock, unreadable } = sealed()
    const customer = visitor()
    await customer.visit((session) => { session.set('diagnosis', 'flu'); session.set('list', ['a']); session.set('userId', 7, { expires: '10 minutes' }); session.flash.set('note', 'hello') })
    await customer.visit((session) => { session.data.list?.push('b') })
    await customer.visit((session) => session.update('list', (list = []) => [...list, 'c']))
    expect((await customer.visit((session) => [session.toObject(), session.flash.take('note')])).result).toEqual([{ diagnosis: 'flu', list: ['a', 'b', 'c'], userId: 7 }, 'hello'])
    clock.advance('11 minutes')
    await customer.visit((session) => session.delete('list'))
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ diagnosis: 'flu' })
    expect(unreadable).toEqual([])
  })

  it('cannot be read from the store, though indexed values and metadata can', async () => {
    const { visitor, read } = sealed()
    const customer = visitor()
    await customer.visit(async (session) => { session.set('diagnosis', 'influenza'); session.set('userId', 7); await session.login('ann') })
    const { entries } = await read(idOf(customer))
    expect([entries['d:userId'], entries['m:owner']]).toEqual(['7', '"ann"'])
    expect(entries['d:diagnosis']).toMatch(/^t1\.\d+\.[\w-]+$/)
    expect(JSON.stringify(entries)).not.toMatch(/influenza/)
  })

  it('are not written by who only reads them', async () => {
    const { visitor, store } = sealed()
    const customer = visitor()
    await customer.visit((session) => session.set('list', ['a']))
    store.forgetCalls()
    await customer.visit((session) => session.get('list'))
    expect(store.count('patch')).toBe(0)
  })

  it('go through every rotation, and those of the one token do not open for another', async () => {
    const { visitor, read } = sealed()
    const customer = visitor()
    await customer.visit((session) => session.set('diagnosis', 'flu'))
    await customer.visit((session) => session.login('ann'))
    await customer.visit((session) => session.regenerate())
    await customer.visit((session) => session.stepUp(2))
    expect((await customer.visit((session) => session.get('diagnosis'))).result).toBe('flu')
    const other = visitor()
    await other.visit((session) => session.set('diagnosis', 'cold'))
    expect((await read(idOf(other))).entries['m:seal']).not.toBe((await read(idOf(customer))).entries['m:seal'])
  })

  it('that were written after a rotation do not open for the old token, whatever its holder kept', async () => {
    const { visitor, read } = sealed()
    const customer = visitor()
    await customer.visit((session) => session.set('diagnosis', 'flu'))
    const [oldCookie, id] = [customer.cookie, idOf(customer)]
    const before = await read(id)
    await customer.visit((session) => session.login('ann'))
    await customer.visit((session) => session.set('list', ['after']))
    const after = await read(id)
    // The thief puts what is stored now under the old token's hash and keys.
    const forged = sealed()
    await forged.store.create(id, { ...after, tokenHash: before.tokenHash, entries: { ...after.entries, 'm:seal': before.entries['m:seal'] ?? '' } })
    expect((await forged.visitor(oldCookie).visit((session) => session.toObject())).result).toEqual({ diagnosis: 'flu' })
    expect(forged.unreadable).toEqual(['d:list'])
  })

  it('that another request stores during a rotation are not lost', async () => {
    const { visitor, store, unreadable } = sealed()
    const customer = visitor()
    await customer.visit((session) => session.set('diagnosis', 'flu'))
    // So that no entry needs the key in use, but the one that is being written.
    await customer.visit((session) => session.regenerate())
    const [rotating, writing] = [await customer.begin(), await customer.begin()]
    const patch = store.hold('patch')
    const rotation = rotating.session.regenerate()
    await patch.reached
    writing.session.set('list', ['meanwhile'])
    expect(await writing.session.commit()).toBe('ok')
    patch.release()
    expect(await rotation).toBe('ok')
    await rotating.finish()
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ diagnosis: 'flu', list: ['meanwhile'] })
    expect(unreadable).toEqual([])
  })

  it('are what they were when a rotation fails', async () => {
    const { visitor, store } = sealed()
    const customer = visitor()
    await customer.visit((session) => session.set('diagnosis', 'flu'))
    const request = await customer.begin()
    const patch = store.hold('patch')
    const rotation = request.session.regenerate()
    await patch.reached
    patch.fail(new Error('down'))
    await expect(rotation).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    request.session.set('list', ['still'])
    await request.finish()
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ diagnosis: 'flu', list: ['still'] })
  })

  it('keep no more keys than entries need', async () => {
    const { visitor, read } = sealed()
    const customer = visitor()
    await customer.visit((session) => { session.set('diagnosis', 'flu'); session.set('list', []) })
    const sizes: number[] = []
    for (let round = 0; round < 12; round += 1) {
      await customer.visit((session) => session.set('list', [`${round}`]))
      await customer.visit((session) => session.regenerate())
      sizes.push((await read(idOf(customer))).entries['m:seal']?.length ?? 0)
    }
    expect(sizes.at(-1)).toBeLessThanOrEqual((sizes[1] ?? 0) + 10)
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ diagnosis: 'flu', list: ['11'] })
  })

  it('cannot be moved to another key or session', async () => {
    const { visitor, store, read, unreadable } = sealed()
    const [customer, other] = [visitor(), visitor()]
    await customer.visit((session) => { session.set('diagnosis', 'flu'); session.set('list', ['a']) })
    await other.visit((session) => session.set('diagnosis', 'cold'))
    const { entries } = await read(idOf(customer))
    const foreign = (await read(idOf(other))).entries
    await store.patch(idOf(customer), { now: 1_700_000_000_000, nonce: 'x', set: [['d:list', entries['d:diagnosis'] ?? ''], ['d:diagnosis', foreign['d:diagnosis'] ?? '']] }, { signal: new AbortController().signal })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({})
    expect(new Set(unreadable)).toEqual(new Set(['d:list', 'd:diagnosis']))
  })

  it('may be sealed with keys of the application as well', async () => {
    const { visitor, read } = sealed({ codec: sealingCodec(['ab'.repeat(32)]) })
    const customer = visitor()
    await customer.visit((session) => { session.set('list', ['a']); session.set('userId', 7) })
    await customer.visit((session) => { session.data.list?.push('b') })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ list: ['a', 'b'], userId: 7 })
    expect((await read(idOf(customer))).entries['d:userId']).toMatch(/^s1\./)
  })
})

describe('without the token', () => {
  async function loggedIn() {
    const parts = sealed()
    const customer = parts.visitor()
    await customer.visit(async (session) => { session.set('diagnosis', 'flu'); session.set('userId', 7); await session.login('ann') })
    const session = await parts.sessions.load({ id: idOf(customer) })
    if (session === undefined) throw new Error('the session is not there')
    return { ...parts, customer, session }
  }

  it('data is neither read nor written, and says so', async () => {
    const { session, customer } = await loggedIn()
    for (const attempt of [() => session.get('diagnosis'), () => session.has('diagnosis'), () => session.toObject(), () => session.set('list', []), () => session.flash.set('note', 'x')]) expect(attempt).toThrow(closed)
    await expect(session.update('diagnosis', () => 'cold')).rejects.toEqual(closed)
    await expect(session.regenerate()).rejects.toEqual(closed)
    expect((await customer.visit((mine) => mine.get('diagnosis'))).result).toBe('flu')
  })

  it('indexed values, the owner and the end work, and dumps do not throw', async () => {
    const { session, sessions, customer } = await loggedIn()
    expect([session.get('userId'), session.owner, session.keys()]).toEqual([7, 'ann', ['diagnosis', 'userId']])
    expect(inspect(session)).toContain('sealed')
    const found = []
    for await (const each of sessions.find('userId', 7)) found.push(each.id)
    for await (const each of sessions.findByOwner('ann')) found.push(each.id)
    expect(found).toEqual([session.id, session.id])
    expect(await sessions.revokeAll('ann')).toBe(1)
    expect((await customer.visit((mine) => mine.isNew)).result).toBe(true)
  })

  it('findOrCreate makes no session, since nothing could seal it', async () => {
    const { sessions } = sealed()
    await expect(sessions.findOrCreate('userId', 7)).rejects.toEqual(closed)
  })

  it('the list of keys is nothing that an application can set', async () => {
    const { visitor } = sealed()
    await visitor().visit((session) => expect(() => session.metadata.set('seal', 'x')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE' })))
  })
})

describe('the option seal', () => {
  it('leaves a session from before it as it is until its token is replaced', async () => {
    const store = memoryStore()
    const before = createSessions<Data>({ store, sweepEvery: 'never' })
    const customer = new Visitor(before)
    await customer.visit((session) => session.set('diagnosis', 'flu'))
    const after = createSessions<Data>({ store, sweepEvery: 'never', security: security({ seal: 'token' }) })
    const same = new Visitor(after, customer.cookie)
    await same.visit((session) => session.set('list', ['plain']))
    expect((await store.read(idOf(customer)))?.entries['d:list']).toBe('["plain"]')
    await same.visit((session) => session.regenerate())
    await same.visit((session) => session.set('list', ['sealed']))
    expect((await store.read(idOf(customer)))?.entries['d:list']).toMatch(/^t1\./)
    expect((await same.visit((session) => session.toObject())).result).toEqual({ diagnosis: 'flu', list: ['sealed'] })
  })

  it('is refused where the visitor keeps the session, and where it is another word', () => {
    expect(() => createSessions({ store: cookieStore({ keys: ['ab'.repeat(32)] }), security: security({ seal: 'token' }) })).toThrow(/Leave seal out/)
    expect(() => Reflect.apply(security, undefined, [{ seal: 'key' }])).toThrow(/sealingCodec/)
  })
})
