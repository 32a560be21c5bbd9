import { applyPatch, type Applied, type Patch } from '../../src/core/patch.ts'
import { isLive, parseRecord, stringifyRecord, tombstone, type EndReason, type SessionRecord } from '../../src/core/record.ts'
import type { Store, SweepRequest } from '../../src/core/store.ts'

/** The decisions of a store. Each can be taken wrongly. */
export interface Decisions {
  encode(record: SessionRecord): string
  decode(line: string): SessionRecord
  apply(record: SessionRecord | undefined, patch: Patch): Applied
  mayReplace(there: SessionRecord | undefined, next: SessionRecord): boolean
  end(record: SessionRecord, because: EndReason, at: number): SessionRecord
  isPast(record: SessionRecord, what: SweepRequest): boolean
  isListed(record: SessionRecord, term: string): boolean
}

export const right: Decisions = {
  encode: stringifyRecord,
  decode: parseRecord,
  apply: applyPatch,
  mayReplace: (there, next) => !isLive(there, next.createdAt),
  end: tombstone,
  isPast(record, { now, by = 'expires', olderThan = 0 }) {
    return by === 'expires' ? record.expiresAt <= now : record[by === 'touched' ? 'touchedAt' : 'createdAt'] < olderThan
  },
  isListed: (record, term) => record.index.includes(term),
}

/** What all handles share: a line of JSON per id, and who wants to hear of its end. */
export interface PlainData {
  readonly lines: Map<string, string>
  readonly watchers: Map<string, Set<() => void>>
}

/** The plainest store. */
export function plainStore({ lines, watchers }: PlainData, decisions: Partial<Decisions> = {}): Store {
  const { encode, decode, apply, mayReplace, end, isPast, isListed } = { ...right, ...decisions }

  function recordOf(id: string): SessionRecord | undefined {
    const line = lines.get(id)
    return line === undefined ? undefined : decode(line)
  }

  function readable(id: string): SessionRecord | undefined {
    try {
      return recordOf(id)
    } catch {
      return undefined
    }
  }

  async function* idsWhere(holds: (record: SessionRecord) => boolean): AsyncIterable<string> {
    for (const [id, line] of lines) if (holds(decode(line))) yield id
  }

  return {
    read: recordOf,
    create(id, record) {
      if (!mayReplace(readable(id), record)) return false
      lines.set(id, encode(record))
      return true
    },
    patch(id, patch, options) {
      options?.signal?.throwIfAborted()
      const applied = apply(readable(id), patch)
      if (applied.status !== 'ok') return applied
      lines.set(id, encode(applied.record))
      return { status: 'ok', version: applied.record.version }
    },
    end(id, because, at) {
      const record = readable(id)
      if (record === undefined || record.ended !== undefined) return false
      lines.set(id, encode(end(record, because, at)))
      for (const onEnd of watchers.get(id) ?? []) onEnd()
      return true
    },
    find: (term) => idsWhere((record) => isListed(record, term)),
    list: () => idsWhere((record) => record.ended === undefined),
    sweep(what, limit) {
      const past = [...lines].filter(([, line]) => isPast(decode(line), what)).slice(0, limit)
      for (const [id] of past) lines.delete(id)
      return past.length
    },
    watch(id, onEnd) {
      const of = watchers.get(id) ?? new Set()
      watchers.set(id, of.add(onEnd))
      return () => of.delete(onEnd)
    },
  }
}
