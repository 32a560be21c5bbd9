import { DatabaseSync } from 'node:sqlite'
import { applyPatch } from '../../src/core/patch.ts'
import { isLive, parseRecord, stringifyRecord, tombstone, type SessionRecord } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'

/**
 * The smallest store that several processes share, to try the harness on. Where the location ends in
 * `?careless` it reads and writes in two steps, as a store must not.
 */
export function open(location: string): Store {
  const [path = '', careless] = location.split('?')
  const database = new DatabaseSync(path, { timeout: 20_000 })
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, line TEXT)')
  const select = database.prepare('SELECT line FROM records WHERE id = ?')
  const write = database.prepare('INSERT INTO records VALUES (?, ?) ON CONFLICT DO UPDATE SET line = excluded.line')
  const read = (id: string): SessionRecord | undefined => {
    const row = select.get(id)
    return row === undefined ? undefined : parseRecord(String(row['line']))
  }
  const atomically = async <T>(step: () => T): Promise<T> => {
    if (careless !== undefined) return step()
    database.exec('BEGIN IMMEDIATE')
    try {
      return step()
    } finally {
      database.exec('COMMIT')
    }
  }
  return {
    read,
    create: (id, record) => atomically(() => {
      if (isLive(read(id), record.createdAt)) return false
      write.run(id, stringifyRecord(record))
      return true
    }),
    async patch(id, patch) {
      const before = careless === undefined ? undefined : read(id)
      if (careless !== undefined) await new Promise(setImmediate)
      return atomically(() => {
        const applied = applyPatch(before ?? read(id), patch)
        if (applied.status !== 'ok') return applied
        write.run(id, stringifyRecord(applied.record))
        return { status: 'ok', version: applied.record.version }
      })
    },
    end: (id, because, at) => atomically(() => {
      const record = read(id)
      if (record === undefined || record.ended !== undefined) return false
      write.run(id, stringifyRecord(tombstone(record, because, at)))
      return true
    }),
    close: () => database.close(),
  }
}
