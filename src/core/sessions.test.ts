import { channel } from 'node:diagnostics_channel'
import * as v from 'valibot'
import { describe, expect, it, vi } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type SessionsOptions } from '../index.ts'
import { memoryStore } from '../stores/memory.ts'
import { TestExchange } from '../testing/exchange.ts'
import { SessionError } from './errors.ts'
import type { SessionEventName } from './events.ts'
import { sealingCodec } from '../security/sealing-codec.ts'
import type { Store } from './store.ts'

interface Data {
  userId: number
  name: string
  cart: string[]
}

function managed(options: SessionsOptions<Data> = {}) {
  let now = 1_700_000_000_000
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, clock: () => now, sweepEvery: 'never', index: ['userId'], ...options })
  const seen: string[] = []
  for (const name of ['unknown-token', 'unreadable', 'duplicate-token', 'superseded', 'expire', 'gone', 'conflict', 'error', 'not-saved', 'revoke', 'sweep'] as const satisfies SessionEventName[]) {
    sessions.on(name, ({ reason }) => { seen.push(reason === undefined ? name : `${name}: ${reason}`) })
  }
  return { store, sessions, seen, visitor: (cookie?: string) => new Visitor<Data>(sessions, cookie), advance(seconds: number) { now += seconds * 1000 } }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('a session that could not be read, where requests go on without', () => {
  async function degraded() {
    const store = memoryStore()
    let isDown = false
    const read = store.read.bind(store)
    vi.spyOn(store, 'read').mockImplementation((id) => { if (isDown) throw new Error('down'); return read(id) })
    const sessions = createSessions<Data>({ store, onStoreError: 'degrade', sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.login('ada'))
    isDown = true
    return { visitor, up: () => { isDown = false } }
  }

  it('does not pretend to log out', async () => {
    const { visitor, up } = await degraded()
    await visitor.visit((session) => expect(session.logout()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' }))
    up()
    expect((await visitor.visit((session) => session.owner)).result).toBe('ada')
    await visitor.visit((session) => session.logout())
    expect(visitor.token).toBeUndefined()
  })

  it('begins no other after it was released', async () => {
    const { visitor, up } = await degraded()
    const { token } = visitor
    await visitor.visit(async (session) => {
      await session.release()
      up()
      await session.load()
      session.set('userId', 7)
    })
    expect(visitor.token).toBe(token)
    expect((await visitor.visit((session) => session.owner)).result).toBe('ada')
  })
})

describe('a token', () => {
  const FORM = `${'a'.repeat(22)}.${'b'.repeat(43)}`

  it.each([
    ['malformed', 'nonsense', 'unknown-token: malformed'],
    ['overlong', 'x'.repeat(8000), 'unknown-token: malformed'],
    ['with a newline', `${FORM}%0A`, 'unknown-token: malformed'],
    ['with NUL', `${FORM.slice(0, -1)}\0`, 'unknown-token: malformed'],
    ['that names a path', `../../etc/passwd${FORM}`, 'unknown-token: malformed'],
    ['unknown', FORM, 'unknown-token: unknown'],
  ])('%s gives a fresh session and an event', async (_name, text, event) => {
    const { visitor, seen } = managed()
    const customer = visitor(`__Host-sid=${text}`)
    const { result, setCookies } = await customer.visit((session) => [session.isNew, session.toObject()])
    expect(result).toEqual([true, {}])
    expect(setCookies).toEqual([])
    expect(seen).toEqual([event])
  })

  it('that we did not issue is never adopted', async () => {
    const { visitor } = managed()
    const attacker = visitor(`__Host-sid=${FORM}`)
    const { result: id } = await attacker.visit((session) => { session.set('name', 'x'); return session.id })
    expect(id).not.toBe('a'.repeat(22))
    expect(attacker.token).not.toBe(FORM)
  })

  it('with the right id and a wrong secret opens nothing', async () => {
    const { visitor, seen } = managed()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('name', 'x'); return session.id })
    const { result } = await visitor(`__Host-sid=${id}.${'b'.repeat(43)}`).visit((session) => session.get('name'))
    expect(result).toBeUndefined()
    expect(seen).toEqual(['unknown-token: mismatch'])
  })

  it('that fits is found among others of its name, of which four are tried', async () => {
    const { visitor, sessions } = managed()
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    const junk = '__Host-sid=junk'
    const found = async (cookie: string): Promise<string | undefined> => (await sessions.open(new TestExchange({ headers: { cookie } }))).get('name')
    expect(await found(`${junk}; ${customer.cookie}`)).toBe('x')
    expect(await found(`__Host-sid=${FORM}; ${customer.cookie}`)).toBe('x')
    expect(await found([...Array.from({ length: 4 }, () => `__Host-sid=${FORM}`), customer.cookie].join('; '))).toBeUndefined()
  })

  it('beside another that fits gives way to the first, with an event', async () => {
    const { visitor, sessions, seen } = managed()
    const [one, two] = [visitor(), visitor()]
    await one.visit((session) => session.set('name', 'one'))
    await two.visit((session) => session.set('name', 'two'))
    const session = await sessions.open(new TestExchange({ headers: { cookie: `${one.cookie}; ${two.cookie}` } }))
    expect(session.get('name')).toBe('one')
    expect(seen).toEqual(['duplicate-token'])
  })

  it('is not in the store, nor in any event', async () => {
    const { visitor, sessions, store } = managed()
    const events: unknown[] = []
    for (const name of ['create', 'load', 'commit', 'regenerate', 'login', 'destroy'] as const) sessions.on(name, (event) => { events.push(event) })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    const [id = '', secret = 'missing'] = customer.token?.split('.') ?? []
    const first = await store.read(id)
    await customer.visit((session) => session.login('bob'))
    expect(JSON.stringify([events, first, await store.read(id)])).not.toContain(secret)
    expect(first).toBeDefined()
    expect(events.length).toBeGreaterThan(2)
  })

  it('can have a format of the application\'s own', async () => {
    let made = 0
    const { visitor, seen } = managed({
      generateToken: () => ({ id: `dead${(made += 1).toString(16).padStart(4, '0')}`, secret: 's'.repeat(32) }),
      validateToken: (text) => { const match = /^([0-9a-f]{8})\.(s{32})$/.exec(text); return match?.[1] === undefined || match[2] === undefined ? undefined : { id: match[1], secret: match[2] } },
    })
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('name', 'x'); return session.id })
    expect(id).toMatch(/^dead[0-9a-f]{4}$/)
    expect((await customer.visit((session) => session.get('name'))).result).toBe('x')
    await visitor(`__Host-sid=${'z'.repeat(32)}`).visit((session) => session.get('name'))
    expect(seen).toEqual(['unknown-token: malformed'])
  })

  it('refuses a text of which the application\'s format makes no whole token', async () => {
    const made: unknown[] = []
    const { visitor, seen, sessions } = managed({ validateToken: () => Reflect.apply(() => made.at(-1), undefined, []) as undefined })
    const { id } = await sessions.create()
    for (const token of [{ id }, { id, secret: 5 }, { secret: 's' }, null, 'x']) {
      made.push(token)
      await visitor('__Host-sid=x').visit((session) => session.get('name'))
    }
    expect(seen).toEqual(made.map(() => 'unknown-token: malformed'))
  })

  it('cannot be made weaker than 128 bits', async () => {
    const { visitor } = managed({ generateToken: () => ({ id: 'abcdefgh', secret: 'short' }) })
    await expect(visitor().visit((session) => session.set('name', 'x'))).rejects.toThrow(/128 bits/)
  })
})

