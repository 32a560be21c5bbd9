import type { Session } from './session.ts'
import type { Awaitable } from './store.ts'
import type { Exchange } from './transport.ts'

/** What a form or a JSON body can carry. */
export type FieldValue = string | number | boolean | null | readonly FieldValue[] | { readonly [name: string]: FieldValue }

/** The fields of a body, by name. A name that was sent several times has a list. */
export type Fields = Readonly<Record<string, FieldValue>>

/** Fields as a framework has parsed them: an object, a `FormData` or `URLSearchParams`. */
export type FieldSource = Readonly<Record<string, unknown>> | Iterable<readonly [string, unknown]>

/** A request that was kept: nothing of its connection, no header, no cookie, no file. */
export interface SavedRequest {
  /** In upper case. */
  readonly method: string
  /** Without the query: `/order`. */
  readonly path: string
  /** Path and query as text: `/order?coupon=x`. */
  readonly url: string
  /** The query's parameters. One that was sent several times has a list. */
  readonly query: Readonly<Record<string, string | readonly string[]>>
  /** The fields of the body; empty when there were none. */
  readonly fields: Fields
  /** The names of parameters and fields that were not kept: files, and what the `redact` list names. */
  readonly omitted: readonly string[]
}

/** A saved request that the visitor has come back to. */
export interface Arrived extends SavedRequest {
  /** What `return` handed over, by the saved request's `map` where it declared one. */
  readonly values: Readonly<Record<string, unknown>>
}

/**
 * Where a value comes from when the visitor returns: the text itself, an argument (a parameter or field) of the request
 * that returns, or one of the `values` it hands over, by its path. Absent ones are undefined; an argument sent twice is a list.
 */
export type ValueSource = { readonly literal: unknown } | { readonly argument: string } | { readonly value: string | readonly string[] }

export interface SaveOptions {
  /** The page to go to meanwhile: a path on this site. What came from a visitor is checked with `localTarget` first. */
  readonly to: string
  /** The fields of the body, where the framework has not left them parsed on the request (Fetch, Hono). */
  readonly fields?: FieldSource
  /** What is handed over at the return, by the name under which it arrives. Without it, all `values` are. */
  readonly map?: Readonly<Record<string, ValueSource>>
  /** The name of a handler that runs when the visitor arrives back, before the page does. */
  readonly handler?: string
  /** Go through this page when returning: on to the one that it would itself return to. Defaults to false. */
  readonly collapse?: boolean
}

export interface ReturnOptions {
  /** Where to go when there is nothing to return to: a path on this site. Defaults to the `fallback` of `continuations`. */
  readonly fallback?: string
  /** What to hand over to the saved request. */
  readonly values?: Readonly<Record<string, unknown>>
  /** The fields of this request's body, where the framework has not left them parsed on the request. */
  readonly fields?: FieldSource
  /** The continuation to return to. Defaults to the current one. */
  readonly id?: string
}

/**
 * Saved requests that the visitor can return to: `session.continuations`, with the option `continuations`. Every id travels
 * in the URL, so each tab has its own.
 */
export interface Continuations {
  /** The saved request that this request has come back to; undefined when it is an ordinary one, also at a reload. */
  readonly arrived: Arrived | undefined
  /** Where to redirect a request that carries the id of a return to another URL; undefined when all is well. */
  readonly misplaced: string | undefined
  /** Messages by name: those that came with the redirect to this page, and what this request adds. They travel on with `save`, `return` and `redirect`. */
  readonly messages: Map<string, unknown>
  /** The id of the continuation that this page would return to; undefined when there is none. */
  readonly current: string | undefined
  /** The saved request that this page would return to; undefined when there is none. */
  readonly caller: SavedRequest | undefined
  /**
   * Keeps this request, with its body's fields, and resolves to the URL to redirect to. Call it after the request was
   * validated and before it does anything. What came from another site, or is too large, is kept as an address only.
   */
  save(options: SaveOptions): Promise<string>
  /** Resolves to the URL that leads back to the current saved request, or to `fallback`. The saved request stays, so that the back button works. */
  return(options?: ReturnOptions): Promise<string>
  /** Resolves to a URL of this site that carries the messages, and the current continuation, to the next page. */
  redirect(options: { readonly to: string }): Promise<string>
  /** A URL of this site with the current id, for links and form actions. Other URLs stay as they are. */
  link(url: string): string
  /** The field that carries the current id in a form; undefined when there is none. */
  readonly field: { readonly name: string; readonly value: string } | undefined
  /** The same as HTML: `<input type="hidden" …>`, or no text. */
  readonly hiddenField: string
  /** Keeps a continuation made by hand, at least `{ url }`, and gives its id. */
  add(value: unknown): string
  /** The value kept under an id; undefined when absent or expired. */
  get(id: string): unknown
  has(id: string): boolean
  /** Keeps a continuation made by hand under an id of your own. */
  set<Value>(id: string, value: Value): Value
  /** Deletes a continuation, and every one that would return to it. No error when it is absent. */
  delete(id: string): void
  keys(): string[]
  entries(): [string, unknown][]
}

/** What `createSessions` takes as `continuations`; made by `continuations()` of `sojourn/continuations`. */
export interface ContinuationsExtension<Data extends object> {
  /** Called once per request, when `session.continuations` is first used. */
  open<Any extends object>(session: Session<Any>): Continuations
  /** Called when the session of a request was read, before the handler runs. */
  arrive(session: Session<Data>, exchange: Exchange): Awaitable<void>
}
