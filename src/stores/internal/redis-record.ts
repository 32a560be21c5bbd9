import { isEndReason, makeEntries, NEVER, unreadable, type EntryKey, type SessionRecord } from '../../core/record.ts'
import { escapeText, unescapeText } from './escape.ts'

// One hash per record. Header fields start with `!`, entries with their namespace prefix:
// !v version  !c createdAt  !t touchedAt  !e expiresAt  !h token hash  !n nonce
// !p and !r the superseded hash and when  !x and !a why and when it ended  !i<term> one per term
// !s the highest score of its terms, where that is not !e

/** Milliseconds that Redis keeps a record after its deadline. Its TTL is a broom, not the judge. */
export const KEPT_AFTER_DEADLINE_MS = 60_000

/** Milliseconds from `now` to the removal of a record, as a script takes them: empty for one that stays. */
export function millisecondsToKeep(expiresAt: number, now: number): string {
  if (expiresAt >= NEVER) return ''
  return String(Math.max(0, Math.ceil(expiresAt - now)) + KEPT_AFTER_DEADLINE_MS)
}

/** The field of an entry: its key, escaped, and never one of the header's. */
export function entryField(key: EntryKey): string {
  return key.startsWith('!') ? `\u001B0021${escapeText(key.slice(1))}` : escapeText(key)
}

/** Field, value, field, value … of a whole record. */
export function fieldsOf(record: SessionRecord): string[] {
  const fields = [
    '!v', String(record.version), '!c', String(record.createdAt), '!t', String(record.touchedAt),
    '!e', String(record.expiresAt), '!h', record.tokenHash, '!n', record.nonce,
  ]
  if (record.previous !== undefined) fields.push('!p', record.previous.tokenHash, '!r', String(record.previous.rotatedAt))
  if (record.ended !== undefined) fields.push('!x', record.ended.because, '!a', String(record.ended.at))
  for (const term of record.index) fields.push(`!i${term}`, '')
  for (const [key, text] of Object.entries(record.entries)) fields.push(entryField(key), escapeText(text))
  return fields
}

/**
 * The record in the reply to HGETALL, which is a list, a Map or an object by client and protocol. Undefined for
 * an empty one. Throws `ERR_SESSION_UNREADABLE` when it is not a whole record.
 */
export function recordFromReply(reply: unknown): SessionRecord | undefined {
  const fields: Fields = { header: new Map(), index: [], entries: makeEntries() }
  const size = takeFields(fields, reply)
  return size === 0 ? undefined : recordFrom(fields)
}

/** The fields of a record, by their kinds. */
interface Fields {
  readonly header: Map<string, string>
  readonly index: string[]
  readonly entries: Record<EntryKey, string>
}

// Written out for each kind of reply: a generator of pairs would take as long as all the rest of reading a record.
function takeFields(fields: Fields, reply: unknown): number {
  if (Array.isArray(reply)) {
    for (let at = 0; at < reply.length; at += 2) take(fields, replyText(reply[at]), reply[at + 1])
    return reply.length
  }
  if (reply instanceof Map) {
    for (const [field, value] of reply) take(fields, replyText(field), value)
    return reply.size
  }
  if (typeof reply !== 'object' || reply === null) throw unreadable('it is not a hash')
  const names = Object.keys(reply)
  for (const field of names) take(fields, field, Reflect.get(reply, field))
  return names.length
}

function take({ header, index, entries }: Fields, field: string, value: unknown): void {
  if (!field.startsWith('!')) entries[unescapeText(field)] = unescapeText(replyText(value))
  else if (field.startsWith('!i')) index.push(field.slice(2))
  else header.set(field, replyText(value))
}

function recordFrom({ header, index, entries }: Fields): SessionRecord {
  const previous = header.get('!p')
  const because = header.get('!x')
  if (because !== undefined && !isEndReason(because)) throw unreadable('its end has no known reason')
  return {
    version: number(header, '!v'),
    createdAt: number(header, '!c'),
    touchedAt: number(header, '!t'),
    expiresAt: number(header, '!e'),
    tokenHash: text(header, '!h'),
    ...(previous !== undefined && { previous: { tokenHash: previous, rotatedAt: number(header, '!r') } }),
    nonce: text(header, '!n'),
    index,
    entries,
    ...(because !== undefined && { ended: { because, at: number(header, '!a') } }),
  }
}

/** A text in a reply; a client may have been told to hand out bytes. */
export function replyText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  throw unreadable('a text is missing')
}

function number(header: ReadonlyMap<string, string>, field: string): number {
  const value = text(header, field)
  if (value === '' || !Number.isFinite(Number(value))) throw unreadable('a number is missing')
  return Number(value)
}

function text(header: ReadonlyMap<string, string>, field: string): string {
  const value = header.get(field)
  if (value === undefined) throw unreadable('a text is missing')
  return value
}
