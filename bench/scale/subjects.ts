import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Pool } from 'pg'
import { createClient } from 'redis'
import { memoryStore, type Store } from 'sojourn'
import { postgresStore } from 'sojourn/stores/postgres'
import { redisStore } from 'sojourn/stores/redis'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { needsPostgres, poolOn, startPostgres } from '../../test/servers/postgres.ts'
import { needsRedis, startRedis } from '../../test/servers/redis.ts'
import { digitsOf, hashOf, idOf, PATTERNS, recordOf, type Batch } from './sessions.ts'

/** A store that is filled, and what it takes. */
export interface Subject {
  readonly store: Store
  /** Of everything that is stored. */
  bytes(): Promise<number>
  /** Redis deletes what has expired by its own clock: there a sweep by age is measured. Defaults to `expires`. */
  readonly sweepBy?: 'expires' | 'touched'
  /** How many are created at once. */
  readonly writers: number
  /** Takes the patterns, which the store has made, out of the database and resolves to what copies them inside it. Without, the store makes every session. */
  readonly copier?: () => Promise<(batch: Batch) => void | Promise<void>>
  stop(): Promise<void>
}

function memory(): Subject {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const used = (): number => {
    if (typeof collect === 'function') for (let n = 0; n < 3; n += 1) Reflect.apply(collect, undefined, [])
    return process.memoryUsage().heapUsed
  }
  const before = used()
  const store = memoryStore({ maxSessions: Infinity, maxBytes: Infinity })
  return { store, writers: 1, bytes: async () => used() - before, stop: async () => store.close() }
}

function sqlite(): Subject {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-scale-'))
  const file = join(folder, 'sessions.db')
  const store = sqliteStore(file)
  const bytes = async (): Promise<number> => {
    const database = new DatabaseSync(file)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  }
  const stop = async (): Promise<void> => {
    await store.close()
    rmSync(folder, { recursive: true })
  }
  return { store, writers: 1, bytes, copier: async () => sqliteCopier(file), stop }
}

function sqliteCopier(file: string): (batch: Batch) => void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -500000')
  const copiers = ['sojourn_sessions', 'sojourn_sessions_terms'].map((table) => {
    const taken = (['lasting', 'over'] as const).map((pattern) => {
      const rows = database.prepare(`DELETE FROM ${table} WHERE id = ? RETURNING *`).all(idOf(PATTERNS[pattern]))
      return [pattern, rows] as const
    })
    const width = database.prepare(`SELECT * FROM ${table}`).columns().length
    return { rows: new Map(taken), insert: database.prepare(`INSERT INTO ${table} VALUES (${Array.from({ length: width }, () => '?').join(', ')})`) }
  })
  return ({ pattern, digits, hashes }) => {
    database.exec('BEGIN IMMEDIATE')
    for (const { rows, insert } of copiers) {
      for (const row of rows.get(pattern) ?? []) {
        for (const [at, own] of digits.entries()) insert.run(...Object.values(row).map((value: SQLOutputValue) => (typeof value === 'string' ? renumbered(value, pattern, own, hashes[at] ?? '') : value)))
      }
    }
    database.exec('COMMIT')
  }
}

function renumbered(text: string, pattern: Batch['pattern'], digits: string, hash: string): string {
  return text.replaceAll(digitsOf(PATTERNS[pattern]), digits).replaceAll(hashOf(PATTERNS[pattern]), hash)
}

