import { NEVER, type EndReason, type SessionRecord } from './record.ts'

/** The timeouts in force, milliseconds. `Infinity` for one that is switched off. */
export interface Deadlines {
  readonly idle: number
  readonly absolute: number
  /** How long after a touch the next one is due. */
  readonly touchAfter: number
}

/**
 * When a session ends that is touched now. `startedAt` is its creation or latest login: NIST SP 800-63B-4 5.2,
 * re-authentication begins the overall limit anew.
 */
export function deadlineAfterTouch(startedAt: number, now: number, { idle, absolute, touchAfter }: Deadlines): number {
  // The touch interval is added to the idle timeout: a visitor who was here just before a touch was due may
  // stay up to that much longer, and nobody leaves early.
  return Math.min(now + idle + touchAfter, startedAt + absolute, NEVER)
}

/** Whether this request should move the idle deadline. Jittered by the record's nonce, so that sessions made together are not touched together; never later than `touchAfter`. */
export function isTouchDue(record: Pick<SessionRecord, 'nonce' | 'touchedAt'>, now: number, { touchAfter }: Deadlines): boolean {
  const jitter = (record.nonce.charCodeAt(record.nonce.length - 1) % 16) / 16
  return now - record.touchedAt >= touchAfter * (1 - 0.2 * jitter)
}

/** Which deadline a record has passed. */
export function expiryReason(record: Pick<SessionRecord, 'expiresAt'>, startedAt: number, { absolute }: Deadlines): EndReason {
  return record.expiresAt >= startedAt + absolute ? 'expired-absolute' : 'expired-idle'
}
