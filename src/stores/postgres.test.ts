import { randomBytes } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { Client, Pool } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needsPostgres, startPostgres, type PostgresServer } from '../../test/servers/postgres.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { newId, newPatch, newRecord } from '../../test/stores/sql-trials.ts'
import { isSessionError } from '../core/errors.ts'
import { createSessions } from '../index.ts'
import { describeStore, type StoreUnderTest } from '../testing/describe-store.ts'
import { postgresStore, postgresTables, type PostgresClient, type PostgresStore, type PostgresStoreOptions, type SqlColumn } from './postgres.ts'

const unique = (): string => `s_${randomBytes(8).toString('hex')}`

/** Tables and columns called as nobody should. */
const AWKWARD: Readonly<Record<SqlColumn, string>> = {
  id: 'where', version: 'set', createdAt: 'select', touchedAt: 'Group By', expiresAt: 'order', tokenHash: '"', previousHash: "'; --", rotatedAt: 'null',
  nonce: '$1', terms: 'user', entries: 'from', endedBecause: 'é😀', endedAt: '0',
}

interface Place {
  readonly client: PostgresClient
  /** Another client on the same database, as a second process has. */
  readonly other: PostgresClient
  readonly query: (text: string) => PromiseLike<unknown>
  readonly options?: PostgresStoreOptions
}

/** A store with tables of its own. */
function openOn({ client, other, query, options = {} }: Place): StoreUnderTest {
  const all = { createTable: true, table: unique(), ...options }
  const store = postgresStore(client, all)
  const table = `"${all.table}"`
  return {
    store,
    reopen: () => postgresStore(() => other, all),
    corrupt: async (id) => void (await query(`UPDATE ${table} SET entries = '{"d:a": 1}' WHERE id = '${id}'`)),
    async close() {
      await store.close?.()
      await query(`DROP TABLE IF EXISTS ${table} CASCADE`)
    },
  }
}

