import { SessionError } from '../../core/errors.ts'
import { NEVER } from '../../core/record.ts'
import type { SecurityHooks } from '../../core/security.ts'
import { LIMITS, type Policy } from './requirements.ts'

/** An expiry of a session's own replaces both timeouts, so it must keep within both limits of the policy. */
export function expiryLimit(policy: Policy | undefined): SecurityHooks['checkExpiry'] {
  if (policy === undefined) return undefined
  const { idle = Infinity, absolute = Infinity } = LIMITS[policy]
  return (at, life) => {
    const now = life.core.now()
    const began = life.status === 'live' ? life.startedAt : now
    const latest = Math.min(now + idle, began + absolute, NEVER - 1)
    if (at > latest) throw new SessionError('ERR_SESSION_OPTION', `The policy ${policy} does not let a session live as long as expire was told. Pass an earlier time${latest < NEVER - 1 ? `, at most ${Math.max(0, Math.floor((latest - now) / 60_000))} minutes from now` : ''}.`)
  }
}
