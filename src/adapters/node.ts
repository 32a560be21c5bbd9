import type { IncomingMessage, ServerResponse } from 'node:http'
import { isSessionError } from '../core/errors.ts'
import { isPromise } from '../core/internal/awaitable.ts'
import type { RegisteredSession } from '../core/register.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import { crossSiteCheck, type CrossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { cutOff } from './internal/error-answer.ts'
import type { HeldResponse } from './internal/held-response.ts'
import type { LateOptions } from './internal/late.ts'
import { PlainExchange } from './internal/node-exchange.ts'
import type { NodeRequest, NodeResponse } from './internal/node-types.ts'
import { sessionFrom } from './internal/place.ts'
import { withSession } from './internal/with-session.ts'

declare module 'node:http' {
  interface IncomingMessage {
    /** The visitor's session, behind `nodeSession(sessions)`. */
    session: RegisteredSession
  }
}

declare module 'node:http2' {
  interface Http2ServerRequest {
    /** The visitor's session, behind `nodeSession(sessions)`. */
    session: RegisteredSession
  }
}

export interface NodeSessionOptions extends CrossSiteOptions, LateOptions {
  /** For middleware: the property of the request under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
  /** Believe `X-Forwarded-Proto` when it says https, and `X-Forwarded-Host`. Only behind a proxy of yours that sets it. Defaults to false. */
  readonly trustProxy?: boolean
  /** Told of an error that the listener threw or the store caused, after which a plain 500 is sent. Defaults to `console.error`. */
  readonly onError?: (error: unknown) => void
}

/** Connect's kind of middleware: `(request, response, next)`. */
export interface NodeMiddleware<Data extends object> {
  (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void): void
  /** The session of a request that came through this middleware, with the data type of its manager. Throws `ERR_SESSION_USAGE` when it has not. */
  of(request: object): Session<Data>
}

/** A request listener for `http.createServer` and `http2.createServer`. */
export type NodeListener<Request, Response, Data extends object> = (request: Request, response: Response, session: Session<Data>) => Awaitable<void>

/**
 * Sessions for node:http, node:https and node:http2. With a listener it gives a listener for `createServer`, which hands
 * the session on as third argument; without one it gives connect middleware, which leaves it in `request.session`.
 */
export function nodeSession<Data extends object>(sessions: Sessions<Data>, options?: NodeSessionOptions): NodeMiddleware<Data>
export function nodeSession<Data extends object, Request extends NodeRequest = IncomingMessage, Response extends NodeResponse = ServerResponse>(
  sessions: Sessions<Data>, listener: NodeListener<Request, Response, Data>, options?: NodeSessionOptions,
): (request: Request, response: Response) => void
export function nodeSession<Data extends object>(
  sessions: Sessions<Data>, listenerOrOptions?: NodeListener<NodeRequest, NodeResponse, Data> | NodeSessionOptions, listenerOptions?: NodeSessionOptions,
): NodeMiddleware<Data> | ((request: NodeRequest, response: NodeResponse) => void) {
  const listener = typeof listenerOrOptions === 'function' ? listenerOrOptions : undefined
  const options = (typeof listenerOrOptions === 'function' ? listenerOptions : listenerOrOptions) ?? {}
  const check = crossSiteCheck(sessions, options)
  return listener === undefined ? asMiddleware(sessions, check, options) : asListener(sessions, check, listener, options)
}

function asMiddleware<Data extends object>(sessions: Sessions<Data>, check: CrossSiteCheck, { as = 'session', trustProxy = false, late }: NodeSessionOptions): NodeMiddleware<Data> {
  const mount = { sessions, as, check, late }
  const middleware = (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void): void =>
    withSession(mount, new PlainExchange(request, response, trustProxy), { next: () => next(), fail: next })
  return Object.assign(middleware, { of: (request: object) => sessionFrom(Reflect.get(request, as), sessions, as) })
}

function asListener<Data extends object>(
  sessions: Sessions<Data>, check: CrossSiteCheck, listener: NodeListener<NodeRequest, NodeResponse, Data>, { trustProxy = false, late, onError = console.error }: NodeSessionOptions,
): (request: NodeRequest, response: NodeResponse) => void {
  const mount = { sessions, check, late }
  return (request, response) => {
    const fail = (error: unknown): void => {
      // Not the application's failure, and whoever makes such requests must not fill its log.
      if (isSessionError(error, 'ERR_SESSION_CROSS_SITE')) return sendText(response, 403, error.message)
      onError(error)
      sendError(response)
    }
    const next = (session: Session<Data>, held: HeldResponse | undefined): void => {
      const threw = (error: unknown): void => {
        held?.takeBack()
        fail(error)
      }
      try {
        const answered = listener(request, response, session)
        if (isPromise(answered)) answered.then(undefined, threw)
      } catch (error) {
        threw(error)
      }
    }
    withSession(mount, new PlainExchange(request, response, trustProxy), { next, fail })
  }
}

// An error after the head, or after what counts as it: the visitor must see that the body was cut, not take it for whole.
function sendError(response: NodeResponse): void {
  if (response.writableEnded) return
  if (response.headersSent) return cutOff(response)
  sendText(response, 500, 'Internal Server Error')
}

function sendText(response: NodeResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${text}\n`)
}
