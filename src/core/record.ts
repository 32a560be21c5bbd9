import { SessionError } from './errors.ts'

/** The public part of a token: the store's key. Safe in logs; unchanged by rotation. */
export type SessionId = string

/** The name of an entry inside a record: a namespace prefix (`d:`, `m:`, …) and any text. */
export type EntryKey = string

export type Entries = Readonly<Record<EntryKey, string>>

/** Why a session ended. `destroyed` is the visitor's own logout; `revoked` came from outside. */
export type EndReason = 'destroyed' | 'revoked' | 'replaced' | 'expired-idle' | 'expired-absolute'

/** What a store keeps for one id. Times are whole milliseconds since the epoch. */
export interface SessionRecord {
  /** 1 at creation, one more with every commit. */
  readonly version: number
  readonly createdAt: number
  /** When the idle deadline was last moved. */
  readonly touchedAt: number
  /** The earlier of the two deadlines. At this instant the record is no longer live. */
  readonly expiresAt: number
  /** SHA-256 of the token's secret, base64url. */
  readonly tokenHash: string
  /** The token that the last rotation superseded. */
  readonly previous?: { readonly tokenHash: string; readonly rotatedAt: number }
  /** The nonce of the last patch that was applied: tells a resent patch from a new one. */
  readonly nonce: string
  /** The terms under which this record is listed. */
  readonly index: readonly string[]
  /** Namespaced key → encoded value. Inherits nothing. */
  readonly entries: Entries
  /** A tombstone, kept for a minute to explain why the session ended. */
  readonly ended?: { readonly because: EndReason; readonly at: number }
}

/** Milliseconds for which an ended record is kept to explain itself. */
export const TOMBSTONE_AGE_MS = 60_000

/** The latest instant a Date can hold: what `never` means in a record. */
export const NEVER = 8_640_000_000_000_000

/** Neither ended nor past its deadline. At the deadline itself it is past. */
export function isLive(record: SessionRecord | undefined, now: number): record is SessionRecord {
  return record !== undefined && record.ended === undefined && record.expiresAt > now
}

/** What remains of a record that ended: no entry, no index term, only the reason. */
export function tombstone(record: SessionRecord, because: EndReason, at: number): SessionRecord {
  return {
    ...record,
    version: record.version + 1,
    expiresAt: at + TOMBSTONE_AGE_MS,
    index: [],
    entries: makeEntries(),
    ended: { because, at },
  }
}

// A class with an empty prototype keeps its hidden class, so thousands of sessions with the same keys
// share one shape; Object.create(null) would make a hash table of each.
class EntryBag {
  [key: EntryKey]: string
}
Object.setPrototypeOf(EntryBag.prototype, null)
Reflect.deleteProperty(EntryBag.prototype, 'constructor')

/** Entries without anything inherited: a key such as `__proto__` or `constructor` is a key like any other. */
export function makeEntries(from?: Entries): Record<EntryKey, string> {
  const entries = new EntryBag()
  for (const key in from) {
    const text = from[key]
    if (text !== undefined) entries[key] = text
  }
  return entries
}

const FORMAT = 1

/** The record as one line of JSON, for stores that keep text. */
export function stringifyRecord(record: SessionRecord): string {
  return JSON.stringify({ format: FORMAT, ...record })
}

/**
 * The record in a text that {@link stringifyRecord} made. Throws `ERR_SESSION_UNREADABLE` for anything
 * else, also for a text of a newer version of this package.
 */
export function parseRecord(text: string): SessionRecord {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Without the cause: a SyntaxError quotes what it stumbled over, which is the visitor's data.
    throw unreadable('it is not JSON')
  }
  return recordFrom(value)
}

/** The record in a parsed document or a row. Throws `ERR_SESSION_UNREADABLE` when anything in it is not what it should be. */
export function recordFrom(value: unknown): SessionRecord {
  if (!isObject(value)) throw unreadable('it is not an object')
  if ('format' in value && value['format'] !== FORMAT) throw unreadable('its format is of another version')
  const { previous, ended } = value
  return {
    version: number(value, 'version'),
    createdAt: number(value, 'createdAt'),
    touchedAt: number(value, 'touchedAt'),
    expiresAt: number(value, 'expiresAt'),
    tokenHash: text(value, 'tokenHash'),
    ...(previous !== undefined && previous !== null && { previous: previousFrom(previous) }),
    nonce: text(value, 'nonce'),
    index: termsFrom(value['index']),
    entries: entriesFrom(value['entries']),
    ...(ended !== undefined && ended !== null && { ended: endedFrom(ended) }),
  }
}

/** The error for a stored thing that cannot be read. The reason must not quote what was stored. */
export function unreadable(reason: string, cause?: unknown): SessionError {
  return new SessionError('ERR_SESSION_UNREADABLE', `A stored session cannot be read: ${reason}. It is treated as gone; the next write begins a new session.`, cause === undefined ? {} : { cause })
}

function previousFrom(value: unknown): { tokenHash: string; rotatedAt: number } {
  if (!isObject(value)) throw unreadable('its superseded token is not an object')
  return { tokenHash: text(value, 'tokenHash'), rotatedAt: number(value, 'rotatedAt') }
}

const END_REASONS: readonly string[] = ['destroyed', 'revoked', 'replaced', 'expired-idle', 'expired-absolute'] satisfies EndReason[]

export function isEndReason(value: unknown): value is EndReason {
  return typeof value === 'string' && END_REASONS.includes(value)
}

function endedFrom(value: unknown): { because: EndReason; at: number } {
  if (!isObject(value) || !isEndReason(value['because'])) throw unreadable('its end has no known reason')
  return { because: value['because'], at: number(value, 'at') }
}

function termsFrom(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw unreadable('its index is not a list')
  for (const term of value) if (typeof term !== 'string') throw unreadable('its index holds something that is not text')
  return value as readonly string[]
}

/** Entries from an object of strings. Throws `ERR_SESSION_UNREADABLE` for anything else. */
export function entriesFrom(value: unknown): Entries {
  if (!isObject(value)) throw unreadable('its entries are not an object')
  const entries = makeEntries()
  for (const key of Object.keys(value)) entries[key] = text(value, key)
  return entries
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function number(from: Record<string, unknown>, key: string): number {
  const value = from[key]
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unreadable('a number is missing')
  return value
}

function text(from: Record<string, unknown>, key: string): string {
  const value = from[key]
  if (typeof value !== 'string') throw unreadable('a text is missing')
  return value
}
