import { randomBytes } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { Pool } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { needsPostgres, startPostgres, type PostgresServer } from '../../test/servers/postgres.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { postgresStore, type PostgresClient, type PostgresStoreOptions } from './postgres.ts'

/** A store with tables of its own on the client, and a second handle on them through the other client. */
function openOn(client: PostgresClient, other: PostgresClient, query: (text: string) => PromiseLike<unknown>, options: PostgresStoreOptions = {}): StoreUnderTest {
  const table = `s_${randomBytes(8).toString('hex')}`
  const all = { table, createTable: true, ...options }
  return {
    store: postgresStore(client, all),
    reopen: () => postgresStore(() => other, all),
    corrupt: async (id) => void (await query(`UPDATE "${table}" SET entries = '{"d:a": 1}' WHERE id = '${id}'`)),
    close: async () => void (await query(`DROP TABLE "${table}_terms", "${table}"`)),
  }
}

describe('postgresStore on PGlite', () => {
  let lite: PGlite
  beforeAll(async () => {
    lite = await PGlite.create()
  })
  afterAll(() => lite.close())
  describeStore({ describe, it }, 'PGlite', () => openOn(lite, lite, (text) => lite.exec(text)), { lacks: ['watch'] })
})

describeWithServer('postgresStore on a server', needsPostgres, (binary) => {
  let server: PostgresServer
  let pool: Pool
  let second: Pool
  beforeAll(async () => {
    server = await startPostgres(binary)
    pool = new Pool({ connectionString: server.url })
    second = new Pool({ connectionString: server.url })
  })
  afterAll(async () => {
    await pool.end()
    await second.end()
    await server.stop()
  })
  const query = (text: string): Promise<unknown> => pool.query(text)

  describeStore({ describe, it }, 'pg Pool', () => openOn(pool, second, query), { lacks: ['watch'] })
  describeStore({ describe, it }, 'pg Pool with prepared statements', () => openOn(pool, second, query, { prepare: true }), { lacks: ['watch'] })

  describe('postgres.js', () => {
    let sql: postgres.Sql
    let other: postgres.Sql
    beforeAll(() => {
      sql = postgres(server.url, { max: 10, onnotice: () => undefined })
      other = postgres(server.url, { max: 10, onnotice: () => undefined })
    })
    afterAll(async () => {
      await sql.end()
      await other.end()
    })
    describeStore({ describe, it }, 'postgres.js', () => openOn(sql, other, query), { lacks: ['watch'] })
  })
})
