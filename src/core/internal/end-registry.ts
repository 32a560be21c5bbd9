import { isSessionError } from '../errors.ts'
import { isLive, type SessionId } from '../record.ts'
import type { Core } from './core.ts'
import { EndSignal } from './end-signal.ts'
import type { StoreGuard } from './store-guard.ts'

/** Who wants to know when a session ends: in this process at once, elsewhere where the store can tell. */
export class EndRegistry {
  readonly #store: StoreGuard | undefined
  readonly #core: Core
  readonly #listeners = new Map<SessionId, Set<() => void>>()
  /** One for each session, however many requests and sockets of it ask. */
  readonly #signals = new Map<SessionId, EndSignal>()

  constructor(store: StoreGuard | undefined, core: Core) {
    this.#store = store
    this.#core = core
  }

  on(id: SessionId, listener: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, listeners.add(listener))
    const unwatch = this.#store?.watch(id, listener)
    return () => {
      unwatch?.()
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(id)
    }
  }

  /** The signal of a session that is stored. Whether it has ended since it was read is looked up once. */
  signalOf(id: SessionId): EndSignal {
    const known = this.#signals.get(id)
    if (known !== undefined) return known
    const signal = new EndSignal(this.#core)
    this.#signals.set(id, signal)
    signal.follow(id, () => this.#signals.delete(id))
    void this.check(id)
    return signal
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0
  }

  /** Tells those who listen for a session that has expired, which no store announces. */
  async tellExpired(): Promise<void> {
    for (const id of this.#listeners.keys()) await this.check(id)
  }

  /** Tells those who listen when the session is no more. What the store cannot say now is asked again at the next sweep. */
  async check(id: SessionId): Promise<void> {
    const store = this.#store
    // Where the visitor keeps the session, or nobody does, nothing can be looked up.
    if (store === undefined || store.keeps === 'nothing' || !this.#listeners.has(id)) return
    try {
      if (!isLive(await store.read(id, true), this.#core.now())) this.ended(id)
    } catch (error) {
      // What cannot be read counts as gone.
      if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) this.ended(id)
    }
  }

  ended(id: SessionId): void {
    for (const listener of this.#listeners.get(id) ?? []) listener()
  }
}
