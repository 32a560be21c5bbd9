import { isSessionError } from '../errors.ts'
import { isLive, type SessionId, type SessionRecord } from '../record.ts'
import type { Core } from './core.ts'

/** The record of an id, for operations from outside of requests. Undefined where there is none, or nothing that can be read. */
export async function readRecord({ store, events }: Core, id: SessionId, fresh: boolean): Promise<SessionRecord | undefined> {
  try {
    return await store.read(id, fresh)
  } catch (error) {
    if (!isSessionError(error, 'ERR_SESSION_UNREADABLE')) throw error
    events.emit('unreadable', { id, error })
    return undefined
  }
}

/** A record is somebody's session, and lives. Without a token's hash it is nobody's: a watermark is a record, too. */
export function isSession(core: Core, record: SessionRecord | undefined): record is SessionRecord {
  return isLive(record, core.now()) && record.tokenHash !== '' && core.settings.counts?.(record) !== false
}

/** What tells one first record from another. Without a token's hash it is nobody's session. */
type FirstRecord = Pick<SessionRecord, 'expiresAt' | 'entries'> & Partial<Pick<SessionRecord, 'tokenHash' | 'index'>>

/** The record to create now. */
export function firstRecord(core: Core, now: number, { expiresAt, tokenHash = '', index = [], entries }: FirstRecord): SessionRecord {
  return { version: 1, createdAt: now, touchedAt: now, expiresAt, tokenHash, nonce: core.nextNonce(), index, entries }
}
