import type { RegisteredSession } from '../core/register.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { ExpressExchange, type ExpressRequest } from './internal/express-request.ts'
import type { LateOptions } from './internal/late.ts'
import type { NodeResponse } from './internal/node-types.ts'
import { sessionFrom } from './internal/place.ts'
import { withSession } from './internal/with-session.ts'

declare global {
  namespace Express {
    interface Request {
      /** The visitor's session, behind `expressSession(sessions)`. */
      session: RegisteredSession
    }
  }
}

export type { ExpressRequest } from './internal/express-request.ts'

export interface ExpressSessionOptions extends CrossSiteOptions, LateOptions {
  /** The property of the request under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
}

export interface ExpressSession<Data extends object> {
  (request: ExpressRequest, response: NodeResponse, next: (error?: unknown) => void): void
  /** The session of a request that came through this middleware, with the data type of its manager. Throws `ERR_SESSION_USAGE` when it has not. */
  of(request: object): Session<Data>
}

/**
 * Sessions for Express 4 and 5: `app.use(expressSession(sessions))`. The session is `req.session`; a store failure goes to
 * Express' error handler. Behind a proxy that ends TLS, `app.set('trust proxy', 1)` makes the cookie secure.
 */
export function expressSession<Data extends object>(sessions: Sessions<Data>, { as = 'session', ...options }: ExpressSessionOptions = {}): ExpressSession<Data> {
  const mount = { sessions, as, check: crossSiteCheck(sessions, options), late: options.late }
  const middleware = (request: ExpressRequest, response: NodeResponse, next: (error?: unknown) => void): void =>
    withSession(mount, new ExpressExchange(request, response), { next: () => next(), fail: next })
  return Object.assign(middleware, { of: (request: object) => sessionFrom(Reflect.get(request, as), sessions, as) })
}
