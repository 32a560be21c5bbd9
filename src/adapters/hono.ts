import { isPromise } from '../core/internal/awaitable.ts'
import type { RegisteredData } from '../core/register.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { FetchExchange } from './internal/fetch-exchange.ts'
import { formOf } from './internal/form-body.ts'
import { lateResponse, markLate, type LateOptions } from './internal/late.ts'
import { sessionInPlace } from './internal/place.ts'

/** The part of Hono's context that is used here. Version 4. */
export interface HonoContext {
  readonly req: { readonly raw: Request }
  get res(): Response
  set res(response: Response | undefined)
  readonly error: Error | undefined
  get(key: string): unknown
  set(key: string, value: unknown): void
}

export interface HonoSessionOptions extends CrossSiteOptions, LateOptions {
  /** The variable under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
  /** Believe `X-Forwarded-Proto` when it says https, and `X-Forwarded-Host`. Only behind a proxy of yours that sets it. Defaults to false. */
  readonly trustProxy?: boolean
}

/** The variables that an application has behind this middleware: `new Hono<{ Variables: HonoSessionVariables<Data> }>()`. */
export interface HonoSessionVariables<Data extends object = RegisteredData> {
  session: Session<Data>
}

/**
 * Sessions for Hono 4: `app.use(honoSession(sessions))`. The session is `c.var.session`. An error that a handler threw, and
 * Hono answered, commits nothing more.
 */
export function honoSession<Data extends object>(
  sessions: Sessions<Data>, { as = 'session', trustProxy = false, ...options }: HonoSessionOptions = {},
): (context: HonoContext, next: () => Promise<void>) => Promise<void> {
  const check = crossSiteCheck(sessions, options)
  return async (context, next) => {
    const present = sessionInPlace(context.get(as), sessions, as)
    markLate(present, options.late)
    if (present !== undefined) return next()
    const exchange = new FetchExchange(context.req.raw, trustProxy)
    const refused = check(exchange)
    if (refused !== undefined) throw refused
    if (sessions.readsBody) exchange.body = await formOf(context.req.raw)
    const opened = sessions.open(exchange)
    const session = isPromise(opened) ? await opened : opened
    markLate(session, options.late)
    context.set(as, session)
    await next()
    exchange.bind(context.res)
    try {
      const finished = sessions.finish(session, { status: context.res.status, failed: context.error !== undefined })
      if (isPromise(finished)) await finished
    } catch (error) {
      await dropResponse(context, exchange)
      // The cookie of a login that has happened goes out with whatever Hono answers to the error.
      await sessions.finish(session, { failed: true })
      replaceResponse(context, exchange.response)
      throw error
    } finally {
      exchange.headSent = true
    }
    replaceResponse(context, exchange.response)
    replaceResponse(context, lateResponse(context.res, sessions, session))
  }
}

// Hono copies the headers of the response that is there to the one that answers the error; so an empty one takes its place.
async function dropResponse(context: HonoContext, exchange: FetchExchange): Promise<void> {
  const { body } = context.res
  exchange.bind(new Response(null, { status: 500 }))
  if (body?.locked === false) await body.cancel()
}

// Assigned over a response, Hono would let the old one's cookies replace ours.
function replaceResponse(context: HonoContext, response: Response | undefined): void {
  if (response === context.res) return
  context.res = undefined
  context.res = response
}
