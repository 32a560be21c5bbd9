import { SessionError } from '../core/errors.ts'
import { readWatermark, undoLogin, writeWatermark } from '../core/internal/identity.ts'
import { isSession, readRecord } from '../core/internal/records.ts'
import { coreOf, type Sessions } from '../core/sessions.ts'
import type { SecurityHooks } from '../core/security.ts'

/** What stands for all owners: no owner is an empty text. */
const EVERYBODY = ''

/**
 * Ends every session there is, logged in or not, on every process and for good, and every login that is under way. Tells how
 * many. Rejects with `ERR_SESSION_USAGE` without `security()`, and with `ERR_SESSION_UNSUPPORTED` where the store cannot list.
 */
export async function revokeEveryone<Data extends object>(sessions: Sessions<Data>): Promise<number> {
  const core = coreOf(sessions)
  if (core?.settings.aroundLogin === undefined) throw new SessionError('ERR_SESSION_USAGE', 'A login that is under way would not notice that everybody was revoked. Pass security: security(), of sojourn/security, to createSessions.')
  await writeWatermark(core, EVERYBODY)
  let count = 0
  for await (const id of core.store.list()) {
    const record = await readRecord(core, id, true)
    // Without a token's hash it is a mark such as ours. What has expired ends, too: a commit that is under way may still move its deadline.
    if (record === undefined || record.tokenHash === '') continue
    if ((await sessions.revoke(id)) && isSession(core, record)) count += 1
  }
  return count
}

/** A login that began before everybody was revoked does not count. */
export function noticingRevocation(inner: NonNullable<SecurityHooks['aroundLogin']>): NonNullable<SecurityHooks['aroundLogin']> {
  return async (life, owner, attach) => {
    const before = await readWatermark(life.store, EVERYBODY)
    const result = await inner(life, owner, attach)
    if (result !== 'ok') return result
    let after: string | undefined
    try {
      after = await readWatermark(life.store, EVERYBODY)
    } catch (error) {
      await undoLogin(life)
      throw error
    }
    if (after === undefined || after === before) return 'ok'
    await undoLogin(life)
    return 'gone'
  }
}
