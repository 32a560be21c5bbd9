import { createPool as createMariadbPool } from 'mariadb'
import { createPool } from 'mysql2/promise'
import type { Store } from '../../src/core/store.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'

/** Opens the store in a process of a run. The location is `driver url table`. */
export function open(location: string): Store {
  const [driver = '', url = '', table = ''] = location.split(' ')
  const pool = driver === 'mysql2' ? createPool({ uri: url, connectionLimit: 8 }) : createMariadbPool(`${url.replace('mysql:', 'mariadb:')}?connectionLimit=8`)
  return mysqlStore(pool, { table })
}
