import { SessionError } from '../core/errors.ts'
import type { SessionId } from '../core/record.ts'
import type { Awaitable, Store } from '../core/store.ts'

/** The store calls that can be held. */
export type StoreMethod = 'open' | 'read' | 'create' | 'patch' | 'end' | 'find' | 'list' | 'sweep'

/** A call that was made, in the order of the calls. */
export interface StoreCall {
  readonly method: StoreMethod
  /** Absent for calls that concern no single id. */
  readonly id?: SessionId
}

export interface HoldOptions {
  /** `before` the store is asked (the default), or `after` it has answered and before the caller hears of it. */
  readonly when?: 'before' | 'after'
  /** Only a call for this id. By default the next call, whatever its id. */
  readonly id?: SessionId
}

/** A point at which one call stops. */
export interface Held {
  /** Resolves when a call has come to this point. */
  readonly reached: Promise<void>
  /** Lets the call go on; called before one has come, lets it pass. */
  release(): void
  /** Makes the call reject with this error. */
  fail(error: unknown): void
}

/** A store whose calls can be watched and held: see {@link holdable}. */
export interface HoldableStore extends Store {
  /** Every call so far. */
  readonly calls: readonly StoreCall[]
  /** How many calls of a method there were; without one, how many in all. */
  count(method?: StoreMethod): number
  /** Forgets the calls so far. */
  forgetCalls(): void
  /** Holds the next matching call that no earlier point holds. */
  hold(method: StoreMethod, options?: HoldOptions): Held
  /** The next matching call is applied, and rejects as if its reply had been lost: `ERR_SESSION_STORE`, outcome `unknown`. */
  loseReply(method: StoreMethod, options?: Pick<HoldOptions, 'id'>): void
  /** The next matching call is sent twice, as some drivers do after a lost reply. The caller hears the second answer. */
  sendTwice(method: StoreMethod, options?: Pick<HoldOptions, 'id'>): void
}

/**
 * Wraps a store so that a test decides how requests interleave: hold a call at a named point, do something else,
 * let it go. What is not held passes through, synchronously where the store is synchronous.
 */
export function holdable(store: Store): HoldableStore {
  const points: Point[] = []
  const calls: StoreCall[] = []

  function through<T>(call: StoreCall, ask: () => Awaitable<T>): Awaitable<T> {
    calls.push(call)
    const [before, twice, after] = [take(points, 'before', call), take(points, 'twice', call), take(points, 'after', call)]
    if (before === undefined && twice === undefined && after === undefined) return ask()
    return stepwise(ask, { before, twice, after })
  }

  async function* listed(call: StoreCall, ask: () => AsyncIterable<SessionId>): AsyncIterable<SessionId> {
    yield* await through(call, ask)
  }

  const { open, find, list, sweep, watch, close, observe } = store
  return {
    ...(store.consistency !== undefined && { consistency: store.consistency }),
    ...(store.keeps !== undefined && { keeps: store.keeps }),
    ...(store.maxBytes !== undefined && { maxBytes: store.maxBytes }),
    read: (id, options) => through({ method: 'read', id }, () => store.read(id, options)),
    create: (id, record) => through({ method: 'create', id }, () => store.create(id, record)),
    patch: (id, patch, options) => through({ method: 'patch', id }, () => store.patch(id, patch, options)),
    end: (id, because, at) => through({ method: 'end', id }, () => store.end(id, because, at)),
    ...(open !== undefined && { open: () => through({ method: 'open' }, () => open.call(store)) }),
    ...(find !== undefined && { find: (term) => listed({ method: 'find' }, () => find.call(store, term)) }),
    ...(list !== undefined && { list: () => listed({ method: 'list' }, () => list.call(store)) }),
    ...(sweep !== undefined && { sweep: (what, limit) => through({ method: 'sweep' }, () => sweep.call(store, what, limit)) }),
    ...(watch !== undefined && { watch: (id, onEnd) => watch.call(store, id, onEnd) }),
    ...(close !== undefined && { close: () => close.call(store) }),
    ...(observe !== undefined && { observe: (report) => observe.call(store, report) }),
    calls,
    count: (method) => calls.filter((call) => method === undefined || call.method === method).length,
    forgetCalls: () => void calls.splice(0),
    hold: (method, { when = 'before', id } = {}) => put(points, new Point(method, when, id)),
    loseReply: (method, { id } = {}) => put(points, new Point(method, 'after', id)).fail(lostReply()),
    sendTwice: (method, { id } = {}) => put(points, new Point(method, 'twice', id)).release(),
  }
}

type When = 'before' | 'after' | 'twice'

class Point implements Held {
  readonly method: StoreMethod
  readonly when: When
  readonly id: SessionId | undefined
  readonly #arrival = Promise.withResolvers<void>()
  readonly #gate = Promise.withResolvers<void>()

  constructor(method: StoreMethod, when: When, id: SessionId | undefined) {
    this.method = method
    this.when = when
    this.id = id
    // A point may be told to fail before any call comes, which is no unhandled rejection.
    this.#gate.promise.catch(() => {})
  }

  get reached(): Promise<void> {
    return this.#arrival.promise
  }

  /** What a call that comes here waits for. */
  pass(): Promise<void> {
    this.#arrival.resolve()
    return this.#gate.promise
  }

  release(): void {
    this.#gate.resolve()
  }

  fail(error: unknown): void {
    this.#gate.reject(error)
  }
}

function put(points: Point[], point: Point): Point {
  points.push(point)
  return point
}

/** The first point that waits for this call. It waits for no other. */
function take(points: Point[], when: When, { method, id }: StoreCall): Point | undefined {
  const place = points.findIndex((point) => point.when === when && point.method === method && (point.id === undefined || point.id === id))
  return place === -1 ? undefined : points.splice(place, 1)[0]
}

async function stepwise<T>(ask: () => Awaitable<T>, { before, twice, after }: Record<When, Point | undefined>): Promise<T> {
  await before?.pass()
  const first = await ask()
  await twice?.pass()
  const answer = twice === undefined ? first : await ask()
  await after?.pass()
  return answer
}

function lostReply(): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The reply of the store was lost on purpose. Treat the call as one that may have been applied.', { outcome: 'unknown' })
}
