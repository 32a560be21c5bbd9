import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { Pool, type PoolConfig } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresStore, type PostgresStore } from '../../src/stores/postgres.ts'
import { describeStore } from '../../src/testing/describe-store.ts'
import { describeProcesses } from '../processes/describe-processes.ts'
import { startLossyLine } from '../servers/lossy-line.ts'
import { needsPgbouncer, startPgbouncer } from '../servers/pgbouncer.ts'
import { needsPostgres, startPostgres, type PostgresServer } from '../servers/postgres.ts'
import { describeWithServer } from '../servers/suite.ts'
import { assertConflictsShowTheWinner, assertLostAnswerIsUnknown, assertSurvivesAnOutage, newId, newPatch, newRecord, statementsPerRequest } from './sql-trials.ts'

const newTable = (): string => `s_${randomBytes(8).toString('hex')}`

/** A pool whose idle connections may break without ending the process, also after its store was closed. */
function newPool(config: PoolConfig): Pool {
  const pool = new Pool(config)
  pool.on('error', () => undefined)
  return pool
}

describeWithServer('postgresStore', needsPostgres, (binary) => {
  let server: PostgresServer
  let pool: Pool
  beforeAll(async () => {
    server = await startPostgres(binary, { fsync: 'off', shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.track_utility': 'off' })
    pool = newPool({ connectionString: server.url })
    await pool.query('CREATE EXTENSION pg_stat_statements')
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  async function newStore(table = newTable()): Promise<PostgresStore> {
    const store = postgresStore(pool, { table })
    await store.createTable()
    return store
  }

  describeProcesses({ describe, it }, 'postgresStore', {
    module: fileURLToPath(new URL('postgres-process.ts', import.meta.url)),
    async location() {
      const table = newTable()
      await newStore(table)
      return `${server.url} ${table}`
    },
  })

  it('shows in every conflict the record that beat the patch', async () => {
    const table = newTable()
    const other = newPool({ connectionString: server.url })
    await assertConflictsShowTheWinner([await newStore(table), postgresStore(other, { table })], { writers: 16, each: 60 })
    await other.end()
  })

  it('takes one statement to read, to create, to commit and to end', async () => {
    const table = newTable()
    const count = async (): Promise<number> => {
      const { rows } = await pool.query('SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_statements WHERE query LIKE $1', [`%${table}%`])
      return Number(rows[0].calls)
    }
    const costs = await statementsPerRequest(await newStore(table), count)
    expect(costs).toEqual({ anonymous: 0, 'first write': 1, reading: 1, writing: 2, logout: 2 })
  })

  for (const isolation of ['repeatable read', 'serializable']) {
    it(`keeps its promises where every transaction is ${isolation}`, async () => {
      const strict = newPool({ connectionString: server.url, options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}` })
      const table = newTable()
      await newStore(table)
      await assertConflictsShowTheWinner([postgresStore(strict, { table })], { writers: 6, each: 20 })
      await strict.end()
    })
  }

  it('never sends a patch whose time was over while it waited for a connection', async () => {
    const narrow = newPool({ connectionString: server.url, max: 1 })
    const table = newTable()
    await newStore(table)
    const store = postgresStore(narrow, { table })
    const id = newId()
    await store.create(id, newRecord())
    const held = await narrow.connect()
    const aborter = new AbortController()
    const late = expect(store.patch(id, newPatch({ set: [['d:late', '1']] }), { signal: aborter.signal })).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    aborter.abort()
    held.release()
    await late
    expect((await store.read(id))?.version).toBe(1)
    await narrow.end()
  })

  it('withdraws from postgres.js a patch whose time is over while it waits for a connection', async () => {
    const sql = postgres(server.url, { max: 1, onnotice: () => undefined })
    const table = newTable()
    await newStore(table)
    const store = postgresStore(sql, { table })
    const id = newId()
    await store.create(id, newRecord())
    const reserved = await sql.reserve()
    const aborter = new AbortController()
    const late = expect(store.patch(id, newPatch({ set: [['d:late', '1']] }), { signal: aborter.signal })).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    await new Promise(setImmediate)
    aborter.abort()
    reserved.release()
    await late
    expect((await store.read(id))?.version).toBe(1)
    await sql.end()
  })

  it('says that nothing was changed where no server listens', async () => {
    const nobody = newPool({ connectionString: 'postgres://sojourn@127.0.0.1:1/none' })
    const store = postgresStore(nobody)
    await expect(store.patch(newId(), newPatch())).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { code: 'ECONNREFUSED' } })
    await nobody.end()
  })

  for (const driver of ['pg', 'postgres.js'] as const) {
    it(`says that it does not know what became of a commit whose answer was lost, with ${driver}`, async () => {
      const line = await startLossyLine(server.port)
      const url = new URL(server.url)
      url.port = String(line.port)
      const client = driver === 'pg' ? newPool({ connectionString: url.href }) : postgres(url.href, { onnotice: () => undefined })
      const table = newTable()
      await newStore(table)
      await assertLostAnswerIsUnknown(postgresStore(client, { table }), line)
      // postgres.js would wait for the connection that was broken.
      await (client instanceof Pool ? client.end() : client.end({ timeout: 1 }))
      await line.close()
    })
  }

  for (const driver of ['pg', 'postgres.js'] as const) {
    it(`says that a read whose connection broke has changed nothing, with ${driver}`, async () => {
      const table = newTable()
      await newStore(table)
      const application = `looks-${table}`
      const client = driver === 'pg' ? newPool({ connectionString: server.url, application_name: application }) : postgres(server.url, { onnotice: () => undefined, connection: { application_name: application } })
      const holder = await pool.connect()
      await holder.query(`BEGIN; LOCK TABLE ${table}`)
      const read = postgresStore(client, { table }).read(newId())
      const failing = expect(read).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
      const breakIt = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${application}' AND wait_event_type = 'Lock'`
      while ((await pool.query(breakIt)).rows.length === 0) { /* asked again until the read waits for the lock */ }
      await failing
      await holder.query('COMMIT')
      holder.release()
      await (client instanceof Pool ? client.end() : client.end({ timeout: 1 }))
    })
  }

  it('fails with ERR_SESSION_STORE when its table is dropped, and works again when it is back', async () => {
    const table = newTable()
    const store = await newStore(table)
    await pool.query(`DROP TABLE ${table}_terms, ${table}`)
    const missing = { code: 'ERR_SESSION_STORE', outcome: 'none', cause: { code: '42P01' }, message: expect.stringContaining('createTable()') }
    await expect(store.read(newId())).rejects.toMatchObject(missing)
    await expect(store.create(newId(), newRecord())).rejects.toMatchObject(missing)
    await expect(store.patch(newId(), newPatch())).rejects.toMatchObject(missing)
    await expect(store.end(newId(), 'destroyed', 0)).rejects.toMatchObject(missing)
    await expect(store.sweep?.({ now: 0 }, 10)).rejects.toMatchObject(missing)
    await store.createTable()
    expect(await store.create(newId(), newRecord())).toBe(true)
  })

  it('writes nothing by halves: a session that cannot be listed is not made, and not changed', async () => {
    const table = newTable()
    const store = await newStore(table)
    const id = newId()
    await store.create(id, newRecord())
    await pool.query(`ALTER TABLE ${table}_terms ADD CHECK (term <> 'refused')`)
    await expect(store.create(newId(), newRecord({ index: ['refused'] }))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    await expect(store.patch(id, newPatch({ index: ['fine', 'refused'], set: [['d:a', '1']] }))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    const { rows } = await pool.query(`SELECT version, (SELECT count(*) FROM ${table}_terms) AS terms FROM ${table}`)
    expect(rows).toEqual([{ version: '1', terms: '0' }])
  })

  it('leaves the row that a slow request holds to the next sweep, and does not wait for it', async () => {
    const table = newTable()
    const store = await newStore(table)
    const [held, free] = [newId(), newId()]
    for (const id of [held, free]) await store.create(id, newRecord({ expiresAt: Date.now() - 1000 }))
    const client = await pool.connect()
    await client.query(`BEGIN; SELECT 1 FROM ${table} WHERE id = '${held}' FOR UPDATE`)
    expect(await store.sweep?.({ now: Date.now() }, 10)).toBe(1)
    expect([await store.read(held) === undefined, await store.read(free) === undefined]).toEqual([false, true])
    await client.query('COMMIT')
    client.release()
    expect(await store.sweep?.({ now: Date.now() }, 10)).toBe(1)
  })

  it('does not sweep what is past by a fast clock only', async () => {
    const store = await newStore()
    const id = newId()
    await store.create(id, newRecord({ expiresAt: Date.now() + 60_000, touchedAt: Date.now() + 30_000 }))
    expect(await store.sweep?.({ now: Date.now() + 3_600_000 }, 10)).toBe(0)
    expect(await store.sweep?.({ now: Date.now(), by: 'touched', olderThan: Date.now() + 3_600_000 }, 10)).toBe(0)
    expect(await store.read(id)).toBeDefined()
  })

  for (const driver of ['pg', 'postgres.js'] as const) {
    describe(`when the server is killed under load, with ${driver}`, () => {
      it('fails closed, recovers by itself, and has lost nothing that it acknowledged', async () => {
        const doomed = await startPostgres(binary)
        const client = driver === 'pg' ? newPool({ connectionString: doomed.url }) : postgres(doomed.url, { max: 8, onnotice: () => undefined, backoff: () => 0.05 })
        const store = postgresStore(client, { createTable: true })
        await store.open?.()
        const { errors } = await assertSurvivesAnOutage({ store, kill: () => doomed.kill(), restart: () => doomed.restart() })
        expect(errors).toBeGreaterThanOrEqual(8)
        await store.close?.()
        await (client instanceof Pool ? client.end() : client.end({ timeout: 1 }))
        await doomed.stop()
      })
    })
  }

  describeWithServer('through PgBouncer in transaction mode', needsPgbouncer, (bouncerBinary) => {
    let bouncer: Awaited<ReturnType<typeof startPgbouncer>>
    let through: Pool
    let sql: postgres.Sql
    beforeAll(async () => {
      bouncer = await startPgbouncer(bouncerBinary, new URL(server.url))
      through = newPool({ connectionString: bouncer.url, max: 20 })
      sql = postgres(bouncer.url, { max: 20, prepare: false, onnotice: () => undefined })
    })
    afterAll(async () => {
      await through.end()
      await sql.end()
      await bouncer.stop()
    })
    describeStore({ describe, it }, 'pg', async () => {
      const table = newTable()
      await newStore(table)
      const store = postgresStore(through, { table })
      return { store, reopen: () => postgresStore(sql, { table }), close: () => store.close?.() }
    }, { lacks: ['watch', 'corrupt'] })
  })
})
