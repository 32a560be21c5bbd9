import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { applyPatch } from '../../src/core/patch.ts'
import { isLive, parseRecord, stringifyRecord, tombstone, type SessionRecord } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'

/**
 * The smallest store that several processes share, to try the harness on: in a database that is in the mode of a log already. Where the location ends in
 * `?careless` it reads and writes in two steps, as a store must not.
 */
export function open(location: string): Store {
  const [path = '', careless] = location.split('?')
  const database = new DatabaseSync(path, { timeout: 20_000 })
  database.exec('PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, line TEXT); CREATE TABLE IF NOT EXISTS company (id TEXT PRIMARY KEY, count INTEGER)')
  const select = database.prepare('SELECT line FROM records WHERE id = ?')
  const write = database.prepare('INSERT INTO records VALUES (?, ?) ON CONFLICT DO UPDATE SET line = excluded.line')
  const arrive = database.prepare('INSERT INTO company VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1')
  const present = database.prepare('SELECT count FROM company WHERE id = ?')
  const leave = database.prepare('UPDATE company SET count = count - 1 WHERE id = ?')
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
  // By chance alone two that are careless would miss each other on a busy machine. Resolves when another is between its two steps, or none has come for a while.
  const company = async (id: string): Promise<void> => {
    arrive.run(id)
    for (let turns = 0; turns < 20 && Number(present.get(id)?.['count']) < 2; turns += 1) await delay(1)
    leave.run(id)
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
      if (careless !== undefined) await company(id)
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
