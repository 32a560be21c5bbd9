/** The part of a request of node:http, node:https or node:http2 that is used here. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket?: object | null | undefined
}

/** The part of a response of node:http, node:https or node:http2 that is used here. */
export interface NodeResponse {
  statusCode: number
  statusMessage: string
  readonly headersSent: boolean
  readonly writableEnded: boolean
  getHeader(name: string): number | string | string[] | undefined
  getHeaderNames(): string[]
  setHeader(name: string, value: number | string | readonly string[]): unknown
  appendHeader(name: string, value: string | readonly string[]): unknown
  removeHeader(name: string): void
  // The three below have several signatures in Node; they are passed on as they come.
  writeHead(...args: readonly unknown[]): unknown
  write(...args: readonly unknown[]): boolean
  end(...args: readonly unknown[]): unknown
  flushHeaders(): void
  emit(event: 'drain'): boolean
}
