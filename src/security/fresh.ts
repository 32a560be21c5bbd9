import { parseTimeout } from '../core/duration.ts'
import { SessionError, type SessionErrorCode } from '../core/errors.ts'
import { withStatus } from '../core/internal/http-error.ts'
import type { Assurance } from '../core/internal/identity.ts'
import type { Duration } from '../core/options.ts'
import { lifeOf, type Session } from '../core/session.ts'

export interface FreshOptions {
  /** How long ago the owner may have authenticated at most: seconds, or text such as `"5 minutes"`. */
  readonly within: Duration
  /** The least assurance of that authentication. Defaults to any. */
  readonly assurance?: Assurance
}

/** Whether the owner authenticated within that time, and with that assurance. False when nobody is logged in. */
export function isFresh<Data extends object>(session: Session<Data>, options: FreshOptions): boolean {
  return whyNot(session, options) === undefined
}

/**
 * Guards a sensitive operation (ASVS 5.0 7.5.1, 7.5.3). Throws `ERR_SESSION_UNAUTHENTICATED` (`status` 401) when nobody is logged
 * in, and `ERR_SESSION_STALE` (`status` 403) when the owner must authenticate again, or with more assurance: see `session.stepUp`.
 */
export function requireFresh<Data extends object>(session: Session<Data>, options: FreshOptions): void {
  const error = whyNot(session, options)
  if (error !== undefined) throw error
}

function whyNot<Data extends object>(session: Session<Data>, { within, assurance = 1 }: FreshOptions): SessionError | undefined {
  const limit = parseTimeout(within, 'within', { min: 1 }) * 1000
  const { owner, authenticatedAt } = session
  if (owner === undefined || authenticatedAt === undefined) return refusal(401, 'ERR_SESSION_UNAUTHENTICATED', 'Nobody is logged in. Log in first.')
  if (lifeOf(session).core.now() - authenticatedAt > limit) return refusal(403, 'ERR_SESSION_STALE', 'The authentication is too long ago for this. Authenticate again.')
  // An assurance that nobody stated is none that could be relied on.
  const isEnough = assurance === 1 || (session.assurance ?? 0) >= assurance
  return isEnough ? undefined : refusal(403, 'ERR_SESSION_STALE', `This needs an authentication of level ${assurance}. Authenticate again, with a further factor.`)
}

function refusal(status: 401 | 403, code: SessionErrorCode, message: string): SessionError {
  return withStatus(new SessionError(code, message), status)
}
