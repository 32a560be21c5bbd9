// npm run histories [-- --store redis --count 100000 --seed 1]: seeded histories of concurrent requests on every store, each judged by a
// small model; without --store also every order of the long casts on the memory store. For the night: it takes hours.
import { parseArgs } from 'node:util'
import { casts, longCasts } from '../test/histories/casts.ts'
import { lanesOf, STORE_NAMES, type Lanes, type StoreName } from '../test/histories/lanes.ts'
import { playEveryOrder, playSeed } from '../test/histories/play.ts'
import { memoryStore } from '../src/stores/memory.ts'

/** On a server they wait for one another's answers. */
const WIDTH = 16
const SWEEP_EVERY = 200

const { values } = parseArgs({ options: { store: { type: 'string' }, count: { type: 'string', default: '100000' }, seed: { type: 'string' } } })
const count = Number(values.count)
const firstSeed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const chosen = STORE_NAMES.filter((name) => values.store === undefined || values.store === name)
if (chosen.length === 0 || !(count > 0) || !Number.isInteger(firstSeed)) throw new Error(`Usage: npm run histories -- [--store ${STORE_NAMES.join('|')}] [--count 100000] [--seed 1]`)

let failures = 0
if (values.store === undefined) await playCasts()
for (const name of chosen) await playStore(name)
console.log(failures === 0 ? 'every history was explained' : `${failures} histories failed`)
process.exitCode = failures === 0 ? 0 : 1

async function playCasts(): Promise<void> {
  for (const [name, cast] of Object.entries({ ...casts, ...longCasts })) {
    await counted(async () => console.log(`memory, ${name}: all ${await playEveryOrder(() => memoryStore(), cast)} orders`))
  }
}

async function playStore(name: StoreName): Promise<void> {
  const lanes = await lanesOf(name)
  if (lanes === undefined) return console.log(`${name}: NOT PLAYED, its server is not on this machine`)
  const start = performance.now()
  let next = 0
  const work = async (): Promise<void> => {
    const store = await lanes.open()
    for (let played = 1; next < count; played += 1) {
      const n = next
      next += 1
      await counted(() => playSeed(store, firstSeed + n))
      // What is left of earlier histories is long past by the real clock.
      if (played % SWEEP_EVERY === 0) await store.sweep?.({ now: Date.now() }, 10_000)
      if ((n + 1) % Math.max(1, Math.floor(count / 20)) === 0) console.log(`${name}: ${n + 1} of ${count} histories, ${((performance.now() - start) / 1000).toFixed(0)} s`)
    }
  }
  await withLanes(lanes, () => Promise.all(Array.from({ length: Math.min(WIDTH, count) }, work)))
  console.log(`${name}: ${count} histories from seed ${firstSeed} in ${((performance.now() - start) / 1000).toFixed(0)} s`)
}

async function withLanes(lanes: Lanes, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } finally {
    await lanes.close()
  }
}

async function counted(run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    failures += 1
    if (failures <= 10) console.log(error instanceof Error ? error.message : error)
  }
}
