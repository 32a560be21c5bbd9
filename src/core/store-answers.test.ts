import { describe, expect, it, vi } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, memoryStore, type SessionsOptions } from '../index.ts'
import { SessionError } from './errors.ts'
import type { SessionEventName } from './events.ts'
import type { Patch } from './patch.ts'
import type { SessionRecord } from './record.ts'
import type { Store } from './store.ts'

// What happened; what to do.
const TWO_SENTENCES = expect.stringMatching(/^[A-Z].+\. [A-Z].+\.$/)

interface Data { n: number; note: string; userId: number }

/** A store that answers with promises, so that each call is timed, and keeps neither index nor watch. */
function plainStore(replaced: Partial<Store> = {}): Store {
  const memory = memoryStore()
  return {
    read: async (id) => memory.read(id),
    create: async (id, record) => memory.create(id, record),
    patch: async (id, patch) => memory.patch(id, patch),
    end: async (id, because, at) => memory.end(id, because, at),
    ...replaced,
  }
}

function manage(options: SessionsOptions<Data> = {}) {
  let now = 1_700_000_000_000
  const sessions = createSessions<Data>({ clock: () => now, sweepEvery: 'never', index: ['userId'], ...options })
  const events: unknown[] = []
  for (const name of ['create', 'commit', 'touch', 'login', 'regenerate', 'destroy', 'revoke', 'gone', 'conflict', 'not-saved'] as const satisfies SessionEventName[]) {
    sessions.on(name, (event) => { events.push([name, event]) })
  }
  return { sessions, events, visitor: new Visitor<Data>(sessions), advance(seconds: number) { now += seconds * 1000 } }
}

async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const tick = (): Promise<unknown> => new Promise(setImmediate)

