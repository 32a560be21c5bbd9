import type { RegisteredSession } from '../core/register.ts'
import type { Sessions } from '../core/sessions.ts'
import { isSecureRequest } from './internal/node-exchange.ts'
import type { NodeRequest, NodeResponse } from './internal/node-types.ts'
import { withSession } from './internal/with-session.ts'

declare global {
  namespace Express {
    interface Request {
      /** The visitor's session, behind `expressSession(sessions)`. */
      session: RegisteredSession
    }
  }
}

/** The part of Express' request that is used here. Version 4 and 5. */
export interface ExpressRequest extends NodeRequest {
  /** Express' own notion, which follows `app.set('trust proxy', …)`. */
  readonly secure?: boolean
}

export interface ExpressSessionOptions {
  /** The property of the request under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
}

export type ExpressMiddleware = (request: ExpressRequest, response: NodeResponse, next: (error?: unknown) => void) => void

/**
 * Sessions for Express 4 and 5: `app.use(expressSession(sessions))`. The session is `req.session`; a store failure goes to
 * Express' error handler. Behind a proxy that ends TLS, `app.set('trust proxy', 1)` makes the cookie secure.
 */
export function expressSession<Data extends object>(sessions: Sessions<Data>, { as = 'session' }: ExpressSessionOptions = {}): ExpressMiddleware {
  return (request, response, next) => withSession(sessions, request, response, {
    as, secure: request.secure ?? isSecureRequest(request, false), next: () => next(), fail: next,
  })
}
