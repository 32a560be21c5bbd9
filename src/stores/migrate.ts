import { SessionError, isSessionError } from '../core/errors.ts'
import { applyPatch, GONE, type Patch, type PatchResult } from '../core/patch.ts'
import { isLive, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { PatchOptions, ReadOptions, Store, StoreEvent, SweepRequest } from '../core/store.ts'
import { HELD, hold, isHeld, markOf, readable, release, withoutMark, type Stores } from './internal/carry-over.ts'
import { stopIfAborted } from './internal/stored-text.ts'

export interface MigrateStoreOptions {
  /**
   * Reads both stores and still keeps everything in the old one, beside processes that know only that. Deploy it everywhere before
   * the migration that moves, which then runs beside it without harm. Defaults to false.
   */
  readonly prepare?: boolean
}

/**
 * Moves from one store to another while the application runs: a session is read from the new store, else from the old one, and carried
 * over with its first write. An end reaches both. It promises what the weaker of the two stores promises, once every process uses it
 * or prepares for it. Throws `ERR_SESSION_OPTION` for a store that needs the request, and for what is no store.
 */
export function migrateStore(from: Store, to: Store, { prepare = false }: MigrateStoreOptions = {}): Store {
  return new Migration(from, to, prepare)
}

/** How far a copy has come. The last four add up to `found`. */
export interface CopyCounts {
  /** Sessions that the old store named. */
  readonly found: number
  /** Carried over by this call. */
  readonly copied: number
  /** In the new store already, because a request carried them over. */
  readonly there: number
  /** Ended or expired, so not worth carrying. */
  readonly past: number
  /** Not readable, so left where they are. */
  readonly unreadable: number
}

export interface CopyOptions {
  /** Told after each session. What it throws stops the copy, which can be started again at any time. */
  readonly onProgress?: (counts: CopyCounts) => void
  /** How many sessions are carried at once. Defaults to 8. */
  readonly concurrency?: number
  /** The clock, milliseconds since the epoch. Defaults to `Date.now`. */
  readonly now?: () => number
}

/**
 * Carries every session over that only the old store has, also while the application runs on {@link migrateStore}. Then it looks through the old
 * store again: rejects with `ERR_SESSION_STORE` when a live session is left there, and with `ERR_SESSION_UNSUPPORTED` when the old store cannot list.
 */
export async function copySessions(from: Store, to: Store, { onProgress, concurrency = 8, now = Date.now }: CopyOptions = {}): Promise<CopyCounts> {
  const migration = new Migration(from, to)
  if (from.list === undefined) throw new SessionError('ERR_SESSION_UNSUPPORTED', 'The old store cannot list its sessions. Use migrateStore, which carries each over when it is written, until the last has expired.')
  const counts = { found: 0, copied: 0, there: 0, past: 0, unreadable: 0 }
  await each(from.list(), concurrency, async (id) => {
    const outcome = await migration.carry(id, now())
    counts.found += 1
    counts[outcome] += 1
    onProgress?.({ ...counts })
  })
  let left = 0
  await each(from.list(), concurrency, async (id) => {
    if (await migration.isLeft(id, now())) left += 1
  })
  if (left > 0) throw new SessionError('ERR_SESSION_STORE', `${left} sessions are live in the old store and not in the new one after ${counts.found} were gone through. Make every process use migrateStore, then copy again.`, { outcome: 'unknown' })
  return counts
}

async function each(ids: AsyncIterable<SessionId>, concurrency: number, work: (id: SessionId) => Promise<void>): Promise<void> {
  const iterator = ids[Symbol.asyncIterator]()
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    try {
      for (let next = await iterator.next(); next.done !== true && failures.length === 0; next = await iterator.next()) await work(next.value)
    } catch (error) {
      failures.push(error)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  if (failures.length === 0) return
  await iterator.return?.()
  throw failures[0]
}

const ATTEMPTS = 30

class Migration implements Store {
  readonly consistency: 'atomic' | 'best-effort'
  readonly maxBytes?: number
  readonly find?: (term: string) => AsyncIterable<SessionId>
  readonly list?: () => AsyncIterable<SessionId>
  readonly sweep?: (what: SweepRequest, limit: number) => Promise<number>
  readonly watch?: (id: SessionId, onEnd: () => void) => () => void
  readonly #stores: Stores
  readonly #prepares: boolean

  constructor(from: Store, to: Store, prepares = false) {
    for (const store of [from, to]) checkStore(store)
    if (from === to) throw optionError('The old and the new store are the same. Pass two: migrateStore(old, new).')
    this.#stores = { old: from, new: to }
    this.#prepares = prepares
    this.consistency = [from, to].every(({ consistency = 'atomic' }) => consistency === 'atomic') ? 'atomic' : 'best-effort'
    if (to.maxBytes !== undefined) this.maxBytes = to.maxBytes
    if (from.find !== undefined && to.find !== undefined) this.find = (term) => both(from.find?.(term), to.find?.(term))
    if (from.list !== undefined && to.list !== undefined) this.list = () => both(from.list?.(), to.list?.())
    if (from.sweep !== undefined || to.sweep !== undefined) this.sweep = (what, limit) => this.#sweep(what, limit)
    if (from.watch !== undefined && to.watch !== undefined) this.watch = (id, onEnd) => this.#watch(id, onEnd)
  }

  async open(): Promise<void> {
    await this.#stores.new.open?.()
    await this.#stores.old.open?.()
  }

  async close(): Promise<void> {
    await this.#stores.new.close?.()
    await this.#stores.old.close?.()
  }

  observe(report: (event: StoreEvent) => void): void {
    this.#stores.new.observe?.(report)
    this.#stores.old.observe?.(report)
  }

  async read(id: SessionId, options?: ReadOptions): Promise<SessionRecord | undefined> {
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      const fresh = await this.#stores.new.read(id, options)
      if (fresh !== undefined && !isHeld(fresh)) return fresh
      const past = await this.#stores.old.read(id, options)
      if (past !== undefined && past.ended === undefined && (!isHeld(past) || markOf(past) === markOf(fresh))) return withoutMark(past)
      // Over in the old store: it has ended, or was carried over since we looked into the new one.
      const again = await this.#stores.new.read(id, options)
      if (again !== undefined && !isHeld(again)) return again
      if (markOf(again) === markOf(fresh)) return past?.ended === undefined ? undefined : past
    }
    throw contended()
  }

  async create(id: SessionId, record: SessionRecord): Promise<boolean> {
    const past = await readable(this.#stores.old, id)
    if (isLive(past, record.createdAt) && !isHeld(past)) return false
    // What the new store has of this id, be it a tombstone, would hide what the old one gets.
    if (this.#prepares && (await readable(this.#stores.new, id)) === undefined) return this.#stores.old.create(id, record)
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      if (await this.#stores.new.create(id, record)) return true
      const there = await readable(this.#stores.new, id)
      if (there !== undefined && !isHeld(there)) return false
      if (there !== undefined) await release(this.#stores, id, there, record.createdAt)
    }
    throw contended()
  }

  async patch(id: SessionId, patch: Patch, options?: PatchOptions): Promise<PatchResult> {
    const guarded: Patch = { ...patch, expect: [...(patch.expect ?? []), [HELD, null]] }
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      stopIfAborted(options?.signal)
      const result = await this.#stores.new.patch(id, guarded, options)
      if (result.status === 'conflict' && isHeld(result.record)) await release(this.#stores, id, result.record, patch.now)
      else if (result.status !== 'gone') return result
      else {
        const instead = await this.#patchOld(id, guarded, options)
        if (instead !== 'try the new one again') return instead
      }
    }
    throw contended()
  }

  async end(id: SessionId, because: EndReason, at: number): Promise<boolean> {
    // The old store first, or a session that is being carried over could be copied behind our back and live on.
    const old = await this.#stores.old.end(id, because, at)
    const fresh = await this.#stores.new.end(id, because, at)
    return old || fresh
  }

  /** Carries one session over, whoever began it. */
  async carry(id: SessionId, now: number): Promise<'copied' | 'there' | 'past' | 'unreadable'> {
    let begun = false
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      const fresh = await readable(this.#stores.new, id)
      if (fresh !== undefined && !isHeld(fresh)) return begun ? 'copied' : 'there'
      if (isLive(fresh, now)) {
        await release(this.#stores, id, fresh, now)
        begun = true
        continue
      }
      const past = await readable(this.#stores.old, id)
      if (past === undefined) return (await isUnreadable(this.#stores.old, id)) ? 'unreadable' : 'past'
      if (!isLive(past, now) || isHeld(past)) return 'past'
      begun = await hold(this.#stores, id, past)
    }
    throw contended()
  }

  /** Live in the old store, and nothing of it in the new one. */
  async isLeft(id: SessionId, now: number): Promise<boolean> {
    const past = await readable(this.#stores.old, id)
    if (!isLive(past, now) || isHeld(past)) return false
    const fresh = await readable(this.#stores.new, id)
    return fresh === undefined || isHeld(fresh)
  }

  /** The new store says gone. Carries the session over if the old one has it; or changes it there, while this only prepares. */
  async #patchOld(id: SessionId, patch: Patch, options?: PatchOptions): Promise<PatchResult | 'try the new one again'> {
    const fresh = await readable(this.#stores.new, id)
    if (fits(fresh, patch)) return 'try the new one again'
    if (fresh !== undefined && !isHeld(fresh)) return GONE
    const past = await readable(this.#stores.old, id)
    if (past !== undefined && !isHeld(past) && fits(past, patch)) {
      if (!this.#prepares) {
        await hold(this.#stores, id, past)
        return 'try the new one again'
      }
      const result = await this.#stores.old.patch(id, patch, options)
      if (result.status !== 'gone' && !(result.status === 'conflict' && isHeld(result.record))) return result
    }
    // Over in the old store: it has ended, or was carried over since we looked into the new one.
    return fits(await readable(this.#stores.new, id), patch) ? 'try the new one again' : GONE
  }

  async #sweep(what: SweepRequest, limit: number): Promise<number> {
    const old = (await this.#stores.old.sweep?.(what, limit)) ?? 0
    return old >= limit ? old : old + ((await this.#stores.new.sweep?.(what, limit - old)) ?? 0)
  }

  #watch(id: SessionId, onEnd: () => void): () => void {
    let watching = true
    const stop = (): void => {
      watching = false
      stopNew?.()
      stopOld?.()
    }
    const tell = (): void => {
      if (!watching) return
      stop()
      onEnd()
    }
    // The old record also ends when it has been carried over.
    const unlessCarried = async (): Promise<void> => {
      const record = await readable(this, id)
      if (record === undefined || record.ended !== undefined) tell()
    }
    const stopNew = this.#stores.new.watch?.(id, tell)
    const stopOld = this.#stores.old.watch?.(id, () => void unlessCarried().catch(() => undefined))
    return stop
  }
}

async function* both(old: AsyncIterable<SessionId> | undefined, fresh: AsyncIterable<SessionId> | undefined): AsyncIterable<SessionId> {
  // The old store first: what is carried over while we look is missing from neither then.
  const seen = new Set<SessionId>()
  for await (const id of old ?? []) {
    seen.add(id)
    yield id
  }
  for await (const id of fresh ?? []) if (!seen.has(id)) yield id
}

function fits(record: SessionRecord | undefined, patch: Patch): boolean {
  return applyPatch(record, patch).status !== 'gone'
}

async function isUnreadable(store: Store, id: SessionId): Promise<boolean> {
  try {
    await store.read(id, { fresh: true })
    return false
  } catch (error) {
    return isSessionError(error, 'ERR_SESSION_UNREADABLE')
  }
}

function checkStore(store: Store): void {
  if (typeof store === 'function') throw optionError('A store that needs the request, such as the sealed cookie, has nothing to carry over. Change the option store instead.')
  if (typeof store?.patch !== 'function' || typeof store.read !== 'function') throw optionError('migrateStore takes two stores. Pass for example migrateStore(sqliteStore("sessions.db"), redisStore(client)).')
  if (store.consistency === 'client') throw optionError('A store whose records the visitor keeps has nothing to carry over. Change the option store instead.')
}

function contended(): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The session changed between the two stores at every attempt. Nothing was changed; try again later.', { outcome: 'none' })
}

function optionError(message: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', message)
}
