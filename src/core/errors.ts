/** Every code a {@link SessionError} can carry. Each has a heading in docs/errors.md. */
export type SessionErrorCode =
  | 'ERR_SESSION_OPTION'
  | 'ERR_SESSION_USAGE'
  | 'ERR_SESSION_VALUE'
  | 'ERR_SESSION_TOO_LARGE'
  | 'ERR_SESSION_NOT_LOADED'
  | 'ERR_SESSION_LATE'
  | 'ERR_SESSION_CROSS_SITE'
  | 'ERR_SESSION_CONFLICT'
  | 'ERR_SESSION_GONE'
  | 'ERR_SESSION_UNAUTHENTICATED'
  | 'ERR_SESSION_STALE'
  | 'ERR_SESSION_STORE'
  | 'ERR_SESSION_UNREADABLE'
  | 'ERR_SESSION_UNSUPPORTED'

export interface SessionErrorOptions {
  /** The error of the driver, the codec or the file system that led to this one. */
  readonly cause?: unknown
  /** Whether a failed store call can have changed anything: `none` (certainly not) or `unknown`. */
  readonly outcome?: 'none' | 'unknown'
}

/**
 * The one error class of Sojourn. Tell errors apart by `code`; the message says in two sentences
 * what happened and what to do, and never holds a token or a stored value.
 */
export class SessionError extends Error {
  override readonly name = 'SessionError'
  readonly code: SessionErrorCode
  /** For `ERR_SESSION_STORE`: `none` when nothing was changed, `unknown` when the store may have applied the call. */
  readonly outcome: 'none' | 'unknown' | undefined

  constructor(code: SessionErrorCode, message: string, options: SessionErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.outcome = options.outcome
  }
}

/** True for a SessionError, also one made by another copy of this package. */
export function isSessionError(error: unknown, code?: SessionErrorCode): error is SessionError {
  if (!(error instanceof Error) || error.name !== 'SessionError' || !('code' in error)) return false
  return code === undefined || error.code === code
}
