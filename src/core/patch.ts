import { isLive, makeEntries, type EntryKey, type SessionRecord } from './record.ts'

/** What one request changed, and what must still be true for it to apply. */
export interface Patch {
  /** Core's clock, milliseconds since the epoch. The record is gone when its `expiresAt` is not after this. */
  readonly now: number
  /** Names this attempt: a patch that was applied and is sent again is recognised, not repeated. */
  readonly nonce: string
  /** Must be the record's, else the record is gone for this request. Absent only for operations by id. */
  readonly tokenHash?: string
  /** The hash of the new token; the old one becomes `previous`. */
  readonly rotateTo?: string
  readonly set?: readonly (readonly [EntryKey, string])[]
  /** Taken out after `set`. */
  readonly remove?: readonly EntryKey[]
  /** Compare-and-set per entry: the text that must be stored now; null means absent. */
  readonly expect?: readonly (readonly [EntryKey, string | null])[]
  /** Merges by maximum. */
  readonly touchedAt?: number
  /** Merges by maximum, unless `deadline` is `replace`. */
  readonly expiresAt?: number
  /** The deadline was set on purpose (a login, the session's own expiry) and may move to an earlier time. */
  readonly deadline?: 'replace'
  /** Terms to add, or to score anew when touched. */
  readonly index?: readonly string[]
}

export type PatchResult =
  | { readonly status: 'ok'; readonly version: number }
  | { readonly status: 'gone' }
  /** The newest record, from the same atomic step. */
  | { readonly status: 'conflict'; readonly record: SessionRecord }

export type Applied =
  | { readonly status: 'ok'; readonly record: SessionRecord }
  | { readonly status: 'gone' }
  | { readonly status: 'conflict'; readonly record: SessionRecord }

export const GONE = { status: 'gone' } as const

/**
 * The meaning of a patch, for stores that merge in JavaScript: what the record becomes, or why it stays.
 * Never creates, never mutates; all checks come before the first change. An `ok` whose record is the
 * one passed in is a patch that had been applied before.
 */
export function applyPatch(record: SessionRecord | undefined, patch: Patch): Applied {
  if (!isLive(record, patch.now)) return GONE
  if (record.nonce === patch.nonce) return { status: 'ok', record }
  if (patch.tokenHash !== undefined && patch.tokenHash !== record.tokenHash) return GONE
  if (!meetsExpectations(record, patch)) return { status: 'conflict', record }
  return { status: 'ok', record: patched(record, patch) }
}

function meetsExpectations(record: SessionRecord, { expect }: Patch): boolean {
  if (expect === undefined) return true
  return expect.every(([key, text]) => (record.entries[key] ?? null) === text)
}

function patched(record: SessionRecord, patch: Patch): SessionRecord {
  const previous = patch.rotateTo === undefined ? record.previous : { tokenHash: record.tokenHash, rotatedAt: patch.now }
  return {
    version: record.version + 1,
    createdAt: record.createdAt,
    touchedAt: Math.max(record.touchedAt, patch.touchedAt ?? 0),
    expiresAt: mergedDeadline(record, patch),
    tokenHash: patch.rotateTo ?? record.tokenHash,
    ...(previous !== undefined && { previous }),
    nonce: patch.nonce,
    index: mergedIndex(record.index, patch.index),
    entries: mergedEntries(record, patch),
  }
}

/** The deadline after a patch: the later of the two, unless it was set on purpose. */
export function mergedDeadline(record: { readonly expiresAt: number }, patch: Patch): number {
  if (patch.expiresAt === undefined) return record.expiresAt
  return patch.deadline === 'replace' ? patch.expiresAt : Math.max(record.expiresAt, patch.expiresAt)
}

function mergedIndex(current: readonly string[], added: readonly string[] | undefined): readonly string[] {
  if (added === undefined || added.every((term) => current.includes(term))) return current
  return [...new Set([...current, ...added])]
}

function mergedEntries(record: SessionRecord, { set, remove }: Patch): SessionRecord['entries'] {
  if (set === undefined && remove === undefined) return record.entries
  const entries = makeEntries(record.entries)
  for (const [key, text] of set ?? []) entries[key] = text
  for (const key of remove ?? []) delete entries[key]
  return entries
}
