import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createPool as createMariadbPool } from 'mariadb'
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mysqlStore, type MysqlClient, type MysqlStore, type MysqlValue } from '../../src/stores/mysql.ts'
import { describeProcesses } from '../processes/describe-processes.ts'
import { startLossyLine } from '../servers/lossy-line.ts'
import { needsMariadb, startMariadb, type MariadbServer } from '../servers/mariadb.ts'
import { describeWithServer } from '../servers/suite.ts'
import { assertConflictsShowTheWinner, assertLostAnswerIsUnknown, assertSurvivesAnOutage, newId, newPatch, newRecord, statementsPerRequest } from './sql-trials.ts'

const newTable = (): string => `s_${randomBytes(8).toString('hex')}`

describeWithServer('mysqlStore', needsMariadb, (binary) => {
  let server: MariadbServer
  let pool: Pool
  beforeAll(async () => {
    server = await startMariadb(binary, { 'innodb-flush-log-at-trx-commit': '2' })
    pool = createPool({ uri: server.url, connectionLimit: 10 })
  })
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  async function newStore(table = newTable()): Promise<MysqlStore> {
    const store = mysqlStore(pool, { table })
    await store.createTable()
    return store
  }

  for (const driver of ['mysql2', 'mariadb'] as const) {
    describeProcesses({ describe, it }, `mysqlStore with ${driver}`, {
      module: fileURLToPath(new URL('mysql-process.ts', import.meta.url)),
      async location() {
        const table = newTable()
        await newStore(table)
        return `${driver} ${server.url} ${table}`
      },
    })
  }

  it('shows in every conflict the record that beat the patch', async () => {
    const table = newTable()
    const other = createPool({ uri: server.url, connectionLimit: 10 })
    await assertConflictsShowTheWinner([await newStore(table), mysqlStore(other, { table })], { writers: 16, each: 30 })
    await other.end()
  })

  it('takes one statement to read, to create and to end, and two to commit', async () => {
    // Closed to all but this pool, whose statements the server counts.
    const counted = createPool({ uri: server.url, connectionLimit: 1 })
    const table = newTable()
    await newStore(table)
    const count = async (): Promise<number> => {
      const [rows] = await counted.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Com_stmt_execute'")
      return Number(rows[0]?.['Value'])
    }
    const costs = await statementsPerRequest(mysqlStore(counted, { table }), count)
    expect(costs).toEqual({ anonymous: 0, 'first write': 1, reading: 1, writing: 3, logout: 2 })
    await counted.end()
  })

  /** The pool, but `then` is called after each SELECT, before its answer is handed on. */
  function heldAfterSelect(then: () => Promise<void>): MysqlClient {
    return {
      async getConnection() {
        const connection = await pool.getConnection()
        return new Proxy(connection, {
          get(target, name) {
            if (name !== 'execute') {
              const member: unknown = Reflect.get(target, name)
              return typeof member === 'function' ? member.bind(target) : member
            }
            return async (sql: string, values: MysqlValue[]) => {
              const answer = await target.execute(sql, values)
              if (sql.startsWith('SELECT')) await then()
              return answer
            }
          },
        })
      },
    }
  }

  it('does not take a session for another that was made under its id meanwhile, though both are at version 1', async () => {
    const table = newTable()
    const store = await newStore(table)
    const id = newId()
    await store.create(id, newRecord({ tokenHash: 'first' }))
    let made = false
    const held = mysqlStore(heldAfterSelect(async () => {
      if (made) return
      made = true
      await store.end(id, 'destroyed', Date.now())
      await store.create(id, newRecord({ tokenHash: 'second' }))
    }), { table })
    expect(await held.patch(id, newPatch({ tokenHash: 'first', set: [['d:late', '1']] }))).toEqual({ status: 'gone' })
    expect(await store.read(id)).toMatchObject({ version: 1, tokenHash: 'second', entries: {} })
  })

  it('gives every writer its turn, however many write to one session', async () => {
    const table = newTable()
    const stores = [await newStore(table), mysqlStore(createMariadbPool({ host: '127.0.0.1', port: server.port, user: server.user, password: server.password, database: server.database, connectionLimit: 20 }), { table })]
    const id = newId()
    await stores[0]?.create(id, newRecord())
    const results = await Promise.all(Array.from({ length: 200 }, async (_, n) => stores[n % 2]?.patch(id, newPatch({ set: [[`d:${n}`, '1']], index: [`term ${n % 5}`] }))))
    expect(results.every((result) => result?.status === 'ok')).toBe(true)
    const record = await stores[0]?.read(id)
    expect([record?.version, Object.keys(record?.entries ?? {}).length, record?.index.length]).toEqual([201, 200, 5])
  })

  it('sends a transaction again that the server undid to end a deadlock', async () => {
    const table = newTable()
    const store = await newStore(table)
    const id = newId()
    await store.create(id, newRecord())
    // It has written more than the commit has, so the server lets it win.
    const rival = await pool.getConnection()
    await rival.query(`CREATE TABLE ${table}_work (n int) ENGINE = InnoDB`)
    await rival.beginTransaction()
    await rival.query(`INSERT INTO ${table}_work SELECT seq FROM seq_1_to_100`)
    await rival.query(`SELECT * FROM ${table}_terms WHERE term = 'term' FOR UPDATE`)
    const commit = store.patch(id, newPatch({ set: [['d:a', '1']], index: ['term'] }))
    await untilSomeoneWaits()
    const deadlocks = await status('Innodb_deadlocks')
    await rival.query(`UPDATE ${table} SET touched_at = touched_at WHERE id = '${id}'`)
    await rival.commit()
    rival.release()
    expect(await commit).toEqual({ status: 'ok', version: 2 })
    expect(await status('Innodb_deadlocks')).toBe(deadlocks + 1)
    expect((await store.read(id))?.index).toEqual(['term'])
  })

  async function status(name: string): Promise<number> {
    const [rows] = await pool.query<RowDataPacket[]>(`SHOW GLOBAL STATUS LIKE '${name}'`)
    return Number(rows[0]?.['Value'])
  }

  async function untilSomeoneWaits(): Promise<void> {
    for (;;) {
      const [rows] = await pool.query<RowDataPacket[]>("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
      if (rows.length > 0) return
      // The server renews this table only when nobody has read it for 100 ms.
      await new Promise((resolve) => { setTimeout(resolve, 150) })
    }
  }

  it('lets logins, sweeps and ends get along', async () => {
    const store = await newStore()
    const now = Date.now()
    const ids = Array.from({ length: 60 }, newId)
    const outcomes = await Promise.all(ids.map(async (id, n) => {
      await store.create(id, newRecord({ expiresAt: now - 1000 + (n % 2) * 3_600_000, createdAt: now - 5000, index: ['everyone', `user ${n}`] }))
      const patch = store.patch(id, newPatch({ now: now - 2000, index: ['late', 'everyone'], expiresAt: now + 3_600_000 }))
      const [, swept] = await Promise.all([patch, store.sweep?.({ now }, 50), n % 3 === 0 ? store.end(id, 'revoked', now) : undefined])
      return typeof swept
    }))
    expect(outcomes.every((outcome) => outcome === 'number')).toBe(true)
    for (const id of ids) {
      const record = await store.read(id)
      const found: string[] = []
      for await (const hit of store.find?.('everyone') ?? []) found.push(hit)
      expect(found.includes(id)).toBe(record !== undefined && record.ended === undefined)
    }
  })

  it('never sends a patch whose time was over while it waited for a connection', async () => {
    const narrow = createPool({ uri: server.url, connectionLimit: 1 })
    const table = newTable()
    await newStore(table)
    const store = mysqlStore(narrow, { table })
    const id = newId()
    await store.create(id, newRecord())
    const held = await narrow.getConnection()
    const aborter = new AbortController()
    const late = expect(store.patch(id, newPatch({ set: [['d:late', '1']] }), { signal: aborter.signal })).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    aborter.abort()
    held.release()
    await late
    expect((await store.read(id))?.version).toBe(1)
    await narrow.end()
  })

  it('says that nothing was changed where no server listens', async () => {
    const nobody = createPool({ host: '127.0.0.1', port: 1 })
    await expect(mysqlStore(nobody).patch(newId(), newPatch())).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: { code: 'ECONNREFUSED' } })
    await nobody.end()
  })

  for (const driver of ['mysql2', 'mariadb'] as const) {
    it(`says that it does not know what became of a commit whose answer was lost, with ${driver}`, async () => {
      const line = await startLossyLine(server.port)
      const place = { host: '127.0.0.1', port: line.port, user: server.user, password: server.password, database: server.database }
      const client = driver === 'mysql2' ? createPool(place) : createMariadbPool(place)
      const table = newTable()
      await newStore(table)
      await assertLostAnswerIsUnknown(mysqlStore(client, { table }), line)
      await client.end()
      await line.close()
    })
  }

  it('fails with ERR_SESSION_STORE when its table is dropped, and works again when it is back', async () => {
    const table = newTable()
    const store = await newStore(table)
    await pool.query(`DROP TABLE ${table}_terms, ${table}`)
    const missing = { code: 'ERR_SESSION_STORE', outcome: 'none', cause: { errno: 1146 }, message: expect.stringContaining('createTable()') }
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
    const [rows] = await pool.query<RowDataPacket[]>(`SELECT version, (SELECT count(*) FROM ${table}_terms) AS terms FROM ${table}`)
    expect(rows.map((row) => ({ ...row }))).toEqual([{ version: 1, terms: 0 }])
  })

  it('does not sweep what is past by a fast clock only', async () => {
    const store = await newStore()
    const id = newId()
    await store.create(id, newRecord({ expiresAt: Date.now() + 60_000, touchedAt: Date.now() + 30_000 }))
    expect(await store.sweep?.({ now: Date.now() + 3_600_000 }, 10)).toBe(0)
    expect(await store.sweep?.({ now: Date.now(), by: 'touched', olderThan: Date.now() + 3_600_000 }, 10)).toBe(0)
    expect(await store.read(id)).toBeDefined()
  })

  it('keeps three texts of 1 MiB', async () => {
    const store = await newStore()
    const id = newId()
    const text = '"é😀\\\0'.repeat(180_000)
    await store.create(id, newRecord())
    const set = [['d:1', text], ['d:2', text], ['d:3', text]] as const
    expect(await store.patch(id, newPatch({ set }))).toEqual({ status: 'ok', version: 2 })
    expect({ ...(await store.read(id))?.entries }).toEqual(Object.fromEntries(set))
  })

  it('says what to do about a session that the server does not take, and does not use the connection again', async () => {
    const single = createPool({ uri: server.url, connectionLimit: 1 })
    const store = mysqlStore(single, { table: newTable(), createTable: true })
    await store.open?.()
    const id = newId()
    await store.create(id, newRecord())
    const huge = newPatch({ set: [['d:a', 'x'.repeat(2 ** 24)]] })
    await expect(store.patch(id, huge)).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', message: expect.stringContaining('max_allowed_packet') })
    expect((await store.read(id))?.version).toBe(1)
    await single.end()
  })

  it('refuses a pool whose connections have autocommit off', async () => {
    const table = newTable()
    await newStore(table)
    const off = createPool({ uri: server.url })
    off.on('connection', (connection) => connection.query('SET autocommit = 0'))
    await expect(mysqlStore(off, { table }).open?.()).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION' })
    await off.end()
  })

  for (const driver of ['mysql2', 'mariadb'] as const) {
    describe(`when the server is killed under load, with ${driver}`, () => {
      it('fails closed, recovers by itself, and has lost nothing that it acknowledged', async () => {
        const doomed = await startMariadb(binary)
        const { port, user, password, database, url } = doomed
        const client = driver === 'mysql2' ? createPool({ uri: url }) : createMariadbPool({ host: '127.0.0.1', port, user, password, database, acquireTimeout: 1000, connectTimeout: 500 })
        const store = mysqlStore(client, { createTable: true })
        await store.open?.()
        const { errors } = await assertSurvivesAnOutage({ store, kill: () => doomed.kill(), restart: () => doomed.restart() })
        expect(errors).toBeGreaterThanOrEqual(8)
        await client.end()
        await doomed.stop()
      })
    })
  }
})
