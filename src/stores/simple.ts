import { SessionError } from '../core/errors.ts'
import type { SessionId } from '../core/record.ts'
import type { Store } from '../core/store.ts'
import { readMergeWrite } from './internal/read-merge-write.ts'

/** How long a text matters. */
export interface SimpleStoreTimes {
  /** When the session ends, milliseconds since the epoch. The text may be deleted a minute after that. */
  readonly expiresAt: number
  /** Seconds for which the text must be kept from now on, that minute included. For a backend that counts for itself. */
  readonly ttl: number
}

/** Two functions that make a store, and others that it may have. Each may answer with a promise. */
export interface SimpleStoreDefinition {
  /** The text that was stored under the id; undefined or null when there is none. */
  load(id: SessionId): unknown
  /** Keeps the text under the id, in place of the one before. Throws or rejects when it cannot. */
  store(id: SessionId, text: string, times: SimpleStoreTimes): unknown
  /** Deletes what is under the id; no error when there is nothing. Without it, what has ended is left to the backend. */
  remove?(id: SessionId): unknown
  /** Makes ready, before the first call of the others. When it fails, the next call tries again. */
  init?(): unknown
  /** Called when the manager is closed. */
  close?(): unknown
}

/**
 * A store from two functions, `load` and `store`; merging, deadlines and tombstones come from here. Within one process nothing is
 * lost; docs/stores/simple.md says what two processes can lose, so it is `best-effort`. Throws `ERR_SESSION_OPTION`.
 */
export function simpleStore(definition: SimpleStoreDefinition): Store {
  for (const name of ['load', 'store'] as const) {
    if (typeof definition?.[name] !== 'function') throw new SessionError('ERR_SESSION_OPTION', `simpleStore needs a function ${name}. Pass { load: (id) => text, store: (id, text) => … }.`)
  }
  for (const name of ['remove', 'init', 'close'] as const) {
    if (definition[name] !== undefined && typeof definition[name] !== 'function') throw new SessionError('ERR_SESSION_OPTION', `simpleStore was given a ${name} that is no function. Pass a function or leave it out.`)
  }
  return readMergeWrite({
    name: 'The store',
    owner: definition,
    cleanup: 'all but tombstones',
    load: (id) => definition.load(id),
    save: (id, text, { expiresAt, ttl }) => definition.store(id, text, { expiresAt, ttl: Math.ceil(ttl / 1000) }),
    ...(definition.remove !== undefined && { remove: (id: SessionId) => definition.remove?.(id) }),
    open: () => definition.init?.(),
    close: () => definition.close?.(),
  })
}
