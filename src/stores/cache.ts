import { SessionError } from '../core/errors.ts'
import type { SessionId } from '../core/record.ts'
import type { Awaitable, Store, StoreEvent } from '../core/store.ts'
import { readMergeWrite, type TextKeeper } from './internal/read-merge-write.ts'

/** A cache with `get`, `set` and `delete`: Keyv, cacheable, lru-cache, cache-manager, node-cache, a Map. One of the three ways to delete is needed. */
export interface KeyValueCache {
  get(key: string): unknown
  /** How long the value stays comes third, in the unit that the option `ttl` names. */
  set(key: string, value: string, ttl?: unknown): unknown
  delete?(key: string): unknown
  del?(key: string): unknown
  remove?(key: string): unknown
}

/** A storage of unstorage's form. Its `ttl` is in seconds. */
export interface ItemStorage {
  getItem(key: string): unknown
  setItem(key: string, value: string, options?: { readonly ttl?: number }): unknown
  removeItem(key: string): unknown
  getKeys?(base?: string): PromiseLike<readonly string[]> | readonly string[]
}

export interface CacheStoreOptions {
  /** What every key begins with. Defaults to `sojourn:`. */
  readonly prefix?: string
  /**
   * How the cache wants to be told how long to keep a value: a third argument in `milliseconds` or `seconds`, or not at all (`none`:
   * then expired sessions stay until `sweep`, which needs a cache that lists its keys). Known of Keyv, cacheable, lru-cache,
   * unstorage and Map; needed for every other.
   */
  readonly ttl?: 'milliseconds' | 'seconds' | 'none'
}

/**
 * Keeps sessions in any cache with get, set and delete. A cache has no step that reads and writes at once, so this store
 * is `best-effort`: docs/stores/cache.md says exactly what two processes can lose. Throws `ERR_SESSION_OPTION` for a
 * cache that has a better store of its own, that answers from a copy in this process, or that hides its failures.
 */
export function cacheStore(cache: KeyValueCache | ItemStorage, options: CacheStoreOptions = {}): Store {
  const { prefix = 'sojourn:' } = options
  if (typeof prefix !== 'string') throw optionError('cacheStore takes a prefix that is text. Pass for example { prefix: "sessions:" }.')
  refuseUnfit(cache)
  const failures = new FailureWatch(cache)
  const face = isItemStorage(cache) ? itemFace(cache, prefix, options.ttl) : keyValueFace(cache, prefix, options.ttl)
  return readMergeWrite({
    name: 'The cache',
    owner: cache,
    cleanup: cleanupOf(face),
    load: (id) => failures.during('none', () => face.load(prefix + id), (value) => value === undefined),
    save: (id, text, { ttl }) => failures.during('unknown', async () => mustBeStored(await face.save(prefix + id, text, ttl)), (answer) => answer !== true),
    remove: (id) => face.remove(prefix + id),
    ...(face.ids !== undefined && { ids: face.ids }),
    observe: (report) => failures.observe(report),
    close: () => failures.stop(),
  })
}

/** A cache as this store uses it. Keys carry the prefix, ids do not; times are milliseconds. */
interface Face extends Pick<TextKeeper, 'ids'> {
  /** It deletes by itself what has been kept long enough. */
  readonly expires: boolean
  load(key: string): unknown
  save(key: string, text: string, ttl: number): unknown
  remove(key: string): unknown
}

type Ttl = CacheStoreOptions['ttl']

function cleanupOf({ expires, ids }: Face): TextKeeper['cleanup'] {
  if (expires) return 'itself'
  return ids === undefined ? 'all but tombstones' : 'sweep'
}

// unstorage parses what looks like JSON when it reads, and drops the keys it does not trust. With this in front nothing looks like JSON.
const NOT_JSON = 'sojourn '

function itemFace(storage: ItemStorage, prefix: string, ttl: Ttl = 'seconds'): Face {
  if (ttl !== 'seconds' && ttl !== 'none') throw optionError('An unstorage storage counts its ttl in seconds. Leave the option ttl out, or pass "none" for a driver that has none.')
  const { getKeys } = storage
  return {
    expires: ttl !== 'none',
    async load(key) {
      const value = await storage.getItem(key)
      return typeof value === 'string' && value.startsWith(NOT_JSON) ? value.slice(NOT_JSON.length) : value
    },
    save: (key, text, ms) => (ttl === 'none' ? storage.setItem(key, NOT_JSON + text) : storage.setItem(key, NOT_JSON + text, { ttl: Math.ceil(ms / 1000) })),
    remove: (key) => storage.removeItem(key),
    ...(getKeys !== undefined && { ids: () => idsIn(getKeys.call(storage, prefix), prefix) }),
  }
}

function keyValueFace(cache: KeyValueCache, prefix: string, ttl: Ttl): Face {
  const argument = ttlArgument(cache, ttl)
  const remove = cache.delete ?? cache.del ?? cache.remove
  if (remove === undefined) throw optionError('cacheStore needs a cache that can delete. Pass one with get, set and delete, or write a simpleStore.')
  return {
    expires: argument !== undefined,
    load: (key) => cache.get(key),
    save: (key, text, ms) => (argument === undefined ? cache.set(key, text) : cache.set(key, text, argument(ms))),
    remove: (key) => remove.call(cache, key),
    ...(hasKeys(cache) && { ids: () => idsIn(cache.keys(), prefix) }),
  }
}

