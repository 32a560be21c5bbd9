import { createClient } from 'redis'
import { Cacheable, Keyv as Keyv5 } from 'cacheable'
import { Keyv } from 'keyv'
import { LRUCache } from 'lru-cache'
import { Memcache } from 'memcache'
import { describe, expect, it } from 'vitest'
import { createStorage } from 'unstorage'
import { isSessionError } from '../core/errors.ts'
import { createSessions } from '../index.ts'
import type { Store } from '../core/store.ts'
import { describeStore } from '../testing/describe-store.ts'
import { collect, newId, newPatch, newRecord, NOW } from '../testing/store-cases/trial.ts'
import { cacheStore, type ItemStorage, type KeyValueCache } from './cache.ts'

/** The three rules that a cache cannot keep between two clients of it. The list may not grow. */
const NOT_BETWEEN_PROCESSES = [
  'applies the patches and creates of two handles in one atomic step each',
  'gives a rotation one winner across two handles',
  'lets nothing live after an end on one handle, whatever patches are under way on another',
]

describeStore({ describe, it }, 'cacheStore over two Keyv on one Map', () => {
  const map = new Map<string, string>()
  const open = (): Store => cacheStore(new Keyv({ store: map }))
  return { store: open(), reopen: open, corrupt: async (id) => void (await new Keyv({ store: map }).set(`sojourn:${id}`, 'not a record')), close: () => {} }
}, { lacks: ['find', 'list', 'sweep', 'watch'], knownFailures: NOT_BETWEEN_PROCESSES })

describeStore({ describe, it }, 'two cacheStores over one Keyv 5', () => {
  const keyv = new Keyv5()
  return { store: cacheStore(keyv), reopen: () => cacheStore(keyv), corrupt: async (id) => void (await keyv.set(`sojourn:${id}`, '{')), close: () => {} }
}, { lacks: ['find', 'list', 'sweep', 'watch'] })

describeStore({ describe, it }, 'two cacheStores over one Map', () => {
  const map = new Map<string, string>()
  return { store: cacheStore(map), reopen: () => cacheStore(map), corrupt: (id) => void map.set(`sojourn:${id}`, '{}'), close: () => {} }
}, { lacks: ['find', 'watch'] })

describeStore({ describe, it }, 'cacheStore over unstorage', () => {
  const storage = createStorage()
  return { store: cacheStore(storage, { ttl: 'none' }), reopen: () => cacheStore(storage, { ttl: 'none' }), corrupt: (id) => storage.setItem(`sojourn:${id}`, '{"a":1}'), close: () => storage.dispose() }
}, { lacks: ['find', 'watch'] })

describeStore({ describe, it }, 'cacheStore over cacheable', () => {
  const cache = new Cacheable()
  return { store: cacheStore(cache), reopen: () => cacheStore(cache), corrupt: async (id) => void (await cache.set(`sojourn:${id}`, 1)), close: () => cache.disconnect() }
}, { lacks: ['find', 'list', 'sweep', 'watch'] })

describeStore({ describe, it }, 'cacheStore over lru-cache', () => {
  const cache = new LRUCache<string, string>({ max: 10_000, ttl: 1 })
  return { store: cacheStore(cache), reopen: () => cacheStore(cache), corrupt: (id) => void cache.set(`sojourn:${id}`, 'x'), close: () => {} }
}, { lacks: ['find', 'sweep', 'watch'] })

/** A cache that writes down how long it is told to keep each value. */
function recorder(): { readonly cache: KeyValueCache; readonly told: unknown[] } {
  const map = new Map<string, string>()
  const told: unknown[] = []
  return { told, cache: { get: (key) => map.get(key), set: (key, value, ttl) => (told.push(ttl), map.set(key, value)), del: (key) => map.delete(key) } }
}

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

