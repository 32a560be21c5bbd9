import { isPromise } from '../core/internal/awaitable.ts'
import type { RegisteredData } from '../core/register.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { hold } from './internal/held-response.ts'
import { markLate, type LateOptions } from './internal/late.ts'
import { NodeExchange } from './internal/node-exchange.ts'
import type { NodeRequest, NodeResponse } from './internal/node-types.ts'
import { leaveSession, sessionInPlace } from './internal/place.ts'
import { SessionKeeper } from './internal/session-keeper.ts'

/** The part of Koa's context that is used here. Version 2 and 3. */
export interface KoaContext {
  readonly req: NodeRequest
  readonly res: NodeResponse
  /** Koa's request, on which body parsers leave what they have parsed. */
  readonly request?: object
  /** Koa's own notion, which follows `app.proxy`. */
  readonly secure: boolean
  readonly host: string
  readonly status: number
  readonly state: object
  /** Answers an error that no middleware has caught. */
  onerror?(error: Error): void
}

export interface KoaSessionOptions extends CrossSiteOptions, LateOptions {
  /** The property of the context under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
}

/** What a context has behind this middleware: `new Koa<Koa.DefaultState, KoaSessionContext<Data>>()`. */
export interface KoaSessionContext<Data extends object = RegisteredData> {
  session: Session<Data>
}

/**
 * Sessions for Koa 2 and 3: `app.use(koaSession(sessions))`. The session is `ctx.session`. Koa writes the response after the
 * middleware, and the commit is acknowledged before; what a handler writes on `ctx.res` itself is held until then.
 */
export function koaSession<Data extends object>(
  sessions: Sessions<Data>, { as = 'session', ...options }: KoaSessionOptions = {},
): (context: KoaContext, next: () => Promise<unknown>) => Promise<void> {
  const check = crossSiteCheck(sessions, options)
  return async (context, next) => {
    const present = sessionInPlace(Reflect.get(context, as), sessions, as)
    markLate(present, options.late)
    if (present !== undefined) return void (await next())
    const exchange = new KoaExchange(context)
    const refused = check(exchange)
    if (refused !== undefined) throw refused
    const opened = sessions.open(exchange)
    const session = isPromise(opened) ? await opened : opened
    markLate(session, options.late)
    leaveSession(session, context, as)
    // Koa writes the response when all middleware is done; who writes on `ctx.res` before is held back until the commit.
    const held = hold(context.res, new SessionKeeper(sessions, session, exchange, answerTo(exchange)))
    try {
      await next()
      if (held.hasStarted) return
      exchange.headSent = context.res.headersSent
      const finished = sessions.finish(session, { status: context.status })
      if (isPromise(finished)) await finished
      exchange.headSent = true
    } catch (error) {
      if (held.hasStarted) throw error
      held.takeBack()
      await sessions.finish(session, { failed: true })
      exchange.headSent = true
      if (exchange.cookies.length > 0) answerWithCookies(context, exchange.cookies)
      throw error
    }
  }
}

// What is to be answered when what a handler has written on `ctx.res` cannot be committed.
function answerTo({ context, cookies }: KoaExchange): (error: unknown) => void {
  return (error) => {
    if (cookies.length > 0) answerWithCookies(context, cookies)
    context.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }
}

class KoaExchange extends NodeExchange {
  /** What the visitor was told about the token. */
  readonly cookies: string[] = []
  readonly context: KoaContext
  readonly secure: boolean

  constructor(context: KoaContext) {
    super(context.req, context.res)
    this.context = context
    this.secure = context.secure
  }

  get host(): string | undefined {
    return this.context.host
  }

  override get body(): unknown {
    const { request } = this.context
    return request !== undefined && 'body' in request ? request.body : undefined
  }

  override appendResponseHeader(name: string, value: string): void {
    super.appendResponseHeader(name, value)
    if (name === 'Set-Cookie') this.cookies.push(value)
  }
}

// Koa takes every header off before it answers an error, and puts on those that the error names. They are the error's only
// while it is answered: an application may throw the same object for every visitor, and the next would get this one's token.
function answerWithCookies(context: KoaContext, cookies: readonly string[]): void {
  const { onerror } = context
  if (typeof onerror !== 'function') return
  const answer = (error: unknown): void => {
    if (!(error instanceof Error)) return void Reflect.apply(onerror, context, [error])
    const before = Object.getOwnPropertyDescriptor(error, 'headers')
    const isSet = Reflect.defineProperty(error, 'headers', { value: withCookies(error, cookies), configurable: true, enumerable: true, writable: true })
    try {
      Reflect.apply(onerror, context, [error])
    } finally {
      if (isSet && before === undefined) Reflect.deleteProperty(error, 'headers')
      else if (isSet && before !== undefined) Object.defineProperty(error, 'headers', before)
    }
  }
  Object.defineProperty(context, 'onerror', { value: answer, configurable: true, writable: true })
}

function withCookies(error: Error, cookies: readonly string[]): Record<string, unknown> {
  const headers: Record<string, unknown> = { ...('headers' in error && typeof error.headers === 'object' ? error.headers : {}) }
  const others = headers['Set-Cookie']
  return { ...headers, 'Set-Cookie': [...(Array.isArray(others) ? others : []), ...cookies], 'Cache-Control': 'no-store' }
}