/** The third argument of `set`. Undefined for a cache that keeps everything until it is deleted. */
function ttlArgument(cache: KeyValueCache, ttl: Ttl): ((ms: number) => unknown) | undefined {
  if (ttl === 'milliseconds') return (ms) => ms
  if (ttl === 'seconds') return (ms) => Math.ceil(ms / 1000)
  if (ttl !== undefined && ttl !== 'none') throw optionError('The option ttl of cacheStore is "milliseconds", "seconds" or "none". Pass the unit of the third argument of your cache’s set.')
  if (ttl === 'none' || cache instanceof Map) return undefined
  if (isKeyv(cache) || isCacheable(cache)) return (ms) => ms
  if (isLruCache(cache)) return (ms) => ({ ttl: ms })
  throw optionError('cacheStore does not know how this cache is told how long to keep a value. Pass { ttl: "milliseconds" } or { ttl: "seconds" } for the third argument of its set, or { ttl: "none" }.')
}

function isItemStorage(cache: object): cache is ItemStorage {
  return has(cache, 'getItem') && has(cache, 'setItem') && has(cache, 'removeItem')
}

function isKeyv(cache: object): boolean {
  return has(cache, 'getRaw') && has(cache, 'setMany') && 'namespace' in cache && 'store' in cache
}

function isCacheable(cache: object): cache is { readonly primary: unknown; readonly secondary?: unknown } {
  return 'primary' in cache && has(cache, 'getOrSet')
}

function isLruCache(cache: object): boolean {
  return has(cache, 'getRemainingTTL')
}

function hasKeys(cache: object): cache is { keys(): Iterable<unknown> } {
  return has(cache, 'keys')
}

function has(object: object, method: string): boolean {
  return typeof Reflect.get(object, method) === 'function'
}

function refuseUnfit(cache: unknown): asserts cache is KeyValueCache | ItemStorage {
  if (typeof cache !== 'object' || cache === null) throw optionError('cacheStore takes a cache. Pass an object with get, set and delete, or an unstorage storage.')
  if (has(cache, 'cas') && has(cache, 'gets')) throw optionError('This is a memcached client, and memcached can compare and set. Pass it to memcachedStore, which loses nothing.')
  if (has(cache, 'eval') && (has(cache, 'hget') || has(cache, 'hGet'))) throw optionError('This is a Redis client, and Redis can merge in one step. Pass it to redisStore, which loses nothing.')
  if (has(cache, 'destroy') && !has(cache, 'delete')) throw optionError('This looks like a store of express-session. Pass it to expressStore.')
  if (!isItemStorage(cache) && !(has(cache, 'get') && has(cache, 'set'))) throw optionError('cacheStore takes a cache with get and set. Pass one, or an unstorage storage.')
  // A reading before the merge that comes from this process would undo what the other processes wrote.
  if (isCacheable(cache) && cache.secondary !== undefined) throw optionError('This cache answers from a layer in this process, so it would undo what other processes wrote. Pass its lower layer alone: cacheStore(new Keyv(…)).')
  if ('stores' in cache && Array.isArray(cache.stores) && cache.stores.length > 1) throw optionError('This cache answers from its first layer, so it would undo what other processes wrote. Pass its last layer alone: cacheStore(new Keyv(…)).')
  if ('throwOnErrors' in cache && cache.throwOnErrors === false && 'store' in cache && !(cache.store instanceof Map)) {
    throw optionError('This Keyv answers a failed reading as if nothing were there, so an outage would lose writes without a word. Make it with { throwOnErrors: true }.')
  }
}

function mustBeStored(answer: unknown): unknown {
  if (answer !== false) return answer
  throw new SessionError('ERR_SESSION_STORE', 'The cache did not store a session. Look at its own error event.', { outcome: 'unknown' })
}

async function* idsIn(keys: Awaitable<Iterable<unknown>>, prefix: string): AsyncIterable<SessionId> {
  // A copy: sweeping deletes what is being listed.
  for (const key of Array.from(await keys)) {
    if (typeof key === 'string' && key.startsWith(prefix)) yield key.slice(prefix.length)
  }
}

/**
 * Several caches answer as if nothing had happened when they fail, and tell of it by an event only. An answer that leaves it open
 * has failed when a failure was told of meanwhile: better one request too many that fails than a session that seems gone.
 */
class FailureWatch {
  readonly #cache: object
  readonly #listener = (error: unknown): void => this.#failed(error)
  #count = 0
  #last: unknown
  #report: ((event: StoreEvent) => void) | undefined

  constructor(cache: object) {
    this.#cache = cache
    this.#listen('on')
  }

  observe(report: (event: StoreEvent) => void): void {
    this.#report = report
  }

  stop(): void {
    this.#listen('off')
  }

  async during(outcome: 'none' | 'unknown', call: () => unknown, isOpen: (answer: unknown) => boolean): Promise<unknown> {
    const before = this.#count
    const answer = await call()
    if (this.#count === before || !isOpen(answer)) return answer
    throw new SessionError('ERR_SESSION_STORE', 'The cache failed while a session was read or written. Its own error is the cause.', { cause: this.#last, outcome })
  }

  #listen(method: 'on' | 'off'): void {
    const register: unknown = Reflect.get(this.#cache, method)
    if (typeof register === 'function') register.call(this.#cache, 'error', this.#listener)
  }

  #failed(error: unknown): void {
    this.#count += 1
    this.#last = error
    this.#report?.({ event: 'error', error })
  }
}

function optionError(message: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', message)
}
