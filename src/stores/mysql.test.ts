import { randomBytes } from 'node:crypto'
import { createPool as createMariadbPool, type Pool as MariadbPool } from 'mariadb'
import { createPool as createCallbackPool, type Pool as CallbackPool } from 'mysql2'
import { createPool, type Pool } from 'mysql2/promise'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { needsMariadb, startMariadb, type MariadbServer } from '../../test/servers/mariadb.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { mysqlStore, type MysqlClient, type MysqlStoreOptions } from './mysql.ts'

/** A store with tables of its own on the client, and a second handle on them through the other client. */
function openOn(client: MysqlClient, other: MysqlClient, query: (text: string) => PromiseLike<unknown>, options: MysqlStoreOptions = {}): StoreUnderTest {
  const table = `s_${randomBytes(8).toString('hex')}`
  const all = { table, createTable: true, ...options }
  const store = mysqlStore(client, all)
  return {
    store,
    reopen: () => mysqlStore(() => other, all),
    corrupt: async (id) => void (await query(`UPDATE \`${table}\` SET entries = '{"d:a": 1}' WHERE id = '${id}'`)),
    async close() {
      await store.close?.()
      await query(`DROP TABLE \`${table}_terms\`, \`${table}\``)
    },
  }
}

describeWithServer('mysqlStore on MariaDB', needsMariadb, (binary) => {
  let server: MariadbServer
  let pool: Pool
  let callbackPool: CallbackPool
  let mariadbPool: MariadbPool
  beforeAll(async () => {
    server = await startMariadb(binary)
    pool = createPool({ uri: server.url, connectionLimit: 10 })
    callbackPool = createCallbackPool({ uri: server.url, connectionLimit: 10 })
    const { port, user, password, database } = server
    mariadbPool = createMariadbPool({ host: '127.0.0.1', port, user, password, database, connectionLimit: 10 })
  })
  afterAll(async () => {
    await pool.end()
    await callbackPool.promise().end()
    await mariadbPool.end()
    await server.stop()
  })
  const query = (text: string): Promise<unknown> => pool.query(text)

  describeStore({ describe, it }, 'mysql2', () => openOn(pool, callbackPool, query), { lacks: ['watch'] })
  describeStore({ describe, it }, 'mariadb', () => openOn(mariadbPool, pool, query), { lacks: ['watch'] })
})
