import { SessionError, isSessionError } from '../../core/errors.ts'
import { applyPatch, GONE, type Patch, type PatchResult } from '../../core/patch.ts'
import { isLive, stringifyRecord, TOMBSTONE_AGE_MS, type EndReason, type SessionId, type SessionRecord } from '../../core/record.ts'
import type { PatchOptions, ReadOptions, Store, StoreEvent, SweepRequest } from '../../core/store.ts'
import { makeKeyedQueue, queueOf } from './keyed-queue.ts'
import { readableIn, recordIn, stopIfAborted, tombstoneOf } from './stored-text.ts'
import { timeToLive } from './time-to-live.ts'

/** How long a text has to be kept. */
export interface Keeping {
  /** The session's deadline by core's clock, milliseconds since the epoch. */
  readonly expiresAt: number
  /** Milliseconds from now on, a margin included. */
  readonly ttl: number
}

/** What keeps one text per id and has no step that reads and writes at once. */
export interface TextKeeper {
  /** How messages call it: `The cache`. */
  readonly name: string
  /** Stores of this process that have the same owner take turns. A store without one takes turns with itself. */
  readonly owner?: object
  /** The text that was saved; undefined or null when there is none. Anything that is not text cannot be read. */
  load(id: SessionId, options?: ReadOptions): unknown
  save(id: SessionId, text: string, keeping: Keeping): unknown
  remove?(id: SessionId): unknown
  /** Every id, where it can tell. */
  ids?(): AsyncIterable<SessionId> | Iterable<SessionId>
  /**
   * Who deletes what is past: it does, by ttl (`itself`); our sweep, which goes through all ids (`sweep`); or it does for all but
   * tombstones, of which we delete those that this process wrote (`all but tombstones`).
   */
  readonly cleanup: 'itself' | 'sweep' | 'all but tombstones'
  observe?(report: (event: StoreEvent) => void): void
  /** Makes ready, before the first call. */
  open?(): unknown
  close?(): unknown
}

/** What remains to be deleted of ended sessions is remembered for this many of them. */
const REMEMBERED_ENDS = 10_000

/**
 * A store over a {@link TextKeeper}: reads the newest record, merges the patch, writes. Within this process one
 * change of an id waits for the other. Another process can write between our reading and our writing; what
 * that can cost is in docs/stores/cache.md. An end writes a tombstone, so that a patch that comes later is gone.
 */
export function readMergeWrite(keeper: TextKeeper): Store {
  return new ReadMergeWrite(keeper)
}

class ReadMergeWrite implements Store {
  readonly consistency = 'best-effort'
  readonly list?: () => AsyncIterable<SessionId>
  readonly sweep?: (what: SweepRequest, limit: number) => Promise<number>
  readonly #keeper: TextKeeper
  readonly #oneAtATime
  /** Tombstones of this process that nobody else will delete: when they were written. */
  readonly #ends = new Map<SessionId, number>()

  constructor(keeper: TextKeeper) {
    this.#keeper = keeper
    this.#oneAtATime = keeper.owner === undefined ? makeKeyedQueue() : queueOf(keeper.owner)
    if (keeper.ids !== undefined) this.list = () => this.#unended()
    if (keeper.cleanup === 'sweep') this.sweep = (what, limit) => this.#sweep(what, limit)
  }

  async read(id: SessionId, options?: ReadOptions): Promise<SessionRecord | undefined> {
    stopIfAborted(options?.signal)
    const stored = await this.#load(id, options)
    return stored === undefined ? undefined : recordIn(stored)
  }

  create(id: SessionId, record: SessionRecord): Promise<boolean> {
    // Taken down at once: who gave the record may change it while we wait for our turn.
    const text = stringifyRecord(record)
    return this.#oneAtATime(id, async () => {
      if (isLive(await this.#readable(id), record.createdAt)) return false
      await this.#save(id, text, record.expiresAt, record.createdAt)
      this.#ends.delete(id)
      return true
    })
  }

