import type { Entries, SessionId, SessionRecord } from '../../core/record.ts'

const NO_TERMS: readonly string[] = Object.freeze([])

/** What few records have. */
type Extras = Pick<SessionRecord, 'index' | 'previous' | 'ended'>

/**
 * A record as the memory store keeps it. A million of them live at once, so each is one object with as few
 * others behind it as can be: a time is two small integers, since V8 boxes every larger number.
 */
export class Slot {
  readonly id: SessionId
  /** What it takes of the heap, by the store's account. */
  bytes: number
  /** 1 when it was read or written since the search for something to evict last came by, else 0. */
  used = 0
  /** The neighbours among those with about the same deadline. */
  before: Slot | undefined = undefined
  after: Slot | undefined = undefined
  #version = 0
  #tokenHash = ''
  #nonce = ''
  #entries: Entries
  #extras: Extras | undefined = undefined
  #createdHigh = 0
  #createdLow = 0
  #touchedHigh = 0
  #touchedLow = 0
  #expiresHigh = 0
  #expiresLow = 0

  constructor(id: SessionId, record: SessionRecord, bytes: number) {
    this.id = id
    this.bytes = bytes
    this.#entries = record.entries
    this.write(record, bytes)
  }

  /** Takes over a record whose entries nobody else will change. */
  write(record: SessionRecord, bytes: number): void {
    this.bytes = bytes
    this.#version = record.version
    this.#tokenHash = record.tokenHash
    this.#nonce = record.nonce
    this.#entries = Object.freeze(record.entries)
    this.#extras = extrasOf(record)
    this.#createdHigh = high(record.createdAt)
    this.#createdLow = low(record.createdAt)
    this.#touchedHigh = high(record.touchedAt)
    this.#touchedLow = low(record.touchedAt)
    this.#expiresHigh = high(record.expiresAt)
    this.#expiresLow = low(record.expiresAt)
  }

  /** A record that cannot be used to change the slot. */
  read(): SessionRecord {
    const extras = this.#extras
    const record: SessionRecord = {
      version: this.#version,
      createdAt: time(this.#createdHigh, this.#createdLow),
      touchedAt: time(this.#touchedHigh, this.#touchedLow),
      expiresAt: this.expiresAt,
      tokenHash: this.#tokenHash,
      nonce: this.#nonce,
      index: this.index,
      entries: this.#entries,
    }
    if (extras === undefined || (extras.previous === undefined && extras.ended === undefined)) return record
    return { ...record, ...extras }
  }

  get expiresAt(): number {
    return time(this.#expiresHigh, this.#expiresLow)
  }

  get index(): readonly string[] {
    return this.#extras === undefined ? NO_TERMS : this.#extras.index
  }

  get entries(): Entries {
    return this.#entries
  }

  get ended(): boolean {
    return this.#extras?.ended !== undefined
  }
}

const HALF = 2 ** 30

function high(time: number): number {
  return Math.floor(time / HALF)
}

// The `| 0` makes V8 keep it as an integer; times are whole milliseconds.
function low(time: number): number {
  return (time - Math.floor(time / HALF) * HALF) | 0
}

function time(high: number, low: number): number {
  return high * HALF + low
}

function extrasOf({ index, previous, ended }: SessionRecord): Extras | undefined {
  if (index.length === 0 && previous === undefined && ended === undefined) return undefined
  return Object.freeze({
    index: Object.isFrozen(index) ? index : Object.freeze([...index]),
    ...(previous !== undefined && { previous: Object.freeze({ ...previous }) }),
    ...(ended !== undefined && { ended: Object.freeze({ ...ended }) }),
  })
}
