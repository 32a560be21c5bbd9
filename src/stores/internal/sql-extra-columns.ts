import { SessionError } from '../../core/errors.ts'
import { decodeValue } from '../../core/codec.ts'
import { splitEntryText } from '../../core/internal/entry-text.ts'
import { DATA, OWNER } from '../../core/internal/namespaces.ts'
import type { Patch } from '../../core/patch.ts'
import type { EntryKey, SessionId, SessionRecord } from '../../core/record.ts'
import { wrong, type SqlNames } from './sql-names.ts'

/** What a column can be set to. Null is SQL's NULL; undefined leaves the column as it is, or at its default in a new row. */
export type SqlValue = string | number | bigint | boolean | Date | null | undefined

/** What one commit writes of a session, for columns of your own. */
export interface SessionChange {
  readonly id: SessionId
  /** True when this commit makes the session. */
  readonly isNew: boolean
  /** Who is logged in: text when this commit sets it, null when it takes it away, undefined when it leaves it alone. */
  readonly owner: string | null | undefined
  /** The value of a data key: what this commit sets, null when it removes the key, undefined when it leaves the key alone. */
  get(key: string): unknown
  /** The encoded text of an entry, for sessions with a codec of their own. The key has its namespace prefix: `d:cart`. */
  text(key: EntryKey): string | null | undefined
}

/** Values for columns of your own, written in the same statement as the session. Name every such column each time. */
export type ExtraColumns = (change: SessionChange) => Readonly<Record<string, SqlValue>>

/** Answers the extra columns, with their values, that a commit writes. */
export interface ExtraColumnsWriter {
  ofRecord(id: SessionId, record: SessionRecord): ExtraValues
  ofPatch(id: SessionId, patch: Patch): ExtraValues
}

type ExtraValues = readonly (readonly [string, SqlValue])[]

/** Asks the application's function, if there is one, and keeps it from the columns that are the store's. */
export function extraColumnsWriter(extra: ExtraColumns | undefined, { isOurs }: Pick<SqlNames, 'isOurs'>): ExtraColumnsWriter {
  if (extra === undefined) return { ofRecord: () => [], ofPatch: () => [] }
  const valuesOf = (change: SessionChange): ExtraValues => {
    const values = Object.entries(called(extra, change))
    const taken = values.find(([name]) => isOurs(name))
    if (taken !== undefined) throw wrong(`extraColumns writes the column ${JSON.stringify(taken[0])}, which is one of the session's own`, 'Give your column another name')
    return values
  }
  return {
    ofRecord: (id, { entries }) => valuesOf(changeOf(id, true, (key) => entries[key])),
    ofPatch(id, { set = [], remove = [] }) {
      if (set.length === 0 && remove.length === 0) return []
      const removed = new Set(remove)
      const texts = new Map(set)
      return valuesOf(changeOf(id, false, (key) => (removed.has(key) ? null : texts.get(key)))).filter(([, value]) => value !== undefined)
    },
  }
}

function changeOf(id: SessionId, isNew: boolean, text: (key: EntryKey) => string | null | undefined): SessionChange {
  const value = (key: EntryKey): unknown => {
    const stored = text(key)
    return typeof stored === 'string' ? decodeValue(splitEntryText(stored).text) : stored
  }
  return {
    id,
    isNew,
    text,
    get: (key) => value(DATA + key),
    get owner() {
      const owner = value(OWNER)
      return typeof owner === 'string' || owner === null ? owner : undefined
    },
  }
}

function called(extra: ExtraColumns, change: SessionChange): Readonly<Record<string, SqlValue>> {
  try {
    return extra(change)
  } catch (cause) {
    throw new SessionError('ERR_SESSION_STORE', 'The function extraColumns failed, so the session was not written. With a codec of your own, decode change.text(key) in it.', { cause, outcome: 'none' })
  }
}