async function redis(): Promise<Subject> {
  const server = await startRedis(needsRedis.binary ?? 'redis-server')
  const client = await createClient({ url: `redis://:${server.password}@127.0.0.1:${server.port}`, disableOfflineQueue: true }).connect()
  const store = redisStore(client)
  await store.open?.()
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await server.ask('INFO', 'memory'))?.[1])
  const before = await used()
  const stop = async (): Promise<void> => {
    await client.close()
    await server.stop()
  }
  const copier = async (): Promise<(batch: Batch) => Promise<void>> => {
    for (const [pattern, n] of Object.entries(PATTERNS)) {
      await client.rename(`sojourn:session:${idOf(n)}`, pattern)
      for (const term of recordOf(n).index) if (await client.exists(`sojourn:index:${term}`)) await client.rename(`sojourn:index:${term}`, `${pattern} index`)
    }
    return async ({ pattern, digits, hashes }) => {
      const [session, term = ''] = [idOf(PATTERNS[pattern]), ...recordOf(PATTERNS[pattern]).index]
      await client.eval(COPY, { keys: [pattern, `${pattern} index`], arguments: [session, term, digitsOf(PATTERNS[pattern]), hashOf(PATTERNS[pattern]), ...digits.flatMap((one, at) => [one, hashes[at] ?? ''])] })
    }
  }
  return { store, writers: 128, sweepBy: 'touched', bytes: async () => (await used()) - before, copier, stop }
}

/** KEYS: the pattern, and its place in the index where it has one. ARGV: the id, term, digits and hash of the pattern, then digits and hash of each copy. */
const COPY = `
local fields, left = redis.call('HGETALL', KEYS[1]), redis.call('PTTL', KEYS[1])
local listed, indexLeft = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'), redis.call('PTTL', KEYS[2])
for i = 5, #ARGV, 2 do
  local function own(text) return (string.gsub(string.gsub(text, ARGV[3], ARGV[i]), ARGV[4], ARGV[i + 1])) end
  local id, copy = own(ARGV[1]), {}
  for j = 1, #fields do copy[j] = own(fields[j]) end
  redis.call('HSET', 'sojourn:session:' .. id, unpack(copy))
  redis.call('PEXPIRE', 'sojourn:session:' .. id, left)
  if #listed > 0 then
    local index = 'sojourn:index:' .. own(ARGV[2])
    redis.call('ZADD', index, listed[2], id)
    redis.call('PEXPIRE', index, indexLeft)
  end
end`

async function postgres(): Promise<Subject> {
  const server = await startPostgres(needsPostgres.binary ?? 'postgres', { synchronous_commit: 'off', max_wal_size: '4GB' })
  const pool = poolOn({ connectionString: server.url, max: 16 })
  const store = postgresStore(pool)
  await store.createTable()
  const bytes = async (): Promise<number> => {
    const { rows } = await pool.query<{ bytes: string }>(`SELECT sum(pg_total_relation_size(c.oid))::text AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'`)
    return Number(rows[0]?.bytes)
  }
  const stop = async (): Promise<void> => {
    await store.close?.()
    await pool.end()
    await server.stop()
  }
  return { store, writers: 32, bytes, copier: () => postgresCopier(pool), stop }
}

async function postgresCopier(pool: Pool): Promise<(batch: Batch) => Promise<void>> {
  const taken = new Map<string, string>()
  for (const [pattern, n] of Object.entries(PATTERNS)) {
    // The terms first: with the session they would go by themselves.
    for (const table of TABLES.toReversed()) {
      const { rows: [row] } = await pool.query<{ row: string }>(`DELETE FROM ${table} AS one WHERE id = $1 RETURNING to_jsonb(one)::text AS row`, [idOf(n)])
      if (row !== undefined) taken.set(`${table} ${pattern}`, row.row)
    }
  }
  return async ({ pattern, digits, hashes }) => {
    for (const table of TABLES) {
      const row = taken.get(`${table} ${pattern}`)
      if (row === undefined) continue
      const copy = 'replace(replace($1, $2, own.digits), $3, own.hash)::jsonb'
      await pool.query(
        `INSERT INTO ${table} SELECT copy.* FROM unnest($4::text[], $5::text[]) AS own (digits, hash), LATERAL jsonb_populate_record(NULL::${table}, ${copy}) AS copy`,
        [row, digitsOf(PATTERNS[pattern]), hashOf(PATTERNS[pattern]), digits, hashes],
      )
    }
  }
}

const TABLES: readonly string[] = ['sojourn_sessions', 'sojourn_sessions_terms']

export const makers: Readonly<Record<string, () => Subject | Promise<Subject>>> = { memory, sqlite, redis, postgres }