describe('postgresStore on PGlite', () => {
  let lite: PGlite
  beforeAll(async () => {
    lite = await PGlite.create()
  })
  afterAll(() => lite.close())

  describeStore({ describe, it }, 'PGlite', () => openOn({ client: lite, other: lite, query: (text) => lite.exec(text), options: { listen: lite } }))

  describeStore({ describe, it }, 'PGlite, where every name is an awkward one', async () => {
    const schema = unique()
    await lite.exec(`CREATE SCHEMA "${schema}"`)
    const options = { schema, table: 'insert', termsTable: 'table"', columns: AWKWARD }
    const { close, ...opened } = openOn({ client: lite, other: lite, query: (text) => lite.exec(text), options: { ...options, createTable: false, listen: lite } })
    await lite.exec(postgresTables(options))
    return {
      ...opened,
      corrupt: async (id) => void (await lite.exec(`UPDATE "${schema}"."insert" SET "from" = '[]' WHERE "where" = '${id}'`)),
      async close() {
        await close()
        await lite.exec(`DROP SCHEMA "${schema}" CASCADE`)
      },
    }
  })

  const newStore = async (options: PostgresStoreOptions = {}): Promise<PostgresStore> => {
    const store = postgresStore(lite, { table: unique(), createTable: true, ...options })
    await store.open?.()
    return store
  }

  it('says how to make a table that is missing', async () => {
    const open = async (): Promise<void> => postgresStore(lite, { table: 'nowhere' }).open?.()
    await expect(open()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', message: expect.stringContaining('store.createTable()'), cause: { code: '42P01' } })
  })

  it('says that a column is missing', async () => {
    const table = unique()
    await newStore({ table })
    const open = async (): Promise<void> => postgresStore(lite, { table, columns: { nonce: 'attempt' } }).open?.()
    await expect(open()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', cause: { code: '42703' } })
  })

  it('works on tables that a migration made', async () => {
    const table = unique()
    await lite.exec(postgresTables({ table }))
    const store = postgresStore(lite, { table })
    await store.open?.()
    expect(await store.create(newId(), newRecord())).toBe(true)
  })

  it('creates its tables once when several ask for them at once', async () => {
    const table = unique()
    await Promise.all(Array.from({ length: 5 }, () => postgresStore(lite, { table }).createTable()))
    expect(await postgresStore(lite, { table }).create(newId(), newRecord())).toBe(true)
  })

  it.each([
    ['a client that is none', () => postgresStore(JSON.parse('{}')), 'Pool or Client of pg'],
    ['an empty name', () => postgresStore(lite, { table: '' }), 'bare name'],
    ['a name that is too long', () => postgresStore(lite, { table: 'x'.repeat(60) }), 'at most 48'],
    ['a name that is too long in bytes', () => postgresStore(lite, { schema: '😀'.repeat(16) }), 'at most 63'],
    ['one name for both tables', () => postgresStore(lite, { table: 'a', termsTable: 'a' }), 'different names'],
    ['one name for two columns', () => postgresStore(lite, { columns: { nonce: 'version' } }), 'name of its own'],
    ['a column that PostgreSQL has already', () => postgresStore(lite, { columns: { id: 'ctid' } }), 'name of its own'],
    ['a name with half a character', () => postgresStore(lite, { columns: { id: '\ud800' } }), 'ordinary characters'],
    ['columns that are none', () => postgresStore(lite, { columns: JSON.parse('"id"') }), "{ id: 'sid' }"],
    ['a column that it does not have', () => postgresStore(lite, { columns: JSON.parse('{"expires": "x"}') }), 'expiresAt'],
    ['an option that it does not have', () => postgresStore(lite, JSON.parse('{"tableName": "x"}')), 'termsTable'],
    ['a listener that cannot listen', () => postgresStore(lite, { listen: JSON.parse('{}') }), 'used for nothing else'],
  ])('refuses %s, naming what to pass', (_title, make, advice) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(advice) }))
  })

  it('asks a function for the client at each statement, and fails with it when it fails', async () => {
    const table = unique()
    await newStore({ table })
    let asked = 0
    const store = postgresStore(async () => {
      asked += 1
      if (asked === 1) throw new Error('not yet')
      return lite
    }, { table })
    await expect(store.read(newId())).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    await store.read(newId())
    await store.read(newId())
    expect(asked).toBe(3)
  })

  it('needs olderThan for a sweep by age', async () => {
    const store = await newStore()
    await expect(store.sweep?.({ now: 1, by: 'touched' }, 10)).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
  })

  it('answers gone to a patch that would conflict with what it cannot read', async () => {
    const table = unique()
    const store = await newStore({ table })
    const id = newId()
    await store.create(id, newRecord())
    await lite.exec(`UPDATE ${table} SET terms = ARRAY[NULL]`)
    expect(await store.patch(id, newPatch({ expect: [['d:a', '1']] }))).toEqual({ status: 'gone' })
  })

  it('leaves no term behind an end or a replacement', async () => {
    const table = unique()
    const store = await newStore({ table })
    const terms = async (): Promise<unknown> => (await lite.query(`SELECT term FROM ${table}_terms ORDER BY term`)).rows
    const [ended, replaced] = [newId(), newId()]
    await store.create(ended, newRecord({ index: ['a'] }))
    await store.create(replaced, newRecord({ index: ['b', 'c'], expiresAt: 1 }))
    await store.end(ended, 'destroyed', Date.now())
    await store.create(replaced, newRecord({ index: ['c', 'd'] }))
    expect(await terms()).toEqual([{ term: 'c' }, { term: 'd' }])
  })

  it('finds a session only under terms that it has now', async () => {
    const table = unique()
    const store = await newStore({ table })
    const id = newId()
    await store.create(id, newRecord({ index: ['now'] }))
    // As an end leaves it that did not see the term of a patch that came between.
    await lite.exec(`INSERT INTO ${table}_terms VALUES ('then', '${id}')`)
    const found = async (term: string): Promise<readonly string[]> => {
      const ids: string[] = []
      for await (const hit of store.find?.(term) ?? []) ids.push(hit)
      return ids
    }
    expect([await found('now'), await found('then')]).toEqual([[id], []])
  })

  it('conflicts with a patch that expects one key to hold two texts', async () => {
    const store = await newStore()
    const id = newId()
    await store.create(id, newRecord({ entries: { 'd:a': '1' } }))
    for (const text of ['1', '2']) expect((await store.patch(id, newPatch({ expect: [['d:a', text], ['d:a', text === '1' ? '2' : '1']] }))).status).toBe('conflict')
  })

  it('stops sending when a patch was given up while another was under way', async () => {
    const store = await newStore()
    const id = newId()
    await store.create(id, newRecord())
    const aborter = new AbortController()
    const first = store.patch(id, newPatch({ set: [['d:first', '1']] }))
    const second = store.patch(id, newPatch({ set: [['d:second', '1']] }), { signal: aborter.signal })
    aborter.abort()
    expect((await first).status).toBe('ok')
    await expect(second).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    expect(Object.keys((await store.read(id))?.entries ?? {})).toEqual(['d:first'])
  })

  describe('extra columns', () => {
    const rowsOf = async (table: string): Promise<unknown> => (await lite.query(`SELECT user_id, "the owner", seen FROM ${table}`)).rows

    it('are written with the session, left alone when nothing about them changes, and emptied with what they show', async () => {
      const table = unique()
      await lite.exec(postgresTables({ table }))
      await lite.exec(`ALTER TABLE ${table} ADD user_id bigint, ADD "the owner" text, ADD seen boolean NOT NULL DEFAULT true`)
      const store = postgresStore(lite, {
        table,
        extraColumns: (change) => ({ user_id: Number(change.get('userId') ?? 0) || undefined, 'the owner': change.owner, seen: change.isNew ? undefined : change.text('d:seen') === 'false' ? false : undefined }),
      })
      const sessions = createSessions<{ userId: number; seen: boolean; other: string }>({ store, sweepEvery: 'never' })
      const session = await sessions.create()
      session.set('userId', 42)
      await session.commit()
      expect(await rowsOf(table)).toEqual([{ user_id: 42, 'the owner': null, seen: true }])
      await session.login('ada')
      session.set('seen', false)
      await session.commit()
      expect(await rowsOf(table)).toEqual([{ user_id: 42, 'the owner': 'ada', seen: false }])
      session.set('other', 'x')
      await session.commit()
      expect(await rowsOf(table)).toEqual([{ user_id: 42, 'the owner': 'ada', seen: false }])
      await sessions.close()
    })

    it('tell what a patch removes', async () => {
      const table = unique()
      await lite.exec(postgresTables({ table }))
      await lite.exec(`ALTER TABLE ${table} ADD user_id bigint, ADD "the owner" text, ADD seen boolean`)
      const store = postgresStore(lite, { table, extraColumns: ({ get }) => ({ user_id: toId(get('userId')) }) })
      const toId = (value: unknown): number | null | undefined => (typeof value === 'number' || value === null ? value : undefined)
      const id = newId()
      await store.create(id, newRecord({ entries: { 'd:userId': '7' } }))
      await store.patch(id, newPatch({ remove: ['d:userId'] }))
      expect(await rowsOf(table)).toEqual([{ user_id: null, 'the owner': null, seen: null }])
    })

    it('may not be columns of the session itself, whatever these are called', async () => {
      const store = await newStore({ columns: { tokenHash: 'where' }, extraColumns: () => ({ where: 'a hash of an attacker' }) })
      await expect((async () => store.create(newId(), newRecord()))()).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('"where"') })
    })

    it('that cannot be made fail the call before it is sent', async () => {
      const store = await newStore({ extraColumns: ({ get }) => ({ user_id: String(get('userId')) }) })
      await expect((async () => store.create(newId(), newRecord({ entries: { 'd:userId': 'sealed by a codec of its own' } })))()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    })
  })
})

