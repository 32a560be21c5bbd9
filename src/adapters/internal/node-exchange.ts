import type { Exchange } from '../../core/transport.ts'
import type { NodeRequest, NodeResponse } from './node-types.ts'
import { appendHeader } from './response-head.ts'

/** The exchange of a Node request and response. */
export class NodeExchange implements Exchange {
  readonly request: NodeRequest
  readonly #response: NodeResponse
  readonly secure: boolean
  readonly host: string | undefined
  /** Set when the commit is acknowledged: from then on nothing can be added to the head. Until then the response is held back. */
  headSent: boolean

  constructor(request: NodeRequest, response: NodeResponse, { secure, host }: { readonly secure: boolean; readonly host: string | undefined }) {
    this.request = request
    this.#response = response
    this.secure = secure
    this.host = host
    this.headSent = response.headersSent
  }

  get raw(): NodeRequest {
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
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  responseHeader(name: string): string | undefined {
    const value = this.#response.getHeader(name)
    if (value === undefined) return undefined
    return Array.isArray(value) ? value.join(', ') : String(value)
  }

  setResponseHeader(name: string, value: string): void {
    this.#response.setHeader(name, value)
  }

  appendResponseHeader(name: string, value: string): void {
    appendHeader(this.#response, name, value)
  }
}

/** Over TLS, or over https as far as the first proxy says when it is trusted. */
export function isSecureRequest(request: NodeRequest, trustProxy: boolean): boolean {
  const { socket } = request
  if (socket !== null && socket !== undefined && 'encrypted' in socket && socket.encrypted === true) return true
  if (!trustProxy) return false
  return forwarded(request, 'x-forwarded-proto') === 'https'
}

/** The host that the first proxy says, when proxies are trusted; undefined when `Host` is to be believed. */
export function forwardedHost(request: NodeRequest, trustsProxy: boolean | (() => boolean)): string | undefined {
  const host = forwarded(request, 'x-forwarded-host')
  if (host === undefined) return undefined
  return (typeof trustsProxy === 'function' ? trustsProxy() : trustsProxy) ? host : undefined
}

function forwarded(request: NodeRequest, name: string): string | undefined {
  const value = request.headers[name]
  return (Array.isArray(value) ? value[0] : value)?.split(',')[0]?.trim()
}
