import { SessionError } from '../../core/errors.ts'
import { decodeValue } from '../../core/codec.ts'
import { splitEntryText } from '../../core/internal/entry-text.ts'
import { DATA, OWNER } from '../../core/internal/namespaces.ts'
import type { Patch } from '../../core/patch.ts'
import type { EntryKey, SessionId, SessionRecord } from '../../core/record.ts'

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

/** The extra columns that a new record is written with. */
export function extraOfRecord(extra: ExtraColumns | undefined, id: SessionId, { entries }: SessionRecord): readonly (readonly [string, SqlValue])[] {
  if (extra === undefined) return []
  return called(extra, id, true, (key) => entries[key])
}

/** The extra columns that a patch changes. */
export function extraOfPatch(extra: ExtraColumns | undefined, id: SessionId, { set = [], remove = [] }: Patch): readonly (readonly [string, SqlValue])[] {
  if (extra === undefined || (set.length === 0 && remove.length === 0)) return []
  const removed = new Set(remove)
  const texts = new Map(set)
  return called(extra, id, false, (key) => (removed.has(key) ? null : texts.get(key))).filter(([, value]) => value !== undefined)
}

function called(extra: ExtraColumns, id: SessionId, isNew: boolean, text: (key: EntryKey) => string | null | undefined): readonly (readonly [string, SqlValue])[] {
  const value = (key: EntryKey): unknown => {
    const stored = text(key)
    return typeof stored === 'string' ? decodeValue(splitEntryText(stored).text) : stored
  }
  const change: SessionChange = {
    id,
    isNew,
    text,
    get: (key) => value(DATA + key),
    get owner() {
      const owner = value(OWNER)
      return typeof owner === 'string' || owner === null ? owner : undefined
    },
  }
  try {
    return Object.entries(extra(change))
  } catch (cause) {
    throw new SessionError('ERR_SESSION_STORE', 'The function extraColumns failed, so the session was not written. With a codec of your own, decode change.text(key) in it.', { cause, outcome: 'none' })
  }
}
