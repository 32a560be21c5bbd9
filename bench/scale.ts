// npm run scale -- memory|sqlite|redis|postgres [sessions …] [--anonymous] [--minutes 25] [--no-sweep]: what many sessions cost, on private servers.
// Defaults to 100,000, a million and five million. Where the minutes are up before a number is reached, the table has the number that was.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { batches, HOUR, idOf, NOW, PATTERNS, payloadOf, recordOf, type Batch } from './scale/sessions.ts'
import { makers, type Subject } from './scale/subjects.ts'

const { values: { anonymous, minutes, 'no-sweep': isUnswept }, positionals: [which = 'memory', ...numbers] } = parseArgs({ allowPositionals: true, options: { anonymous: { type: 'boolean', default: false }, minutes: { type: 'string', default: '25' }, 'no-sweep': { type: 'boolean', default: false } } })
const READS = 20_000
/** How many the store itself makes at the end of each number, to see how fast. */
const CREATED = 5000
const deadline = performance.now() + Number(minutes) * 60_000

type Copier = (batch: Batch) => void | Promise<void>

async function copierOf(subject: Subject): Promise<Copier | undefined> {
  if (subject.copier === undefined) return undefined
  for (const n of Object.values(PATTERNS)) await create(subject, n)
  return subject.copier()
}

function create({ store, sweepBy }: Subject, n: number): unknown {
  return store.create(idOf(n), recordOf(n, anonymous, sweepBy))
}

/** Stores sessions up to this number for as long as there is time. Resolves to how many there are then. */
async function fill(subject: Subject, copy: Copier | undefined, from: number, to: number, step = 1): Promise<number> {
  for (const { next, parts } of batches(from, to, step)) {
    if (performance.now() > deadline) return Math.ceil(from / step) * step
    if (copy === undefined) await createAll(subject, from, next, step)
    else for (const part of parts) await copy(part)
    if (Math.floor(next / 100_000) > Math.floor(from / 100_000)) console.error(`  ${next.toLocaleString('en')} sessions, ${Math.round(performance.now() / 1000)} s`)
    from = next
  }
  return to
}

/** How many were created a second. */
async function createAll(subject: Subject, from: number, to: number, step = 1): Promise<number> {
  const start = performance.now()
  let next = from
  const writer = async (): Promise<void> => {
    while (next < to) {
      const n = next
      next += step
      const created = create(subject, n)
      if (typeof created === 'object') await created
    }
  }
  await Promise.all(Array.from({ length: subject.writers }, writer))
  return (to - from) / step / ((performance.now() - start) / 1000)
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

/** Deletes the tenth that has ended, in batches and with a turn for the requests in between, as the manager does. */
async function sweep({ store, sweepBy = 'expires' }: Subject, count: number): Promise<Sweep> {
  const idleStall = await stallDuring(() => new Promise((resolve) => { setTimeout(resolve, 1000) }))
  const start = performance.now()
  let swept = 0
  const longestStall = await stallDuring(async () => {
    for (let batch = 0; swept < count / 10 && batch < count / 100; batch += 1) {
      swept += (await store.sweep?.({ now: NOW, by: sweepBy, olderThan: NOW - HOUR }, 1000)) ?? 0
      await new Promise((resolve) => { setTimeout(resolve, 0) })
    }
  })
  return { swept, seconds: (performance.now() - start) / 1000, longestStall, idleStall }
}

function sweepCells({ swept, seconds, longestStall, idleStall }: Sweep): readonly string[] {
  return [`${swept.toLocaleString('en')} in ${seconds.toFixed(1)} s`, `${longestStall.toFixed(1)} ms`, `${idleStall.toFixed(1)} ms`]
}

async function stallDuring(run: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await run()
  delay.disable()
  return delay.max / 1e6 - 1
}

async function main(): Promise<void> {
  const make = makers[which]
  if (make === undefined) throw new Error(`There is no ${which} here. The stores are ${Object.keys(makers).join(', ')}.`)
  const subject = await make()
  const copy = await copierOf(subject)
  console.log('| store | sessions | created a second | bytes each | beyond keys and values | read p50 | p99 | p99.9 | sweep of a tenth | longest stall | (idle) |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|')
  let stored = 0
  for (const wanted of numbers.length === 0 ? [100_000, 1_000_000, 5_000_000] : numbers.map(Number)) {
    if (performance.now() > deadline) break
    // What the sweep before has deleted.
    if (!isUnswept) await fill(subject, copy, 0, stored, 10)
    const reached = await fill(subject, copy, stored, wanted - CREATED)
    stored = reached + CREATED
    const perSecond = await createAll(subject, reached, stored)
    const each = (await subject.bytes()) / stored
    const reads = (await readLatency(subject, stored)).map((time) => `${time.toFixed(time < 10 ? 1 : 0)} µs`)
    const cells = isUnswept ? ['', '', ''] : sweepCells(await sweep(subject, stored))
    console.log(`| ${which}${anonymous ? ', no owner' : ''} | ${stored.toLocaleString('en')} | ${Math.round(perSecond).toLocaleString('en')} | ${Math.round(each)} | ${Math.round(each - payloadOf(anonymous))} | ${reads.join(' | ')} | ${cells.join(' | ')} |`)
  }
  await subject.stop()
}

await main()
