import { DatabaseSync } from 'node:sqlite'
import type { Store } from '../../src/core/store.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'

/** Opens the file at the location; with `?handle` at its end on a handle of the application's own, as a framework would share one. */
export function open(location: string): Store {
  const [path = '', shared] = location.split('?')
  if (shared === undefined) return sqliteStore(path)
  const handle = new DatabaseSync(path, { timeout: 5000 })
  // Flushes to the disk would hold the lock nearly all the time, and what is tested is not loss of power.
  handle.exec('PRAGMA synchronous = OFF')
  return sqliteStore(handle)
}
