import { unreadable, recordFrom, makeEntries, type Entries, type SessionRecord } from '../../core/record.ts'
import { RECORD_COLUMNS, type RecordColumn } from './sql-names.ts'

/** A row's values in the order of the statement, whether the driver makes arrays or objects of rows. */
export function valuesOf(row: unknown): readonly unknown[] {
  if (Array.isArray(row)) return row
  return typeof row === 'object' && row !== null ? Object.values(row) : []
}

/**
 * The record in the values of {@link RECORD_COLUMNS}. `terms` and `entries` are JSON text; `decode` undoes what
 * was done to texts that the backend cannot hold. Throws `ERR_SESSION_UNREADABLE`.
 */
export function recordFromRow(values: readonly unknown[], decode: (text: string) => string): SessionRecord {
  const at = (column: RecordColumn): unknown => values[PLACES[column]]
  const previousHash = textOf(at('previousHash'))
  const endedBecause = textOf(at('endedBecause'))
  return recordFrom({
    version: numberOf(at('version')),
    createdAt: numberOf(at('createdAt')),
    touchedAt: numberOf(at('touchedAt')),
    expiresAt: numberOf(at('expiresAt')),
    tokenHash: textOf(at('tokenHash')),
    previous: isNull(previousHash) ? undefined : { tokenHash: previousHash, rotatedAt: numberOf(at('rotatedAt')) },
    nonce: textOf(at('nonce')),
    index: parse(at('terms')),
    entries: decoded(parse(at('entries')), decode),
    ended: isNull(endedBecause) ? undefined : { because: endedBecause, at: numberOf(at('endedAt')) },
  })
}

const PLACES = placesOf(RECORD_COLUMNS)

function placesOf<Column extends string>(columns: readonly Column[]): Readonly<Record<Column, number>> {
  return Object.fromEntries(columns.map((column, at) => [column, at])) as Record<Column, number>
}

/** A whole number in any shape a driver gives to a 64-bit integer; anything else stays as it is. */
export function numberOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
}

/** A text in any shape a driver gives to text and binary columns; anything else stays as it is. */
export function textOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() : value
}

function isNull(value: unknown): boolean {
  return value === undefined || value === null
}

function parse(value: unknown): unknown {
  const text = textOf(value)
  if (typeof text !== 'string') throw unreadable('a column holds no text')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw unreadable('a column holds no JSON', cause)
  }
}

function decoded(entries: unknown, decode: (text: string) => string): unknown {
  if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) return entries
  const result: Record<string, unknown> = makeEntries()
  for (const key of Object.keys(entries)) {
    const text: unknown = Reflect.get(entries, key)
    result[decode(key)] = typeof text === 'string' ? decode(text) : text
  }
  return result
}

/** The entries as JSON text, keys and values encoded for the backend. */
export function entriesText(pairs: Iterable<readonly [string, string]>, encode: (text: string) => string): string {
  const entries = makeEntries()
  for (const [key, text] of pairs) entries[encode(key)] = encode(text)
  return JSON.stringify(entries)
}

/** Key and text of every entry. */
export function entryPairs(entries: Entries): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = []
  for (const key in entries) {
    const text = entries[key]
    if (text !== undefined) pairs.push([key, text])
  }
  return pairs
}
