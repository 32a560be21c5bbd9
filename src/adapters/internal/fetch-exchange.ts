import type { Exchange } from '../../core/transport.ts'

/** The exchange of a Fetch request; the response is bound when there is one. */
export class FetchExchange implements Exchange {
  readonly request: Request
  readonly #trustProxy: boolean
  #url: URL | undefined
  #response: Response | undefined
  /** The visitor was told something about the token. */
  handsOut = false
  headSent = false
  /** The fields of a form, where a transport looks for the token in them. */
  body: unknown

  constructor(request: Request, trustProxy: boolean) {
    this.request = request
    this.#trustProxy = trustProxy
  }

  get method(): string {
    return this.request.method
  }

  get url(): string {
    const { pathname, search } = this.#parsedUrl
    return pathname + search
  }

  get secure(): boolean {
    // A Request's URL is absolute and normal already.
    if (this.request.url.startsWith('https:')) return true
    return this.#trustProxy && this.header('x-forwarded-proto')?.split(',')[0]?.trim() === 'https'
  }

  get port(): number | undefined {
    const { port, protocol } = this.#parsedUrl
    return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  }

  /** Of the URL where there is no header, as on some runtimes. */
  get host(): string {
    return (this.#trustProxy ? this.header('x-forwarded-host')?.split(',')[0]?.trim() : undefined) ?? this.header('host') ?? this.#parsedUrl.host
  }

  /** The response whose head is about to leave. */
  get response(): Response | undefined {
    return this.#response
  }

  /** Takes the response. Undefined, or a status below 200, means that the connection was upgraded: no header can be added. */
  bind(response: Response | undefined): void {
    this.#response = response
    this.headSent = response === undefined || response.status < 200
  }

  header(name: string): string | undefined {
    return this.request.headers.get(name) ?? undefined
  }

  responseHeader(name: string): string | undefined {
    return this.#response?.headers.get(name) ?? undefined
  }

  setResponseHeader(name: string, value: string): void {
    this.#change(name, (headers) => headers.set(name, value))
  }

  appendResponseHeader(name: string, value: string): void {
    this.#change(name, (headers) => headers.append(name, value))
  }

  get #parsedUrl(): URL {
    this.#url ??= new URL(this.request.url)
    return this.#url
  }

  // The headers of some responses cannot be changed (Response.redirect, a response of fetch): those are copied.
  #change(name: string, change: (headers: Headers) => void): void {
    const response = this.#response
    if (response === undefined) return
    if (name.toLowerCase() !== 'vary') this.handsOut = true
    try {
      change(response.headers)
    } catch {
      const copy = new Response(response.body, response)
      change(copy.headers)
      this.#response = copy
    }
  }
}
