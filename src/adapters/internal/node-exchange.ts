import type { Exchange } from '../../core/transport.ts'
import type { NodeRequest, NodeResponse } from './node-types.ts'
import { appendHeader } from './response-head.ts'

/** The exchange of a Node request and response. */
export abstract class NodeExchange<Request extends NodeRequest = NodeRequest> implements Exchange {
  readonly request: Request
  readonly response: NodeResponse
  /** Set when the commit is acknowledged: from then on nothing can be added to the head. Until then the response is held back. */
  headSent: boolean
  readonly #headers: NodeRequest['headers']

  constructor(request: Request, response: NodeResponse) {
    this.request = request
    this.response = response
    this.headSent = response.headersSent
    // Node makes them when they are first asked for, and asks itself each time whether it has.
    this.#headers = request.headers
  }

  // Known from the beginning: where a request came from is forgotten when its socket closes, and a router may put another application in its place.
  abstract readonly secure: boolean

  abstract readonly host: string | undefined

  get raw(): Request {
    return this.request
  }

  get method(): string {
    return this.request.method ?? 'GET'
  }

  get url(): string {
    return this.request.originalUrl ?? this.request.url ?? '/'
  }

  /** What a body parser of the framework has left on the request. */
  get body(): unknown {
    return this.request.body
  }

  get port(): number | undefined {
    const { socket } = this.request
    const port: unknown = socket !== null && socket !== undefined && 'localPort' in socket ? socket.localPort : undefined
    return typeof port === 'number' ? port : undefined
  }

  header(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  responseHeader(name: string): string | undefined {
    const value = this.response.getHeader(name)
    if (value === undefined) return undefined
    return Array.isArray(value) ? value.join(', ') : String(value)
  }

  setResponseHeader(name: string, value: string): void {
    this.response.setHeader(name, value)
  }

  appendResponseHeader(name: string, value: string): void {
    appendHeader(this.response, name, value)
  }
}

/** What node:http itself knows, and what a proxy says when it is trusted. */
export class PlainExchange extends NodeExchange {
  readonly secure: boolean
  readonly host: string | undefined

  constructor(request: NodeRequest, response: NodeResponse, trustProxy: boolean) {
    super(request, response)
    this.secure = isSecureRequest(request, trustProxy)
    this.host = trustProxy ? forwarded(request, 'x-forwarded-host') : undefined
  }
}

/** Over TLS, or over https as far as the first proxy says when it is trusted. */
export function isSecureRequest(request: NodeRequest, trustProxy: boolean): boolean {
  const { socket } = request
  if (socket !== null && socket !== undefined && 'encrypted' in socket && socket.encrypted === true) return true
  if (!trustProxy) return false
  return forwarded(request, 'x-forwarded-proto') === 'https'
}

/** What the first proxy says of itself in a header. */
export function forwarded(request: NodeRequest, name: string): string | undefined {
  const value = request.headers[name]
  return (Array.isArray(value) ? value[0] : value)?.split(',')[0]?.trim()
}