  patch(id: SessionId, patch: Patch, { signal }: PatchOptions = {}): Promise<PatchResult> {
    return this.#oneAtATime(id, async () => {
      stopIfAborted(signal)
      const current = await this.#readable(id)
      const applied = applyPatch(current, patch)
      if (applied.status !== 'ok') return applied.status === 'gone' ? GONE : applied
      stopIfAborted(signal)
      if (applied.record !== current) await this.#save(id, stringifyRecord(applied.record), applied.record.expiresAt, patch.now)
      return { status: 'ok', version: applied.record.version }
    })
  }

  async end(id: SessionId, because: EndReason, at: number): Promise<boolean> {
    const ended = await this.#oneAtATime(id, async () => {
      const stored = await this.#load(id)
      if (stored === undefined) return false
      const current = readableIn(stored)
      if (current?.ended !== undefined) return false
      const grave = tombstoneOf(current, because, at)
      await this.#save(id, stringifyRecord(grave), grave.expiresAt, at)
      return true
    })
    if (ended && this.#keeper.cleanup === 'all but tombstones') await this.#removeOldEnds(id, at)
    return ended
  }

  observe(report: (event: StoreEvent) => void): void {
    this.#keeper.observe?.(report)
  }

  async open(): Promise<void> {
    await this.#call('make ready', 'none', () => this.#keeper.open?.())
  }

  async close(): Promise<void> {
    await this.#call('close', 'none', () => this.#keeper.close?.())
  }

  async #readable(id: SessionId): Promise<SessionRecord | undefined> {
    return readableIn(await this.#load(id))
  }

  async #load(id: SessionId, options?: ReadOptions): Promise<unknown> {
    const stored = await this.#call('read a session', 'none', () => this.#keeper.load(id, options))
    return stored ?? undefined
  }

  #save(id: SessionId, text: string, expiresAt: number, now: number): Promise<unknown> {
    return this.#call('write a session', 'unknown', () => this.#keeper.save(id, text, { expiresAt, ttl: timeToLive(expiresAt, now) }))
  }

  async #call(what: string, outcome: 'none' | 'unknown', call: () => unknown): Promise<unknown> {
    try {
      return await call()
    } catch (cause) {
      if (isSessionError(cause)) throw cause
      throw new SessionError('ERR_SESSION_STORE', `${this.#keeper.name} failed to ${what}. Its own error is the cause.`, { cause, outcome })
    }
  }

  /** Each end clears away up to two tombstones whose time is over, so that they never pile up. */
  async #removeOldEnds(id: SessionId, at: number): Promise<void> {
    if (this.#keeper.remove === undefined) return
    const old = [...take(this.#ends, 2)].filter(([, endedAt]) => endedAt + 2 * TOMBSTONE_AGE_MS <= at)
    for (const [past] of old) {
      this.#ends.delete(past)
      await this.#removeIf(past, (record) => record.ended !== undefined)
    }
    this.#ends.set(id, at)
    for (const [oldest] of take(this.#ends, this.#ends.size - REMEMBERED_ENDS)) this.#ends.delete(oldest)
  }

  async *#unended(): AsyncIterable<SessionId> {
    for await (const id of this.#keeper.ids?.() ?? []) {
      const record = await this.#readable(id)
      if (record !== undefined && record.ended === undefined) yield id
    }
  }

  async #sweep(what: SweepRequest, limit: number): Promise<number> {
    let swept = 0
    for await (const id of this.#keeper.ids?.() ?? []) {
      if (swept >= limit) break
      const record = await this.#readable(id)
      if (record === undefined || !isPast(record, what)) continue
      if (await this.#removeIf(id, (now) => isPast(now, what))) swept += 1
    }
    return swept
  }

  /** Looks again when it is our turn: the record may have been kept alive, or replaced. */
  #removeIf(id: SessionId, condition: (record: SessionRecord) => boolean): Promise<boolean> {
    return this.#oneAtATime(id, async () => {
      const record = await this.#readable(id)
      if (record === undefined || !condition(record)) return false
      await this.#call('delete a session', 'unknown', () => this.#keeper.remove?.(id))
      return true
    })
  }
}

function isPast(record: SessionRecord, { by = 'expires', now, olderThan = -Infinity }: SweepRequest): boolean {
  if (by === 'expires' || record.ended !== undefined) return record.expiresAt <= now
  return (by === 'touched' ? record.touchedAt : record.createdAt) < olderThan
}

function* take<K, V>(map: Map<K, V>, count: number): Iterable<readonly [K, V]> {
  let taken = 0
  for (const entry of map) {
    if (taken >= count) return
    taken += 1
    yield entry
  }
}
