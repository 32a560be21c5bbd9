import { Pool } from 'pg'
import type { Store } from '../../src/core/store.ts'
import { postgresStore } from '../../src/stores/postgres.ts'

/** Opens the store in a process of a run. The location is `url table`. */
export function open(location: string): Store {
  const [url = '', table = ''] = location.split(' ')
  return postgresStore(new Pool({ connectionString: url, max: 8 }), { table })
}
