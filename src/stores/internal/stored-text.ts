import { isSessionError, SessionError } from '../../core/errors.ts'
import { makeEntries, parseRecord, tombstone, unreadable, type EndReason, type SessionRecord } from '../../core/record.ts'

/** The record in what a backend keeps as text. Throws `ERR_SESSION_UNREADABLE`. */
export function recordIn(stored: unknown): SessionRecord {
  if (typeof stored !== 'string') throw unreadable('it is not text')
  return parseRecord(stored)
}

/** The record, or undefined for nothing and for what cannot be read: both are gone to a patch, and free to a create. */
export function readableIn(stored: unknown): SessionRecord | undefined {
  if (stored === undefined) return undefined
  try {
    return recordIn(stored)
  } catch (error) {
    if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return undefined
    throw error
  }
}

/** The tombstone of a record, or of what cannot be read: that may be a live record to a newer version of this package. */
export function tombstoneOf(record: SessionRecord | undefined, because: EndReason, at: number): SessionRecord {
  const nobody = { version: 0, createdAt: at, touchedAt: at, expiresAt: at, tokenHash: '', nonce: '', index: [], entries: makeEntries() }
  return tombstone(record ?? nobody, because, at)
}

/** Throws when core has stopped waiting: nothing may be started any more. */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new SessionError('ERR_SESSION_STORE', 'The call was given up before it reached the store. Nothing was changed.', { cause: signal.reason, outcome: 'none' })
}
