import { SessionError } from '../core/errors.ts'
import { applyPatch, GONE, type Patch, type PatchResult } from '../core/patch.ts'
import { isLive, makeEntries, tombstone, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { PatchOptions, Store, StoreEvent, SweepRequest } from '../core/store.ts'
import { bucketOf, Deadlines } from './internal/deadlines.ts'
import { frameBytes, growth, recordBytes } from './internal/heap-bytes.ts'
import { Slot } from './internal/slot.ts'
import { SlotTable } from './internal/slot-table.ts'
import { TermIndex } from './internal/term-index.ts'

export interface MemoryStoreOptions {
  /** Sessions that are kept at once; one more, and the least recently used leaves. From 1, or Infinity. Defaults to 100,000. */
  readonly maxSessions?: number
  /** Bytes of heap that the sessions may take together, by the store's own account. From 1, or Infinity. Defaults to 256 MiB. */
  readonly maxBytes?: number
}

/** A store in this process's memory. Every method answers at once. */
export interface MemoryStore extends Store {
  /** Records that are held, tombstones and expired ones among them. */
  readonly size: number
  /** Bytes of heap that they take, by the store's own account. */
  readonly bytes: number
  read(id: SessionId): SessionRecord | undefined
  create(id: SessionId, record: SessionRecord): boolean
  patch(id: SessionId, patch: Patch, options?: PatchOptions): PatchResult
  end(id: SessionId, because: EndReason, at: number): boolean
  find(term: string): AsyncIterable<SessionId>
  list(): AsyncIterable<SessionId>
  sweep(what: SweepRequest, limit: number): number
  watch(id: SessionId, onEnd: () => void): () => void
  observe(report: (event: StoreEvent) => void): void
  close(): void
}

/**
 * Keeps sessions in this process's memory: for tests, development, and an application of one process whose sessions
 * may end with it. Bounded: beyond `maxSessions` or `maxBytes` the least recently used leaves, sessions with an owner
 * last, with event `evict`. Throws `ERR_SESSION_OPTION`.
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const { maxSessions = 100_000, maxBytes = 256 * 1024 * 1024 } = options
  checkBound('maxSessions', maxSessions)
  checkBound('maxBytes', maxBytes)
  return new Memory(maxSessions, maxBytes)
}

function checkBound(name: string, value: unknown): void {
  if (typeof value !== 'number' || !(value >= 1)) throw new SessionError('ERR_SESSION_OPTION', `memoryStore takes ${name} as a number from 1. Pass such a number, or Infinity.`)
}

class Memory implements MemoryStore {
  readonly answersAtOnce = true
  readonly #maxSessions: number
  readonly #maxBytes: number
  readonly #table: SlotTable
  readonly #terms: TermIndex
  readonly #deadlines = new Deadlines()
  readonly #watchers = new Map<SessionId, Set<() => void>>()
  #bytes = 0
  #report: (event: StoreEvent) => void = () => {}

  constructor(maxSessions: number, maxBytes: number) {
    this.#maxSessions = maxSessions
    this.#maxBytes = maxBytes
    this.#table = new SlotTable(maxSessions)
    this.#terms = new TermIndex(maxSessions)
  }

  get size(): number {
    return this.#table.size
  }

  get bytes(): number {
    return this.#bytes
  }

  read(id: SessionId): SessionRecord | undefined {
    const slot = this.#table.get(id)
    if (slot === undefined) return undefined
    slot.used = 1
    return slot.read()
  }

  create(id: SessionId, record: SessionRecord): boolean {
    const there = this.#table.get(id)
    if (isLive(there?.read(), record.createdAt)) return false
    const bytes = recordBytes(id, record)
    this.#refuseTooLarge(bytes)
    if (there !== undefined) this.#drop(there)
    const slot = new Slot(id, { ...record, entries: makeEntries(record.entries) }, bytes)
    this.#bytes += bytes
    this.#table.add(slot)
    this.#deadlines.add(slot)
    for (const term of record.index) this.#terms.add(term, slot)
    this.#makeRoom(slot)
    return true
  }

  patch(id: SessionId, patch: Patch, options?: PatchOptions): PatchResult {
    if (options?.signal?.aborted === true) throw new SessionError('ERR_SESSION_STORE', 'A patch was not begun, because its signal had fired. Pass a signal that is still waiting.', { outcome: 'none', cause: options.signal.reason })
    const slot = this.#table.get(id)
    if (slot === undefined) return GONE
    const before = slot.read()
    const applied = applyPatch(before, patch)
    if (applied.status !== 'ok') return applied
    if (applied.record !== before) this.#write(slot, { before, after: applied.record, keys: keysOf(patch) })
    return { status: 'ok', version: applied.record.version }
  }

  end(id: SessionId, because: EndReason, at: number): boolean {
    const slot = this.#table.get(id)
    if (slot === undefined || slot.ended) return false
    const before = slot.read()
    this.#write(slot, { before, after: tombstone(before, because, at), keys: Object.keys(before.entries) })
    for (const onEnd of this.#watchers.get(id) ?? []) onEnd()
    this.#watchers.delete(id)
    return true
  }

  async *find(term: string): AsyncIterable<SessionId> {
    for (const slot of this.#terms.under(term)) yield slot.id
  }

  async *list(): AsyncIterable<SessionId> {
    for (const slot of this.#table.slots()) if (!slot.ended) yield slot.id
  }

  sweep(what: SweepRequest, limit: number): number {
    let swept = 0
    for (const slot of this.#past(what)) {
      if (swept >= limit) break
      this.#drop(slot)
      swept += 1
    }
    return swept
  }

  watch(id: SessionId, onEnd: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set()
    this.#watchers.set(id, watchers.add(onEnd))
    return () => {
      watchers.delete(onEnd)
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id)
    }
  }

  observe(report: (event: StoreEvent) => void): void {
    this.#report = report
  }

  close(): void {
    this.#table.clear()
    this.#terms.clear()
    this.#deadlines.clear()
    this.#watchers.clear()
    this.#bytes = 0
  }

  /** Everything in one step: nothing else runs in between. */
  #write(slot: Slot, { before, after, keys }: Change): void {
    const bytes = slot.bytes + frameBytes(slot.id, after) - frameBytes(slot.id, before) + growth(before.entries, after.entries, keys)
    this.#refuseTooLarge(bytes)
    for (const term of after.index) if (!before.index.includes(term)) this.#terms.add(term, slot)
    for (const term of before.index) if (!after.index.includes(term)) this.#terms.remove(term, slot)
    const moves = bucketOf(before.expiresAt) !== bucketOf(after.expiresAt)
    if (moves) this.#deadlines.remove(slot)
    this.#bytes += bytes - slot.bytes
    slot.write(after, bytes)
    if (moves) this.#deadlines.add(slot)
    slot.used = 1
    if (after.entries !== before.entries) this.#table.settle(slot)
    this.#makeRoom(slot)
  }

  *#past({ now, by = 'expires', olderThan }: SweepRequest): Iterable<Slot> {
    if (by === 'expires') {
      for (const slot of this.#deadlines.upTo(now)) if (slot.expiresAt <= now) yield slot
      return
    }
    if (olderThan === undefined) throw new SessionError('ERR_SESSION_USAGE', `A sweep by ${by} needs olderThan. Pass milliseconds since the epoch.`)
    for (const slot of this.#table.slots()) if (slot.read()[by === 'touched' ? 'touchedAt' : 'createdAt'] < olderThan) yield slot
  }

  #makeRoom(spared: Slot): void {
    while (this.#table.size > this.#maxSessions || this.#bytes > this.#maxBytes) {
      const slot = this.#table.leastUsed(spared)
      if (slot === undefined) return
      this.#drop(slot)
      if (!slot.ended) this.#report({ event: 'evict', id: slot.id })
    }
  }

  #drop(slot: Slot): void {
    for (const term of slot.index) this.#terms.remove(term, slot)
    this.#deadlines.remove(slot)
    this.#table.remove(slot)
    this.#bytes -= slot.bytes
  }

  #refuseTooLarge(bytes: number): void {
    if (bytes > this.#maxBytes) throw new SessionError('ERR_SESSION_TOO_LARGE', `A session would take ${bytes} bytes, and the memory store may take ${this.#maxBytes} in all. Keep less in it, or raise maxBytes.`)
  }
}

/** A record before and after, and the keys of all entries that can differ. */
interface Change {
  readonly before: SessionRecord
  readonly after: SessionRecord
  readonly keys: Iterable<string>
}

/** Each once. */
function keysOf({ set = [], remove = [] }: Patch): Iterable<string> {
  const keys = [...set.map(([key]) => key), ...remove]
  return keys.length > 1 ? new Set(keys) : keys
}
