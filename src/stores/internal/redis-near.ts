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

/** A read or a write under way whose answer may be kept. */
interface Turn {
  /** How many more notices of a change it outlives: a write is told of itself. */
  notices: number
}

/**
 * The records that were read or written lately, by their keys, parsed. They leave when the server says that they have
 * changed, when the connection breaks, and after the ttl in any case. Those who read share them, so they are frozen.
 */
export class NearRecords {
  readonly #link: NearLink
  /** Oldest first, which are those whose time is over first. */
  readonly #kept = new Map<string, Kept>()
  /** Of each key one at most. One that a change overtakes is taken off: its answer may be the older. */
  readonly #turns = new Map<string, Turn>()
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
    if (!this.#listens || this.#turns.has(key)) return read()
    const { turn, until } = this.#begin(key, { notices: 0 })
    try {
      const record = await read()
      if (record !== undefined && this.#turns.get(key) === turn) this.#keep(key, record, until)
      return record
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key)
    }
  }

  /**
   * Makes a change. What is kept of the record is dropped before it is sent, and what a read in between has kept once it is made: it may
   * be sent twice. `become` tells from the answer what the record that was known has become, if it can: that is kept, and needs a script
   * that reads the record once more behind its last write, or the server would not tell of the next change.
   */
  async write<Answer>(key: string, send: () => Promise<Answer>, become?: (known: SessionRecord, answer: Answer) => SessionRecord | undefined): Promise<Answer> {
    const known = become === undefined ? undefined : this.get(key)
    this.#drop(key)
    if (known === undefined) return send().finally(() => this.#drop(key))
    const { turn, until } = this.#begin(key, { notices: 1 })
    let record: SessionRecord | undefined
    try {
      const answer = await send()
      // Told of one change, which is this one: of what comes behind it, it will be told.
      if (this.#turns.get(key) === turn && turn.notices === 0) record = become?.(known, answer)
      return answer
    } finally {
      this.#drop(key)
      if (record !== undefined) this.#keep(key, record, until)
    }
  }

  // The time is from before anything is sent, so that the ttl is the most by which an answer is old.
  #begin(key: string, turn: Turn): { readonly turn: Turn; readonly until: number } {
    this.#turns.set(key, turn)
    return { turn, until: performance.now() + this.#link.ttl }
  }

  #drop(key: string): void {
    this.#kept.delete(key)
    this.#turns.delete(key)
  }

  #keep(key: string, record: SessionRecord, until: number): void {
    this.#kept.delete(key)
    this.#kept.set(key, { record: frozen(record), until })
    const now = performance.now()
    for (const [oldest, { until }] of this.#kept) {
      if (until > now && this.#kept.size <= this.#link.maxEntries) return
      this.#kept.delete(oldest)
    }
  }

  readonly #onInvalidate = (key: unknown): void => {
    // A Buffer, by the client's version and settings.
    if (key === null) this.#dropAll()
    else this.#hear(String(key))
  }

  #hear(key: string): void {
    const turn = this.#turns.get(key)
    if (turn === undefined || turn.notices === 0) return this.#drop(key)
    turn.notices -= 1
  }

  readonly #dropAll = (): void => {
    this.#kept.clear()
    this.#turns.clear()
  }
}
