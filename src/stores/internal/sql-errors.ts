import { SessionError } from '../../core/errors.ts'

/** What a failed call can have changed, and what the error says to do about it. */
export interface Failure {
  /** The database's name: `PostgreSQL`. */
  readonly database: string
  /** What was being done: `read`. */
  readonly doing: string
  readonly outcome: 'none' | 'unknown'
  /** A sentence; defaults to one that points at the cause. */
  readonly advice?: string
}

/** `ERR_SESSION_STORE` with the driver's error as its cause. */
export function sqlFailure({ database, doing, outcome, advice = 'The cause holds its error: check the server and the connection.' }: Failure, cause: unknown): SessionError {
  return new SessionError('ERR_SESSION_STORE', `${database} failed in ${doing}. ${advice}`, { cause, outcome })
}

/** For a call whose time was over before it began. */
export function tooLate(database: string, doing: string, signal: AbortSignal): SessionError {
  return new SessionError('ERR_SESSION_STORE', `${doing} was not sent to ${database}, since its time was over. Make the pool larger, or raise storeTimeout.`, { cause: signal.reason, outcome: 'none' })
}

/** A property of an error, whatever was thrown. */
export function errorField(error: unknown, field: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, field) : undefined
}

const NEVER_CONNECTED: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT']

/** True when the error says that no connection came about, so that nothing was sent. */
export function neverConnected(error: unknown): boolean {
  return NEVER_CONNECTED.includes(errorField(error, 'code')) || errorField(error, 'syscall') === 'connect'
}
