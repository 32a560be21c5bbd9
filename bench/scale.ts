// npm run scale -- memory|sqlite|redis|postgres [sessions …] [--anonymous]: what many sessions cost, on private servers. Defaults to 100,000 and a million.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Pool } from 'pg'
import { memoryStore, type SessionRecord, type Store } from 'sojourn'
import { postgresStore } from 'sojourn/stores/postgres'
import { redisStore } from 'sojourn/stores/redis'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { needsPostgres, startPostgres } from '../test/servers/postgres.ts'
import { connectRedis } from '../test/servers/redis-clients.ts'
import { needsRedis, startRedis } from '../test/servers/redis.ts'

/** A store that is filled, and what it takes. */
interface Subject {
  readonly store: Store
  /** Of everything that is stored. */
  bytes(): Promise<number>
  /** Redis deletes what has expired by its own clock: there a sweep by age is measured. Defaults to `expires`. */
  readonly sweepBy?: 'expires' | 'touched'
  /** How many are created at once. */
  readonly writers: number
  stop(): Promise<void>
}

const NOW = Date.now()
const HOUR = 3_600_000
const READS = 20_000

/** Three entries of about 170 bytes, and an owner under which the session is listed; or two of a visitor without. Each tenth ends within the hour. */
function record(n: number): SessionRecord {
  const owned = process.argv.includes('--anonymous') ? {} : { 'm:owner': JSON.stringify(`user-${n}`) }
  return {
    version: 1, createdAt: NOW, touchedAt: n % 10 === 0 ? NOW - 2 * HOUR : NOW, expiresAt: NOW + (n % 10 === 0 ? HOUR : 24 * HOUR), tokenHash: `${n}`.padStart(43, 'h'), nonce: `nonce.${n.toString(36)}`, index: 'm:owner' in owned ? [`owner-${n}`.padEnd(43, '-')] : [],
    entries: { ...owned, 'd:cart': JSON.stringify(['green tea', 'plum jam', 'rye bread']), 'd:note': JSON.stringify(`${n}`.padEnd(100, 'x')) },
  }
}

/** Of keys and values alone, as text. */
const PAYLOAD = Object.entries(record(1_000_000).entries).reduce((sum, [key, text]) => sum + key.length + text.length, 0)

function idOf(n: number): string {
  return `session-${String(n).padStart(14, '0')}`
}

async function fill({ store, writers }: Subject, from: number, to: number): Promise<number> {
  const start = performance.now()
  let next = from
  const writer = async (): Promise<void> => {
    while (next < to) {
      const n = next
      next += 1
      const created = store.create(idOf(n), record(n))
      if (typeof created === 'object') await created
      if (n % 100_000 === 0 && n > from) console.error(`  ${n.toLocaleString('en')} sessions`)
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return (to - from) / ((performance.now() - start) / 1000)
}

/** One after the other, of sessions all over the store: median, 99th and 99.9th percentile in microseconds. */
async function readLatency({ store }: Subject, count: number): Promise<readonly number[]> {
  const times: number[] = []
  for (let n = 0; n < READS; n += 1) {
    const id = idOf((n * 7_919_993) % count)
    const start = performance.now()
    const found = store.read(id)
    if ((typeof found === 'object' && 'then' in found ? await found : found) === undefined) throw new Error('A session is missing.')
    times.push((performance.now() - start) * 1000)
  }
  const sorted = times.toSorted((a, b) => a - b)
  return [0.5, 0.99, 0.999].map((part) => sorted[Math.floor(READS * part)] ?? Number.NaN)
}

interface Sweep {
  readonly swept: number
  readonly seconds: number
  /** Milliseconds. */
  readonly longestStall: number
  /** The same while nothing was done at all: what the machine itself holds up. */
  readonly idleStall: number
}

/** Deletes the tenth that has ended by then, in batches and with a turn for the requests in between, as the manager does. */
async function sweep({ store, sweepBy = 'expires' }: Subject, count: number): Promise<Sweep> {
  const idleStall = await stallDuring(() => new Promise((resolve) => { setTimeout(resolve, 1000) }))
  const start = performance.now()
  let swept = 0
  const longestStall = await stallDuring(async () => {
    for (let batch = 0; swept < count / 10 && batch < count; batch += 1) {
      swept += (await store.sweep?.({ now: NOW + 2 * HOUR, by: sweepBy, olderThan: NOW - HOUR }, 1000)) ?? 0
      await new Promise((resolve) => { setTimeout(resolve, 0) })
    }
  })
  return { swept, seconds: (performance.now() - start) / 1000, longestStall, idleStall }
}

async function stallDuring(run: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await run()
  delay.disable()
  return delay.max / 1e6 - 1
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
  const store = sqliteStore(join(folder, 'sessions.db'))
  const bytes = async (): Promise<number> => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  return { store, writers: 1, bytes, stop: async () => { await store.close?.(); rmSync(folder, { recursive: true }) } }
}

async function redis(): Promise<Subject> {
  const server = await startRedis(needsRedis.binary ?? 'redis-server')
  const { client, close } = await connectRedis('node-redis', 'single', { ports: [server.port], password: server.password })
  const store = redisStore(client)
  await store.open?.()
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await server.ask('INFO', 'memory'))?.[1])
  const before = await used()
  return { store, writers: 128, sweepBy: 'touched', bytes: async () => (await used()) - before, stop: async () => { await close(); await server.stop() } }
}

async function postgres(): Promise<Subject> {
  const server = await startPostgres(needsPostgres.binary ?? 'postgres', { synchronous_commit: 'off' })
  const pool = new Pool({ connectionString: server.url, max: 16 })
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
  return { store, writers: 32, bytes, stop }
}

async function main(): Promise<void> {
  const [, , which = 'memory', ...rest] = process.argv
  const given = rest.filter((word) => word !== '--anonymous')
  const makers: Readonly<Record<string, () => Subject | Promise<Subject>>> = { memory, sqlite, redis, postgres }
  const make = makers[which]
  if (make === undefined) throw new Error(`There is no ${which} here. The stores are ${Object.keys(makers).join(', ')}.`)
  const counts = given.length === 0 ? [100_000, 1_000_000] : given.map(Number)
  const subject = await make()
  console.log('| store | sessions | created a second | bytes each | beyond keys and values | read p50 | p99 | p99.9 | sweep of a tenth | longest stall | (idle) |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|')
  let stored = 0
  for (const count of counts) {
    const rate = await fill(subject, stored, count)
    stored = count
    const each = (await subject.bytes()) / count
    const reads = (await readLatency(subject, count)).map((time) => `${time.toFixed(time < 10 ? 1 : 0)} µs`)
    const isLast = count === counts.at(-1)
    const swept = isLast ? await sweep(subject, count) : undefined
    const cells = swept === undefined ? ['', '', ''] : [`${swept.swept.toLocaleString('en')} in ${swept.seconds.toFixed(1)} s`, `${swept.longestStall.toFixed(1)} ms`, `${swept.idleStall.toFixed(1)} ms`]
    console.log(`| ${which} | ${count.toLocaleString('en')} | ${Math.round(rate).toLocaleString('en')} | ${Math.round(each)} | ${Math.round(each - PAYLOAD)} | ${reads.join(' | ')} | ${cells.join(' | ')} |`)
  }
  await subject.stop()
}

await main()
