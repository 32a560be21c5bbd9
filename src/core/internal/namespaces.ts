/** The prefixes that tell which part of a record an entry belongs to. */
export const DATA = 'd:'
export const METADATA = 'm:'
export const CONTINUATION = 'c:'
export const FLASH = 'f:'

/** The prefix of a namespace that the application opened. Its name has no colon, so no two can meet. */
export function openNamespace(name: string): string {
  return `n:${name}:`
}

/** Metadata that only the session's own methods change. */
export const OWNER = 'm:owner'
export const AUTHENTICATED_AT = 'm:authenticatedAt'
export const ASSURANCE = 'm:assurance'
/** The keys of the entries, sealed with the visitor's token. */
export const SEAL = 'm:seal'
export const OWN_EXPIRY = 'm:expires'
/** Tells one life of a record with a derived id from the next. */
export const INCARNATION = 'm:incarnation'
/** What the session is bound to, hashed. */
export const BINDING = 'm:binding'
/** When every session of an owner was revoked; the only entry of a watermark. */
export const REVOKED_AT = 'm:revokedAt'

export const GUARDED_METADATA: ReadonlyMap<string, string> = new Map([
  [OWNER, 'session.login(owner)'],
  [AUTHENTICATED_AT, 'session.login(owner)'],
  [ASSURANCE, 'session.stepUp(assurance)'],
  [SEAL, 'security({ seal })'],
  [OWN_EXPIRY, 'session.expire(when)'],
  [BINDING, 'the option bind'],
  [INCARNATION, 'sessions.findOrCreate(key, value)'],
  [REVOKED_AT, 'sessions.revokeAll(owner)'],
])
