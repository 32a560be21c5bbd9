import { join } from 'node:path'
import type { Store } from '../../src/core/store.ts'
import { migrateStore } from '../../src/stores/migrate.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'

/** A migration in a process of a run; its location is a folder. */
export function open(folder: string): Store {
  return beginningInOld(sqliteStore(join(folder, 'old.db')), sqliteStore(join(folder, 'new.db')))
}

/**
 * A migration in whose old store every session begins, so that every session has to be carried over. Without `sweep`, which counts a
 * session that was carried over and what is left of it as two.
 */
export function beginningInOld(from: Store, to: Store): Store {
  const migrating = migrateStore(from, to)
  return new Proxy(migrating, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (name === 'create') return create
      if (name === 'sweep') return undefined
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

  async function create(...[id, record]: Parameters<Store['create']>): Promise<boolean> {
    return (await migrating.read(id)) === undefined ? from.create(id, record) : migrating.create(id, record)
  }
}
