import type { Exchange } from '../transport.ts'

/** The headers of a request: a Fetch `Headers`, or Node's object with lower-case names. */
export type HeadersLike = { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>

/** An exchange that can only be read: a WebSocket upgrade, a queue's message. */
export function headersExchange(headers: HeadersLike): Exchange {
  return {
    method: 'GET',
    url: '/',
    secure: undefined,
    port: undefined,
    header: (name) => readHeader(headers, name),
    responseHeader: () => undefined,
    setResponseHeader() {},
    appendResponseHeader() {},
    headSent: true,
    request: undefined,
  }
}

function readHeader(headers: HeadersLike, name: string): string | undefined {
  if (isFetchHeaders(headers)) return headers.get(name) ?? undefined
  const value = headers[name]
  return typeof value === 'string' ? value : value?.join(name === 'cookie' ? '; ' : ', ')
}

function isFetchHeaders(headers: HeadersLike): headers is { get(name: string): string | null } {
  return typeof headers['get'] === 'function'
}