describe('cacheStore', () => {
  it('says that it is best-effort', () => {
    expect(cacheStore(new Map()).consistency).toBe('best-effort')
  })

  it('keeps a record a minute longer than its session lives, counted from core’s clock, in the unit asked for', async () => {
    for (const [ttl, expected] of [['milliseconds', [61_500, 120_000]], ['seconds', [62, 120]], ['none', [undefined, undefined]]] as const) {
      const { cache, told } = recorder()
      const store = cacheStore(cache, { ttl })
      const id = newId()
      await store.create(id, newRecord({ expiresAt: NOW + 1500 }))
      await store.end(id, 'destroyed', NOW)
      expect(told, ttl).toEqual(expected)
    }
  })

  it('counts a touch from the moment of the touch', async () => {
    const { cache, told } = recorder()
    const store = cacheStore(cache, { ttl: 'milliseconds' })
    const id = newId()
    await store.create(id, newRecord({ expiresAt: NOW + 1000 }))
    await store.patch(id, newPatch({ now: NOW + 900, touchedAt: NOW + 900, expiresAt: NOW + 1900 }))
    expect(told).toEqual([61_000, 61_000])
  })

  it('tells unstorage seconds, and lru-cache milliseconds in an object', async () => {
    const told: unknown[] = []
    const storage: ItemStorage = { getItem: () => null, setItem: (_key, _value, options) => void told.push(options), removeItem: () => {} }
    await cacheStore(storage).create(newId(), newRecord({ expiresAt: NOW + 1500 }))
    expect(told).toEqual([{ ttl: 62 }])
    const lru = new LRUCache<string, string>({ max: 10 })
    const id = newId()
    await cacheStore(lru).create(id, newRecord({ expiresAt: NOW + 3_600_000 }))
    expect(lru.getRemainingTTL(`sojourn:${id}`)).toBeGreaterThan(3_600_000)
  })

  it('keeps a session that never expires for ten years', async () => {
    const { cache, told } = recorder()
    await cacheStore(cache, { ttl: 'seconds' }).create(newId(), newRecord({ expiresAt: 8_640_000_000_000_000 }))
    expect(told).toEqual([315_360_000])
  })

  it('puts every key behind the prefix', async () => {
    const map = new Map<string, string>()
    const store = cacheStore(map, { prefix: 'mine/' })
    await store.create('AAAAAAAAAAAAAAAAAAAAAA', newRecord())
    map.set('other:key', 'untouched')
    expect([...map.keys()]).toEqual(['mine/AAAAAAAAAAAAAAAAAAAAAA', 'other:key'])
    expect(await collect(store.list?.())).toEqual(['AAAAAAAAAAAAAAAAAAAAAA'])
  })

  it('takes one call to read, and one to read and one to write for a commit', async () => {
    const calls: string[] = []
    const map = new Map<string, string>()
    const store = cacheStore({ get: (key) => (calls.push('get'), map.get(key)), set: (key, value) => (calls.push('set'), map.set(key, value)), delete: (key) => map.delete(key) }, { ttl: 'none' })
    const id = newId()
    await store.create(id, newRecord())
    calls.length = 0
    await store.read(id)
    expect(calls.splice(0)).toEqual(['get'])
    await store.patch(id, newPatch({ set: [['d:a', '1']] }))
    expect(calls.splice(0)).toEqual(['get', 'set'])
    await store.patch(newId(), newPatch({ set: [['d:a', '1']] }))
    expect(calls).toEqual(['get'])
  })

  it('does not write a patch whose time was up while it waited for its turn', async () => {
    const map = new Map<string, string>()
    let release = (): void => {}
    let reached = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const reading = new Promise<void>((resolve) => (reached = resolve))
    let readings = 0
    const store = cacheStore({
      async get(key) {
        readings += 1
        if (readings === 2) {
          reached()
          await held
        }
        return map.get(key)
      },
      set: (key, value) => map.set(key, value),
      delete: (key) => map.delete(key),
    }, { ttl: 'none' })
    const id = newId()
    await store.create(id, newRecord())
    const before = map.get(`sojourn:${id}`)
    const controller = new AbortController()
    const late = failureOf(() => store.patch(id, newPatch({ set: [['d:a', '1']] }), { signal: controller.signal }))
    await reading
    controller.abort()
    release()
    const error = await late
    expect(isSessionError(error, 'ERR_SESSION_STORE') && error.outcome).toBe('none')
    expect(map.get(`sojourn:${id}`)).toBe(before)
  })
})