describe('what is stored', () => {
  it.each([
    ['nonsense under a data key', { 'd:name': '{not json' }],
    ['nothing that devalue knows', { 'd:name': '~[["Unknown",1]]' }],
  ])('may be %s, and only that entry is dropped', async (_name, broken) => {
    const { visitor, store, seen } = managed()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('name', 'x'); session.set('userId', 7); return session.id })
    await store.patch(id, { now: 1_700_000_000_000, nonce: 'foreign', set: Object.entries(broken) })
    expect((await customer.visit((session) => [session.get('name'), session.get('userId')])).result).toEqual([undefined, 7])
    expect(seen).toEqual(['unreadable'])
  })

  it('may be no record at all: the visitor gets a fresh session and keeps no exception', async () => {
    const store = memoryStore()
    const broken: Store = { ...storeMethods(store), read: () => { throw new SessionError('ERR_SESSION_UNREADABLE', 'It is not a record. Ignore it.') } }
    const { visitor, seen } = managed({ store: broken })
    const customer = visitor(`__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}`)
    expect((await customer.visit((session) => { session.set('name', 'x'); return session.isNew })).result).toBe(true)
    expect(seen).toEqual(['unreadable'])
  })

  it('is checked by a schema for each key', async () => {
    const { visitor, store, seen } = managed({ schema: { userId: v.number(), name: v.pipe(v.string(), v.trim()) } })
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('userId', 7); session.set('name', ' bob '); return session.id })
    await store.patch(id, { now: 1_700_000_000_000, nonce: 'foreign', set: [['d:userId', '"seven"']] })
    expect((await customer.visit((session) => [session.get('userId'), session.has('userId'), session.get('name'), session.keys()])).result).toEqual([undefined, false, 'bob', ['name']])
    expect(seen).toEqual(['unreadable'])
  })

  it('is checked by one schema of the whole', async () => {
    const { visitor, store } = managed({ schema: v.object({ userId: v.number(), name: v.pipe(v.string(), v.trim()), cart: v.array(v.string()) }) })
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('userId', 7); session.set('name', ' bob '); session.set('cart', []); return session.id })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ userId: 7, name: 'bob', cart: [] })
    await store.patch(id, { now: 1_700_000_000_000, nonce: 'foreign', set: [['d:userId', 'true']], remove: ['d:cart'] })
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ name: ' bob ' })
  })

  it('is not rolled back by a mere reader of a value that the schema changes', async () => {
    const { visitor, seen } = managed({ schema: { cart: v.pipe(v.array(v.string()), v.transform((items) => items.map((item) => item.toUpperCase()))) } })
    const customer = visitor()
    await customer.visit((session) => session.set('cart', ['tea']))
    const [reader, writer] = [await customer.begin(), await customer.begin()]
    expect(reader.session.get('cart')).toEqual(['TEA'])
    writer.session.set('cart', ['jam'])
    await writer.finish()
    await reader.finish()
    expect((await customer.visit((session) => session.get('cart'))).result).toEqual(['JAM'])
    expect(seen).toEqual([])
  })

  it('can be sealed, and a mere reader of a sealed value rolls nothing back', async () => {
    const keys = ['1'.repeat(64), '2'.repeat(64)] as const
    const { visitor, store, seen, sessions } = managed({ codec: sealingCodec(keys) })
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('cart', ['tea']); session.set('userId', 7); return session.id })
    expect(JSON.stringify(await store.read(id))).not.toContain('tea')
    const [reader, writer] = [await customer.begin(), await customer.begin()]
    expect(reader.session.get('cart')).toEqual(['tea'])
    writer.session.get('cart')?.push('jam')
    await writer.finish()
    await reader.finish()
    expect((await customer.visit((session) => session.get('cart'))).result).toEqual(['tea', 'jam'])
    expect(await all(sessions.find('userId', 7))).toHaveLength(1)
    expect(seen).toEqual([])
  })

  it('opens with an earlier key, and with no other, and nowhere else', async () => {
    const [one, two, three] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string]
    const context = { id: 'id', key: 'd:a' }
    const sealed = sealingCodec([one]).encode({ a: 1 }, context)
    expect(sealingCodec([two, one]).decode(sealed, context)).toEqual({ a: 1 })
    for (const attempt of [() => sealingCodec([two, three]).decode(sealed, context), () => sealingCodec([one]).decode(sealed, { id: 'id', key: 'd:b' }), () => sealingCodec([one]).decode(sealed, { id: 'other', key: 'd:a' }), () => sealingCodec([one]).decode(sealed.slice(0, -2), context), () => sealingCodec([one]).decode('plain', context), () => sealingCodec([one]).decode('s1.', context)]) expect(attempt).toThrow(SessionError)
    // @ts-expect-error -- an empty list is what a missing environment variable gives
    expect(() => sealingCodec([])).toThrow(/openssl/)
    expect(() => sealingCodec(['short'])).toThrow(/32 bytes/)
  })
})

