import type { SavedRequest, ValueSource } from '../../core/continuations.ts'
import { localTarget } from '../target.ts'
import { keptFields } from './fields.ts'
import type { ValueMap } from './mapping.ts'
import { pathOf, queryOf } from '../../core/internal/parameters.ts'

/** A saved request as it is kept. By hand, `{ url }` is enough. */
export interface StoredRequest {
  /** Path and query, without the parameters that carry ids. */
  readonly url: string
  readonly method: string
  readonly fields?: SavedRequest['fields']
  readonly omitted?: readonly string[]
  /** The continuation that was the current one when this request was saved. */
  readonly parent?: string
  readonly map?: ValueMap
  readonly handler?: string
  readonly messages?: readonly (readonly [string, unknown])[]
  /** What earlier returns to the same request have handed over. */
  readonly values?: Readonly<Record<string, unknown>>
  /** A return goes through it, to its parent. */
  readonly collapse?: boolean
}

/** What waits at the URL that a return or a redirect leads to, to be taken once. */
export interface StoredReturn {
  /** The saved request; absent where only messages travel. */
  readonly from?: string
  /** The URL where it waits, without the parameters that carry ids. */
  readonly at: string
  readonly values?: Readonly<Record<string, unknown>>
  readonly messages?: readonly (readonly [string, unknown])[]
}

/** A kept value, and when it was last used: milliseconds since the epoch. */
export type Envelope = readonly [usedAt: number, value: unknown]

export function parseEnvelope(stored: unknown): Envelope | undefined {
  if (!Array.isArray(stored) || stored.length !== 2 || typeof stored[0] !== 'number') return undefined
  const [usedAt, value]: readonly unknown[] = stored
  return typeof usedAt === 'number' ? [usedAt, value] : undefined
}

/** Whether a value is a saved request: what names no page of this site is none, whoever has put it there. */
export function isRequest(value: unknown): boolean {
  return isObject(value) && localTarget(value['url']) !== undefined
}

export function parseRequest(value: unknown): StoredRequest | undefined {
  if (!isObject(value)) return undefined
  const url = localTarget(value['url'])
  if (url === undefined) return undefined
  const { method, fields, parent, handler, collapse } = value
  const values = isObject(value['values']) ? value['values'] : undefined
  const map = parseMap(value['map'])
  const omitted = parseNames(value['omitted'])
  const messages = parseMessages(value['messages'])
  return {
    url,
    method: typeof method === 'string' && /^[A-Z-]+$/.test(method) ? method : 'GET',
    ...(isObject(fields) && { fields: keptFields(fields, () => true).fields }),
    ...(omitted.length > 0 && { omitted }),
    ...(typeof parent === 'string' && { parent }),
    ...(map !== undefined && { map }),
    ...(typeof handler === 'string' && { handler }),
    ...(messages.length > 0 && { messages }),
    ...(values !== undefined && { values }),
    ...(collapse === true && { collapse: true }),
  }
}

export function parseReturn(value: unknown): StoredReturn | undefined {
  if (!isObject(value)) return undefined
  const at = localTarget(value['at'])
  if (at === undefined) return undefined
  const { from, values } = value
  return {
    at,
    ...(typeof from === 'string' && { from }),
    ...(isObject(values) && { values }),
    messages: parseMessages(value['messages']),
  }
}

/** The id that a continuation returns to next: of the request it is in, or of the one it comes from. */
export function parentIn(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  const { parent, from } = value
  return typeof parent === 'string' ? parent : typeof from === 'string' ? from : undefined
}

/** The request as the application sees it. */
export function savedRequest({ url, method, fields = {}, omitted = [] }: Pick<StoredRequest, 'url' | 'method' | 'fields' | 'omitted'>): SavedRequest {
  return { method, path: pathOf(url), url, query: queryOf(url), fields, omitted }
}

function parseMap(value: unknown): ValueMap | undefined {
  if (!isObject(value)) return undefined
  const sources: [string, ValueSource][] = []
  for (const [name, source] of Object.entries(value)) {
    if (!isObject(source)) continue
    if ('literal' in source) sources.push([name, { literal: source['literal'] }])
    else if (typeof source['argument'] === 'string') sources.push([name, { argument: source['argument'] }])
    else if (typeof source['value'] === 'string') sources.push([name, { value: source['value'] }])
    else if (Array.isArray(source['value'])) sources.push([name, { value: parseNames(source['value']) }])
  }
  return Object.fromEntries(sources)
}

// By hand, an object is easier to write than pairs.
function parseMessages(value: unknown): readonly (readonly [string, unknown])[] {
  if (value instanceof Map) return parseMessages([...value])
  if (!Array.isArray(value)) return isObject(value) ? Object.entries(value) : []
  return value.flatMap((pair: unknown): [string, unknown][] => (Array.isArray(pair) && typeof pair[0] === 'string' ? [[pair[0], pair[1]]] : []))
}

function parseNames(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
