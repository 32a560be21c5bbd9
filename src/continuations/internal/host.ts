import { encodeValue } from '../../core/codec.ts'
import type { SessionEvent } from '../../core/events.ts'
import type { Life } from '../../core/internal/life.ts'
import { CONTINUATION } from '../../core/internal/namespaces.ts'
import { Namespace } from '../../core/namespace.ts'
import type { Awaitable } from '../../core/store.ts'
import type { Exchange } from '../../core/transport.ts'

/** An entry as this request knows it. */
export interface Entry {
  readonly value: unknown
  /** What it takes in the store; before a codec seals it, for one that this request has written. */
  readonly bytes: number
}

/** What continuations use of the session of one request. */
export class Host {
  readonly exchange: Exchange | undefined
  readonly load: () => Promise<unknown>
  readonly #life: Life
  readonly #entries: Namespace
  readonly #written = new Set<string>()
  readonly #decoded = new Map<string, Entry & { readonly text: string }>()

  constructor(life: Life, load: () => Promise<unknown>) {
    this.#life = life
    this.exchange = life.exchange
    this.#entries = new Namespace(life, CONTINUATION)
    this.load = load
  }

  /** `stored` or about to be · `nothing` is stored for this visitor · `closed`: changes are dropped. */
  get state(): 'stored' | 'nothing' | 'closed' {
    const { status, isChanged } = this.#life
    if (status === 'live') return 'stored'
    if (status !== 'absent' && status !== 'ended') return 'closed'
    return isChanged ? 'stored' : 'nothing'
  }

  /** The size limit of the session. */
  get maxBytes(): number {
    return Math.min(this.#life.core.settings.maxSessionBytes, this.#life.store.store.maxBytes ?? Infinity)
  }

  get ids(): string[] {
    return this.#entries.keys()
  }

  /** Read without a trace: who only looks must not make the commit compare, or expect, what it has seen. */
  read(id: string): Entry | undefined {
    if (this.#written.has(id)) {
      const value = this.#entries.get(id)
      return value === undefined ? undefined : { value, bytes: Buffer.byteLength(id) + Buffer.byteLength(encodeValue(value)) }
    }
    const { copy } = this.#life
    const text = copy.base[CONTINUATION + id]
    if (text === undefined) return undefined
    const known = this.#decoded.get(id)
    if (known?.text === text) return known
    const entry = { text, value: copy.storedValue(CONTINUATION + id), bytes: Buffer.byteLength(id) + Buffer.byteLength(text) }
    this.#decoded.set(id, entry)
    return entry
  }

  write(id: string, value: unknown): void {
    this.#entries.set(id, value)
    this.#written.add(id)
  }

  delete(id: string): void {
    this.#entries.delete(id)
    this.#written.add(id)
  }

  /** Removes an entry at once. False when another request was faster: of several, one gets it. */
  take(id: string): Awaitable<boolean> {
    this.look()
    return this.#life.take(CONTINUATION + id)
  }

  /** The handler looks at the session, so the response depends on who asks. Throws while the session is not loaded. */
  look(): void {
    this.#life.forReading()
  }

  now(): number {
    return this.#life.core.now()
  }

  random(size: number): Uint8Array {
    return this.#life.core.settings.random(size)
  }

  emit(event: SessionEvent): void {
    this.#life.core.events.emit('continuation', { ...(this.#life.isNew ? {} : { id: this.#life.id }), ...event })
  }
}
