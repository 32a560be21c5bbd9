import { Attachment } from '../core/internal/attachment.ts'
import { andThen, isPromise } from '../core/internal/awaitable.ts'
import type { RegisteredSession } from '../core/register.ts'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import type { Exchange } from '../core/transport.ts'
import { crossSiteCheck, type CrossSiteOptions } from './internal/cross-site.ts'
import { hold, type HeldResponse } from './internal/held-response.ts'
import { markLate, type LateOptions } from './internal/late.ts'
import type { NodeRequest, NodeResponse } from './internal/node-types.ts'
import { sessionInPlace } from './internal/place.ts'
import { appendHeader, describesBody } from './internal/response-head.ts'
import { SessionKeeper } from './internal/session-keeper.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The visitor's session, behind `fastifySession(sessions)`. */
    session: RegisteredSession
  }
  interface FastifyContextConfig {
    /** Commits once more when the body of this route's response ends: what was set while it streamed. */
    lateSession?: boolean
  }
}

/** The part of Fastify's request that is used here. Version 5. */
export interface FastifySessionRequest {
  readonly raw: NodeRequest
  readonly method: string
  readonly url: string
  /** What a content type parser has made of the body. */
  readonly body?: unknown
  /** Fastify's own notion, which follows its option `trustProxy`. */
  readonly protocol: string
  /** Likewise. */
  readonly host: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket: { readonly localPort?: number }
  readonly routeOptions: { readonly config?: object }
}

/** The part of Fastify's reply that is used here. */
export interface FastifySessionReply {
  readonly statusCode: number
  readonly raw: NodeResponse
  /** The handler answers on `raw` itself. */
  readonly sent: boolean
  getHeader(name: string): number | string | string[] | undefined
  getHeaders(): Readonly<Record<string, unknown>>
  header(name: string, value: string | string[]): unknown
  removeHeader(name: string): unknown
  code(status: number): unknown
}

/** The part of a Fastify instance that is used here. */
export interface FastifySessionInstance {
  decorateRequest(name: string): unknown
  addHook(name: 'onRequest' | 'preValidation', hook: (request: FastifySessionRequest, reply: FastifySessionReply, done: (error?: Error) => void) => void): unknown
  addHook(name: 'onSend', hook: (request: FastifySessionRequest, reply: FastifySessionReply, payload: unknown, done: (error: Error | null, payload?: unknown) => void) => void): unknown
  addHook(name: 'onError', hook: (request: FastifySessionRequest, reply: FastifySessionReply, error: Error) => Promise<void>): unknown
}

export interface FastifySessionOptions extends CrossSiteOptions, LateOptions {
  /** Every route commits once more when the body of its response ends; a single route says so with `config: { lateSession: true }`. Defaults to false. */
  readonly late?: boolean
  /** The property of the request under which the session is left. Needed for the second manager of an application. Defaults to `session`. */
  readonly as?: string
}

/**
 * Sessions for Fastify 5: `await app.register(fastifySession(sessions))`. The session is `request.session` in the scope where the plugin
 * is registered and below. The commit is acknowledged in `onSend`, before the head leaves; when it fails, Fastify's error handler answers.
 * What is written on `reply.raw` after `reply.hijack()` is held until the commit, too.
 */
