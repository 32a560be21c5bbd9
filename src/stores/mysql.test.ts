import { randomBytes } from 'node:crypto'
import { createPool as createMariadbPool, type Pool as MariadbPool } from 'mariadb'
import { createPool as createCallbackPool, type Pool as CallbackPool } from 'mysql2'
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needsMariadb, startMariadb, type MariadbServer } from '../../test/servers/mariadb.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { newId, newPatch, newRecord } from '../../test/stores/sql-trials.ts'
import { createSessions } from '../index.ts'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { mysqlStore, mysqlTables, type MysqlClient, type MysqlStore, type MysqlStoreOptions, type SqlColumn } from './mysql.ts'

const unique = (): string => `s_${randomBytes(8).toString('hex')}`

/** Columns called as nobody should. */
const AWKWARD: Readonly<Record<SqlColumn, string>> = {
  id: 'where', version: 'set', createdAt: 'select', touchedAt: 'Group By', expiresAt: 'order', tokenHash: '`', previousHash: "'; --", rotatedAt: 'null',
  nonce: '?', terms: 'user', entries: 'from', endedBecause: 'é', endedAt: '0',
}

interface Place {
  readonly client: MysqlClient
  /** Another client on the same database, as a second process has. */
  readonly other: MysqlClient
  readonly query: (text: string) => PromiseLike<unknown>
  readonly options?: MysqlStoreOptions
}

/** A store with tables of its own. */
function openOn({ client, other, query, options = {} }: Place): StoreUnderTest {
  const all = { createTable: true, table: unique(), ...options }
  const store = mysqlStore(client, all)
  return {
    store,
    reopen: () => mysqlStore(() => other, all),
    corrupt: async (id) => void (await query(`UPDATE \`${all.table}\` SET entries = '{"d:a": 1}' WHERE id = '${id}'`)),
    close: async () => void (await query(`DROP TABLE \`${all.table}_terms\`, \`${all.table}\``)),
  }
}

const refused = (make: () => unknown, advice: string): void => expect(make).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(advice) }))

describe('mysqlStore', () => {
  const pool = createPool({ host: '127.0.0.1' })

  it.each([
    ['a client that is none', () => mysqlStore(JSON.parse('{}')), 'Pass a pool'],
    ['an empty name', () => mysqlStore(pool, { table: '' }), 'bare name'],
    ['a name that is too long', () => mysqlStore(pool, { table: 'x'.repeat(60) }), 'at most 49'],
    ['two columns that MySQL takes for one', () => mysqlStore(pool, { columns: { nonce: 'VERSION' } }), 'name of its own'],
    ['a column that InnoDB has already', () => mysqlStore(pool, { columns: { nonce: 'DB_TRX_ID' } }), 'name of its own'],
    ['a name with a character that MySQL cuts', () => mysqlStore(pool, { columns: { nonce: '😀' } }), 'ordinary characters'],
    ['a name with a space at its end', () => mysqlStore(pool, { table: 'sessions ' }), 'ordinary characters'],
    ['an option that it does not have', () => mysqlStore(pool, JSON.parse('{"prepare": true}')), 'termsTable'],
  ])('refuses %s, naming what to pass', (_title, make, advice) => refused(make, advice))

  it('refuses a pool that answers no promise of a connection', async () => {
    const store = mysqlStore(JSON.parse('{}', () => ({ getConnection: () => undefined })))
    await expect(store.read(newId())).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('mysql2/promise') })
  })
})

