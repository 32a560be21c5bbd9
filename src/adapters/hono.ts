import type { RegisteredSession } from '../core/register.ts'
import type { Sessions } from '../core/sessions.ts'
import { FetchExchange } from './internal/fetch-exchange.ts'

/** The part of Hono's context that is used here. Version 4. */
export interface HonoContext {
  readonly req: { readonly raw: Request }
  get res(): Response
  set res(response: Response | undefined)
  readonly error: Error | undefined
  set(key: 'session', value: unknown): void
}

export interface HonoSessionOptions {
  /** Believe `X-Forwarded-Proto`. Only behind a proxy of yours that sets it. Defaults to false. */
  readonly trustProxy?: boolean
}

/** The variables that `new Hono<{ Variables: HonoSessionVariables }>()` has behind this middleware. */
export interface HonoSessionVariables {
  session: RegisteredSession
}

/**
 * Sessions for Hono 4: `app.use(honoSession(sessions))`. The session is `c.var.session`. An error that a handler threw, and
 * Hono answered, commits nothing more.
 */
export function honoSession<Data extends object>(
  sessions: Sessions<Data>, { trustProxy = false }: HonoSessionOptions = {},
): (context: HonoContext, next: () => Promise<void>) => Promise<void> {
  return async (context, next) => {
    const exchange = new FetchExchange(context.req.raw, trustProxy)
    const session = await sessions.open(exchange)
    context.set('session', session)
    await next()
    exchange.bind(context.res)
    try {
      await sessions.finish(session, { status: context.res.status, failed: context.error !== undefined })
    } catch (error) {
      // The cookie of a login that has happened goes out with whatever Hono answers to the error.
      await sessions.finish(session, { failed: true })
      replaceResponse(context, exchange)
      throw error
    }
    exchange.headSent = true
    replaceResponse(context, exchange)
  }
}

// Assigned over a response, Hono would let the old one's cookies replace ours.
function replaceResponse(context: HonoContext, { response }: FetchExchange): void {
  if (response === undefined || response === context.res) return
  context.res = undefined
  context.res = response
}