export function fastifySession<Data extends object>(sessions: Sessions<Data>, { as = 'session', ...options }: FastifySessionOptions = {}): (app: FastifySessionInstance) => Promise<void> {
  const check = crossSiteCheck(sessions, options)
  const exchanges = new Attachment('sojourn.exchange', (value): value is FastifyExchange<Data> => value instanceof FastifyExchange)
  const plugin = async (app: FastifySessionInstance): Promise<void> => {
    app.decorateRequest(as)
    // Later where the token may be in a form, since Fastify parses bodies in between.
    app.addHook(sessions.readsBody ? 'preValidation' : 'onRequest', calledBack((request, reply) => {
      if (sessionInPlace(Reflect.get(request, as) ?? undefined, sessions, as) !== undefined) return undefined
      const exchange = new FastifyExchange<Data>(request, reply)
      const refused = check(exchange)
      if (refused !== undefined) throw refused
      return andThen(sessions.open(exchange), (session) => {
        exchange.session = session
        markLate(session, options.late === true || Reflect.get(request.routeOptions.config ?? {}, 'lateSession') === true)
        // Fastify sends what `onSend` has let through; who takes the response away from it writes at any time.
        exchange.held = hold(reply.raw, new SessionKeeper(sessions, session, exchange, () => answerPlainly(reply.raw)))
        exchanges.set(request, exchange)
        Reflect.set(request, as, session)
      })
    }))
    app.addHook('onError', async (request) => {
      const exchange = exchanges.get(request)
      if (exchange !== undefined) exchange.failed = true
    })
    app.addHook('onSend', (request, reply, payload, done) => {
      const exchange = exchanges.get(request)
      if (exchange?.session === undefined || exchange.headSent) return done(null, payload)
      const { session } = exchange
      const committed = (): void => {
        exchange.headSent = true
        exchange.held?.letGo()
        done(null, payload)
      }
      // An error is answered instead of what the handler wanted to say.
      const failed = (error: unknown): void => {
        for (const name of Object.keys(reply.getHeaders())) if (describesBody(name)) reply.removeHeader(name)
        reply.code(500)
        done(asError(error))
      }
      settle(() => sessions.finish(session, { status: reply.statusCode, failed: exchange.failed }), committed, failed)
    })
  }
  // Fastify's convention (fastify-plugin): the hooks belong to the scope that registers, not to one of their own.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'sojourn' })
}

// Callbacks, not promises: with a store that answers at once a request waits for no turn of the event loop.
function calledBack(hook: (request: FastifySessionRequest, reply: FastifySessionReply) => Awaitable<void>): (request: FastifySessionRequest, reply: FastifySessionReply, done: (error?: Error) => void) => void {
  return (request, reply, done) => settle(() => hook(request, reply), () => done(), (error) => done(asError(error)))
}

function settle(run: () => Awaitable<void>, succeeded: () => void, failed: (error: unknown) => void): void {
  let result: Awaitable<void>
  try {
    result = run()
  } catch (error) {
    return failed(error)
  }
  if (isPromise(result)) result.then(succeeded, failed)
  else succeeded()
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('The session failed.', { cause: error })
}

function answerPlainly(response: NodeResponse): void {
  response.statusCode = 500
  response.end('Internal Server Error\n')
}

class FastifyExchange<Data extends object> implements Exchange {
  readonly request: FastifySessionRequest
  readonly reply: FastifySessionReply
  session: Session<Data> | undefined
  held: HeldResponse | undefined
  /** An error is being answered: nothing more is committed. */
  failed = false
  headSent: boolean
  // Known from the beginning: where a request came from is forgotten when its socket closes.
  readonly secure: boolean
  readonly host: string | undefined

  constructor(request: FastifySessionRequest, reply: FastifySessionReply) {
    this.request = request
    this.reply = reply
    this.headSent = reply.raw.headersSent
    this.secure = request.protocol === 'https'
    this.host = request.host === '' ? undefined : request.host
  }

  get raw(): NodeRequest {
    return this.request.raw
  }

  get method(): string {
    return this.request.method
  }

  get url(): string {
    return this.request.url
  }

  get body(): unknown {
    return this.request.body
  }

  get port(): number | undefined {
    return this.request.socket.localPort
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(name === 'cookie' ? '; ' : ', ') : value
  }

  responseHeader(name: string): string | undefined {
    const value = this.reply.sent ? this.reply.raw.getHeader(name) : this.reply.getHeader(name)
    if (value === undefined) return undefined
    return Array.isArray(value) ? value.join(', ') : String(value)
  }

  setResponseHeader(name: string, value: string): void {
    if (this.reply.sent) this.reply.raw.setHeader(name, value)
    else this.reply.header(name, value)
  }

  // Fastify adds to Set-Cookie instead of replacing it.
  appendResponseHeader(name: string, value: string): void {
    if (this.reply.sent) appendHeader(this.reply.raw, name, value)
    else this.reply.header(name, value)
  }
}