describe('finding', () => {
  it('goes by typed value, and never finds what has changed or ended', async () => {
    const { visitor, sessions } = managed()
    const [one, two, three] = [visitor(), visitor(), visitor()]
    for (const customer of [one, two, three]) await customer.visit((session) => session.set('userId', 7))
    await two.visit((session) => session.set('userId', 8))
    await three.visit((session) => session.logout())
    expect((await all(sessions.find('userId', 7))).map((session) => session.id)).toEqual([(await one.visit((session) => session.id)).result])
    expect(await all(sessions.find('userId', 8))).toHaveLength(1)
    expect(() => sessions.find('name', 'bob')).toThrow(/index/)
  })

  it('refuses objects under an indexed key', async () => {
    const sessions = createSessions<{ tag: object }>({ index: ['tag'], sweepEvery: 'never' })
    await expect(new Visitor(sessions).visit((session) => session.set('tag', { a: 1 }))).rejects.toThrow(/indexed key "tag"/)
  })

  it('lists an owner\'s devices, and ends all but one', async () => {
    const { visitor, sessions } = managed()
    const [phone, laptop, other] = [visitor(), visitor(), visitor()]
    for (const device of [phone, laptop]) await device.visit((session) => session.login('bob'))
    await other.visit((session) => session.login('eve'))
    const { result: id } = await phone.visit((session) => session.id)
    expect(await all(sessions.findByOwner('bob'))).toHaveLength(2)
    expect(await sessions.revokeAll('bob', { except: id })).toBe(1)
    expect((await phone.visit((session) => session.owner)).result).toBe('bob')
    expect((await laptop.visit((session) => [session.owner, session.endedBecause])).result).toEqual([undefined, 'revoked'])
    expect((await other.visit((session) => session.owner)).result).toBe('eve')
    expect((await all(sessions.list())).map((session) => session.owner).toSorted()).toEqual(['bob', 'eve'])
  })

  it('ends a login that a revocation of all overtook', async () => {
    const store = memoryStore()
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow: Store = { ...storeMethods(store), patch: async (id, patch) => { if (patch.rotateTo !== undefined) { reached.resolve(); await released.promise } return store.patch(id, patch) } }
    const { visitor, sessions } = managed({ store: slow })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    const request = await customer.begin()
    const login = request.session.login('bob')
    await reached.promise
    expect(await sessions.revokeAll('bob')).toBe(0)
    released.resolve()
    expect(await login).toBe('gone')
    await request.finish()
    expect(await all(sessions.findByOwner('bob'))).toEqual([])
    const again = await customer.visit((session) => session.login('bob'))
    expect(again.result).toBe('ok')
  })

  it('finds or creates one session for two that ask at once', async () => {
    const { sessions, visitor } = managed()
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'mine'))
    const [one, two] = await Promise.all([sessions.findOrCreate('userId', 42), sessions.findOrCreate('userId', 42)])
    expect(one.id).toBe(two.id)
    expect(one.get('userId')).toBe(42)
    expect((await sessions.findOrCreate('userId', 43)).id).not.toBe(one.id)
    expect((await customer.visit((session) => session.toObject())).result).toEqual({ name: 'mine' })
    expect(one.token).toBeUndefined()
    await one.regenerate()
    expect(await sessions.load(one.token ?? '')).toBeDefined()
  })

  it('lets a late writer of an ended session not write into the next of its value', async () => {
    const { sessions, seen } = managed()
    const late = await sessions.findOrCreate('userId', 42)
    await sessions.revoke(late.id)
    const next = await sessions.findOrCreate('userId', 42)
    expect(next.id).toBe(late.id)
    const later = await sessions.load({ id: late.id })
    await sessions.revoke(late.id)
    await sessions.findOrCreate('userId', 42)
    late.set('name', 'late')
    expect(await late.commit()).toBe('gone')
    expect(await later?.update('name', () => 'late')).toBe('gone')
    expect((await sessions.findOrCreate('userId', 42)).has('name')).toBe(false)
    expect(seen).toContain('gone')
  })

  it('makes another session when the value of the first has changed', async () => {
    const { sessions } = managed()
    const first = await sessions.findOrCreate('userId', 42)
    first.set('userId', 43)
    await first.commit()
    expect((await sessions.findOrCreate('userId', 42)).id).not.toBe(first.id)
  })
})

