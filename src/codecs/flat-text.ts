import { standardCodec, type Codec } from '../core/codec.ts'
import { SessionError } from '../core/errors.ts'
import { makeEntries, recordFrom, unreadable, type SessionRecord } from '../core/record.ts'
import { DATA } from '../core/internal/namespaces.ts'

/** Turns records into text and back, as the file store wants it of its `serializer`. */
export interface FlatText {
  /** The record as lines of `key: value`. Refuses nothing. */
  stringify(record: SessionRecord): string
  /** Throws `ERR_SESSION_UNREADABLE` for a text that {@link FlatText.stringify} did not make. */
  parse(text: string): SessionRecord
}

/**
 * Writes a record as flat text: one `key: value` line for each field and entry, and nothing that spans two lines. No key and no
 * value can make a line of its own: what is not plain is quoted as JSON does it.
 */
export const flatText: FlatText = {
  stringify({ entries, ...head }) {
    const fields = Object.entries(head).filter(([, value]) => value !== undefined)
    const lines = [...fields.map(([name, value]) => `${name}: ${json(value)}`), ...Object.entries(entries).map(([key, text]) => `${keyText(key)}: ${valueText(text)}`)]
    return `${lines.join('\n')}\n`
  },
  parse(text) {
    const head = new Map<string, unknown>()
    const entries = makeEntries()
    for (const line of linesOf(text)) {
      const { key, value, isEntry } = partsOf(line)
      if (isEntry ? key in entries : head.has(key)) throw unreadable('its flat text has a line twice')
      if (isEntry) entries[key] = textOf(value)
      else head.set(key, parsed(value))
    }
    // The keys become properties of their own, `__proto__` among them.
    return recordFrom({ ...Object.fromEntries(head), entries })
  },
}

/** The standard codec for plain values under plain keys: refuses what is nested, and keys of more than letters, digits, `_`, `.`, `:` and `-`. */
export const flatCodec: Codec = {
  encode(value, context) {
    // What the package keeps beside the data, such as saved requests, is not the application's to flatten.
    if (context.key.startsWith(DATA)) checkFlat(context.key.slice(DATA.length), value)
    return standardCodec.encode(value, context)
  },
  decode: standardCodec.decode,
}

function checkFlat(key: string, value: unknown): void {
  if (!/^[\w.:-]+$/.test(key)) throw new SessionError('ERR_SESSION_VALUE', `The key ${JSON.stringify(key)} is not plain enough for flat text. Use letters, digits, _, ., : and -.`)
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) throw new SessionError('ERR_SESSION_VALUE', `The value of ${JSON.stringify(key)} is nested, and flat text has one level only. Set a key for each of its parts.`)
}

// Everything that some tool takes for the end of a line or cannot write: control characters, separators, halves of characters.
const NOT_PLAIN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu
const QUOTED = '\\'

/** A namespaced key as it is where it is plain, else quoted. A field of the record has no colon in its name, an entry always has. */
function keyText(key: string): string {
  return /^\w+:[\w.:-]*$/.test(key) ? key : json(key)
}

/** An entry's text as it is, in its one line, else quoted behind a mark. */
function valueText(text: string): string {
  const isPlain = text !== '' && text.trim() === text && text.search(NOT_PLAIN) === -1 && !text.startsWith(QUOTED)
  return isPlain ? text : QUOTED + json(text)
}

function textOf(value: string): string {
  if (!value.startsWith(QUOTED)) return value
  const text = parsed(value.slice(QUOTED.length))
  if (typeof text !== 'string') throw unreadable('a quoted value of its flat text is no text')
  return text
}

function json(value: unknown): string {
  return JSON.stringify(value).replaceAll(NOT_PLAIN, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without the cause, which quotes what is stored.
    throw unreadable('a value of its flat text is not JSON')
  }
}

function linesOf(text: string): readonly string[] {
  if (!text.endsWith('\n')) throw unreadable('its flat text has no end')
  return text.slice(0, -1).split('\n')
}

interface Line {
  readonly key: string
  readonly value: string
  readonly isEntry: boolean
}

function partsOf(line: string): Line {
  const [, name = '', value = ''] = /^("(?:[^"\\]|\\.)*"|[^\s"]+): (.*)$/.exec(line) ?? []
  if (name === '') throw unreadable('its flat text has a line without a key')
  if (!name.startsWith('"')) return { key: name, value, isEntry: name.includes(':') }
  const key = parsed(name)
  if (typeof key !== 'string') throw unreadable('a key of its flat text is no text')
  return { key, value, isEntry: true }
}
