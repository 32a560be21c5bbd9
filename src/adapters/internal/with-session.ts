import { isPromise } from '../../core/internal/awaitable.ts'
import type { Session } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'
import { holdResponse } from './held-response.ts'
import { NodeExchange } from './node-exchange.ts'
import type { NodeRequest, NodeResponse } from './node-types.ts'

/**
 * The walk of one request on Node: open, leave the session in `request.session`, run what follows, and commit before
 * the head leaves. `fail` is told when the store cannot be read, or when the commit failed and an error has to be answered instead.
 */
export function withSession<Data extends object>(
  sessions: Sessions<Data>, request: NodeRequest, response: NodeResponse, secure: (request: NodeRequest) => boolean,
  next: (session: Session<Data>) => Awaitable<void>, fail: (error: unknown) => void,
): void {
  const exchange = new NodeExchange(request, response, secure)
  const go = (session: Session<Data>): void => {
    Object.defineProperty(request, 'session', { value: session, configurable: true, enumerable: true, writable: true })
    holdResponse(response, (status) => commit(session, status), (error) => {
      // The cookie of a login that has happened goes out with the error response.
      void sessions.finish(session, { failed: true })
      exchange.headSent = true
      fail(error)
    })
    void next(session)
  }
  const commit = (session: Session<Data>, status: number): Awaitable<void> => {
    const finished = sessions.finish(session, { status })
    if (!isPromise(finished)) {
      exchange.headSent = true
      return undefined
    }
    return finished.then(() => { exchange.headSent = true })
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