describe('outside of requests', () => {
  it('loads by token, by id, by headers; nothing that does not live', async () => {
    const { sessions, visitor } = managed()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('name', 'x'); return session.id })
    const token = customer.token ?? ''
    for (const from of [token, { id }, { headers: { cookie: `a=b; ${customer.cookie}` } }, { headers: new Headers({ cookie: customer.cookie }) }]) {
      expect((await sessions.load(from))?.get('name')).toBe('x')
    }
    for (const from of ['nonsense', `${'a'.repeat(22)}.${'b'.repeat(43)}`, { id: '../x' }, { id: 'abcdefgh' }, { headers: {} }]) expect(await sessions.load(from)).toBeUndefined()
    const worker = await sessions.load({ id })
    worker?.set('name', 'y')
    expect(await worker?.commit()).toBe('ok')
    expect((await customer.visit((session) => session.get('name'))).result).toBe('y')
  })

  it('creates a session whose token can be handed out', async () => {
    const { sessions } = managed()
    const session = await sessions.create()
    expect((await sessions.load(session.token ?? ''))?.id).toBe(session.id)
    expect(session.isNew).toBe(true)
  })

  it('reads anew when told to', async () => {
    const { sessions, visitor } = managed()
    const customer = visitor()
    const { result: id } = await customer.visit((session) => { session.set('name', 'x'); return session.id })
    const [one, two] = [await sessions.load({ id }), await sessions.load({ id })]
    two?.set('name', 'y')
    await two?.commit()
    expect((await one?.load({ fresh: true }))?.get('name')).toBe('y')
    await sessions.revoke(id)
    expect((await one?.load({ fresh: true }))?.toObject()).toEqual({})
  })

  it('sweeps what has expired, or is older than asked', async () => {
    const { sessions, visitor, advance } = managed({ idleTimeout: '2 hours', absoluteTimeout: '400 days' })
    const [old, young] = [visitor(), visitor()]
    await old.visit((session) => session.set('name', 'old'))
    advance(3 * 3600)
    await young.visit((session) => session.set('name', 'young'))
    expect(await sessions.sweep()).toBe(1)
    advance(1800)
    expect(await sessions.sweep({ olderThan: '2 hours', by: 'created' })).toBe(0)
    expect(await sessions.sweep({ olderThan: '10 minutes', by: 'touched' })).toBe(1)
  })
})

