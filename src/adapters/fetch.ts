import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { FetchExchange } from './internal/fetch-exchange.ts'
import { formOf } from './internal/form-body.ts'
import { lateResponse, markLate, type LateOptions } from './internal/late.ts'

export interface FetchSessionOptions extends CrossSiteOptions, LateOptions {
  /** Believe `X-Forwarded-Proto` when it says https, and `X-Forwarded-Host`. Only behind a proxy of yours that sets it. Defaults to false. */
  readonly trustProxy?: boolean
  /**
   * Answers an error that the handler threw or the store caused, or a request that is refused (403 otherwise). Without it the error is thrown on to the server; only
   * when the cookie of a login, a rotation or a logout must reach the visitor, a plain 500 carries it and the error is logged.
   */
  readonly onError?: (error: unknown, request: Request) => Awaitable<Response>
}

/** Gets the session as second argument, and then whatever the server passes beyond the request. Undefined: the connection was upgraded. */
export type FetchHandler<Data extends object, Rest extends readonly unknown[], Reply extends Response | undefined> = (request: Request, session: Session<Data>, ...rest: Rest) => Awaitable<Reply>

/**
 * Sessions for whatever speaks Fetch: Bun.serve, Deno.serve, Workers, route handlers. The handler gets the session as second
 * argument; what the server passes beyond the request follows it. The commit is acknowledged before the response is handed on.
 */
export function fetchSession<Data extends object, Rest extends readonly unknown[] = [], Reply extends Response | undefined = Response>(
  sessions: Sessions<Data>, handler: FetchHandler<Data, Rest, Reply>, options: FetchSessionOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response | Reply> {
  const check = crossSiteCheck(sessions, options)
  return async (request, ...rest) => {
    const exchange = new FetchExchange(request, options.trustProxy === true)
    const refused = check(exchange)
    if (refused !== undefined) return options.onError === undefined ? refused.getResponse() : options.onError(refused, request)
    let opened: Session<Data> | undefined
    try {
      if (sessions.readsBody) exchange.body = await formOf(request)
      const session = opened = await sessions.open(exchange)
      markLate(session, options.late)
      const reply = await replyOf(() => handler(request, session, ...rest))
      exchange.bind(reply)
      await sessions.finish(session, { status: reply?.status ?? 101 })
      exchange.headSent = true
      return reply === undefined ? reply : lateResponse(exchange.response ?? reply, sessions, session)
    } catch (error) {
      return answerInstead(error, sessions, opened, exchange, options)
    }
  }
}

// Routers throw responses to redirect; those are answers like any other.
async function replyOf<Reply>(run: () => Awaitable<Reply>): Promise<Reply | Response> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof Response) return error
    throw error
  }
}

async function answerInstead<Data extends object>(
  error: unknown, sessions: Sessions<Data>, session: Session<Data> | undefined, exchange: FetchExchange, { onError }: FetchSessionOptions,
): Promise<Response> {
  const dropped = exchange.response
  const answer = onError === undefined ? new Response('Internal Server Error\n', { status: 500 }) : await onError(error, exchange.request)
  exchange.bind(answer)
  if (session !== undefined) await sessions.finish(session, { failed: true })
  exchange.headSent = true
  // Nobody will read it; whoever writes it learns that now.
  if (dropped?.body?.locked === false) await dropped.body.cancel(error)
  if (onError === undefined && !exchange.handsOut) throw error
  if (onError === undefined) console.error(error)
  return exchange.response ?? answer
}
