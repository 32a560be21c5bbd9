import { channel, type Channel } from 'node:diagnostics_channel'
import type { EndReason, SessionId } from './record.ts'

/** What an event says. Never a token, never a stored value. */
export interface SessionEvent {
  /** The session, where there is one. */
  readonly id?: SessionId
  /** The owner, where the event concerns one. */
  readonly owner?: string
  /** Why: a reason of ending, or one of the words that the event documents. */
  readonly reason?: string
  /** The data key concerned, with its namespace prefix. */
  readonly key?: string
  /** How many, for `sweep` and `guessing`. */
  readonly count?: number
  /** Who guesses, for `guessing`, where `security({ guessing })` tells sources apart. */
  readonly source?: string
  /** The failure, for `error`, `unreadable` and `warning`. */
  readonly error?: unknown
}

/**
 * What can be observed:
 * `create` stored for the first time · `load` read for a request · `commit` changes stored · `touch` idle deadline moved ·
 * `regenerate` new token (also at login) · `login` an owner was attached · `destroy` ended from inside · `revoke` ended from outside ·
 * `expire` found past its deadline · `gone` changes dropped because the session had ended or its token was rotated away ·
 * `conflict` two requests changed one key and the later won · `unreadable` a record or entry could not be read ·
 * `unknown-token` a token that fits no session (`reason`: `malformed`, `unknown`, `mismatch`, `ended`) ·
 * `guessing` within a minute a hundred tokens that fit no session, and more than fit (`count`, and `source` where it is known; once in a minute) · `superseded` an old token within its minute ·
 * `duplicate-token` several tokens that fit · `sweep` a batch of expired sessions deleted · `evict` a bounded store let a session go ·
 * `not-saved` changes not stored because no cookie could reach the visitor ·
 * `continuation` one was not what the request took it for, or could not be kept whole (`reason`: see docs/continuations.md) · `warning` a setting that needs attention · `error` the store or a listener failed.
 */
export type SessionEventName =
  | 'create' | 'load' | 'commit' | 'touch' | 'regenerate' | 'login' | 'destroy' | 'revoke' | 'expire' | 'gone' | 'conflict'
  | 'unreadable' | 'unknown-token' | 'guessing' | 'superseded' | 'duplicate-token' | 'sweep' | 'evict' | 'not-saved' | 'continuation' | 'warning' | 'error'

export const EVENT_NAMES: readonly SessionEventName[] = [
  'create', 'load', 'commit', 'touch', 'regenerate', 'login', 'destroy', 'revoke', 'expire', 'gone', 'conflict',
  'unreadable', 'unknown-token', 'guessing', 'superseded', 'duplicate-token', 'sweep', 'evict', 'not-saved', 'continuation', 'warning', 'error',
]

export type Listener = (event: SessionEvent) => void

/** Hands every event to the listeners and to the diagnostics channel `sojourn:<name>`. */
export class Events {
  readonly #listeners = new Map<SessionEventName, Set<Listener>>()
  readonly #channels = new Map<SessionEventName, Channel>()

  constructor() {
    for (const name of EVENT_NAMES) this.#channels.set(name, channel(`sojourn:${name}`))
  }

  on(name: SessionEventName, listener: Listener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return () => { listeners.delete(listener) }
  }

  /** Whether anybody listens: spares making the event on the path of every request. */
  wants(name: SessionEventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0 || this.#channels.get(name)?.hasSubscribers === true
  }

  emit(name: SessionEventName, event: SessionEvent): void {
    for (const listener of this.#listeners.get(name) ?? []) this.#call(name, listener, event)
    const published = this.#channels.get(name)
    if (published?.hasSubscribers) published.publish(event)
  }

  // A listener that throws must not fail the visitor's request.
  #call(name: SessionEventName, listener: Listener, event: SessionEvent): void {
    const failed = (error: unknown): void => {
      if (name !== 'error') this.emit('error', { reason: `a listener of "${name}" threw`, error })
    }
    try {
      const answer: unknown = listener(event)
      // An asynchronous one must not end the process either.
      if (answer instanceof Promise) answer.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}

/** How a session that a request asked for had ended. */
export type EndedBecause = Exclude<EndReason, 'destroyed'> | 'logged-out' | 'bound-elsewhere' | 'unknown'

export function endedBecause(reason: EndReason): EndedBecause {
  return reason === 'destroyed' ? 'logged-out' : reason
}
