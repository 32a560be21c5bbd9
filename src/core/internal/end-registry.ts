import { isSessionError } from '../errors.ts'
import { isLive, type SessionId } from '../record.ts'
import type { StoreGuard } from './store-guard.ts'

/** Who wants to know when a session ends: in this process at once, elsewhere where the store can tell. */
export class EndRegistry {
  readonly #store: StoreGuard | undefined
  readonly #listeners = new Map<SessionId, Set<() => void>>()

  constructor(store: StoreGuard | undefined) {
    this.#store = store
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

  get isEmpty(): boolean {
    return this.#listeners.size === 0
  }

  /** Tells those who listen for a session that has expired, which no store announces. */
  async tellExpired(now: number): Promise<void> {
    for (const id of this.#listeners.keys()) {
      if (!(await this.#isLive(id, now))) this.ended(id)
    }
  }

  async #isLive(id: SessionId, now: number): Promise<boolean> {
    try {
      return isLive(await this.#store?.read(id), now)
    } catch (error) {
      // What cannot be read counts as gone, and must not keep the others from being told.
      if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return false
      throw error
    }
  }

  ended(id: SessionId): void {
    for (const listener of this.#listeners.get(id) ?? []) listener()
  }
}
