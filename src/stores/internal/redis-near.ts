import { errorMonitor } from 'node:events'
import type { SessionRecord } from '../../core/record.ts'
import { frozen } from './parsed-records.ts'

/** A client that the server tells when a key changes that this connection has read. */
export interface NearLink {
  /** Its connection ends and begins anew with an event. */
  readonly client: Emitter
  /** The client's own cache. It stays empty, and emits `invalidate` with the name of a key, or with null for all. */
  readonly cache: Emitter
  /** Milliseconds for which an answer may be kept. */
  readonly ttl: number
  /** How many answers are kept. */
  readonly maxEntries: number
}

/** What is used of an `EventEmitter`. */
export interface Emitter {
  on(event: string | symbol, listener: (about: unknown) => void): unknown
  off(event: string | symbol, listener: (about: unknown) => void): unknown
}

interface Kept {
  readonly record: SessionRecord
  /** By `performance.now()`, which nobody sets back. */
  readonly until: number
}

// Notices get lost with their connection. Errors are looked at in passing: with a listener for them the client
// would no longer end a process that has none.
const BREAKS = [errorMonitor, 'end', 'reconnecting', 'ready'] as const

/**
 * The records that were read lately, by their keys, parsed. They leave when the server says that they have
 * changed, when the connection breaks, and after the ttl in any case. Those who read share them, so they are frozen.
 */
export class NearRecords {
  readonly #link: NearLink
  /** Oldest first, which are those whose time is over first. */
  readonly #kept = new Map<string, Kept>()
  /** The read of each key whose answer may be kept. One that a change overtakes is taken off: its answer may be the older. */
  readonly #reads = new Map<string, symbol>()
  #listens = false

  constructor(link: NearLink) {
    this.#link = link
  }

  /** Begins to listen, if it does not yet. Nothing is kept before. */
  open(): void {
    if (this.#listens) return
    this.#listens = true
    this.#link.cache.on('invalidate', this.#onInvalidate)
    for (const event of BREAKS) this.#link.client.on(event, this.#dropAll)
  }

  /** Drops everything and listens no more. */
  close(): void {
    this.#listens = false
    this.#link.cache.off('invalidate', this.#onInvalidate)
    for (const event of BREAKS) this.#link.client.off(event, this.#dropAll)
    this.#dropAll()
  }

  get(key: string): SessionRecord | undefined {
    const kept = this.#kept.get(key)
    return kept !== undefined && kept.until > performance.now() ? kept.record : undefined
  }

  /** Reads from the server and keeps the answer. That there is none is not kept: anybody can ask for ids that do not exist. */
  async load(key: string, read: () => Promise<SessionRecord | undefined>): Promise<SessionRecord | undefined> {
    // Of several reads at once one is enough.
    if (!this.#listens || this.#reads.has(key)) return read()
    const turn = Symbol(key)
    this.#reads.set(key, turn)
    // From before it is sent, so that the ttl is the most by which an answer is old.
    const until = performance.now() + this.#link.ttl
    try {
      const record = await read()
      if (record !== undefined && this.#reads.get(key) === turn) this.#keep(key, { record: frozen(record), until })
      return record
    } finally {
      if (this.#reads.get(key) === turn) this.#reads.delete(key)
    }
  }

  /** Forgets a key that changes, and the answer to a read of it that is under way. */
  drop(key: string): void {
    this.#kept.delete(key)
    this.#reads.delete(key)
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const now = performance.now()
    for (const [oldest, { until }] of this.#kept) {
      if (until > now && this.#kept.size <= this.#link.maxEntries) return
      this.#kept.delete(oldest)
    }
  }

  readonly #onInvalidate = (key: unknown): void => {
    // A Buffer, by the client's version and settings.
    if (key === null) this.#dropAll()
    else this.drop(String(key))
  }

  readonly #dropAll = (): void => {
    this.#kept.clear()
    this.#reads.clear()
  }
}
