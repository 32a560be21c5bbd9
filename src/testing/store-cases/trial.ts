import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { Patch, PatchResult } from '../../core/patch.ts'
import { makeEntries, type Entries, type EntryKey, type SessionRecord } from '../../core/record.ts'
import type { Store } from '../../core/store.ts'

/** What a store, or the way it is opened for the tests, may offer beyond the four methods. */
export type Capability = 'find' | 'list' | 'sweep' | 'watch' | 'reopen' | 'corrupt'

/** What a case works with: a store that holds nothing of any other case. */
export interface Trial {
  readonly store: Store
  /** Another handle on the same data. */
  reopen(): Promise<Store>
  /** Makes what is stored under the id unreadable. */
  corrupt(id: string): Promise<void>
  /** Of the random histories. */
  readonly seed: number
}

/** One rule of the contract, shown on one store. */
export interface StoreCase {
  /** The rule as a fact. It names the case in `knownFailures`. */
  readonly title: string
  readonly needs?: readonly Capability[]
  /** The largest record of the case in bytes, where it is large. */
  readonly bytes?: number
  run(trial: Trial): Promise<void>
}

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** The contract's clock runs two days behind the real one, so that what is past by it is past by a server's own clock too. */
export const NOW = Date.now() - 2 * DAY

/** Past by neither clock. Less than the 30 days that memcached can hold. */
export const FAR = NOW + 9 * DAY

export function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

export function newId(): string {
  return randomText(16)
}

/** The length of a SHA-256, as token hashes and index terms are. */
export function newHash(): string {
  return randomText(32)
}

export function newRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: FAR, tokenHash: newHash(), nonce: randomText(12), index: [], entries: makeEntries(), ...changes }
}

export function newPatch(changes: Partial<Patch> = {}): Patch {
  return { now: NOW, nonce: randomText(12), ...changes }
}

export function entriesOf(pairs: Iterable<readonly [EntryKey, string]>): Entries {
  const entries = makeEntries()
  for (const [key, text] of pairs) entries[key] = text
  return entries
}

/** Stores a new record and answers it. */
export async function created(store: Store, id: string, changes: Partial<SessionRecord> = {}): Promise<SessionRecord> {
  const record = newRecord(changes)
  assert.equal(await store.create(id, record), true, 'create of an unused id answers true')
  return record
}

export async function patched(store: Store, id: string, changes: Partial<Patch> = {}): Promise<number> {
  const result = await store.patch(id, newPatch(changes))
  assert.equal(result.status, 'ok')
  return result.status === 'ok' ? result.version : 0
}

export async function readLive(store: Store, id: string): Promise<SessionRecord> {
  const record = await store.read(id)
  assert.ok(record !== undefined, 'the record is there')
  assert.equal(record.ended, undefined, 'the record has not ended')
  return record
}

/** Nothing is there, or nothing but the reason why. */
export async function assertNothingLives(store: Store, id: string): Promise<void> {
  const record = await store.read(id)
  if (record === undefined) return
  assert.ok(record.ended !== undefined, 'what is left is a tombstone')
  assert.deepEqual(Object.keys(record.entries), [], 'a tombstone has no entries')
}

export function assertGone(result: PatchResult): void {
  assert.deepEqual({ ...result }, { status: 'gone' })
}

/** Equal in every field; the order of entries and terms is the store's own. */
export function assertSameRecord(actual: SessionRecord | undefined, expected: SessionRecord): void {
  assert.ok(actual !== undefined, 'the record is there')
  assert.deepEqual(comparable(actual), comparable(expected))
}

function comparable(record: SessionRecord): object {
  const { entries, index, previous, ended, ...rest } = record
  return {
    ...rest,
    previous: previous === undefined ? undefined : { ...previous },
    ended: ended === undefined ? undefined : { ...ended },
    index: [...new Set(index)].sort(),
    entries: Object.keys(entries).sort().map((key) => [key, entries[key]]),
  }
}

export async function collect(ids: AsyncIterable<string> | undefined): Promise<readonly string[]> {
  assert.ok(ids !== undefined, 'the store lists')
  const found: string[] = []
  for await (const id of ids) found.push(id)
  return [...new Set(found)].sort()
}

/** The answers to calls that are all under way at once. */
export function atOnce<T>(count: number, call: (n: number) => PromiseLike<T> | T): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, async (_, n) => call(n)))
}
