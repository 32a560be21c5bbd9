import { encodeValue } from '../../core/codec.ts'
import { makeId } from '../../core/token.ts'
import type { Host } from './host.ts'
import { surplus } from './limits.ts'
import type { Settings } from './settings.ts'
import { isRequest, parentIn, parseEnvelope, parseRequest, parseReturn, type StoredRequest, type StoredReturn } from './stored.ts'

/** A value that is kept, and what it costs. */
interface Kept {
  readonly id: string
  readonly value: unknown
  readonly usedAt: number
  readonly bytes: number
}

/** The continuations kept in one session: bounded in number, size and age. */
export class KeptContinuations {
  readonly #host: Host
  readonly #settings: Settings
  readonly maxBytes: number

  constructor(host: Host, settings: Settings) {
    this.#host = host
    this.#settings = settings
    // A quarter of what the session may have, so that a store with little room has some left for data.
    this.maxBytes = Math.min(settings.maxBytes, Math.floor(host.maxBytes / 4))
  }

  get(id: string): unknown {
    return this.#live(id)?.value
  }

  has(id: string): boolean {
    return this.#live(id) !== undefined
  }

  request(id: string): StoredRequest | undefined {
    return parseRequest(this.get(id))
  }

  holdsRequest(id: string): boolean {
    return isRequest(this.get(id))
  }

  /** The return that waits under an id. */
  waiting(id: string): StoredReturn | undefined {
    return parseReturn(this.get(id))
  }

  /** What is kept, the least recently used first. */
  entries(): [string, unknown][] {
    this.trim()
    return this.#all().map(({ id, value }) => [id, value])
  }

  add(value: unknown): string {
    const id = makeId((size) => this.#host.random(size))
    this.set(id, value)
    return id
  }

  /** Keeps a value, and lets go what is too old or too much with it. */
  set(id: string, value: unknown): void {
    this.#host.write(id, [this.#host.now(), value])
    this.#tidy(id)
  }

  /** Used just now: of all that could go, it goes last. */
  use(id: string): void {
    const kept = this.#live(id)
    if (kept !== undefined) this.#host.write(id, [this.#host.now(), kept.value])
  }

  /** Deletes a continuation, and every one that would return to it. */
  delete(id: string): void {
    this.#host.delete(id)
    for (const child of this.#all()) if (parentIn(child.value) === id && this.has(child.id)) this.delete(child.id)
  }

  /** Whether a value fits: into half of the room, so that what is handed back to a request fits beside it. */
  fits(value: unknown): boolean {
    return Buffer.byteLength(encodeValue(value)) <= this.maxBytes / 2
  }

  /** Lets go of what is too much, but not of `spared`: requests that ran side by side did not know of each other. */
  trim(spared?: string): void {
    if (this.#host.ids.length > this.#settings.maxCount) this.#tidy(spared)
  }

  #tidy(newest?: string): void {
    const live = this.#all()
    const known = new Set(live.map(({ id }) => id))
    for (const id of this.#host.ids) if (!known.has(id)) this.#host.delete(id)
    const gone = surplus(live.map((kept) => ({ ...kept, parent: parentIn(kept.value) })), { maxCount: this.#settings.maxCount, maxBytes: this.maxBytes }, newest)
    for (const id of gone) this.#host.delete(id)
    if (gone.length > 0) this.#host.emit({ reason: 'evicted', count: gone.length })
  }

  #all(): Kept[] {
    return this.#host.ids.map((id) => this.#live(id)).filter((kept) => kept !== undefined).toSorted((a, b) => a.usedAt - b.usedAt)
  }

  #live(id: string): Kept | undefined {
    const entry = this.#host.read(id)
    const envelope = parseEnvelope(entry?.value)
    if (entry === undefined || envelope === undefined || envelope[0] + this.#settings.maxAgeMs <= this.#host.now()) return undefined
    return { id, value: envelope[1], usedAt: envelope[0], bytes: entry.bytes }
  }
}
