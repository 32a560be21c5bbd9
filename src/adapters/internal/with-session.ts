import { isPromise } from '../../core/internal/awaitable.ts'
import type { Session } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'
import type { CrossSiteCheck } from './cross-site.ts'
import { hold, type HeldResponse } from './held-response.ts'
import { markLate } from './late.ts'
import type { NodeExchange } from './node-exchange.ts'
import { leaveSession, sessionInPlace } from './place.ts'
import { SessionKeeper } from './session-keeper.ts'

/** How an adapter is mounted. */
export interface Mount<Data extends object> {
  readonly sessions: Sessions<Data>
  readonly check: CrossSiteCheck
  readonly late?: boolean | undefined
  /** The property of the request under which the session is left; undefined to leave it nowhere. */
  readonly as?: string | undefined
}

/** What follows on one request. */
export interface Walk<Data extends object> {
  /** Runs what follows. The response is absent when the adapter, mounted before, holds it already. */
  readonly next: (session: Session<Data>, response: HeldResponse | undefined) => void
  /** Told when the request is refused or the session cannot be read, or when the commit failed and an error has to be answered instead. */
  readonly fail: (error: unknown) => void
}

/** The walk of one request on Node: open, leave the session on the request, run what follows, and commit before the head leaves. */
export function withSession<Data extends object>(mount: Mount<Data>, exchange: NodeExchange, walk: Walk<Data>): void {
  let present: Session<Data> | undefined
  let opened: Awaitable<Session<Data>>
  try {
    present = sessionPresent(mount, exchange)
    opened = present ?? open(mount, exchange)
  } catch (error) {
    return walk.fail(error)
  }
  if (present !== undefined) passOn(mount, present, walk)
  else if (isPromise(opened)) beginLater(mount, exchange, walk, opened)
  else begin(mount, exchange, walk, opened)
}

function sessionPresent<Data extends object>({ sessions, as }: Mount<Data>, { request }: NodeExchange): Session<Data> | undefined {
  return as === undefined ? undefined : sessionInPlace(Reflect.get(request, as), sessions, as)
}

function passOn<Data extends object>({ late }: Mount<Data>, session: Session<Data>, { next }: Walk<Data>): void {
  markLate(session, late)
  next(session, undefined)
}

function open<Data extends object>({ sessions, check }: Mount<Data>, exchange: NodeExchange): Awaitable<Session<Data>> {
  const refused = check(exchange)
  if (refused !== undefined) throw refused
  return sessions.open(exchange)
}

function begin<Data extends object>({ sessions, as, late }: Mount<Data>, exchange: NodeExchange, { next, fail }: Walk<Data>, session: Session<Data>): void {
  markLate(session, late)
  if (as !== undefined) leaveSession(session, exchange.request, as)
  next(session, hold(exchange.response, new SessionKeeper(sessions, session, exchange, fail)))
}

// Apart, since a function that may make closures pays for them also when it makes none.
function beginLater<Data extends object>(mount: Mount<Data>, exchange: NodeExchange, walk: Walk<Data>, opened: PromiseLike<Session<Data>>): void {
  opened.then((session) => begin(mount, exchange, walk, session), walk.fail)
}
