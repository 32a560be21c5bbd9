import { SessionError } from '../errors.ts'
import type { Entries, EntryKey } from '../record.ts'
import type { EntryChanges } from './working-copy.ts'

/** Throws `ERR_SESSION_TOO_LARGE`, naming the biggest keys, when the entries would exceed the limit after these changes. */
export function checkSize(base: Entries, changes: EntryChanges, limit: number): void {
  // A UTF-16 unit is three bytes of UTF-8 at most: most sessions are known to fit without counting bytes.
  if (sum(base, changes, (text) => text.length * 3) <= limit) return
  if (sum(base, changes, byteLength) <= limit) return
  const sizes = [...sizesAfter(base, changes, byteLength)].sort(([, a], [, b]) => b - a)
  const total = sizes.reduce((all, [, size]) => all + size, 0)
  const biggest = sizes.slice(0, 3).map(([key, size]) => `${JSON.stringify(key.slice(key.indexOf(':') + 1, 80))} (${size} bytes)`)
  throw new SessionError('ERR_SESSION_TOO_LARGE', `The session would have ${total} bytes, and ${limit} are allowed; the biggest keys are ${biggest.join(', ')}. Keep less in it, or raise maxSessionBytes.`)
}

function sum(base: Entries, changes: EntryChanges, measure: (text: string) => number): number {
  let total = 0
  for (const key in base) total += measure(key) + measure(base[key] ?? '')
  for (const [key, text] of changes.set) total += measure(text) - (base[key] === undefined ? -measure(key) : measure(base[key]))
  for (const key of changes.remove) if (base[key] !== undefined) total -= measure(key) + measure(base[key])
  return total
}

function sizesAfter(base: Entries, changes: EntryChanges, measure: (text: string) => number): Map<EntryKey, number> {
  const sizes = new Map<EntryKey, number>()
  for (const key in base) sizes.set(key, measure(key) + measure(base[key] ?? ''))
  for (const [key, text] of changes.set) sizes.set(key, measure(key) + measure(text))
  for (const key of changes.remove) sizes.delete(key)
  return sizes
}

function byteLength(text: string): number {
  return Buffer.byteLength(text)
}