describe('a store that fails', () => {
  const failures = [['at once', () => { throw new Error('down') }], ['later', async () => { throw new Error('down') }]] as const
  const failed = (name: string, outcome: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_STORE', outcome, message: expect.stringContaining(`failed in ${name}. `), cause: expect.objectContaining({ message: 'down' }) })

  it.each(failures)('%s says in which call, and whether anything can have changed', async (_when, down) => {
    const begin = async (replaced: Partial<Store>) => {
      const made = manage({ store: plainStore() })
      await made.visitor.visit((session) => session.set('n', 1))
      const { visitor: { cookie } } = made
      const memory = memoryStore()
      await made.sessions.close()
      return { memory, cookie, ...manage({ store: plainStore(replaced) }) }
    }
    const { visitor } = await begin({ create: down })
    await expect(visitor.visit((session) => session.set('n', 1))).rejects.toEqual(failed('create', 'unknown'))
    for (const [name, outcome, act] of [['patch', 'unknown', (one: Visitor<Data>) => one.visit((session) => session.set('n', 2))], ['end', 'unknown', (one: Visitor<Data>) => one.visit((session) => session.destroy())], ['read', 'none', (one: Visitor<Data>) => one.visit(() => 1)]] as const) {
      let broken = false
      const memory = plainStore()
      const method = memory[name]
      const store: Store = { ...memory, [name]: (...args: readonly unknown[]) => (broken ? down() : Reflect.apply(method, memory, args)) }
      const one = manage({ store }).visitor
      await one.visit((session) => session.set('n', 1))
      broken = true
      await expect(act(one)).rejects.toEqual(failed(name, outcome))
    }
    await expect(manage({ store: plainStore({ sweep: down }) }).sessions.sweep()).rejects.toEqual(failed('sweep', 'unknown'))
    await expect(Promise.resolve(manage({ store: plainStore({ open: down }) }).visitor.visit((session) => session.set('n', 1)))).rejects.toEqual(failed('open', 'none'))
  })

  it.each(['find', 'list'] as const)('while it answers %s has changed nothing', async (name) => {
    const { sessions } = manage({ store: plainStore({ [name]: async function* () { yield* []; throw new Error('down') } }) })
    await expect(listed(name === 'find' ? sessions.find('userId', 7) : sessions.list())).rejects.toEqual(failed(name, 'none'))
  })

  it('with an error of ours passes it on', async () => {
    const mine = new SessionError('ERR_SESSION_STORE', 'The disk is full. Make room.', { outcome: 'none' })
    await expect(manage({ store: plainStore({ create: async () => { throw mine } }) }).visitor.visit((session) => session.set('n', 1))).rejects.toBe(mine)
  })
})

describe('a store without an index', () => {
  it('says what it cannot do', async () => {
    const { sessions } = manage({ store: plainStore() })
    const refused = (what: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_UNSUPPORTED', message: expect.stringContaining(`cannot ${what}. `) })
    await expect(listed(sessions.find('userId', 7))).rejects.toEqual(refused('find sessions by a value'))
    await expect(listed(sessions.list())).rejects.toEqual(refused('list its sessions'))
  })

  it('that cannot sweep has nothing to sweep', async () => {
    expect(await manage({ store: plainStore() }).sessions.sweep()).toBe(0)
  })
})

describe('a listing', () => {
  function counted(ids: readonly string[]) {
    let returned = 0
    const list = (): AsyncIterable<string> => {
      let at = 0
      return { [Symbol.asyncIterator]: () => ({ next: async () => { const value = ids[at]; at += 1; return value === undefined ? { done: true, value } : { done: false, value } }, return: async () => { returned += 1; return { done: true, value: undefined } } }) }
    }
    return { list, returned: () => returned }
  }

  it('that is left early is closed, and one that came to its end is not closed again', async () => {
    const memory = memoryStore()
    const made = manage({ store: memory })
    const ids: string[] = []
    for (let n = 0; n < 3; n += 1) ids.push((await made.sessions.create()).id)
    const { list, returned } = counted(ids)
    const { sessions } = manage({ store: { ...plainStore(), read: (id) => memory.read(id), list } })
    for await (const session of sessions.list()) { expect(session.id).toBe(ids[0]); break }
    expect(returned()).toBe(1)
    expect((await listed(sessions.list())).map(({ id }) => id)).toEqual(ids)
    expect(returned()).toBe(1)
  })
})

describe('the time limit of a call', () => {
  it('ends with the answer: no timer is left', async () => {
    vi.useFakeTimers()
    try {
      const { visitor } = manage({ store: plainStore() })
      await visitor.visit((session) => session.set('n', 1))
      expect(vi.getTimerCount()).toBe(0)
      const failing = manage({ store: plainStore({ create: async () => { throw new Error('down') } }) }).visitor
      await expect(failing.visit((session) => session.set('n', 1))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('is a minute for a sweep, for which no visitor waits', async () => {
    vi.useFakeTimers()
    try {
      const { sessions } = manage({ storeTimeout: 1, store: plainStore({ sweep: (_what, _limit) => new Promise((resolve) => { setTimeout(() => resolve(3), 59_000) }) }) })
      const swept = sessions.sweep()
      await vi.advanceTimersByTimeAsync(59_000)
      expect(await swept).toBe(3)
      const hung = manage({ storeTimeout: 1, store: plainStore({ sweep: () => new Promise(() => {}) }) }).sessions.sweep()
      const outcome = expect(hung).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown' })
      await vi.advanceTimersByTimeAsync(60_000)
      await outcome
    } finally {
      vi.useRealTimers()
    }
  })

  it('tells the store with the signal why nobody waits any more', async () => {
    const reasons: unknown[] = []
    const { visitor } = manage({ storeTimeout: 0.01, store: plainStore({ read: (_id, options) => new Promise(() => { options?.signal?.addEventListener('abort', () => { reasons.push(options.signal?.reason) }) }) }) })
    visitor.take([`sid=${'a'.repeat(22)}.${'b'.repeat(43)}`, `__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}`])
    const error: unknown = await visitor.visit(() => 1).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', message: TWO_SENTENCES })
    expect(reasons).toEqual([error])
  })

  it('does not keep a read from being told that it must be fresh', async () => {
    const seen: unknown[] = []
    const memory = memoryStore()
    const { visitor } = manage({ store: plainStore({ create: (id, record) => memory.create(id, record), read: async (id, options) => { seen.push([options?.fresh === true, options?.signal instanceof AbortSignal]); return memory.read(id) } }) })
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit((session) => session.get('n'))
    await visitor.visit((session) => session.load({ fresh: true }))
    expect(seen).toEqual([[false, true], [false, true], [true, true]])
  })

  it('is not made for the reads of a store that says they take one step, which are told to be fresh and limited in time all the same', async () => {
    const seen: unknown[] = []
    const memory = memoryStore()
    const { visitor } = manage({
      storeTimeout: 0.01,
      store: plainStore({
        readsInOneStep: true,
        create: (id, record) => memory.create(id, record),
        read: async (id, options) => {
          seen.push([options?.fresh === true, options?.signal])
          return seen.length === 3 ? new Promise(() => undefined) : memory.read(id)
        },
        patch: async (id, patch, options) => {
          seen.push(options?.signal instanceof AbortSignal)
          return memory.patch(id, patch)
        },
      }),
    })
    await visitor.visit((session) => session.set('n', 1))
    await visitor.visit((session) => session.load({ fresh: true }))
    await expect(visitor.visit((session) => session.get('n'))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    await visitor.visit((session) => session.set('n', 2))
    expect(seen).toEqual([[false, undefined], [true, undefined], [false, undefined], [false, undefined], true])
  })
})

describe('a store that says the same at every attempt', () => {
  /** Whatever is asked, another request was faster. */
  function contested(from: Partial<Store> = {}) {
    const memory = memoryStore()
    const patches: Patch[] = []
    let isContested = false
    const store = plainStore({
      read: async (id) => memory.read(id), create: async (id, record) => memory.create(id, record),
      async patch(id, patch) {
        if (!isContested) return memory.patch(id, patch)
        patches.push(patch)
        const record = memory.read(id)
        const newest: SessionRecord | undefined = record instanceof Promise ? await record : record
        return newest === undefined ? { status: 'gone' } : { status: 'conflict', record: newest }
      },
      ...from,
    })
    return { store, patches, contest() { isContested = true } }
  }
  const contended = expect.objectContaining({ code: 'ERR_SESSION_CONFLICT', message: TWO_SENTENCES })

  it('is given up by a commit', async () => {
    const { store, patches, contest } = contested()
    const { visitor } = manage({ store })
    await visitor.visit((session) => session.set('n', 1))
    contest()
    await expect(visitor.visit((session) => { session.set('n', (session.get('n') ?? 0) + 1) })).rejects.toEqual(contended)
    expect(patches).toHaveLength(65)
    expect(new Set(patches.map(({ nonce }) => nonce)).size).toBe(65)
  })

  it('is given up by update, which has let the others go first more and more', async () => {
    const { store, patches, contest } = contested()
    const { visitor } = manage({ store, random: (size) => crypto.getRandomValues(new Uint8Array(size)).fill(0, 0, size === 1 ? 1 : 0) })
    await visitor.visit((session) => session.set('n', 1))
    contest()
    await expect(visitor.visit((session) => session.update('n', (n = 0) => n + 1))).rejects.toEqual(contended)
    expect(patches).toHaveLength(400)
  })

  it('makes update wait from its fifth attempt on, twice as long each time, 32 ms at most', async () => {
    const { store, patches, contest } = contested()
    const { visitor } = manage({ store, random: (size) => crypto.getRandomValues(new Uint8Array(size)).fill(255, 0, size === 1 ? 1 : 0) })
    await visitor.visit((session) => session.set('n', 1))
    contest()
    vi.useFakeTimers()
    try {
      const counted = visitor.visit((session) => session.update('n', (n = 0) => n + 1)).catch((error: unknown) => error)
      const seen: number[] = []
      for (const ms of [0, 1, 1, 3, 1, 8, 16, 32, 32]) { await vi.advanceTimersByTimeAsync(ms); seen.push(patches.length) }
      expect(seen).toEqual([5, 5, 6, 6, 7, 8, 9, 10, 11])
      await vi.advanceTimersByTimeAsync(32 * 400)
      expect(await counted).toEqual(contended)
    } finally {
      vi.useRealTimers()
    }
  })

  it('that every new id is taken is believed after four of them', async () => {
    const ids: string[] = []
    const { visitor } = manage({ store: plainStore({ create: async (id) => { ids.push(id); return false } }) })
    await expect(visitor.visit((session) => session.set('n', 1))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', message: TWO_SENTENCES })
    expect(new Set(ids).size).toBe(4)
    expect(ids).toHaveLength(4)
  })

  it('that one id is taken costs the visitor nothing', async () => {
    const memory = memoryStore()
    let refused = 1
    const { visitor } = manage({ store: plainStore({ read: async (id) => memory.read(id), create: async (id, record) => { refused -= 1; return refused < 0 && memory.create(id, record) } }) })
    await visitor.visit((session) => session.set('n', 1))
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(1)
  })

  it('keeps a revocation of all sessions from being recorded, which is told', async () => {
    const { sessions } = manage({ store: plainStore({ create: async () => false, patch: async () => ({ status: 'gone' }), find: async function* () { yield* [] } }) })
    await expect(sessions.revokeAll('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_CONFLICT', message: TWO_SENTENCES })
  })
})

describe('a store whose reply was lost', () => {
  it('and that answers a conflict with our own change has applied it: nobody is told of a conflict, and nothing is done twice', async () => {
    const memory = memoryStore()
    let patches = 0
    const { visitor, events } = manage({
      store: plainStore({
        read: async (id) => memory.read(id), create: async (id, record) => memory.create(id, record),
        async patch(id, patch) {
          patches += 1
          await memory.patch(id, patch)
          const record = await memory.read(id)
          return record === undefined ? { status: 'gone' } : { status: 'conflict', record }
        },
      }),
    })
    await visitor.visit((session) => session.set('n', 1))
    expect((await visitor.visit(async (session) => { session.set('n', (session.get('n') ?? 0) + 1); return session.commit() })).result).toBe('ok')
    expect((await visitor.visit((session) => session.update('n', (n = 0) => n + 1))).result).toBe(3)
    expect(patches).toBe(2)
    expect(events.map((event) => (Array.isArray(event) ? event[0] : undefined))).toEqual(['create', 'commit', 'commit'])
    expect((await visitor.visit((session) => session.get('n'))).result).toBe(3)
  })
})

describe('a login beside a revocation of all sessions', () => {
  it.each([['the first', 0], ['a second', 1]])('does not count when %s revocation overtook it', async (_which, before) => {
    const memory = memoryStore()
    let overtake: (() => Promise<unknown>) | undefined
    const store = plainStore({
      read: async (id) => memory.read(id), create: async (id, record) => memory.create(id, record), end: async (id, because, at) => memory.end(id, because, at), find: (term) => memory.find(term),
      async patch(id, patch) {
        const act = overtake
        overtake = undefined
        if (patch.rotateTo !== undefined) await act?.()
        return memory.patch(id, patch)
      },
    })
    const { sessions, visitor, advance } = manage({ store })
    for (let n = 0; n < before; n += 1) { await sessions.revokeAll('ann'); advance(1) }
    await visitor.visit((session) => session.set('n', 1))
    overtake = () => sessions.revokeAll('ann')
    const { result } = await visitor.visit(async (session) => [await session.login('ann'), session.owner, session.isNew])
    expect(result).toEqual(['gone', undefined, true])
    expect((await visitor.visit((session) => [session.owner, session.get('n')])).result).toEqual([undefined, undefined])
    expect(await listed(sessions.findByOwner('ann'))).toEqual([])
  })

  it.each([1, 2])('that came before counts (%i), and is remembered for a quarter of an hour', async (times) => {
    const store = memoryStore()
    const { sessions, visitor, advance } = manage({ store })
    for (let n = 0; n < times; n += 1) { advance(300); await sessions.revokeAll('ann') }
    advance(899)
    expect(await sessions.sweep()).toBe(0)
    expect((await visitor.visit((session) => session.login('ann'))).result).toBe('ok')
    expect((await visitor.visit((session) => session.owner)).result).toBe('ann')
  })
})

describe('a store that does not tell of ends', () => {
  it('still lets a signal fire, with its reason, for an end in this process', async () => {
    const { sessions, visitor } = manage({ store: plainStore() })
    await visitor.visit((session) => session.set('n', 1))
    const one = await visitor.begin()
    const { signal } = one.session
    expect(signal.aborted).toBe(false)
    await sessions.revoke(one.session.id)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ code: 'ERR_SESSION_GONE', message: TWO_SENTENCES })
  })

  it('has it looked up when the signal is asked for, and at a sweep; what cannot be read counts as gone, and what fails does not', async () => {
    const memory = memoryStore()
    let answer: (() => Promise<SessionRecord | undefined>) | undefined
    const { sessions, visitor } = manage({ store: plainStore({ read: async (id) => answer?.() ?? memory.read(id), create: (id, record) => memory.create(id, record) }) })
    await visitor.visit((session) => session.set('n', 1))
    const { session } = await visitor.begin()
    const { signal } = session
    await tick()
    answer = async () => { throw new Error('down') }
    await sessions.sweep()
    expect(signal.aborted).toBe(false)
    answer = async () => { throw new SessionError('ERR_SESSION_UNREADABLE', 'It is not a record. Ignore it.') }
    await sessions.sweep()
    expect(signal.aborted).toBe(true)
  })

  it('is asked about a session no more once its signal has fired', async () => {
    const memory = memoryStore()
    const read = vi.fn(async (id: string) => memory.read(id))
    const { sessions, visitor } = manage({ store: plainStore({ read, create: (id, record) => memory.create(id, record), end: (id, because, at) => memory.end(id, because, at) }) })
    await visitor.visit((session) => session.set('n', 1))
    const { session } = await visitor.begin()
    const { signal } = session
    await tick()
    read.mockClear()
    await sessions.sweep()
    expect(read).toHaveBeenCalledTimes(1)
    await sessions.revoke(session.id)
    expect(signal.aborted).toBe(true)
    read.mockClear()
    await sessions.sweep()
    expect(read).not.toHaveBeenCalled()
  })

  it('is not watched any longer once a signal has fired', async () => {
    const unwatch = vi.fn()
    const { sessions, visitor } = manage({ store: { ...plainStore(), watch: () => unwatch } })
    await visitor.visit((session) => session.set('n', 1))
    const { session } = await visitor.begin()
    expect(session.signal.aborted).toBe(false)
    await sessions.revoke(session.id)
    expect(unwatch).toHaveBeenCalledTimes(1)
  })
})

describe('what is told', () => {
  it('of each change names the session, once', async () => {
    const { sessions, events, visitor, advance } = manage()
    const { result: id } = await visitor.visit((session) => { session.set('n', 1); return session.id })
    await visitor.visit((session) => session.set('n', 2))
    await visitor.visit((session) => session.delete('n'))
    advance(20 * 60)
    await visitor.visit((session) => session.get('n'))
    await visitor.visit((session) => session.login('ann'))
    await visitor.visit((session) => session.regenerate())
    const slow = await visitor.begin()
    slow.session.set('n', 3)
    await sessions.revoke(id)
    await slow.finish()
    const named = ['create', 'commit', 'commit', 'touch', 'commit', 'login', 'regenerate', 'revoke', 'gone']
    expect(events).toEqual(named.map((name) => [name, name === 'login' ? { id, owner: 'ann' } : { id }]))
  })
})

describe('a limit of size', () => {
  it('holds for what is added later, by a commit or an update', async () => {
    const { visitor } = manage({ maxSessionBytes: 2000 })
    await visitor.visit((session) => session.set('note', 'x'.repeat(1000)))
    const refused = expect.objectContaining({ code: 'ERR_SESSION_TOO_LARGE' })
    await expect(visitor.visit((session) => session.set('note', 'x'.repeat(2100)))).rejects.toEqual(refused)
    await expect(visitor.visit((session) => session.update('note', () => 'x'.repeat(2100)))).rejects.toEqual(refused)
    expect((await visitor.visit((session) => session.get('note'))).result).toBe('x'.repeat(1000))
    await visitor.visit((session) => session.set('note', 'x'.repeat(1100)))
    expect((await visitor.visit((session) => session.get('note'))).result).toBe('x'.repeat(1100))
  })
})

describe('once the head has left', () => {
  it('nothing begins that needs a cookie, and what is stored is still stored', async () => {
    const { visitor } = manage()
    const tooLate = (what: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_LATE', message: expect.stringContaining(`too late to ${what}`) })
    const nobody = await visitor.begin()
    nobody.exchange.headSent = true
    expect(() => nobody.session.set('n', 1)).toThrow(tooLate('begin a session'))
    await expect(nobody.session.update('n', () => 1)).rejects.toEqual(tooLate('begin a session'))
    await expect(nobody.session.login('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_LATE' })
    await visitor.visit((session) => session.set('n', 1))
    const somebody = await visitor.begin()
    somebody.exchange.headSent = true
    somebody.session.set('n', 2)
    expect(await somebody.session.commit()).toBe('ok')
    await expect(somebody.session.login('ann')).rejects.toEqual(tooLate('log in'))
    expect((await visitor.visit((session) => [session.get('n'), session.owner])).result).toEqual([2, undefined])
  })
})

describe('login', () => {
  it('refuses an assurance that does not exist', async () => {
    const { visitor } = manage()
    for (const assurance of JSON.parse('[0, 4, "1"]')) {
      await visitor.visit((session) => expect(session.login('ann', { assurance })).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE', message: TWO_SENTENCES }))
    }
    expect((await visitor.visit((session) => session.owner)).result).toBeUndefined()
  })

  it('keeps only what it is told to of what was written in the same request', async () => {
    const { visitor } = manage()
    await visitor.visit(async (session) => { session.set('n', 1); session.set('note', 'x'); await session.login('ann', { keep: ['n'] }) })
    expect((await visitor.visit((session) => session.toObject())).result).toEqual({ n: 1 })
  })

  it('takes over from another owner only keys that are there', async () => {
    const { visitor } = manage()
    await visitor.visit(async (session) => { await session.login('ann'); session.set('n', 1); session.set('note', 'x') })
    await visitor.visit((session) => session.login('bob', { keep: ['n', 'userId'] }))
    expect((await visitor.visit((session) => [session.owner, session.toObject(), session.has('userId')])).result).toEqual(['bob', { n: 1 }, false])
  })

  it('of the same owner again keeps the data and drops the assurance of before', async () => {
    const { visitor } = manage()
    await visitor.visit(async (session) => { await session.login('ann', { assurance: 2 }); session.set('n', 1) })
    await visitor.visit((session) => session.login('ann'))
    expect((await visitor.visit((session) => [session.owner, session.get('n'), session.assurance])).result).toEqual(['ann', 1, undefined])
  })
})
