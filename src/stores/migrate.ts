import { SessionError, isSessionError } from '../core/errors.ts'
import { applyPatch, type Patch, type PatchResult } from '../core/patch.ts'
import { isLive, makeEntries, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { PatchOptions, ReadOptions, Store, StoreEvent, SweepRequest } from '../core/store.ts'
import { stopIfAborted } from './internal/stored-text.ts'

/**
 * Moves from one store to another while the application runs: a session is read from the new store, else from the old one, and carried
 * over with its first write. An end reaches both. Every process of the application has to use it before the first session moves; what it
 * promises is what the weaker of the two promises. Throws `ERR_SESSION_OPTION` for a store that needs the request, or one that is no store.
 */
export function migrateStore(from: Store, to: Store): Store {
  return new Migration(from, to)
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

/**
 * An entry that makes a record unusable while a session is carried over; its text is the mark of one attempt. In the new store: a copy
 * that nobody may use yet. In the old store: a session whose life goes on in the copy with the same mark.
 */
const HELD = 'x:migration'

const ATTEMPTS = 30

/*
 * Carrying over takes three steps, each atomic in its store, and whoever meets a half-carried session goes on with them:
 *   1. create a held copy in the new store;
 *   2. mark the session in the old store: it changes no more;
 *   3. release the copy, brought up to what the old store has, if that is still live. Then the old record is ended.
 * An end goes to the old store first and to the new one after that. If it came before 2, the mark finds nothing and the copy is thrown away.
 * If it came after 2, the copy was already there for it to end. Either way nothing is released that has ended.
 */
class Migration implements Store {
  readonly consistency: 'atomic' | 'best-effort'
  readonly maxBytes?: number
  readonly find?: (term: string) => AsyncIterable<SessionId>
  readonly list?: () => AsyncIterable<SessionId>
  readonly sweep?: (what: SweepRequest, limit: number) => Promise<number>
  readonly watch?: (id: SessionId, onEnd: () => void) => () => void
  readonly #old: Store
  readonly #new: Store

  constructor(from: Store, to: Store) {
    for (const store of [from, to]) checkStore(store)
    if (from === to) throw optionError('The old and the new store are the same. Pass two: migrateStore(old, new).')
    this.#old = from
    this.#new = to
    this.consistency = [from, to].every(({ consistency = 'atomic' }) => consistency === 'atomic') ? 'atomic' : 'best-effort'
    if (to.maxBytes !== undefined) this.maxBytes = to.maxBytes
    if (from.find !== undefined && to.find !== undefined) this.find = (term) => both(from.find?.(term), to.find?.(term))
    if (from.list !== undefined && to.list !== undefined) this.list = () => both(from.list?.(), to.list?.())
    if (from.sweep !== undefined || to.sweep !== undefined) this.sweep = (what, limit) => this.#sweep(what, limit)
    if (from.watch !== undefined && to.watch !== undefined) this.watch = (id, onEnd) => this.#watch(id, onEnd)
  }

  async open(): Promise<void> {
    await this.#new.open?.()
    await this.#old.open?.()
  }

  async close(): Promise<void> {
    await this.#new.close?.()
    await this.#old.close?.()
  }

  observe(report: (event: StoreEvent) => void): void {
    this.#new.observe?.(report)
    this.#old.observe?.(report)
  }

  async read(id: SessionId, options?: ReadOptions): Promise<SessionRecord | undefined> {
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      const fresh = await this.#new.read(id, options)
      if (fresh !== undefined && !isHeld(fresh)) return fresh
      const past = await this.#old.read(id, options)
      if (past !== undefined && past.ended === undefined && (!isHeld(past) || markOf(past) === markOf(fresh))) return withoutMark(past)
      // Over in the old store: it has ended, or was carried over since we looked into the new one.
      const again = await this.#new.read(id, options)
      if (again !== undefined && !isHeld(again)) return again
      if (markOf(again) === markOf(fresh)) return past?.ended === undefined ? undefined : past
    }
    throw contended()
  }

  async create(id: SessionId, record: SessionRecord): Promise<boolean> {
    const past = await readable(this.#old, id)
    if (isLive(past, record.createdAt) && !isHeld(past)) return false
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      if (await this.#new.create(id, record)) return true
      const there = await readable(this.#new, id)
      if (there !== undefined && !isHeld(there)) return false
      if (there !== undefined) await this.#release(id, there, record.createdAt)
    }
    throw contended()
  }

  async patch(id: SessionId, patch: Patch, options?: PatchOptions): Promise<PatchResult> {
    const guarded: Patch = { ...patch, expect: [...(patch.expect ?? []), [HELD, null]] }
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      stopIfAborted(options?.signal)
      const result = await this.#new.patch(id, guarded, options)
      if (result.status === 'conflict' && isHeld(result.record)) await this.#release(id, result.record, patch.now)
      else if (result.status !== 'gone' || !(await this.#carryFor(id, patch))) return result
    }
    throw contended()
  }

  async end(id: SessionId, because: EndReason, at: number): Promise<boolean> {
    // The old store first, or a session that is being carried over could be copied behind our back and live on.
    const old = await this.#old.end(id, because, at)
    const fresh = await this.#new.end(id, because, at)
    return old || fresh
  }

  /** Carries one session over, whoever began it. */
  async carry(id: SessionId, now: number): Promise<'copied' | 'there' | 'past' | 'unreadable'> {
    let begun = false
    for (let tries = 0; tries < ATTEMPTS; tries += 1) {
      const fresh = await readable(this.#new, id)
      if (fresh !== undefined && !isHeld(fresh)) return begun ? 'copied' : 'there'
      if (isLive(fresh, now)) {
        await this.#release(id, fresh, now)
        begun = true
        continue
      }
      const past = await readable(this.#old, id)
      if (past === undefined) return (await isUnreadable(this.#old, id)) ? 'unreadable' : 'past'
      if (!isLive(past, now) || isHeld(past)) return 'past'
      begun = await this.#hold(id, past)
    }
    throw contended()
  }

  /** Live in the old store, and nothing of it in the new one. */
  async isLeft(id: SessionId, now: number): Promise<boolean> {
    const past = await readable(this.#old, id)
    if (!isLive(past, now) || isHeld(past)) return false
    const fresh = await readable(this.#new, id)
    return fresh === undefined || isHeld(fresh)
  }

  /** The new store says gone. True when the patch is to be tried there again: the session came over meanwhile, or a held copy of it. */
  async #carryFor(id: SessionId, patch: Patch): Promise<boolean> {
    const fresh = await readable(this.#new, id)
    if (fits(fresh, patch)) return true
    if (fresh !== undefined && !isHeld(fresh)) return false
    const past = await readable(this.#old, id)
    if (past !== undefined && !isHeld(past) && fits(past, patch)) {
      await this.#hold(id, past)
      return true
    }
    return fits(await readable(this.#new, id), patch)
  }

  /** Step 1. A version less, because the release counts one up. False when something live is there already. */
  async #hold(id: SessionId, past: SessionRecord): Promise<boolean> {
    // With the nonce of the last patch, so that it is still known when it is sent again.
    const mark = `${crypto.randomUUID()} ${past.nonce}`
    const entries = makeEntries(past.entries)
    entries[HELD] = mark
    return this.#new.create(id, { ...past, version: past.version - 1, nonce: mark, entries })
  }

  /** Steps 2 and 3, or the end of a copy whose session is over. */
  async #release(id: SessionId, held: SessionRecord, now: number): Promise<void> {
    const mark = markOf(held) ?? ''
    const past = await this.#mark(id, mark, now)
    const expect = [[HELD, mark]] as const
    if (past === undefined) {
      await this.#new.patch(id, { now, nonce: crypto.randomUUID(), expect, expiresAt: now, deadline: 'replace' })
      return
    }
    await this.#new.patch(id, { now, expect, ...difference(held, past) })
    // Marked as it is, the old record is of no use to anybody; ending it saves its room and takes it from the old index.
    await this.#old.end(id, 'replaced', now)
  }

  /** Step 2. What the old store has when it bears this mark and is live; undefined when the session is over, or bears another. */
  async #mark(id: SessionId, mark: string, now: number): Promise<SessionRecord | undefined> {
    let past = await readable(this.#old, id)
    if (!isLive(past, now)) return undefined
    if (!isHeld(past)) {
      const result = await this.#old.patch(id, { now, nonce: mark, set: [[HELD, mark]], expect: [[HELD, null]] })
      past = result.status === 'conflict' ? result.record : await readable(this.#old, id)
    }
    return isLive(past, now) && markOf(past) === mark ? past : undefined
  }

  async #sweep(what: SweepRequest, limit: number): Promise<number> {
    const old = (await this.#old.sweep?.(what, limit)) ?? 0
    return old >= limit ? old : old + ((await this.#new.sweep?.(what, limit - old)) ?? 0)
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
    const stopNew = this.#new.watch?.(id, tell)
    const stopOld = this.#old.watch?.(id, () => void unlessCarried().catch(() => undefined))
    return stop
  }
}

function isHeld(record: SessionRecord | undefined): boolean {
  return markOf(record) !== undefined
}

function markOf(record: SessionRecord | undefined): string | undefined {
  return record?.entries[HELD]
}

function withoutMark(record: SessionRecord): SessionRecord {
  if (!isHeld(record)) return record
  const entries = makeEntries(record.entries)
  delete entries[HELD]
  return { ...record, entries }
}

function fits(record: SessionRecord | undefined, patch: Patch): boolean {
  return applyPatch(record, patch).status !== 'gone'
}

/** What makes the held copy equal to what the old store has. A process that does not know of the migration may have written there since. */
function difference(held: SessionRecord, past: SessionRecord): Omit<Patch, 'now'> {
  const mark = markOf(held) ?? ''
  return {
    nonce: mark.slice(mark.indexOf(' ') + 1),
    set: Object.entries(past.entries).filter(([key, text]) => key !== HELD && held.entries[key] !== text),
    remove: Object.keys(held.entries).filter((key) => key === HELD || past.entries[key] === undefined),
    touchedAt: past.touchedAt,
    expiresAt: past.expiresAt,
    deadline: 'replace',
    index: past.index,
    ...(past.tokenHash !== held.tokenHash && { rotateTo: past.tokenHash }),
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

/** The record; undefined for nothing, and for what cannot be read. */
async function readable(store: Store, id: SessionId): Promise<SessionRecord | undefined> {
  try {
    return await store.read(id, { fresh: true })
  } catch (error) {
    if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return undefined
    throw error
  }
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
