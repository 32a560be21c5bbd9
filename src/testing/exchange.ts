import type { Exchange } from '../core/transport.ts'

export interface TestExchangeOptions {
  readonly method?: string
  readonly url?: string
  /** Defaults to true. */
  readonly secure?: boolean
  readonly port?: number
  /** The body, as a framework would have parsed it. */
  readonly body?: unknown
  /** Request headers by their lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An exchange without a server, for tests of transports, stores and handlers. */
export class TestExchange implements Exchange {
  readonly method: string
  readonly url: string
  readonly secure: boolean
  readonly port: number | undefined
  readonly body: unknown
  readonly request = undefined
  readonly #headers: Readonly<Record<string, string>>
  readonly #response = new Headers()
  headSent = false

  constructor({ method = 'GET', url = '/', secure = true, port, body, headers = {} }: TestExchangeOptions = {}) {
    this.method = method
    this.url = url
    this.secure = secure
    this.port = port
    this.body = body
    this.#headers = headers
  }

  /** The response's `Set-Cookie` headers so far. */
  get setCookies(): string[] {
    return this.#response.getSetCookie()
  }

  header(name: string): string | undefined {
    return this.#headers[name]
  }

  responseHeader(name: string): string | undefined {
    return this.#response.get(name) ?? undefined
  }

  setResponseHeader(name: string, value: string): void {
    this.#response.set(name, value)
  }

  appendResponseHeader(name: string, value: string): void {
    this.#response.append(name, value)
  }
}
