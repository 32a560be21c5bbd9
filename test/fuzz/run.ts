// What `npm run fuzz` runs: each target in a process of its own, which is killed when it hangs, and whose heap must not grow.
// `npm run fuzz -- --inputs 2000000 --seed 7 --only codec`
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { targets } from './targets.ts'

const ROUNDS = 10
// Ten rounds of the same: what a round leaves behind would show in each of them.
const GROWTH = 8 * 1024 * 1024
const MILLISECONDS_PER_INPUT = 20

const { values } = parseArgs({ options: { inputs: { type: 'string', default: '1050000' }, seed: { type: 'string' }, only: { type: 'string' }, target: { type: 'string' } } })
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
if (values.target === undefined) runAll()
else await runOne(values.target, Number(values.inputs))

function runAll(): void {
  const chosen = targets.filter(({ name }) => values.only === undefined || name.includes(values.only))
  const each = Math.ceil(Number(values.inputs) / chosen.length / ROUNDS) * ROUNDS
  console.log(`seed ${seed}: ${each} inputs for each of ${chosen.length} targets; again with: npm run fuzz -- --seed ${seed}`)
  const failed: string[] = []
  for (const { name } of chosen) {
    const node = ['--expose-gc', '--conditions=sojourn:source', '--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url)]
    const { status, signal } = spawnSync(process.execPath, [...node, '--target', name, '--inputs', String(each), '--seed', String(seed)], { stdio: 'inherit', timeout: 60_000 + each * MILLISECONDS_PER_INPUT, killSignal: 'SIGKILL' })
    if (status !== 0) failed.push(`${name}${signal === null ? '' : ': hung, or died'}`)
  }
  for (const name of failed) console.log(`failed: ${name}`)
  console.log(`${each * chosen.length} inputs, ${failed.length} targets failed`)
  process.exitCode = failed.length > 0 ? 1 : 0
}

async function runOne(name: string, inputs: number): Promise<void> {
  const target = targets.find((each) => each.name === name)
  if (target === undefined) throw new RangeError(`there is no target ${name}`)
  const started = performance.now()
  let before = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    await target.fuzz(inputs / ROUNDS, seed + round)
    // The first rounds fill what is bounded.
    if (round === 2) before = heap()
    if (round === ROUNDS / 2 - 1) console.log(`${name}: half`)
  }
  const grown = heap() - before
  console.log(`${name}: ${inputs} inputs in ${Math.round((performance.now() - started) / 1000)} s, heap ${grown < 0 ? '' : '+'}${Math.round(grown / 1024)} KiB`)
  if (grown > GROWTH) throw new Error(`the heap grew by ${grown} bytes`)
}

function heap(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
