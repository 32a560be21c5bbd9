import type { CoreOptions } from './core/options.ts'
import { createManager, type Sessions } from './core/sessions.ts'
import type { ExchangeStore } from './core/store.ts'
import type { Transport } from './core/transport.ts'
import { SessionError } from './core/errors.ts'
import { memoryStore } from './stores/memory.ts'
import { cookieTransport, type CookieOptions } from './transports/cookie.ts'

export { SessionError, type SessionErrorCode } from './core/errors.ts'
export { Session } from './core/session.ts'
export type { Assurance, CommitResult, LoginOptions, LoginResult, SessionCookie, SetDataOptions } from './core/session.ts'
export type { Sessions, SweepOptions, LoadOptions, Outcome } from './core/sessions.ts'
export type { Duration, Merge } from './core/options.ts'
export type { SessionEvent, SessionEventName, EndedBecause, Listener } from './core/events.ts'
export type { Store, ExchangeStore, StoreEvent, SweepRequest, ReadOptions, PatchOptions, Awaitable } from './core/store.ts'
export type { EndReason, Entries, EntryKey, SessionId, SessionRecord } from './core/record.ts'
export type { Patch, PatchResult } from './core/patch.ts'
export type { CookieFacts, Exchange, TokenHandout, Transport, TransportFacts } from './core/transport.ts'
export type { Codec, CodecContext } from './core/codec.ts'
export type { StandardSchema, DataSchema } from './core/schema.ts'
export type { Token } from './core/token.ts'
export type { Namespace } from './core/namespace.ts'
export type {
  Arrived, Continuations, ContinuationsExtension, Fields, FieldSource, FieldValue, ReturnOptions, SavedRequest, SaveOptions, ValueSource,
} from './core/continuations.ts'
export type { SecurityExtension } from './core/security.ts'
export type { Flash } from './core/flash.ts'
export { applyPatch } from './core/patch.ts'
export { isLive, tombstone } from './core/record.ts'
export type { Key, KeyList } from './core/keys.ts'
export type { Register } from './core/register.ts'
export { memoryStore, type MemoryStoreOptions } from './stores/memory.ts'
export { cookieTransport, type CookieOptions, type CookieAttributes, type CookieScope } from './transports/cookie.ts'

export interface SessionsOptions<Data extends object> extends Omit<CoreOptions<Data>, 'store' | 'transport'> {
  /** Where records live. Defaults to `memoryStore()`, which lives as long as the process. */
  readonly store?: CoreOptions<Data>['store'] | (ExchangeStore & { readonly transport: Transport })
  /** How the token travels. Defaults to a cookie with the settings of `cookie`. */
  readonly transport?: CoreOptions<Data>['transport']
  /** Settings of the default transport. */
  readonly cookie?: CookieOptions
}

/**
 * Makes the manager of an application's sessions. Without options: sessions in memory, a token in a cookie.
 * Throws `ERR_SESSION_OPTION`, saying what to pass instead, for options that cannot work.
 */
export function createSessions<Data extends object = Record<string, unknown>>(options: SessionsOptions<Data> = {}): Sessions<Data> {
  const { cookie, ...core } = options
  if (cookie !== undefined && core.transport !== undefined) throw new SessionError('ERR_SESSION_OPTION', 'Both cookie and transport were given to createSessions. Pass transport: cookieTransport({ … }) alone.')
  const store = core.store ?? memoryStore()
  return createManager<Data>({ ...core, store, transport: core.transport ?? ownTransport(store) ?? cookieTransport(cookie) })
}

/** A store that is its own transport: the sealed cookie. */
function ownTransport(store: object): Transport | undefined {
  return 'transport' in store && isTransport(store.transport) ? store.transport : undefined
}

function isTransport(value: unknown): value is Transport {
  return typeof value === 'object' && value !== null && 'read' in value && 'write' in value
}
