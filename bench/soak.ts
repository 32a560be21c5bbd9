// npm run soak [-- --quick] [-- --store redis] [-- --together]: 30 minutes (2 with --quick) for each of sqlite, Redis and PostgreSQL at 80 % of what they can
// bear, with logins, logouts and sweeps: does memory grow, does anything fail, is an acknowledged write lost? All at the same time with --together, which
// takes half an hour instead of three times that. A full run of all stores writes docs/soak.md.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { needsPostgres, startPostgres } from '../test/servers/postgres.ts'
import { temporaryFolder } from '../test/servers/process.ts'
import { needsRedis, startRedis } from '../test/servers/redis.ts'
import { faultsOf, isMemory, page, table, type Memory, type Run } from './soak/report.ts'
import { emptyTally, Visitor, type Tally } from './soak/visitor.ts'

const STORES = ['sqlite', 'redis', 'postgres'] as const
const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, store: { type: 'string' }, together: { type: 'boolean', default: false } } })
const SECONDS = values.quick ? 120 : 1800
const SATURATION_SECONDS = values.quick ? 8 : 30
const VISITORS = 400
const AT_ONCE = 64
const SAMPLES = 12

interface Backend {
  readonly place: string
  stop(): Promise<void>
}

async function backendOf(store: (typeof STORES)[number]): Promise<Backend | undefined> {
  if (store === 'redis') {
    if (needsRedis.binary === undefined) return undefined
    const server = await startRedis(needsRedis.binary)
    return { place: `redis://:${server.password}@127.0.0.1:${server.port}`, stop: () => server.stop() }
  }
  if (store === 'postgres') {
    if (needsPostgres.binary === undefined) return undefined
    const server = await startPostgres(needsPostgres.binary)
    return { place: server.url, stop: () => server.stop() }
  }
  const folder = await temporaryFolder('soak')
  return { place: join(folder.path, 'sessions.db'), stop: () => folder.remove() }
}

async function soak(store: string, place: string): Promise<Run> {
  const child = fork(join(import.meta.dirname, 'soak', 'server.ts'), [store, place], {
    execArgv: ['--conditions=sojourn:source', '--expose-gc', '--disable-warning=ExperimentalWarning'], env: { ...process.env, NODE_ENV: 'production' },
  })
  try {
    const [port]: unknown[] = await once(child, 'message')
    const origin = `http://127.0.0.1:${String(port)}`
    const saturation = await saturationOf(origin)
    console.log(`${store}: saturated at ${saturation.toFixed(0)} requests/s; ${SECONDS} s at ${(saturation * 0.8).toFixed(0)} requests/s begin`)
    const tally = emptyTally()
    const load = loadAt(origin, saturation * 0.8, tally)
    const memory: Memory[] = []
    for (let n = 0; n < SAMPLES; n += 1) {
      await delay((SECONDS * 1000) / SAMPLES)
      const sample = await memoryOf(child)
      memory.push(sample)
      console.log(`${store}: ${Math.round(((n + 1) * SECONDS) / SAMPLES)} s, ${tally.requests} requests, ${tally.errors} errors, heap ${(sample.heapUsed / 1_048_576).toFixed(1)} MiB, resident ${(sample.rss / 1_048_576).toFixed(0)} MiB, ${sample.swept} swept`)
    }
    await load.stop()
    return { store, saturation, seconds: SECONDS, tally, memory }
  } finally {
    child.kill()
  }
}

async function memoryOf(child: ChildProcess): Promise<Memory> {
  child.send('memory')
  const [message]: unknown[] = await once(child, 'message')
  if (!isMemory(message)) throw new Error('The server did not tell its memory.')
  return message
}

/** Each visitor asks again as soon as it is answered. */
async function saturationOf(origin: string): Promise<number> {
  const tally = emptyTally()
  const end = performance.now() + SATURATION_SECONDS * 1000
  await Promise.all(Array.from({ length: AT_ONCE }, async (_, n) => {
    const visitor = new Visitor(origin, n)
    while (performance.now() < end) await visitor.next(tally, performance.now())
  }))
  if (tally.errors > 0) throw new Error(`${tally.errors} requests failed while the saturation was measured, the first: ${tally.firstError}`)
  return tally.requests / SATURATION_SECONDS
}

/** So many requests per second, whether or not the ones before are answered; a request that has to wait for its turn counts from when it was due. */
function loadAt(origin: string, perSecond: number, tally: Tally): { stop(): Promise<void> } {
  const idle = Array.from({ length: VISITORS }, (_, n) => new Visitor(origin, 1000 + n))
  const began = performance.now()
  const running = new Set<Promise<void>>()
  let begun = 0
  const start = (visitor: Visitor, due: number): void => {
    const request = visitor.next(tally, due).then(() => {
      idle.push(visitor)
      running.delete(request)
    })
    running.add(request)
  }
  const timer = setInterval(() => {
    const wanted = ((performance.now() - began) / 1000) * perSecond
    while (begun < wanted && running.size < AT_ONCE * 2) {
      const visitor = idle.shift()
      if (visitor === undefined) return
      start(visitor, began + (begun / perSecond) * 1000)
      begun += 1
    }
  }, 5)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(running)
    },
  }
}

async function run(store: (typeof STORES)[number]): Promise<Run | undefined> {
  const backend = await backendOf(store)
  if (backend === undefined) {
    console.log(`${store}: NOT RUN, its server is not on this machine`)
    return undefined
  }
  try {
    return await soak(store, backend.place)
  } finally {
    await backend.stop()
  }
}

async function oneAfterTheOther(stores: readonly (typeof STORES)[number][]): Promise<(Run | undefined)[]> {
  const runs: (Run | undefined)[] = []
  for (const store of stores) runs.push(await run(store))
  return runs
}

const chosen = STORES.filter((name) => values.store === undefined || values.store === name)
const runs = (await (values.together ? Promise.all(chosen.map(run)) : oneAfterTheOther(chosen))).filter((one) => one !== undefined)
console.log(`\n${table(runs)}`)
for (const one of runs) for (const fault of faultsOf(one)) console.log(`${one.store}: ${fault}`)
if (!values.quick && runs.length === STORES.length) {
  const how = { together: values.together, date: new Date().toISOString().slice(0, 10), node: process.version.slice(1), cores: availableParallelism() }
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'soak.md'), page(runs, how))
}
process.exit(runs.every((one) => faultsOf(one).length === 0) ? 0 : 1)
