import { SessionError } from '../core/errors.ts'
import type { SessionId } from '../core/record.ts'
import type { Store } from '../core/store.ts'
import { readMergeWrite } from './internal/read-merge-write.ts'

/** What a store of express-session keeps under an id. */
export interface ExpressSessionDocument {
  /** From this the store computes how long to keep it. Serialises as express-session's own cookie does. */
  readonly cookie: {
    readonly originalMaxAge: number
    readonly maxAge: number
    readonly expires: Date
    readonly path: string
    readonly httpOnly: boolean
  }
  /** The session, as Sojourn keeps it. */
  readonly sojourn: { readonly id: SessionId; readonly record: string }
}

type Done = (error?: unknown, value?: unknown) => void

/** A store of express-session, as far as it is called. Methods that answer with a promise instead of calling back are fine. */
export interface ExpressSessionStore {
  get(id: SessionId, done: Done): unknown
  /** Gets an {@link ExpressSessionDocument}; said so widely because each store types its documents otherwise. */
  set(id: SessionId, document: object, done: Done): unknown
  destroy(id: SessionId, done: Done): unknown
  /** Every document, as a list or by id. With it, the store lists its sessions; it reads all of them at once. */
  all?(done: Done): unknown
}

/**
 * Keeps sessions in any store made for express-session. Such a store only writes whole documents, so this one is `best-effort`:
 * docs/stores/express.md says exactly what two processes can lose. What express-session itself stored is left alone and
 * never read as ours. Throws `ERR_SESSION_OPTION`.
 */
export function expressStore(store: ExpressSessionStore): Store {
  for (const method of ['get', 'set', 'destroy'] as const) {
    if (typeof store?.[method] !== 'function') throw new SessionError('ERR_SESSION_OPTION', `expressStore takes a store made for express-session, and this has no ${method}. Pass for example new RedisStore({ client }).`)
  }
  return readMergeWrite({
    name: 'The express-session store',
    owner: store,
    cleanup: 'all but tombstones',
    async load(id) {
      const document = await answer(store, 'get', [id])
      return ours(document)?.record
    },
    save: (id, record, { ttl }) => answer(store, 'set', [id, { cookie: cookieFor(ttl), sojourn: { id, record } } satisfies ExpressSessionDocument]),
    remove: (id) => answer(store, 'destroy', [id]),
    ...(typeof store.all === 'function' && { ids: () => idsIn(store) }),
  })
}

/** Stores read their time to live from one or the other of these, by their own clock; so they get the real time. */
function cookieFor(ttl: number): ExpressSessionDocument['cookie'] {
  return { originalMaxAge: ttl, maxAge: ttl, expires: new Date(Date.now() + ttl), path: '/', httpOnly: true }
}

/** Ours, or undefined: what express-session stored under an id is none of our business. */
function ours(document: unknown): { readonly id: unknown; readonly record: unknown } | undefined {
  if (!isObject(document)) return undefined
  const part: unknown = Reflect.get(document, 'sojourn')
  return isObject(part) ? { id: Reflect.get(part, 'id'), record: Reflect.get(part, 'record') } : undefined
}

async function* idsIn(store: ExpressSessionStore): AsyncIterable<SessionId> {
  const documents = await answer(store, 'all', [])
  for (const document of isObject(documents) ? Object.values(documents) : []) {
    const id = ours(document)?.id
    if (typeof id === 'string') yield id
  }
}

/** What the store answers, by its callback or by a promise. */
function answer(store: ExpressSessionStore, method: 'get' | 'set' | 'destroy' | 'all', args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // Stores of files say so when nothing is there, and express-session takes it for that.
    const fail = (error: unknown): void => (method === 'get' && isMissingFile(error) ? resolve(undefined) : reject(error))
    const done: Done = (error, value) => (error ? fail(error) : resolve(value))
    const call: unknown = store[method]
    if (typeof call !== 'function') return resolve(undefined)
    const returned: unknown = Reflect.apply(call, store, [...args, done])
    if (!isPromise(returned)) return
    // A function with room for the callback may still call it after its promise; only one without answers by the promise alone.
    const callsBack = call.length > args.length
    returned.then((value) => (callsBack && value === undefined ? undefined : resolve(value)), fail)
  })
}

function isMissingFile(error: unknown): boolean {
  return isObject(error) && Reflect.get(error, 'code') === 'ENOENT'
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && typeof Reflect.get(value, 'then') === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
