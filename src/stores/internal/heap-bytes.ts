import type { Entries, SessionId, SessionRecord } from '../../core/record.ts'

// What things take on V8's heap, as measured by test/memory-accounting.test.ts; other engines differ by some percent.
const WORD = 8
const TEXT_HEADER = 16
/** A slot, and its share of the table that finds it. */
const SLOT = 192
const PREVIOUS = 72
const ENDED = 72
/** A list, and for each term its place in the list and in the index. */
const LIST = 48
const TERM = 64

// V8 keeps one byte per character where all of a text fits into Latin-1. It knows of which kind a text is, so only the wide are searched.
const WIDE = /[\u0100-\uffff]/

// The names of a program's keys repeat from session to session, and the engine keeps each once.
const SHARED_KEY_LENGTH = 24

/** Bytes of heap for a record, its entries apart. */
export function frameBytes(id: SessionId, record: SessionRecord): number {
  let bytes = SLOT + shortBytes(id) + shortBytes(record.tokenHash) + textBytes(record.nonce)
  if (record.index.length > 0) bytes += LIST
  for (const term of record.index) bytes += TERM + shortBytes(term)
  if (record.previous !== undefined) bytes += PREVIOUS + shortBytes(record.previous.tokenHash)
  if (record.ended !== undefined) bytes += ENDED
  return bytes
}

/** Bytes of heap for a whole record. */
export function recordBytes(id: SessionId, record: SessionRecord): number {
  return frameBytes(id, record) + entriesBytes(record.entries)
}

function entriesBytes(entries: Entries): number {
  let count = 0
  let bytes = 0
  for (const key in entries) {
    count += 1
    bytes += entryBytes(key, entries[key])
  }
  return bytes + bagBytes(count)
}

/** How many bytes more the second entries take, when they differ from the first under these keys only, each named once. */
export function growth(before: Entries, after: Entries, keys: Iterable<string>): number {
  let bytes = 0
  let added = 0
  for (const key of keys) {
    bytes += entryBytes(key, after[key]) - entryBytes(key, before[key])
    added += Number(after[key] !== undefined) - Number(before[key] !== undefined)
  }
  if (added === 0) return bytes
  const count = countOf(after)
  return bytes + bagBytes(count) - bagBytes(count - added)
}

function entryBytes(key: string, text: string | undefined): number {
  if (text === undefined) return 0
  return textBytes(text) + (key.length < SHARED_KEY_LENGTH ? 0 : textBytes(key))
}

/** A small bag is an object with a word for each entry; a large one is a hash table, at most two thirds full. */
function bagBytes(count: number): number {
  if (count <= 1) return 4 * WORD
  if (count <= 13) return (6 + 3 * Math.ceil((count - 1) / 3)) * WORD
  return 10 * WORD + 3 * WORD * 2 ** Math.ceil(Math.log2(count * 1.5))
}

function countOf(entries: Entries): number {
  let count = 0
  for (const _key in entries) count += 1
  return count
}

/** Of a text that is base64url. */
function shortBytes(text: string): number {
  return Math.ceil((TEXT_HEADER + text.length) / WORD) * WORD
}

// The search has another effect: a text that was put together from parts, as a nonce is, becomes one piece, of half the size.
function textBytes(text: string): number {
  const width = WIDE.test(text) ? 2 : 1
  return Math.ceil((TEXT_HEADER + text.length * width) / WORD) * WORD
}
