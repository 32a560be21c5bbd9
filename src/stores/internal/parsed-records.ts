import { parseRecord, type SessionRecord } from '../../core/record.ts'

interface Parsed {
  readonly text: string
  readonly record: SessionRecord
}

// UTF-16 units of text in one generation. Two are kept, so texts and records together take 20 MB at most or so.
const GENERATION = 2_000_000

/**
 * Remembers how the texts of recently used records were parsed: parsing takes longer than reading from SQLite. It is
 * asked with the text that has just been read, so it never answers anything but what is stored. Records are
 * frozen, because several callers share them.
 */
export class ParsedRecords {
  #recent = new Map<string, Parsed>()
  #older = new Map<string, Parsed>()
  #size = 0

  /** The record in the text stored under the key. Throws `ERR_SESSION_UNREADABLE`. */
  parse(key: string, text: string): SessionRecord {
    const known = this.#recent.get(key)
    if (known?.text === text) return known.record
    const older = this.#older.get(key)
    const record = older?.text === text ? older.record : parseRecord(text)
    this.remember(key, text, record)
    return record
  }

  /** Saves the next `parse` of a text that has just been made from the record. */
  remember(key: string, text: string, record: SessionRecord): void {
    if (this.#size > GENERATION) {
      this.#older = this.#recent
      this.#recent = new Map()
      this.#size = 0
    }
    this.#size += text.length
    this.#recent.set(key, { text, record: frozen(record) })
  }
}

/** The record, which now nobody can change: for one that several requests share. */
export function frozen(record: SessionRecord): SessionRecord {
  Object.freeze(record.entries)
  Object.freeze(record.index)
  Object.freeze(record.previous)
  Object.freeze(record.ended)
  return Object.freeze(record)
}