/** Two processes on one cache: the first can be held between its reading and its writing. */
async function twoProcesses(): Promise<{ id: string; held: Store; other: Store; whileHeld(act: () => Promise<unknown>): void }> {
  const map = new Map<string, string>()
  let act = async (): Promise<unknown> => undefined
  const held = cacheStore({
    get: (key) => map.get(key),
    async set(key, value) {
      const now = act
      act = async () => undefined
      await now()
      map.set(key, value)
    },
    delete: (key) => map.delete(key),
  }, { ttl: 'none' })
  const id = newId()
  await held.create(id, newRecord({ tokenHash: 'old' }))
  return { id, held, other: cacheStore(map), whileHeld: (doing) => void (act = doing) }
}

// docs/stores/cache.md says that these can happen. A store that has become better should say so there.
describe('between the reading and the writing of one process, another can', () => {
  it('lose a write', async () => {
    const { id, held, other, whileHeld } = await twoProcesses()
    whileHeld(async () => other.patch(id, newPatch({ set: [['d:b', '1']] })))
    await held.patch(id, newPatch({ set: [['d:a', '1']] }))
    expect((await held.read(id))?.entries).toEqual(expect.objectContaining({ 'd:a': '1' }))
    expect((await held.read(id))?.entries['d:b']).toBeUndefined()
  })

  it('have its end undone', async () => {
    const { id, held, other, whileHeld } = await twoProcesses()
    whileHeld(async () => other.end(id, 'destroyed', NOW))
    await held.patch(id, newPatch({ set: [['d:a', '1']] }))
    expect((await held.read(id))?.ended).toBeUndefined()
  })

  it('be told that it rotated the token, of which the later writer knows nothing', async () => {
    const { id, held, other, whileHeld } = await twoProcesses()
    whileHeld(async () => other.patch(id, newPatch({ tokenHash: 'old', rotateTo: 'theirs' })))
    expect(await held.patch(id, newPatch({ tokenHash: 'old', rotateTo: 'ours' }))).toMatchObject({ status: 'ok' })
    expect((await other.read(id))?.tokenHash).toBe('ours')
  })
})

describe('before the reading and after the writing of one process, another loses nothing', () => {
  it('however long ago the request of the first began', async () => {
    const { id, held, other } = await twoProcesses()
    await other.patch(id, newPatch({ set: [['d:b', '1']] }))
    await held.patch(id, newPatch({ set: [['d:a', '1']] }))
    await other.patch(id, newPatch({ set: [['d:c', '1']] }))
    expect((await held.read(id))?.entries).toMatchObject({ 'd:a': '1', 'd:b': '1', 'd:c': '1' })
    await other.end(id, 'destroyed', NOW)
    expect(await held.patch(id, newPatch({ set: [['d:late', '1']] }))).toEqual({ status: 'gone' })
  })
})

