import type { SessionRecord } from 'sojourn'

export const NOW = Date.now()
export const HOUR = 3_600_000

/** Digits of a number that appear in no other part of a record. */
export function digitsOf(n: number): string {
  return String(n).padStart(7, '0')
}

/** The part of an id that tells it from others. In no order (a multiplication by an odd number modulo 2^32 hits each number once): ids that grow would fill the pages of an index as real ones never do. */
export function hashOf(n: number): string {
  return (Math.imul(n, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
}

// As what random bytes are written in; V8 keeps a text that was put together as its parts, which take more of the heap.
function inOnePiece(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

export function idOf(n: number): string {
  return inOnePiece(`session-${hashOf(n)}`.padEnd(22, '-'))
}

/** Three entries of about 170 bytes, and an owner under which the session is listed; or two of a visitor without. Each tenth has ended, or for `touched` was not used for two hours. */
export function recordOf(n: number, isAnonymous = false, sweepBy: 'expires' | 'touched' = 'expires'): SessionRecord {
  const isOver = n % 10 === 0
  const owned = isAnonymous ? {} : { 'm:owner': JSON.stringify(`user-${digitsOf(n)}`) }
  return {
    version: 1, createdAt: NOW - 3 * HOUR, touchedAt: isOver ? NOW - 2 * HOUR : NOW, expiresAt: isOver && sweepBy === 'expires' ? NOW - HOUR : NOW + 24 * HOUR,
    tokenHash: inOnePiece(digitsOf(n).padStart(43, 'h')), nonce: inOnePiece(`nonce.${digitsOf(n)}`), index: isAnonymous ? [] : [inOnePiece(`owner-${hashOf(n)}`.padEnd(43, '-'))],
    entries: { ...owned, 'd:cart': JSON.stringify(['green tea', 'plum jam', 'rye bread']), 'd:note': JSON.stringify(digitsOf(n).padEnd(100, 'x')) },
  }
}

/** Bytes of keys and values alone, as text. */
export function payloadOf(isAnonymous: boolean): number {
  return Object.entries(recordOf(1, isAnonymous).entries).reduce((sum, [key, text]) => sum + key.length + text.length, 0)
}

/** Sessions that the store itself has made, one that lasts and one that is over: what a database makes millions of copies of. */
export const PATTERNS = { lasting: 9_999_999, over: 9_999_990 }

/** What tells a copy from its pattern. */
export interface Batch {
  readonly pattern: keyof typeof PATTERNS
  readonly digits: readonly string[]
  readonly hashes: readonly string[]
}

/** The sessions from one number to before another, or each tenth of them, by pattern and at most 5,000 at once. */
export function* batches(from: number, to: number, step: number): Generator<{ readonly next: number; readonly parts: readonly Batch[] }> {
  for (let first = from; first < to; first += 5000 * step) {
    const next = Math.min(to, first + 5000 * step)
    const numbers = Array.from({ length: Math.ceil((next - first) / step) }, (_, at) => first + at * step)
    const part = (pattern: keyof typeof PATTERNS, some: readonly number[]): Batch => ({ pattern, digits: some.map(digitsOf), hashes: some.map(hashOf) })
    yield { next, parts: [part('lasting', numbers.filter((n) => n % 10 !== 0)), part('over', numbers.filter((n) => n % 10 === 0))].filter(({ digits }) => digits.length > 0) }
  }
}
