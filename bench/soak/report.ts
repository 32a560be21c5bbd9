import type { Tally } from './visitor.ts'

/** What a server says of itself, after its garbage was collected. */
export interface Memory {
  readonly heapUsed: number
  readonly rss: number
  /** Sessions that it has swept so far. */
  readonly swept: number
}

/** One store's run. */
export interface Run {
  readonly store: string
  /** Requests per second, as fast as it goes. */
  readonly saturation: number
  readonly seconds: number
  readonly tally: Tally
  readonly memory: readonly Memory[]
}

export function isMemory(message: unknown): message is Memory {
  return typeof message === 'object' && message !== null && 'heapUsed' in message
}

/** What is wrong with a run; empty: nothing. */
export function faultsOf({ tally, memory }: Run): readonly string[] {
  return [
    ...(tally.errors > 0 ? [`${tally.errors} errors, the first: ${tally.firstError}`] : []),
    ...(tally.lost > 0 ? [`${tally.lost} acknowledged writes lost, the first: ${tally.firstLoss}`] : []),
    ...(tally.undone > 0 ? [`${tally.undone} logouts undone`] : []),
    ...(memory.at(-1)?.swept === 0 ? ['nothing was swept'] : []),
    ...(isFlat(memory) ? [] : ['memory grows']),
  ]
}

/** The heap at the end is not a fifth (and 4 MiB) larger than a third of the way in, when everything was warm. */
function isFlat(memory: readonly Memory[]): boolean {
  const warm = memory[Math.floor(memory.length / 3)]
  const last = memory.at(-1)
  return warm !== undefined && last !== undefined && last.heapUsed <= warm.heapUsed * 1.2 + 4 * 1024 * 1024
}

/** How all runs were made. */
export interface Circumstances {
  readonly together: boolean
  readonly date: string
  readonly node: string
  readonly cores: number
}

/** The whole page, as docs/soak.md has it. */
export function page(runs: readonly Run[], { together, date, node, cores }: Circumstances): string {
  const minutes = Math.round((runs[0]?.seconds ?? 0) / 60)
  const faults = runs.flatMap((run) => faultsOf(run).map((fault) => `- ${run.store}: ${fault}`))
  return `# Under load for long

\`npm run soak\` asks first how many requests per second each store bears behind a node:http server, then sends 80 % of that for ${minutes} minutes: visitors log in, write,
read what they wrote, and log out or stay away, while sweeps run. Every read is compared with the last acknowledged write, every logout is tried again with the
cookie from before it. The time of a request counts from when it was due, so that one that had to wait for its turn is not flattered. The heap is measured after a collection, ${runs[0]?.memory.length ?? 0} times.

Measured on ${date} with Node ${node} on ${cores} cores, which servers, stores and visitors share${together ? '; all stores at the same time, also while each measured what it bears' : '; one store after the other'}. Latencies say more of that than of the stores.

${table(runs)}

${faults.length === 0 ? 'No request failed, no acknowledged write was lost, no logout was undone, and no heap grew.' : `What went wrong:\n\n${faults.join('\n')}`}
`
}

export function table(runs: readonly Run[]): string {
  const head = '| store | saturation | load | requests | logins | logouts | swept | errors | lost writes | undone logouts | p50 | p99 | heap over time, MiB |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|'
  return [head, ...runs.map(line)].join('\n')
}

function line({ store, saturation, seconds, tally, memory }: Run): string {
  const sorted = tally.latencies.toSorted((a, b) => a - b)
  const percentile = (part: number): string => `${(sorted[Math.floor(sorted.length * part)] ?? Number.NaN).toFixed(1)} ms`
  const cells = [
    store, `${saturation.toFixed(0)}/s`, `${(tally.requests / seconds).toFixed(0)}/s`, tally.requests, tally.logins, tally.logouts, memory.at(-1)?.swept ?? 0, tally.errors, tally.lost, tally.undone,
    percentile(0.5), percentile(0.99), memory.map(({ heapUsed }) => (heapUsed / 1_048_576).toFixed(1)).join(' '),
  ]
  return `| ${cells.join(' | ')} |`
}