describe('sessions on a cache', () => {
  it('refuse by name what needs an index', async () => {
    const sessions = createSessions({ store: cacheStore(new Keyv()), index: ['userId'] })
    await expect(sessions.find('userId', 1)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ERR_SESSION_UNSUPPORTED' })
    await sessions.close()
  })
})

describe('a cache that fails', () => {
  const down = new Error('connection refused')
  const fail = (): never => {
    throw down
  }

  it('rejects with ERR_SESSION_STORE, the cache’s error as cause, and says whether anything can have changed', async () => {
    const map = new Map<string, string>()
    let set: KeyValueCache['set'] = (key, value) => map.set(key, value)
    let get: KeyValueCache['get'] = (key) => map.get(key)
    const store = cacheStore({ get: (key) => get(key), set: (key, value) => set(key, value), delete: fail }, { ttl: 'seconds' })
    const id = newId()
    await store.create(id, newRecord())
    set = fail
    for (const call of [() => store.patch(id, newPatch({ set: [['d:a', '1']] })), () => store.end(id, 'revoked', NOW), () => store.create(newId(), newRecord())]) {
      expect(await failureOf(call)).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown', cause: down })
    }
    get = fail
    for (const call of [() => store.read(id), () => store.patch(id, newPatch()), () => store.end(id, 'revoked', NOW)]) {
      expect(await failureOf(call)).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: down })
    }
    set = (key, value) => map.set(key, value)
    get = (key) => map.get(key)
    expect(await store.patch(id, newPatch({ set: [['d:a', '1']] }))).toMatchObject({ status: 'ok' })
  })

  it('is noticed when the cache answers false to a write', async () => {
    const store = cacheStore({ get: () => undefined, set: () => false, delete: () => false }, { ttl: 'seconds' })
    expect(await failureOf(() => store.create(newId(), newRecord()))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown' })
  })

  // Keyv tells of a failed reading by an event and answers undefined: a session in use would seem to be gone, and its writes would be lost without a word.
  it('is noticed when Keyv or cacheable only emit an event and answer as if nothing were there', async () => {
    const adapter = (): Map<string, string> => Object.assign(new Map<string, string>(), { get: fail })
    for (const cache of [new Keyv({ store: adapter() }), new Cacheable({ primary: new Keyv5({ store: adapter() }) })]) {
      cache.on('error', () => {})
      const store = cacheStore(cache)
      const reported: unknown[] = []
      store.observe?.((event) => reported.push(event))
      expect(await failureOf(() => store.read(newId()))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: down })
      expect(await failureOf(() => store.patch(newId(), newPatch()))).toMatchObject({ code: 'ERR_SESSION_STORE' })
      expect(reported[0]).toEqual({ event: 'error', error: down })
      await store.close?.()
      expect(cache.listeners('error').length).toBe(1)
    }
  })
})

describe('cacheStore refuses by name', () => {
  const needsAdapter = { get: () => undefined, set: () => true, delete: () => true }
  const cases: readonly (readonly [what: string, make: () => unknown, options: object | undefined, message: RegExp])[] = [
    ['nothing at all', () => undefined, undefined, /takes a cache/],
    ['what is no cache', () => ({}), undefined, /get and set/],
    ['what cannot delete', () => ({ get: fine, set: fine }), { ttl: 'seconds' }, /delete/],
    ['a cache whose unit of time it does not know', () => needsAdapter, undefined, /ttl: "milliseconds"/],
    ['a unit that does not exist', () => needsAdapter, { ttl: 'minutes' }, /"milliseconds", "seconds" or "none"/],
    ['another unit for unstorage', () => createStorage(), { ttl: 'milliseconds' }, /seconds/],
    ['a prefix that is no text', () => new Map(), { prefix: 1 }, /prefix/],
    ['a Redis client', () => createClient(), undefined, /redisStore/],
    ['a memcached client', () => new Memcache(), undefined, /memcachedStore/],
    ['a store of express-session', () => ({ get: fine, set: fine, destroy: fine }), undefined, /expressStore/],
    ['a cache with a layer in this process', () => new Cacheable({ secondary: new Keyv5() }), undefined, /lower layer/],
    ['a cache of several layers', () => ({ ...needsAdapter, stores: [1, 2] }), { ttl: 'milliseconds' }, /last layer/],
    ['a Keyv that hides its failures', () => ({ ...needsAdapter, store: {}, throwOnErrors: false }), { ttl: 'milliseconds' }, /throwOnErrors: true/],
  ]
  for (const [what, make, options, message] of cases) {
    it(what, () => {
      const act = (): unknown => Reflect.apply(cacheStore, undefined, [make(), options])
      expect(act).toThrow(message)
      expect(act).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    })
  }
})

function fine(): undefined {
  return undefined
}
