import * as devalue from 'devalue'
import { SessionError } from './errors.ts'
import type { EntryKey, SessionId } from './record.ts'

/** Where the value belongs, for codecs that bind a text to its place. */
export interface CodecContext {
  readonly id: SessionId
  readonly key: EntryKey
}

/** Turns values into text and back (freeze and thaw). Both are synchronous. */
export interface Codec {
  /** Throws for a value it cannot keep. */
  encode(value: unknown, context: CodecContext): string
  /** Throws for a text it did not make: the entry is then dropped, with event `unreadable`. */
  decode(text: string, context: CodecContext): unknown
  /** A text that is equal for equal values. Needed where `encode` gives another text each time, as sealing does. */
  fingerprint?(value: unknown): string
}

/**
 * Plain data stays plain JSON text. Date, Map, Set, BigInt, URL, RegExp, typed arrays, undefined, NaN, -0,
 * holes, repeated and circular references are kept by devalue, marked with `~`.
 */
export const standardCodec: Codec = { encode: (value, { key }) => encodeValue(value, key.slice(key.indexOf(':') + 1)), decode: decodeValue }

const RICH = '~'

/** The text of a value; `name` is what an error calls it. */
export function encodeValue(value: unknown, name?: string): string {
  if (typeof value === 'string') return JSON.stringify(value)
  const path = name === undefined ? [] : [name]
  return isRich(value, path) ? RICH + encodeRich(value, path) : JSON.stringify(value)
}

export function decodeValue(text: string): unknown {
  if (isPlainText(text)) return text.slice(1, -1)
  try {
    return text.startsWith(RICH) ? devalue.parse(text.slice(1)) : JSON.parse(text)
  } catch {
    // Without the cause, which quotes what it stumbled over: the visitor's data.
    throw new SessionError('ERR_SESSION_UNREADABLE', 'A stored entry is no text that the codec makes. It is treated as absent.')
  }
}

// Most values are short texts without an escape, and need no parser.
function isPlainText(text: string): boolean {
  return text.length >= 2 && text.startsWith('"') && text.indexOf('"', 1) === text.length - 1 && !text.includes('\\')
}

function encodeRich(value: unknown, path: Path): string {
  try {
    return devalue.stringify(value)
  } catch (cause) {
    throw refusal(path, 'it cannot be serialised', cause)
  }
}

type Path = readonly (string | number)[]

// Deep enough for any document; shallow enough that no recursion over it overflows the stack.
const MAX_DEPTH = 200
// A few bytes can name an array of four thousand million empty places, and each is looked at.
const MAX_HOLES = 10_000

/** Whether JSON would lose something of the value. Throws ERR_SESSION_VALUE, naming the path, when nothing can keep it. */
function isRich(value: unknown, root: Path): boolean {
  if (typeof value !== 'object' || value === null) return isRichPrimitive(value, root)
  const seen = new Set<object>()
  const path = [...root]
  let rich = false
  let holes = 0
  let protoPath: string | undefined

  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) {
      if (isRichPrimitive(part, path)) rich = true
      return
    }
    if (seen.has(part)) {
      rich = true
      return
    }
    if (path.length > MAX_DEPTH) throw refusal(path, `it is nested deeper than ${MAX_DEPTH} levels`)
    seen.add(part)
    if (Array.isArray(part)) visitArray(part)
    else if (isPlainObject(part)) visitObject(part)
    else visitBuiltIn(part)
  }
  const step = (key: string | number, part: unknown): void => {
    path.push(key)
    visit(part)
    path.pop()
  }
  const visitArray = (list: readonly unknown[]): void => {
    for (let at = 0; at < list.length; at += 1) {
      if (at in list) step(at, list[at])
      else if ((holes += 1) > MAX_HOLES) throw refusal(path, `it has more than ${MAX_HOLES} empty places`)
      else rich = true
    }
  }
  const visitObject = (object: Record<string, unknown>): void => {
    if (Object.getOwnPropertySymbols(object).length > 0) throw refusal(path, 'it has a property whose name is a symbol')
    for (const key of Object.keys(object)) {
      if (key === '__proto__') protoPath = pathText([...path, key])
      step(key, object[key])
    }
  }
  const visitBuiltIn = (part: object): void => {
    rich = true
    if (part instanceof Map) for (const [key, item] of part) { step('key', key); step(typeof key === 'string' ? key : 'value', item) }
    else if (part instanceof Set) for (const item of part) step('item', item)
    else if (!isAtom(part)) throw refusal(path, `it is an instance of ${className(part)}`)
  }

  visit(value)
  if (rich && protoPath !== undefined) throw new SessionError('ERR_SESSION_VALUE', `The session cannot keep ${protoPath} beside values that plain JSON does not know. Rename the property.`)
  return rich
}

function isRichPrimitive(value: unknown, path: Path): boolean {
  if (typeof value === 'number') return !Number.isFinite(value) || Object.is(value, -0)
  if (typeof value === 'function') throw refusal(path, 'it is a function')
  if (typeof value === 'symbol') throw refusal(path, 'it is a symbol')
  return value === undefined || typeof value === 'bigint'
}

function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  // An object of another realm: its prototype is that realm's Object.prototype.
  return typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

const ATOMS: readonly string[] = ['Date', 'URL', 'URLSearchParams', 'RegExp', 'ArrayBuffer', 'DataView']

function isAtom(value: object): boolean {
  if (ArrayBuffer.isView(value)) return !(typeof Buffer !== 'undefined' && Buffer.isBuffer(value))
  const name = Object.prototype.toString.call(value).slice(8, -1)
  return ATOMS.includes(name)
}

function className(value: object): string {
  const constructor: unknown = Object.getPrototypeOf(value)?.constructor
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'an unnamed class'
}

function refusal(path: Path, why: string, cause?: unknown): SessionError {
  const what = path.length === 0 ? 'this value' : `the part at ${pathText(path)}`
  return new SessionError('ERR_SESSION_VALUE', `The session cannot keep ${what}: ${why}. Keep plain data, Date, Map, Set, BigInt, URL or typed arrays.`, { cause })
}

function pathText(path: Path): string {
  return path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('').slice(0, 200)
}