describeWithServer('postgresStore on a server', needsPostgres, (binary) => {
  let server: PostgresServer
  let pool: Pool
  let second: Pool
  beforeAll(async () => {
    server = await startPostgres(binary, { fsync: 'off' })
    ;[pool, second] = [new Pool({ connectionString: server.url }), new Pool({ connectionString: server.url })]
    // A connection that is still being closed while its server stops says so.
    for (const each of [pool, second]) each.on('error', () => undefined)
  })
  afterAll(async () => {
    await pool.end()
    await second.end()
    await server.stop()
  })
  const query = (text: string): Promise<unknown> => pool.query(text)
  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: server.url })
    await client.connect()
    return client
  }

  describeStore({ describe, it }, 'pg Pool', () => openOn({ client: pool, other: second, query, options: { listen: connect } }))

  describeStore({ describe, it }, 'pg Pool, prepared, where every name is an awkward one', async () => {
    const schema = unique()
    await query(`CREATE SCHEMA "${schema}"`)
    const { close, ...opened } = openOn({ client: pool, other: second, query, options: { schema, table: 'insert', termsTable: 'table"', columns: AWKWARD, prepare: true, listen: connect } })
    return {
      ...opened,
      corrupt: async (id) => void (await query(`UPDATE "${schema}"."insert" SET "from" = '[]' WHERE "where" = '${id}'`)),
      async close() {
        await close()
        await query(`DROP SCHEMA "${schema}" CASCADE`)
      },
    }
  })

  describe('postgres.js', () => {
    let sql: postgres.Sql
    let other: postgres.Sql
    beforeAll(() => {
      // As an application may have it: names transformed, numbers parsed otherwise.
      sql = postgres(server.url, { max: 10, onnotice: () => undefined, transform: postgres.pascal, types: { bigint: postgres.BigInt } })
      other = postgres(server.url, { max: 10, onnotice: () => undefined })
    })
    afterAll(async () => {
      await sql.end()
      await other.end()
    })
    describeStore({ describe, it }, 'postgres.js', () => openOn({ client: sql, other, query, options: { listen: other } }))
  })

  it('runs on one Client of pg, one statement after the other', async () => {
    const client = await connect()
    const store = postgresStore(client, { table: unique(), createTable: true })
    await store.open?.()
    const id = newId()
    await store.create(id, newRecord())
    const results = await Promise.all(Array.from({ length: 20 }, async (_, n) => store.patch(id, newPatch({ set: [[`d:${n}`, '1']] }))))
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 'ok'))
    await client.end()
    await expect(store.read(id)).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
  })

  it('creates its tables once when several processes ask for them at once', async () => {
    const table = unique()
    await Promise.all(Array.from({ length: 8 }, () => postgresStore(pool, { table }).createTable()))
    expect(await postgresStore(pool, { table }).create(newId(), newRecord())).toBe(true)
  })

  it('tells of an idle connection that broke, and goes on', async () => {
    const own = new Pool({ connectionString: server.url, max: 1 })
    const table = unique()
    const store = postgresStore(own, { table, createTable: true })
    await store.open?.()
    const broken = new Promise((resolve) => store.observe?.(({ event, error }) => resolve([event, isSessionError(error), String(error)])))
    const { rows } = await own.query('SELECT pg_backend_pid() AS pid')
    await pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
    expect(await broken).toEqual(['error', false, expect.stringContaining('terminating connection')])
    expect(await store.read(newId())).toBeUndefined()
    await store.close?.()
    await own.end()
  })

  it('tells of what ended while its listening connection was lost', async () => {
    const options = { table: unique(), createTable: true }
    const clients: Client[] = []
    const listen = async (): Promise<Client> => {
      const client = await connect()
      clients.push(client)
      return client
    }
    const watching = postgresStore(pool, { ...options, listen })
    await watching.open?.()
    // Ends without a word, as every end is while nobody listens.
    const silent = postgresStore(second, options)
    const [ended, alive] = [newId(), newId()]
    for (const id of [ended, alive]) await watching.create(id, newRecord())
    const told: string[] = []
    const heard = new Promise<void>((resolve) => watching.watch?.(ended, () => {
      told.push(ended)
      resolve()
    }))
    watching.watch?.(alive, () => told.push(alive))
    await silent.end(ended, 'revoked', Date.now())
    const { rows } = await pool.query('SELECT pid FROM pg_stat_activity WHERE query LIKE $1', ['LISTEN%'])
    for (const { pid } of rows) await pool.query('SELECT pg_terminate_backend($1)', [pid])
    await heard
    expect([told, clients.length]).toEqual([[ended], 2])
    await watching.close?.()
  })
})
