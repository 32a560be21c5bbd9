import { isPromise } from '../../core/internal/awaitable.ts'
import type { Session } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'
import type { CrossSiteCheck } from './cross-site.ts'
import { hold, type HeldResponse } from './held-response.ts'
import { markLate } from './late.ts'
import { NodeExchange } from './node-exchange.ts'
import type { NodeRequest, NodeResponse } from './node-types.ts'
import { sessionInPlace } from './place.ts'
import { SessionKeeper } from './session-keeper.ts'

export interface Walk<Data extends object> {
  /** The property of the request under which the session is left; undefined to leave it nowhere. */
  readonly as?: string | undefined
  /** The request came over https. */
  readonly secure: boolean
  /** The host that the request was made to, where the framework knows better than the header `Host`. */
  readonly host?: string | undefined
  readonly check: CrossSiteCheck
  readonly late?: boolean | undefined
  /** Runs what follows. The response is absent when the adapter, mounted before, holds it already. */
  readonly next: (session: Session<Data>, response: HeldResponse | undefined) => void
  /** Told when the request is refused or the session cannot be read, or when the commit failed and an error has to be answered instead. */
  readonly fail: (error: unknown) => void
}

/** The walk of one request on Node: open, leave the session on the request, run what follows, and commit before the head leaves. */
export function withSession<Data extends object>(sessions: Sessions<Data>, request: NodeRequest, response: NodeResponse, { as, secure, host, check, late, next, fail }: Walk<Data>): void {
  let present: Session<Data> | undefined
  try {
    present = as === undefined ? undefined : sessionInPlace(Reflect.get(request, as), sessions, as)
  } catch (error) {
    return fail(error)
  }
  markLate(present, late)
  if (present !== undefined) return next(present, undefined)
  const exchange = new NodeExchange(request, response, { secure, host })
  const refused = check(exchange)
  if (refused !== undefined) return fail(refused)
  const go = (session: Session<Data>): void => {
    markLate(session, late)
    if (as !== undefined) leave(session, request, as)
    next(session, hold(response, new SessionKeeper(sessions, session, exchange, fail)))
  }
  let opened: Awaitable<Session<Data>>
  try {
    opened = sessions.open(exchange)
  } catch (error) {
    return fail(error)
  }
  if (isPromise(opened)) opened.then(go, fail)
  else go(opened)
}

// Plainly where that is the same, since defining a property takes longer.
function leave(session: object, request: NodeRequest, as: string): void {
  if (as in request) Object.defineProperty(request, as, { value: session, configurable: true, enumerable: true, writable: true })
  else Reflect.set(request, as, session)
}
