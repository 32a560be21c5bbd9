import { isEndReason, makeEntries, NEVER, unreadable, type EndReason, type EntryKey, type SessionRecord } from '../../core/record.ts'
import { escapeText, unescapeText } from './escape.ts'

// One hash per record, a field for each entry. Fields that start with `!` are not entries:
// !  version, touchedAt, expiresAt, nonce: a line each. What every patch changes
// !x of one that has ended, in place of `!`: the same, and then why and when
// !h the hash of the token, and createdAt  !p the superseded hash, and when
// !i<term> one per term  !s the highest score of its terms, where that is not expiresAt
// Few fields, since a client takes its time for each; and those of a live record have at most 64 bytes each, up to which Redis keeps a hash as a compact list.

/** Below this, and above its negative, are all numbers of a record: a larger one is damage, here as in the scripts. */
export const NUMBER_LIMIT = Number.MAX_SAFE_INTEGER

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

/** A text as a line of the head. */
export function headLine(text: string): string {
  return escapeText(text).replaceAll('\n', '\u001B000a')
}

/** Field, value, field, value … of a whole record. */
export function fieldsOf(record: SessionRecord): string[] {
  const { previous, ended } = record
  const head = `${record.version}\n${record.touchedAt}\n${record.expiresAt}\n${headLine(record.nonce)}`
  const fields = ended === undefined ? ['!', head] : ['!x', `${head}\n${ended.because}\n${ended.at}`]
  fields.push('!h', `${headLine(record.tokenHash)}\n${record.createdAt}`)
  if (previous !== undefined) fields.push('!p', `${headLine(previous.tokenHash)}\n${previous.rotatedAt}`)
  for (const term of record.index) fields.push(`!i${term}`, '')
  for (const [key, text] of Object.entries(record.entries)) fields.push(entryField(key), escapeText(text))
  return fields
}

/**
 * The record in the reply to HGETALL, which is a list, a Map or an object by client and protocol. Undefined for
 * an empty one. Throws `ERR_SESSION_UNREADABLE` when it is not a whole record.
 */
export function recordFromReply(reply: unknown): SessionRecord | undefined {
  const fields: Fields = { head: undefined, end: undefined, hash: undefined, previous: undefined, index: [], entries: makeEntries() }
  const size = takeFields(fields, reply)
  return size === 0 ? undefined : recordFrom(fields)
}

/** The fields of a record, by their kinds. */
interface Fields {
  head: string | undefined
  /** The head of one that has ended. */
  end: string | undefined
  hash: string | undefined
  previous: string | undefined
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

function take(fields: Fields, field: string, value: unknown): void {
  if (!field.startsWith('!')) fields.entries[unescapeText(field)] = unescapeText(replyText(value))
  else if (field === '!') fields.head = replyText(value)
  else if (field === '!h') fields.hash = replyText(value)
  else if (field === '!p') fields.previous = replyText(value)
  else if (field === '!x') fields.end = replyText(value)
  else if (field.startsWith('!i')) fields.index.push(field.slice(2))
}

function recordFrom({ head, end, hash, previous, index, entries }: Fields): SessionRecord {
  const [version, touchedAt, expiresAt, nonce, because, at] = linesOf(end ?? head, end === undefined ? 4 : 6)
  const [tokenHash, createdAt] = linesOf(hash, 2)
  return {
    version: number(version),
    createdAt: number(createdAt),
    touchedAt: number(touchedAt),
    expiresAt: number(expiresAt),
    tokenHash: text(tokenHash),
    ...(previous !== undefined && { previous: previousFrom(previous) }),
    nonce: text(nonce),
    index,
    entries,
    ...(end !== undefined && { ended: { because: reason(because), at: number(at) } }),
  }
}

function previousFrom(lines: string): NonNullable<SessionRecord['previous']> {
  const [tokenHash, rotatedAt] = linesOf(lines, 2)
  return { tokenHash: text(tokenHash), rotatedAt: number(rotatedAt) }
}

function linesOf(field: string | undefined, count: number): readonly string[] {
  const lines = field === undefined ? [] : field.split('\n')
  if (lines.length !== count) throw unreadable('a field has not the lines that it should')
  return lines
}

/** The deadline in the head of a record that has not ended; undefined where there is none. Throws `ERR_SESSION_UNREADABLE` when it is no head. */
export function deadlineFromHead(head: unknown): number | undefined {
  return head === null || head === undefined ? undefined : number(linesOf(replyText(head), 4)[2])
}

/** A text in a reply; a client may have been told to hand out bytes. */
export function replyText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  throw unreadable('a text is missing')
}

function number(line = ''): number {
  const value = Number(line)
  if (!/^-?\d+$/.test(line) || Math.abs(value) >= NUMBER_LIMIT) throw unreadable('a number is missing')
  return value
}

function text(line: string | undefined): string {
  if (line === undefined) throw unreadable('a text is missing')
  return unescapeText(line)
}

function reason(line: string | undefined): EndReason {
  if (!isEndReason(line)) throw unreadable('its end has no known reason')
  return line
}