describe('a sweep that was asked for', () => {
  it('fires the signals of what has expired, also beside a record that cannot be read', async () => {
    const store = memoryStore()
    const { sessions, advance } = managed({ store, idleTimeout: '2 hours' })
    const [damaged, old] = [await sessions.create(), await sessions.create()]
    const signals = [damaged.signal, old.signal]
    advance(3 * 3600)
    const young = await sessions.create()
    signals.push(young.signal)
    const read = store.read.bind(store)
    store.read = (id) => {
      if (id === damaged.id) throw new SessionError('ERR_SESSION_UNREADABLE', 'Damaged.')
      return read(id)
    }
    expect(await sessions.sweep()).toBe(2)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false])
  })
})

describe('a failing store', () => {
  const failing = (method: 'read' | 'create' | 'patch' | 'end'): Store => {
    const store = memoryStore()
    let broken = false
    return { ...storeMethods(store), [method]: (...args: readonly unknown[]) => { if (broken) throw new Error('backend down'); return Reflect.apply(store[method], store, args) }, open: () => { broken = false }, close: () => { broken = true } }
  }

  it('fails the request with ERR_SESSION_STORE, the cause, and what may have happened', async () => {
    const store = failing('patch')
    const { visitor, seen } = managed({ store })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    store.close?.()
    const error: unknown = await customer.visit((session) => session.set('name', 'y')).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown', cause: expect.objectContaining({ message: 'backend down' }) })
    expect(seen).toEqual(['error'])
  })

  it('can be gone without: the request goes on with an empty session', async () => {
    const store = failing('read')
    const { visitor, seen } = managed({ store, onStoreError: 'degrade' })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    store.close?.()
    const { result, setCookies } = await customer.visit((session) => { session.set('name', 'y'); return session.isNew })
    expect([result, setCookies]).toEqual([true, []])
    expect(seen).toEqual(['error', 'gone: degraded'])
  })

  it('degrades at the commit as well', async () => {
    const store = failing('patch')
    const { visitor } = managed({ store, onStoreError: 'degrade' })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    store.close?.()
    expect((await customer.visit((session) => session.set('name', 'y'))).setCookies).toEqual([])
  })

  it('that hangs while it opens, or lists, is given up after storeTimeout', async () => {
    const hang = (): Promise<never> => new Promise(() => {})
    const opens = managed({ store: { ...storeMethods(memoryStore()), open: hang }, storeTimeout: 0.01 })
    await expect(opens.visitor().visit((session) => session.set('name', 'x1'))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    const lists = managed({ store: { ...storeMethods(memoryStore()), find: () => ({ [Symbol.asyncIterator]: () => ({ next: hang, return: hang }) }) }, storeTimeout: 0.01 })
    await expect(lists.sessions.revokeAll('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
  })

  it('that looks at its signal late sees that nobody waits any more', async () => {
    const memory = memoryStore()
    const seen: unknown[] = []
    let goOn = (): void => {}
    const givenUp = new Promise<void>((resolve) => { goOn = resolve })
    const patch: Store['patch'] = async (_id, _patch, options) => {
      await givenUp
      seen.push(options?.signal?.aborted)
      return { status: 'gone' }
    }
    const { visitor } = managed({ store: { ...storeMethods(memory), patch }, storeTimeout: 0.01 })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x1'))
    await expect(customer.visit((session) => session.set('name', 'x2'))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    goOn()
    await vi.waitFor(() => { expect(seen).toEqual([true]) })
  })

  it('does not exist for what is no token and no id', async () => {
    const { sessions } = managed()
    for (const junk of ['undefined', 'null', '5', '[]', '{}', '{"id":5}']) {
      const [from] = junk === 'undefined' ? [undefined] : [JSON.parse(junk)]
      expect(await sessions.load(from)).toBeUndefined()
    }
  })

  it('outlives a listener that rejects', async () => {
    const { sessions, visitor } = managed()
    const errors: unknown[] = []
    sessions.on('error', ({ reason }) => { errors.push(reason) })
    sessions.on('create', async () => { throw new Error('mine') })
    await visitor().visit((session) => session.set('name', 'x'))
    await vi.waitFor(() => { expect(errors).toEqual(['a listener of "create" threw']) })
  })

  it('that hangs is given up after storeTimeout', async () => {
    const store: Store = { ...storeMethods(memoryStore()), read: (_id, options) => new Promise((_resolve, reject) => { options?.signal?.addEventListener('abort', () => reject(new Error('aborted'))) }) }
    const { visitor } = managed({ store, storeTimeout: 0.01 })
    await expect(visitor(`__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}`).visit(() => undefined)).rejects.toThrow(/did not answer read within 0.01 s/)
  })

  it('that fails while a login is checked leaves nobody logged in, though all sessions were revoked meanwhile', async () => {
    const memory = memoryStore()
    let step = (): void => {}
    const store: Store = { ...storeMethods(memory), find: (term) => memory.find(term), read: async (id) => { step(); return memory.read(id) }, patch: async (id, patch) => { await sessions.revokeAll('ann'); step = () => { throw new Error('down') }; return memory.patch(id, patch) } }
    const { sessions, visitor } = managed({ store })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    const { session, finish } = await customer.begin()
    await expect(session.login('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    step = () => {}
    expect(session.owner).toBeUndefined()
    await finish({ failed: true })
    expect(await sessions.load({ id: session.id })).toBeUndefined()
    expect((await customer.visit((next) => next.owner)).result).toBeUndefined()
  })

  it('that cannot be opened is tried again', async () => {
    let attempts = 0
    const store: Store = { ...storeMethods(memoryStore()), open: async () => { attempts += 1; if (attempts === 1) throw new Error('refused') } }
    const { visitor } = managed({ store })
    await expect(visitor().visit((session) => session.set('name', 'x'))).rejects.toThrow(/failed in open/)
    expect((await visitor().visit((session) => session.set('name', 'x'))).setCookies).toHaveLength(1)
  })

  it('that hangs while it opens does not hang the request', async () => {
    const store: Store = { ...storeMethods(memoryStore()), open: () => new Promise(() => {}) }
    const { visitor } = managed({ store, storeTimeout: 0.01 })
    await expect(visitor().visit((session) => session.set('name', 'x'))).rejects.toThrow(/did not answer open within 0.01 s/)
  })

  it('that lost the reply of a commit is not asked twice', async () => {
    const store = memoryStore()
    const deaf: Store = { ...storeMethods(store), patch: (id, patch) => { store.patch(id, patch); return store.patch(id, { ...patch, nonce: 'other', expect: [['d:name', '"never"']] }) } }
    const { visitor, seen } = managed({ store: deaf })
    const customer = visitor()
    await customer.visit((session) => session.set('name', 'x'))
    await customer.visit((session) => { session.get('name'); session.set('name', 'y') })
    expect((await customer.visit((session) => session.get('name'))).result).toBe('y')
    expect(seen).toEqual([])
  })
})

describe('a publicly cacheable response', () => {
  it.each([['Cache-Control', 'public, max-age=60'], ['Cache-Control', 's-maxage=60'], ['Expires', 'Fri, 01 Jan 2038 00:00:00 GMT']])('with %s: %s begins no session', async (name, value) => {
    const { visitor, seen } = managed()
    const { setCookies } = await visitor().visit((session, exchange) => { exchange.setResponseHeader(name, value); session.set('name', 'x') })
    expect(setCookies).toEqual([])
    expect(seen).toEqual(['not-saved: the response is publicly cacheable'])
  })

  it('becomes private when it must carry the cookie of a login', async () => {
    const { visitor } = managed()
    const { setCookies, exchange } = await visitor().visit(async (session, exchange) => { exchange.setResponseHeader('Cache-Control', 'public'); await session.login('bob') })
    expect(setCookies).toHaveLength(1)
    expect(exchange.responseHeader('cache-control')).toBe('no-store')
  })

  it('is none with the public, max-age=0 that Express sets on files, and no cache may keep the cookie with it', async () => {
    const { visitor } = managed()
    const { setCookies, exchange } = await visitor().visit((session, exchange) => { exchange.setResponseHeader('Cache-Control', 'public, max-age=0'); session.set('name', 'x') })
    expect(setCookies).toHaveLength(1)
    expect(exchange.responseHeader('cache-control')).toBe('no-store')
  })

  it.each([['Cache-Control', 'private, max-age=60'], ['Cache-Control', 'no-store']])('is none with %s: %s', async (name, value) => {
    const { visitor } = managed()
    const { setCookies, exchange } = await visitor().visit((session, exchange) => { exchange.setResponseHeader(name, value); session.set('name', 'x') })
    expect(setCookies).toHaveLength(1)
    expect(exchange.responseHeader(name)).toBe(value)
  })
})

describe('observation', () => {
  it('publishes events on diagnostics channels and survives a listener that throws', async () => {
    const { sessions, visitor } = managed()
    const published: unknown[] = []
    const listener = (message: unknown): void => { published.push(message) }
    const created = channel('sojourn:create')
    created.subscribe(listener)
    const failures: unknown[] = []
    sessions.on('error', ({ error }) => { failures.push(error); throw new Error('again') })
    const stop = sessions.on('create', () => { throw new Error('listener') })
    const { result: id } = await visitor().visit((session) => { session.set('name', 'x'); return session.id })
    stop()
    created.unsubscribe(listener)
    await visitor().visit((session) => session.set('name', 'x'))
    expect(published).toEqual([{ id }])
    expect(failures).toEqual([expect.objectContaining({ message: 'listener' })])
    // @ts-expect-error -- what a typing mistake in JavaScript does
    expect(() => sessions.on('creat', () => {})).toThrow(/There is no event "creat"/)
  })
})

describe('a best-effort store', () => {
  it('is warned about once, when somebody logs in', async () => {
    const { sessions, visitor } = managed({ store: { ...storeMethods(memoryStore()), consistency: 'best-effort' } })
    const warnings: unknown[] = []
    sessions.on('warning', ({ reason }) => { warnings.push(reason) })
    await visitor().visit((session) => session.set('name', 'x'))
    expect(warnings).toEqual([])
    for (const name of ['ada', 'bob']) await visitor().visit((session) => session.login(name))
    expect(warnings).toEqual([expect.stringContaining('no atomic step')])
  })
})

describe('wrong options', () => {
  it.each<[string, object, RegExp]>([
    ['an unknown option', { idleTimeOut: 1 }, /no option "idleTimeOut"/],
    ['an idle timeout longer than the absolute', { idleTimeout: '2 days' }, /longer than absoluteTimeout/],
    ['milliseconds', { idleTimeout: 86_400_000 }, /milliseconds\?/],
    ['a store timeout in milliseconds', { storeTimeout: 2000 }, /storeTimeout/],
    ['a negative timeout', { idleTimeout: -5 }, /idleTimeout/],
    ['a text that is no duration', { absoluteTimeout: '5 fortnights' }, /5 fortnights/],
    ['a touch interval longer than the idle timeout', { touchAfter: '1 hour' }, /touchAfter/],
    ['an express-session store', { store: { get() {}, set() {}, destroy() {} } }, /expressStore/],
    ['no transport', { transport: [] }, /transport/],
    ['a transport without methods', { transport: {} }, /read and write/],
    ['an index that is no list', { index: 'userId' }, /index: \['userId'\]/],
    ['a merge that is no function', { merge: { cart: 'theirs' } }, /merge\.cart/],
    ['a codec without methods', { codec: {} }, /encode/],
    ['a size that is no number', { maxSessionBytes: '64k' }, /maxSessionBytes/],
    ['a load mode that is none', { load: 'later' }, /"eager" or "lazy"/],
    ['a clock that is no function', { clock: 5 }, /clock/],
    ['a schema that is none', { schema: { name: {} } }, /Standard Schema/],
    ['cookie beside transport', { cookie: {}, transport: { read: () => [], write() {} } }, /Both cookie and transport/],
  ])('%s is refused', (_name, options, message) => {
    expect(() => createSessions(options)).toThrow(expect.objectContaining({ name: 'SessionError', code: 'ERR_SESSION_OPTION', message: expect.stringMatching(message) }))
  })

  it('accepts sessions without an idle or absolute limit', () => {
    expect(createSessions({ idleTimeout: 'never', absoluteTimeout: '7 days' })).toBeDefined()
    expect(createSessions({ idleTimeout: 'never', absoluteTimeout: 'never' })).toBeDefined()
  })
})

function storeMethods(store: Store): Store {
  return {
    read: (id, options) => store.read(id, options),
    create: (id, record) => store.create(id, record),
    patch: (id, patch, options) => store.patch(id, patch, options),
    end: (id, because, at) => store.end(id, because, at),
    ...(store.find !== undefined && { find: (term: string) => store.find?.(term) ?? none() }),
  }
}

async function* none(): AsyncIterable<string> {}
