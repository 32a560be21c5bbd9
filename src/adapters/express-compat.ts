import type { RegisteredData } from '../core/register.ts'
import { Attachment } from '../core/internal/attachment.ts'
import { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import { compatView, type CompatMethods } from './internal/compat-view.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { ExpressExchange, type ExpressRequest } from './internal/express-request.ts'
import { markLate, type LateOptions } from './internal/late.ts'
import type { NodeResponse } from './internal/node-types.ts'
import { sessionFrom } from './internal/place.ts'
import { withSession } from './internal/with-session.ts'

export type { CompatCallback, CompatMethods } from './internal/compat-view.ts'

/** The session as express-session shows it: the application's properties, each of which is an entry, and its methods. */
export type CompatSession<Data extends object = RegisteredData> = Partial<Data> & CompatMethods

export interface ExpressCompatOptions extends CrossSiteOptions, LateOptions {
  /** The property of the request under which the session is left. Defaults to `session`. */
  readonly as?: string
}

export interface ExpressCompatSession<Data extends object> {
  (request: ExpressRequest, response: NodeResponse, next: (error?: unknown) => void): void
  /** Sojourn's own session behind the view: `login`, `update`, `flash` and the rest. Throws `ERR_SESSION_USAGE` when the request has not come through here. */
  of(request: object): Session<Data>
}

/**
 * Sessions for what was written for express-session, such as Passport 0.7: `app.use(expressCompatSession(sessions))`. `request.session` has
 * plain properties and `regenerate`, `save`, `reload`, `destroy`, `touch` with callbacks; `request.sessionID` is the id.
 * Declares no types of `request.session`: those of `@types/express-session` fit, or yours with {@link CompatSession}.
 */
export function expressCompatSession<Data extends object>(sessions: Sessions<Data>, { as = 'session', ...options }: ExpressCompatOptions = {}): ExpressCompatSession<Data> {
  const mount = { sessions, as, check: crossSiteCheck(sessions, options), late: options.late }
  const opened = new Attachment('sojourn.session', (value): value is Session<Data> => value instanceof Session)
  const place = (request: object, session: Session<Data>): void => {
    const show = (value: object | undefined): void => void Object.defineProperty(request, as, { value, configurable: true, enumerable: true, writable: true })
    opened.set(request, session)
    show(compatView(session, show))
    if (as === 'session') Object.defineProperty(request, 'sessionID', { get: () => session.id, configurable: true, enumerable: true })
  }
  const middleware = (request: ExpressRequest, response: NodeResponse, next: (error?: unknown) => void): void => {
    // Mounted twice.
    const present = opened.get(request)
    markLate(present, options.late)
    if (present !== undefined) return next()
    withSession(mount, new ExpressExchange(request, response), { next: (session) => { place(request, session); next() }, fail: next })
  }
  return Object.assign(middleware, { of: (request: object) => sessionFrom(opened.get(request), sessions, as) })
}
