import * as fc from 'fast-check'

/** One change of a list of bytes or UTF-16 units. Positions are fractions of the length. */
type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'put'; readonly at: number; readonly units: readonly number[] }
  | { readonly kind: 'replace'; readonly at: number; readonly units: readonly number[] }
  | { readonly kind: 'cut' | 'double' | 'reverse'; readonly at: number; readonly to: number }
  | { readonly kind: 'end'; readonly at: number }

// What parsers care about.
const TOKENS: readonly string[] = [
  '"', '\\', '{', '}', '[', ']', ',', ':', ';', '=', '.', '~', '\n', '\0', '\u001b', '\ud800', ' ', '%', '-', '1e999', '-1', '9007199254740993', 'null', 'true', '__proto__', '"__proto__":', 'constructor', '\\u0000', '[-7,99999999]', '["Map",1]', '[0]', 's1.', 'sid=', '!h', 'NaN',
]

const at = fc.double({ min: 0, max: 1, noNaN: true })
const units = fc.oneof(fc.constantFrom(...TOKENS).map((text) => text.split('').map((unit) => unit.charCodeAt(0))), fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 4 }))

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('put' as const), at, units }),
  fc.record({ kind: fc.constant('replace' as const), at, units }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'double' as const, 'reverse' as const), at, to: at }),
  fc.record({ kind: fc.constant('end' as const), at }),
)

/** Texts that were valid before up to five changes. */
export function mutatedText(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(valid, fc.array(mutation, { maxLength: 5 })).map(([text, changes]) => {
    const before = Array.from({ length: text.length }, (_, n) => text.charCodeAt(n))
    return changes.reduce(mutated, before).reduce((all, unit) => all + String.fromCharCode(unit), '')
  })
}

/** Bytes that were valid before up to five changes. */
export function mutatedBytes(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> {
  return fc.tuple(valid, fc.array(mutation, { maxLength: 5 })).map(([bytes, changes]) => Buffer.from(changes.reduce(mutated, [...bytes]).map((unit) => unit & 0xff)))
}

function mutated(before: number[], change: Mutation): number[] {
  const from = Math.floor(change.at * before.length)
  if (change.kind === 'end') return before.slice(0, from)
  if (change.kind === 'flip') return before.map((unit, n) => (n === from ? unit ^ (1 << change.bit) : unit))
  if (change.kind === 'put') return before.toSpliced(from, 0, ...change.units)
  if (change.kind === 'replace') return before.toSpliced(from, change.units.length, ...change.units)
  const [low, high] = [from, Math.floor(change.to * before.length)].toSorted((a, b) => a - b) as [number, number]
  const part = before.slice(low, high)
  if (change.kind === 'cut') return before.toSpliced(low, part.length)
  return before.toSpliced(change.kind === 'double' ? high : low, change.kind === 'double' ? 0 : part.length, ...(change.kind === 'double' ? part : part.toReversed()))
}
