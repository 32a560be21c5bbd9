import type { Events } from '../events.ts'
import type { Settings } from '../options.ts'
import type { SessionId } from '../record.ts'
import type { Awaitable } from '../store.ts'
import type { EndSignal } from './end-signal.ts'
import type { Life } from './life.ts'
import type { StoreGuard } from './store-guard.ts'

/** What every session of one manager shares. */
export interface Core {
  readonly settings: Settings
  readonly events: Events
  readonly store: StoreGuard
  now(): number
  nextNonce(): string
  /** A session was stored by this manager: the sweeper may start. */
  onCreated(): void
  /** Somebody logs in: time to say what the store cannot promise. */
  onLogin(): void
  /** A session was ended by this manager. */
  onEnded(id: SessionId): void
  onEnd(id: SessionId, listener: () => void): () => void
  endSignalOf(id: SessionId): EndSignal
  /** Tells those who listen when the session has ended elsewhere. */
  checkEnd(id: SessionId): void
  /** Ends every session of an owner; tells how many. */
  revokeAll(owner: string, options: { readonly except: SessionId }): Promise<number>
  /** Reads a session that is not loaded, or anew. */
  reload(life: Life, fresh: boolean): Awaitable<void>
}
