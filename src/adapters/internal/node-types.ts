import type { HeldResponse } from './held-response.ts'

/** The part of a request of node:http, node:https or node:http2 that is used here. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** The url before a router took off the path that it is mounted at: connect and Express set it. */
  readonly originalUrl?: string | undefined
  /** Where body parsers of connect and Express leave what they have parsed. */
  readonly body?: unknown
  readonly httpVersionMajor?: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket?: object | null | undefined
}

export type Arguments = readonly unknown[]

/** Where a response keeps what holds it back. */
export const HELD: unique symbol = Symbol('sojourn.held')

/** The part of a response of node:http, node:https or node:http2 that is used here. */
export interface NodeResponse {
  statusCode: number
  readonly headersSent: boolean
  readonly writableEnded: boolean
  getHeader(name: string): number | string | string[] | undefined
  getHeaderNames(): string[]
  setHeader(name: string, value: number | string | readonly string[]): unknown
  removeHeader(name: string): void
  // The four below have several signatures in Node; they are passed on as they come.
  writeHead(...args: Arguments): unknown
  write(...args: Arguments): boolean
  end(...args: Arguments): unknown
  // HTTP/2 has it too, though its types do not say so.
  flushHeaders?(): void
  destroy(): unknown
  emit(event: 'drain'): boolean
  once(event: 'close', listener: () => void): unknown
  [HELD]?: HeldResponse | undefined
}
