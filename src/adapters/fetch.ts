import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import { FetchExchange } from './internal/fetch-exchange.ts'

export interface FetchSessionOptions {
  /** Believe `X-Forwarded-Proto`. Only behind a proxy of yours that sets it. Defaults to false. */
  readonly trustProxy?: boolean
}

export type FetchHandler<Data extends object, Rest extends readonly unknown[]> = (request: Request, session: Session<Data>, ...rest: Rest) => Awaitable<Response>

/**
 * Sessions for whatever speaks Fetch: Bun.serve, Deno.serve, Workers, route handlers. The handler gets the session as second
 * argument; what the server passes beyond the request follows it. The commit is acknowledged before the response is handed on.
 */
export function fetchSession<Data extends object, Rest extends readonly unknown[] = []>(
  sessions: Sessions<Data>, handler: FetchHandler<Data, Rest>, { trustProxy = false }: FetchSessionOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    const exchange = new FetchExchange(request, trustProxy)
    const session = await sessions.open(exchange)
    const response = await answered(() => handler(request, session, ...rest), (error) => answerTo(error, sessions, session, exchange))
    if (exchange.headSent) return response
    exchange.bind(response)
    try {
      await sessions.finish(session, { status: response.status })
    } catch (error) {
      return answerTo(error, sessions, session, exchange)
    }
    exchange.headSent = true
    return exchange.response ?? response
  }
}

// Routers throw responses to redirect; those are answers like any other.
async function answered(run: () => Awaitable<Response>, onError: (error: unknown) => Promise<Response>): Promise<Response> {
  try {
    return await run()
  } catch (error) {
    return error instanceof Response ? error : onError(error)
  }
}

/**
 * An error is the server's to answer, and is thrown on. But when a login, a rotation or a logout has happened, its cookie
 * must reach the visitor, and no response but our own can carry it.
 */
async function answerTo<Data extends object>(error: unknown, sessions: Sessions<Data>, session: Session<Data>, exchange: FetchExchange): Promise<Response> {
  exchange.bind(new Response('Internal Server Error\n', { status: 500, headers: { 'Content-Type': 'text/plain; charset=utf-8' } }))
  await sessions.finish(session, { failed: true })
  exchange.headSent = true
  const { response } = exchange
  if (response === undefined || !response.headers.has('set-cookie')) throw error
  console.error(error)
  return response
}