describeWithServer('mysqlStore on MariaDB', needsMariadb, (binary) => {
  let server: MariadbServer
  let pool: Pool
  let callbackPool: CallbackPool
  let mariadbPool: MariadbPool
  beforeAll(async () => {
    server = await startMariadb(binary, { 'innodb-flush-log-at-trx-commit': '2' })
    const { port, user, password, database, url } = server
    pool = createPool({ uri: url, connectionLimit: 10 })
    // As an application may have it: another character set and rows in another shape.
    callbackPool = createCallbackPool({ uri: url, connectionLimit: 10, charset: 'latin1', rowsAsArray: true, supportBigNumbers: true, bigNumberStrings: true })
    callbackPool.on('connection', (connection) => connection.query("SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'"))
    mariadbPool = createMariadbPool({ host: '127.0.0.1', port, user, password, database, connectionLimit: 10 })
  })
  afterAll(async () => {
    await pool.end()
    await callbackPool.promise().end()
    await mariadbPool.end()
    await server.stop()
  })
  const query = (text: string): Promise<unknown> => pool.query(text)

  describeStore({ describe, it }, 'mysql2', () => openOn({ client: pool, other: mariadbPool, query }), { lacks: ['watch'] })
  describeStore({ describe, it }, 'mariadb', () => openOn({ client: mariadbPool, other: pool, query }), { lacks: ['watch'] })

  describeStore({ describe, it }, 'mysql2 with callbacks, where every name and setting is an awkward one', async () => {
    const schema = unique()
    await query(`CREATE DATABASE \`${schema}\``)
    const options = { schema, table: 'insert', termsTable: 'table`', columns: AWKWARD }
    return {
      ...openOn({ client: callbackPool, other: pool, query, options }),
      corrupt: async (id) => void (await query(`UPDATE \`${schema}\`.\`insert\` SET \`from\` = 'no JSON' WHERE \`where\` = '${id}'`)),
      close: async () => void (await query(`DROP DATABASE \`${schema}\``)),
    }
  }, { lacks: ['watch'] })

  const newStore = async (options: MysqlStoreOptions = {}): Promise<MysqlStore> => {
    const store = mysqlStore(pool, { table: unique(), createTable: true, ...options })
    await store.open?.()
    return store
  }

  it('says how to make a table that is missing', async () => {
    const open = async (): Promise<void> => mysqlStore(pool, { table: 'nowhere' }).open?.()
    await expect(open()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', message: expect.stringContaining('store.createTable()'), cause: { errno: 1146 } })
  })

  it('works on tables that a migration made', async () => {
    const table = unique()
    for (const statement of mysqlTables({ table }).split(';\n').filter((text) => text.trim() !== '')) await query(statement)
    const store = mysqlStore(pool, { table })
    await store.open?.()
    expect(await store.create(newId(), newRecord())).toBe(true)
  })

  it('creates its tables once when several ask for them at once', async () => {
    const table = unique()
    await Promise.all(Array.from({ length: 8 }, () => mysqlStore(pool, { table }).createTable()))
    expect(await mysqlStore(pool, { table }).create(newId(), newRecord())).toBe(true)
  })

  it('asks a function for the pool at each statement, and fails with it when it fails', async () => {
    const table = unique()
    await newStore({ table })
    let asked = 0
    const store = mysqlStore(async () => {
      asked += 1
      if (asked === 1) throw new Error('not yet')
      return pool
    }, { table })
    await expect(store.read(newId())).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    await store.read(newId())
    await store.read(newId())
    expect(asked).toBe(3)
  })

  it('needs olderThan for a sweep by age', async () => {
    const store = await newStore()
    await expect(store.sweep?.({ now: 1, by: 'created' }, 10)).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
  })

  it('keeps its connections when a statement is refused', async () => {
    const single = createPool({ uri: server.url, connectionLimit: 1 })
    const store = mysqlStore(single, { table: 'nowhere' })
    const connectionId = async (): Promise<unknown> => (await single.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id'))[0][0]?.['id']
    const before = await connectionId()
    await expect(store.create(newId(), newRecord({ index: ['term'] }))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    expect(await connectionId()).toBe(before)
    await single.end()
  })

  it('writes extra columns with the session, and leaves them alone when nothing about them changes', async () => {
    const table = unique()
    await newStore({ table })
    await query(`ALTER TABLE ${table} ADD user_id bigint, ADD \`the owner\` varchar(100), ADD seen boolean NOT NULL DEFAULT true`)
    const rows = async (): Promise<unknown> => (await pool.query<RowDataPacket[]>(`SELECT user_id, \`the owner\`, seen FROM ${table}`))[0].map((row) => ({ ...row }))
    const store = mysqlStore(pool, {
      table,
      extraColumns: (change) => ({ user_id: Number(change.get('userId') ?? 0) || undefined, 'the owner': change.owner, seen: change.text('d:seen') === 'false' ? false : undefined }),
    })
    const sessions = createSessions<{ userId: number; seen: boolean; other: string }>({ store, sweepEvery: 'never' })
    const session = await sessions.create()
    session.set('userId', 42)
    await session.commit()
    expect(await rows()).toEqual([{ user_id: 42, 'the owner': null, seen: 1 }])
    await session.login('ada')
    session.set('seen', false)
    await session.commit()
    expect(await rows()).toEqual([{ user_id: 42, 'the owner': 'ada', seen: 0 }])
    session.set('other', 'x')
    await session.commit()
    expect(await rows()).toEqual([{ user_id: 42, 'the owner': 'ada', seen: 0 }])
    await sessions.close()
  })

  it('refuses extra columns that are the session\'s own, in any case of letters', async () => {
    const store = await newStore({ extraColumns: () => ({ Token_Hash: 'a hash of an attacker' }) })
    const id = newId()
    await expect((async () => store.create(id, newRecord()))()).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('"Token_Hash"') })
    expect(await store.read(id)).toBeUndefined()
  })

  it.each(['DB_TRX_ID', 'db_row_id', 'Db_Roll_Ptr', '😀', 'x '])('is right to refuse a column called %j: the server does, too', async (name) => {
    await expect(query(`CREATE TABLE ${unique()} (\`${name}\` int) ENGINE = InnoDB`)).rejects.toMatchObject({ errno: expect.any(Number) })
  })

  it('does not list a patched record under a term that the patch did not get to write', async () => {
    const store = await newStore()
    const id = newId()
    await store.create(id, newRecord({ tokenHash: 'old' }))
    expect(await store.patch(id, newPatch({ tokenHash: 'other', index: ['term'] }))).toEqual({ status: 'gone' })
    const hits: string[] = []
    for await (const hit of store.find?.('term') ?? []) hits.push(hit)
    expect(hits).toEqual([])
  })
})
