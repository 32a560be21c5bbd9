import type { Exchange } from './transport.ts'
import type { Patch, PatchResult } from './patch.ts'
import type { EndReason, SessionId, SessionRecord } from './record.ts'

/** A value, or a promise of one. Core awaits only promises, so a synchronous store costs no turn of the event loop. */
export type Awaitable<T> = T | PromiseLike<T>

export interface ReadOptions {
  /** Fires when core has stopped waiting. Nothing new may be started after that. */
  readonly signal?: AbortSignal
  /** The answer must come from the primary, not from a cache near this process. */
  readonly fresh?: boolean
}

export interface PatchOptions {
  /** Fires when core has stopped waiting. Nothing new may be started after that. */
  readonly signal?: AbortSignal
}

export interface SweepRequest {
  /** Core's clock, milliseconds since the epoch. */
  readonly now: number
  /** What to delete: past its deadline (the default), or last touched or created before `olderThan`. */
  readonly by?: 'expires' | 'touched' | 'created'
  /** Milliseconds since the epoch; needed with `touched` and `created`. */
  readonly olderThan?: number
}

/**
 * Where records live. A store keeps records and nothing more: it judges neither time (it compares with the
 * `now` it is given) nor identity. The rules are in docs/writing-a-store.md; `describeStore` from
 * `sojourn/testing` checks each of them. A failing backend rejects (or throws) with `ERR_SESSION_STORE`.
 */
export interface Store {
  /** What the promises are worth here: `atomic` (the default), `best-effort`, or `client` where the visitor keeps the record. */
  readonly consistency?: 'atomic' | 'best-effort' | 'client'
  /** `nothing` where every call works and no record is ever there again; no token is then handed out. Absent everywhere else. */
  readonly keeps?: 'nothing'
  /** Every method answers at once, so core makes no signal for its calls: none could fire while one is under way. Absent elsewhere. */
  readonly answersAtOnce?: true
  /** A read sends one command and starts nothing after it, so core makes no signal for it: there is nothing to call off. Absent elsewhere. */
  readonly readsInOneStep?: true
  /** The largest record the backend takes, in bytes. Absent where there is no limit of its own. */
  readonly maxBytes?: number
  /**
   * The record under this id, also one that has expired or carries a tombstone. Undefined when there is none.
   * Fails with `ERR_SESSION_UNREADABLE` when what is stored is not a record.
   */
  read(id: SessionId, options?: ReadOptions): Awaitable<SessionRecord | undefined>
  /**
   * Stores a new record. False, changing nothing, when a live record has the id (live at `record.createdAt`);
   * an expired, ended or unreadable one is replaced.
   */
  create(id: SessionId, record: SessionRecord): Awaitable<boolean>
  /** Applies a patch in one atomic step, as `applyPatch` defines it. Never creates. An unreadable record is gone. */
  patch(id: SessionId, patch: Patch, options?: PatchOptions): Awaitable<PatchResult>
  /**
   * Ends the session: every later patch is gone, its index terms leave. True when a record was there and had
   * not ended yet; ending what is not there is no error. Of a record past its deadline that somebody replaces meanwhile, either may be said. The reason is kept for a minute at least, where the store can.
   * `at` is core's clock.
   */
  end(id: SessionId, because: EndReason, at: number): Awaitable<boolean>
  /** The ids listed under a term. May name records that are gone; never misses a live one. */
  find?(term: string): AsyncIterable<SessionId>
  /** Every id whose record has not ended. May name some that have expired. */
  list?(): AsyncIterable<SessionId>
  /** Deletes at most `limit` records that are past; tells how many. Fewer than `limit` means that nothing more was found. */
  sweep?(what: SweepRequest, limit: number): Awaitable<number>
  /** Calls `onEnd` once when the session is ended, here or by another process. */
  watch?(id: SessionId, onEnd: () => void): () => void
  /** Connects, creates what is missing. Called once, before the first other call. */
  open?(): Awaitable<void>
  /** Lets go of what `open` or the factory made. Never closes a client it was given. */
  close?(): Awaitable<void>
  /** Told by the manager what happened inside the store that nobody asked for, such as an eviction. */
  observe?(report: (event: StoreEvent) => void): void
}

/** Something that happened inside a store on its own account. */
export interface StoreEvent {
  readonly event: 'evict' | 'error'
  readonly id?: SessionId
  readonly error?: unknown
}

/** A store that needs the request: the sealed cookie sees the request's cookies and answers with its own. */
export type ExchangeStore = (exchange: Exchange) => Store
