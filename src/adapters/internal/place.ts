import { SessionError } from '../../core/errors.ts'
import { lifeOf, Session } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'

/**
 * The session of this manager that is in its place already, since the adapter is mounted twice. Undefined when the
 * place is free. Throws `ERR_SESSION_USAGE` when something else is there.
 */
export function sessionInPlace<Data extends object>(present: unknown, sessions: Sessions<Data>, as: string): Session<Data> | undefined {
  if (present === undefined) return undefined
  if (isSessionOf(present, sessions)) return present
  throw new SessionError('ERR_SESSION_USAGE', `There is something under ${JSON.stringify(as)} already: another session middleware, or another manager of sessions. Take one away, or give this adapter a name of its own: { as: "…" }.`)
}

/** The session of this manager in its place. Throws `ERR_SESSION_USAGE` when the adapter was not mounted before. */
export function sessionFrom<Data extends object>(present: unknown, sessions: Sessions<Data>, as: string): Session<Data> {
  const session = sessionInPlace(present, sessions, as)
  if (session !== undefined) return session
  throw new SessionError('ERR_SESSION_USAGE', `There is no session under ${JSON.stringify(as)}: the request has not come through the session middleware. Mount it before the handlers that need a session.`)
}

/** Puts the session in its place, which is free. */
export function leaveSession(session: object, owner: object, as: string): void {
  // Plainly where that is the same, since defining a property takes longer.
  if (as in owner) Object.defineProperty(owner, as, { value: session, configurable: true, enumerable: true, writable: true })
  else Reflect.set(owner, as, session)
}

function isSessionOf<Data extends object>(value: unknown, sessions: Sessions<Data>): value is Session<Data> {
  return value instanceof Session && Object.is(lifeOf(value).core, sessions)
}
