import type { RegisteredData } from '../core/register.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Exchange } from '../core/transport.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { formOf } from './internal/form-body.ts'
import { finishLate, isLate, lateBody, lateResponse, markLate, type LateOptions } from './internal/late.ts'
import { sessionInPlace } from './internal/place.ts'

/** The part of h3's event that is used here. Version 2. */
export interface H3SessionEvent {
  readonly req: Request
  readonly url: URL
  readonly res: { readonly status?: number | undefined; readonly headers: Headers; readonly errHeaders: Headers }
  readonly context: Record<string, unknown>
}

export interface H3SessionOptions extends CrossSiteOptions, LateOptions {
  /** The key of `event.context` under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
  /** Believe `X-Forwarded-Proto` when it says https, and `X-Forwarded-Host`. Only behind a proxy of yours that sets it. Defaults to false. */
  readonly trustProxy?: boolean
}

/** What `event.context` holds behind this middleware: `interface H3EventContext extends H3SessionContext {}`, once, in `declare module 'h3'`. */
export interface H3SessionContext<Data extends object = RegisteredData> {
  session: Session<Data>
}

/**
 * Sessions for h3 2 (and Nitro, Nuxt): `app.use(h3Session(sessions))`. The session is `event.context.session`. The commit is
 * acknowledged before the handler's value becomes a response.
 */
export function h3Session<Data extends object>(
  sessions: Sessions<Data>, { as = 'session', trustProxy = false, ...options }: H3SessionOptions = {},
): (event: H3SessionEvent, next: () => unknown) => Promise<unknown> {
  const check = crossSiteCheck(sessions, options)
  return async (event, next) => {
    const present = sessionInPlace(event.context[as], sessions, as)
    markLate(present, options.late)
    if (present !== undefined) return next()
    const exchange = new H3Exchange(event, trustProxy)
    const refused = check(exchange)
    // Thrown, h3 would log it and answer what it answers to any error that it does not know.
    if (refused !== undefined) return refused.getResponse()
    if (sessions.readsBody) exchange.body = await formOf(event.req)
    const session = await sessions.open(exchange)
    markLate(session, options.late)
    event.context[as] = session
    try {
      const answer = await next()
      exchange.bind(answer)
      await sessions.finish(session, { status: exchange.status, failed: answer instanceof Error })
      exchange.headSent = true
      if (answer instanceof Response) return lateResponse(answer, sessions, session)
      return answer instanceof ReadableStream && isLate(session) ? lateBody(answer, () => finishLate(sessions, session, exchange.status)) : answer
    } catch (error) {
      exchange.bind(undefined)
      await sessions.finish(session, { failed: true })
      exchange.headSent = true
      throw error
    }
  }
}

/** h3 keeps the headers of the response to be in two sets: one for what succeeds, one for errors. */
class H3Exchange implements Exchange {
  readonly request: Request
  readonly secure: boolean
  readonly host: string
  readonly #event: H3SessionEvent
  #answer: Response | undefined
  headSent = false
  body: unknown

  constructor(event: H3SessionEvent, trustProxy: boolean) {
    this.#event = event
    this.request = event.req
    const forwarded = (name: string): string | undefined => (trustProxy ? event.req.headers.get(name)?.split(',')[0]?.trim() : undefined)
    this.secure = event.url.protocol === 'https:' || forwarded('x-forwarded-proto') === 'https'
    this.host = forwarded('x-forwarded-host') ?? event.req.headers.get('host') ?? event.url.host
  }

  get method(): string {
    return this.request.method
  }

  get url(): string {
    return this.#event.url.pathname + this.#event.url.search
  }

  get port(): number | undefined {
    return this.#event.url.port === '' ? undefined : Number(this.#event.url.port)
  }

  get status(): number {
    return this.#answer?.status ?? this.#event.res.status ?? 200
  }

  bind(answer: unknown): void {
    this.#answer = answer instanceof Response ? answer : undefined
  }

  header(name: string): string | undefined {
    return this.request.headers.get(name) ?? undefined
  }

  responseHeader(name: string): string | undefined {
    return this.#event.res.headers.get(name) ?? this.#answer?.headers.get(name) ?? undefined
  }

  setResponseHeader(name: string, value: string): void {
    this.#event.res.headers.set(name, value)
    this.#event.res.errHeaders.set(name, value)
  }

  appendResponseHeader(name: string, value: string): void {
    this.#event.res.headers.append(name, value)
    this.#event.res.errHeaders.append(name, value)
  }
}
