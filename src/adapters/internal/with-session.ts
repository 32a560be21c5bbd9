import { isPromise } from '../../core/internal/awaitable.ts'
import type { Session } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'
import type { CrossSiteCheck } from './cross-site.ts'
import { hold, type HeldResponse, type Keeper } from './held-response.ts'
import { NodeExchange } from './node-exchange.ts'
import type { NodeRequest, NodeResponse } from './node-types.ts'
import { sessionInPlace } from './place.ts'

export interface Walk<Data extends object> {
  /** The property of the request under which the session is left; undefined to leave it nowhere. */
  readonly as?: string | undefined
  /** The request came over https. */
  readonly secure: boolean
  /** The host that the request was made to, where the framework knows better than the header `Host`. */
  readonly host?: string | undefined
  readonly check: CrossSiteCheck
  /** Runs what follows. The response is absent when the adapter, mounted before, holds it already. */
  readonly next: (session: Session<Data>, response: HeldResponse | undefined) => void
  /** Told when the request is refused or the session cannot be read, or when the commit failed and an error has to be answered instead. */
  readonly fail: (error: unknown) => void
}

/** The walk of one request on Node: open, leave the session on the request, run what follows, and commit before the head leaves. */
export function withSession<Data extends object>(sessions: Sessions<Data>, request: NodeRequest, response: NodeResponse, { as, secure, host, check, next, fail }: Walk<Data>): void {
  let present: Session<Data> | undefined
  try {
    present = as === undefined ? undefined : sessionInPlace(Reflect.get(request, as), sessions, as)
  } catch (error) {
    return fail(error)
  }
  if (present !== undefined) return next(present, undefined)
  const exchange = new NodeExchange(request, response, { secure, host })
  const refused = check(exchange)
  if (refused !== undefined) return fail(refused)
  const go = (session: Session<Data>): void => {
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

class SessionKeeper<Data extends object> implements Keeper {
  readonly #sessions: Sessions<Data>
  readonly #session: Session<Data>
  readonly #exchange: NodeExchange
  readonly #fail: (error: unknown) => void

  constructor(sessions: Sessions<Data>, session: Session<Data>, exchange: NodeExchange, fail: (error: unknown) => void) {
    this.#sessions = sessions
    this.#session = session
    this.#exchange = exchange
    this.#fail = fail
  }

  get isHttp2(): boolean {
    return (this.#exchange.request.httpVersionMajor ?? 1) > 1
  }

  commit(status: number): Awaitable<void> {
    return this.#sealed(this.#sessions.finish(this.#session, { status }))
  }

  sealFailed(): Awaitable<void> {
    return this.#sealed(this.#sessions.finish(this.#session, { failed: true }))
  }

  answer(error: unknown): void {
    this.#fail(error)
  }

  #sealed(finished: Awaitable<void>): Awaitable<void> {
    if (isPromise(finished)) return finished.then(() => { this.#exchange.headSent = true })
    this.#exchange.headSent = true
    return undefined
  }
}
