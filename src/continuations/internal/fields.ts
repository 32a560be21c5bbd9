import type { Fields, FieldSource, FieldValue } from '../../core/continuations.ts'

/** Parts of names whose fields are never kept, unless `redact` says otherwise. */
export const REDACTED: readonly string[] = ['password', 'passwd', 'token', 'otp', 'card', 'secret', 'cvv', 'cvc']

/** What could be kept of a body, and the names of what was not. */
export interface KeptFields {
  readonly fields: Fields
  readonly omitted: readonly string[]
}

/** Whether a field or parameter of this name may be kept. */
export type MayKeep = (name: string) => boolean

/** Compared without regard to case, anywhere in the name: `newPassword`, `csrf_token`. */
export function mayKeep(redact: readonly string[]): MayKeep {
  const parts = redact.map((part) => part.toLowerCase())
  return (name) => {
    const lower = name.toLowerCase()
    return !parts.some((part) => lower.includes(part))
  }
}

// Deeper than any form; shallow enough for every codec.
const MAX_DEPTH = 16

/** The fields of a body, as data of our own: text, numbers, lists and plain objects. Files, streams and redacted names are left out. */
export function keptFields(source: unknown, may: MayKeep): KeptFields {
  const omitted = new Set<string>()
  const fields = bare<FieldValue>()
  for (const [name, value] of pairsOf(source)) {
    const kept = name === '__proto__' || !may(name) ? undefined : keptValue(value, may, omitted, name, 1)
    if (kept === undefined) omitted.add(name)
    else fields[name] = name in fields ? together(fields[name], kept) : kept
  }
  return { fields, omitted: [...omitted] }
}

/** The name and value pairs of what a framework calls a parsed body; none for anything else. */
export function pairsOf(source: unknown): readonly (readonly [string, unknown])[] {
  if (typeof source !== 'object' || source === null || Array.isArray(source) || ArrayBuffer.isView(source)) return []
  if (isPairs(source)) return [...source].filter((pair) => Array.isArray(pair) && typeof pair[0] === 'string')
  return isPlain(source) ? Object.entries(source) : []
}

/** The values of one name: undefined, one, or a list. */
export function argumentIn(pairs: readonly (readonly [string, unknown])[], name: string): unknown {
  const values = pairs.filter(([each]) => each === name).map(([, value]) => value)
  return values.length > 1 ? values.flat() : values[0]
}

export function isFieldSource(source: unknown): source is FieldSource {
  return typeof source === 'object' && source !== null && (isPairs(source) || isPlain(source))
}

function keptValue(value: unknown, may: MayKeep, omitted: Set<string>, name: string, depth: number): FieldValue | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'object' || depth > MAX_DEPTH) return undefined
  if (Array.isArray(value)) return value.map((item: unknown) => keptValue(item, may, omitted, name, depth + 1) ?? null)
  if (!isPlain(value)) return undefined
  const part = bare<FieldValue>()
  for (const [inner, item] of Object.entries(value)) {
    const kept = inner === '__proto__' || !may(inner) ? undefined : keptValue(item, may, omitted, `${name}.${inner}`, depth + 1)
    if (kept === undefined) omitted.add(`${name}.${inner}`)
    else part[inner] = kept
  }
  return part
}

function together(before: FieldValue | undefined, value: FieldValue): FieldValue {
  if (before === undefined) return value
  return Array.isArray(before) ? [...before, value] : [before, value]
}

/** An object without a prototype, so that a field can have any name. */
function bare<Value>(): Record<string, Value> {
  const object: Record<string, Value> = Object.create(null)
  return object
}

function isPairs(source: object): source is Iterable<readonly [string, unknown]> {
  return Symbol.iterator in source && typeof source[Symbol.iterator] === 'function'
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || (typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null)
}
