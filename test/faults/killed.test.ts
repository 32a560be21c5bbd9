import { fileURLToPath } from 'node:url'
import { createPool } from 'mysql2/promise'
import { expect, it } from 'vitest'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { killRounds } from '../processes/kill-rounds.ts'
import { needsMariadb, startMariadb } from '../servers/mariadb.ts'
import { needsPostgres, poolOn, startPostgres } from '../servers/postgres.ts'
import { needsRedis, startRedis } from '../servers/redis.ts'
import { describeWithServer } from '../servers/suite.ts'

// The server sees the connection end, in the middle of a statement or between two.
const rounds = { rounds: 4, inFlight: 2 }
const TIMEOUT = { timeout: 600_000 }
const moduleOf = (name: string): string => fileURLToPath(new URL(`../stores/${name}-process.ts`, import.meta.url))

function assertEnough(report: { readonly rounds: number; readonly acknowledged: number }): void {
  expect(report.rounds).toBeGreaterThanOrEqual(4)
  expect(report.acknowledged).toBeGreaterThan(20)
}

describeWithServer('processes killed while they commit, rotate and sweep on Redis', needsRedis, (binary) => {
  it('leave the old or the new in Redis, and nothing acknowledged is lost', TIMEOUT, async () => {
    const server = await startRedis(binary)
    const location = { kind: 'node-redis', shape: 'single', place: { ports: [server.port], password: server.password }, prefix: 'killed:' }
    assertEnough(await killRounds({ module: moduleOf('redis'), location: JSON.stringify(location), ...rounds }))
    await server.stop()
  })
})

describeWithServer('processes killed while they commit, rotate and sweep on PostgreSQL', needsPostgres, (binary) => {
  it('leave the old or the new in PostgreSQL, and nothing acknowledged is lost', TIMEOUT, async () => {
    const server = await startPostgres(binary)
    const pool = poolOn({ connectionString: server.url })
    await postgresStore(pool, { table: 'killed' }).createTable()
    assertEnough(await killRounds({ module: moduleOf('postgres'), location: `${server.url} killed`, ...rounds }))
    await pool.end()
    await server.stop()
  })
})

describeWithServer('processes killed while they commit, rotate and sweep on MariaDB', needsMariadb, (binary) => {
  it('leave the old or the new in MariaDB, and nothing acknowledged is lost', TIMEOUT, async () => {
    const server = await startMariadb(binary)
    const pool = createPool(server.url)
    await mysqlStore(pool, { table: 'killed' }).createTable()
    assertEnough(await killRounds({ module: moduleOf('mysql'), location: `mysql2 ${server.url} killed`, ...rounds }))
    await pool.end()
    await server.stop()
  })
})
