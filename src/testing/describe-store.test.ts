import { describe, it } from 'vitest'
import { applyPatch } from '../core/patch.ts'
import { isLive, parseRecord, stringifyRecord, tombstone } from '../core/record.ts'
import type { Store } from '../core/store.ts'
import { describeStore } from './describe-store.ts'

/** The plainest correct store: a line of JSON per id. Shared by every handle on the same map. */
function plainStore(lines = new Map<string, string>()): Store {
  const read: Store['read'] = (id) => {
    const line = lines.get(id)
    return line === undefined ? undefined : parseRecord(line)
  }
  const readSync = (id: string) => {
    const line = lines.get(id)
    return line === undefined ? undefined : parseRecord(line)
  }
  return {
    read,
    create(id, record) {
      if (isLive(readSync(id), record.createdAt)) return false
      lines.set(id, stringifyRecord(record))
      return true
    },
    patch(id, patch, options) {
      options?.signal?.throwIfAborted()
      const applied = applyPatch(readSync(id), patch)
      if (applied.status !== 'ok') return applied
      lines.set(id, stringifyRecord(applied.record))
      return { status: 'ok', version: applied.record.version }
    },
    end(id, because, at) {
      const record = readSync(id)
      if (record === undefined || record.ended !== undefined) return false
      lines.set(id, stringifyRecord(tombstone(record, because, at)))
      return true
    },
  }
}

describeStore({ describe, it }, 'plain store', () => ({ store: plainStore(), close: () => {} }), { lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'] })
