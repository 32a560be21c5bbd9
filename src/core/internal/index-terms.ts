import { encodeValue } from '../codec.ts'
import { SessionError } from '../errors.ts'
import type { EntryKey } from '../record.ts'
import { indexTerm } from '../token.ts'
import { DATA, OWNER } from './namespaces.ts'
import type { EntryChanges } from './working-copy.ts'

/** The term under which sessions with this value are listed. Typed: `1` and `"1"` are two values. */
export function entryTerm(key: EntryKey, value: unknown): string {
  return indexTerm(key, encodeValue(checkedIndexValue(key, value)))
}

/** The terms of the indexed entries among the changes. */
export function indexedTerms(index: ReadonlySet<string>, { set }: EntryChanges, valueOf: (key: EntryKey) => unknown): readonly string[] {
  if (set.length === 0) return NONE
  const terms: string[] = []
  for (const [key] of set) {
    if (key !== OWNER && !(key.startsWith(DATA) && index.has(key.slice(DATA.length)))) continue
    const value = valueOf(key)
    if (value !== undefined && value !== null) terms.push(entryTerm(key, value))
  }
  return terms
}

const NONE: readonly string[] = []

function checkedIndexValue(key: EntryKey, value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return value
  throw new SessionError('ERR_SESSION_VALUE', `The indexed key ${JSON.stringify(key.slice(DATA.length))} holds ${typeof value === 'object' ? 'an object' : typeof value}. Keep text, a number, a boolean or a bigint under it.`)
}
