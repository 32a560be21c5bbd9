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
