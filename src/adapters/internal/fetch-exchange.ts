import type { Exchange } from '../../core/transport.ts'

/** The exchange of a Fetch request; the response is bound when there is one. */
export class FetchExchange implements Exchange {
  readonly request: Request
  readonly secure: boolean
  readonly #url: URL
  #response: Response | undefined
  headSent = false

  constructor(request: Request, trustProxy: boolean) {
    this.request = request
    this.#url = new URL(request.url)
    const forwarded = trustProxy ? request.headers.get('x-forwarded-proto')?.split(',')[0]?.trim() : undefined
    this.secure = (forwarded ?? this.#url.protocol.slice(0, -1)) === 'https'
  }

  get method(): string {
    return this.request.method
  }

  get url(): string {
    return this.#url.pathname + this.#url.search
  }

  get port(): number | undefined {
    return this.#url.port === '' ? (this.#url.protocol === 'https:' ? 443 : 80) : Number(this.#url.port)
  }

  /** The response whose head is about to leave. */
  get response(): Response | undefined {
    return this.#response
  }

  bind(response: Response): void {
    this.#response = response
  }

  header(name: string): string | undefined {
    return this.request.headers.get(name) ?? undefined
  }

  responseHeader(name: string): string | undefined {
    return this.#response?.headers.get(name) ?? undefined
  }

  setResponseHeader(name: string, value: string): void {
    this.#change((headers) => headers.set(name, value))
  }

  appendResponseHeader(name: string, value: string): void {
    this.#change((headers) => headers.append(name, value))
  }

  // The headers of some responses cannot be changed (Response.redirect, a response of fetch): those are copied.
  #change(change: (headers: Headers) => void): void {
    const response = this.#response
    if (response === undefined) return
    try {
      change(response.headers)
    } catch {
      const copy = new Response(response.body, response)
      change(copy.headers)
      this.#response = copy
    }
  }
}
