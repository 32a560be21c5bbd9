// node --conditions=sojourn:source bench/scale.ts redis|postgres [sessions]: what many sessions cost a server, on a private instance of it.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Pool } from 'pg'
import type { SessionRecord, Store } from 'sojourn'
import { postgresStore } from 'sojourn/stores/postgres'
import { redisStore } from 'sojourn/stores/redis'
import { needsPostgres, startPostgres } from '../test/servers/postgres.ts'
import { connectRedis } from '../test/servers/redis-clients.ts'
import { needsRedis, startRedis } from '../test/servers/redis.ts'

const [, , which = 'redis', amount = '1000000'] = process.argv
const COUNT = Number(amount)
const EXPIRED = COUNT / 10
const NOW = Date.now()

/** Three entries, about 200 bytes, with an owner under which it is listed. */
function record(n: number): SessionRecord {
  return {
    version: 1, createdAt: NOW - 7_200_000, touchedAt: NOW - 7_200_000, expiresAt: n < EXPIRED ? NOW - 3_600_000 : NOW + 86_400_000, tokenHash: 'h'.repeat(43), nonce: 'n'.repeat(24), index: [`owner-${n}`.padEnd(43, '-')],
    entries: { 'm:owner': JSON.stringify(`user-${n}`), 'd:cart': JSON.stringify(['green tea', 'plum jam', 'rye bread']), 'd:note': JSON.stringify('x'.repeat(100)) },
  }
}

function idOf(n: number): string {
  return `session-${String(n).padStart(14, '0')}`
}

async function fill(store: Store, from: number, to: number): Promise<void> {
  let next = from
  const worker = async (): Promise<void> => {
    while (next < to) {
      const n = next
      next += 1
      await store.create(idOf(n), record(n))
      if (n % 50_000 === 0) console.log(`  ${n.toLocaleString('en')} sessions`)
    }
  }
  await Promise.all(Array.from({ length: 128 }, worker))
}

async function readLatency(store: Store): Promise<string> {
  const times: number[] = []
  for (let n = 0; n < 10_000; n += 1) {
    const id = idOf(Math.floor(EXPIRED + ((n * 7919) % (COUNT - EXPIRED))))
    const start = performance.now()
    if ((await store.read(id)) === undefined) throw new Error('A session is missing.')
    times.push(performance.now() - start)
  }
  const sorted = times.toSorted((a, b) => a - b)
  return `p50 ${sorted[5000]?.toFixed(2)} ms, p99 ${sorted[9900]?.toFixed(2)} ms`
}

async function sweep(store: Store): Promise<string> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  let [total, longest] = [0, 0]
  for (;;) {
    const began = performance.now()
    const count = (await store.sweep?.({ now: Date.now() }, 1000)) ?? 0
    longest = Math.max(longest, performance.now() - began)
    total += count
    if (count < 1000) break
  }
  delay.disable()
  return `${total} in ${((performance.now() - start) / 1000).toFixed(1)} s, longest batch ${longest.toFixed(0)} ms, longest stall of the event loop ${(delay.max / 1e6).toFixed(1)} ms`
}

async function redis(): Promise<void> {
  const server = await startRedis(needsRedis.binary ?? 'redis-server')
  const { client, close } = await connectRedis('node-redis', 'single', { ports: [server.port], password: server.password })
  const store = redisStore(client)
  await store.open?.()
  const memory = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await server.ask('INFO', 'memory'))?.[1])
  const before = await memory()
  const start = performance.now()
  await fill(store, 0, COUNT)
  const seconds = (performance.now() - start) / 1000
  console.log(`redis, ${COUNT.toLocaleString('en')} sessions: created in ${seconds.toFixed(0)} s, ${Math.round(((await memory()) - before) / COUNT)} bytes each with one index term`)
  console.log(`  read: ${await readLatency(store)}`)
  console.log(`  sweep: ${await sweep(store)}`)
  await close()
  await server.stop()
}

async function postgres(): Promise<void> {
  const server = await startPostgres(needsPostgres.binary ?? 'postgres', { fsync: 'off' })
  const pool = new Pool({ connectionString: server.url, max: 16 })
  const store = postgresStore(pool)
  await store.createTable()
  const start = performance.now()
  await fill(store, 0, COUNT)
  const seconds = (performance.now() - start) / 1000
  const { rows } = await pool.query<{ bytes: string }>(`SELECT sum(pg_total_relation_size(c.oid))::text AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'`)
  console.log(`postgres, ${COUNT.toLocaleString('en')} sessions: created in ${seconds.toFixed(0)} s, ${Math.round(Number(rows[0]?.bytes) / COUNT)} bytes each with one index term, all indexes included`)
  console.log(`  read: ${await readLatency(store)}`)
  console.log(`  sweep: ${await sweep(store)}`)
  await store.close?.()
  await pool.end()
  await server.stop()
}

await (which === 'postgres' ? postgres() : redis())
