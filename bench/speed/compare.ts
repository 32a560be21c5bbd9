import { load, lostWrites, start, stop, undoneLogouts, withNewVisitors, type Measured, type Running } from './measure.ts'
import type { Scenario, Subject } from './subjects.ts'

/** One line of the table: medians of the pairs. */
export interface Row {
  readonly subject: Subject
  /** As `2026-11-22`. */
  readonly date: string
  readonly lost: string
  readonly undone: string
  readonly results: Readonly<Partial<Record<Scenario, Result>>>
}

export interface Result {
  /** Requests per second, as a ratio to the bare server. */
  readonly ratio: number
  /** Time of the processor that the bare server takes for a request, as a ratio to ours: what the ratio would be if nothing else ran. */
  readonly cpuRatio: number
  /** Milliseconds. */
  readonly p99: number
}

export interface Effort {
  readonly rounds: number
  readonly seconds: number
  /** Seconds of load of all scenarios before the first: an engine takes that long to compile what is called often, and a server runs for days. */
  readonly beginning: number
  /** Seconds of load before the first round of each scenario. */
  readonly warmUp: number
}

/** Seconds that a comparison takes on a machine that does nothing else. */
export function timeOf({ scenarios }: Subject, { rounds, seconds, beginning, warmUp }: Effort): number {
  // Each load waits some 100 ms for its last answers; starting, logging in and looking for what is lost take about three seconds.
  return 3 + 2 * beginning + scenarios.length * (2 * rounds * (seconds + 0.1) + 2 * (warmUp + 0.2))
}

/** A B A B …: each round measures the bare server and the subject one right after the other, so that a busy machine slows both. */
export async function compare(subject: Subject, url: string, { rounds, seconds, beginning, warmUp }: Effort, progress: (text: string) => void): Promise<Row> {
  const bare = await start(subject.base, [], '')
  // One that stays behind keeps the run from ending.
  const started = await start(subject, subject.scenarios, url).catch(async (error: unknown) => {
    await stop(bare)
    throw error
  })
  const results: Partial<Record<Scenario, Result>> = {}
  try {
    progress('warming up')
    for (const running of [withVisitorsOf(started, bare), started]) for (const scenario of subject.scenarios) await load(running, scenario, beginning / subject.scenarios.length)
    const measured = await withNewVisitors(started, subject.scenarios)
    const base = withVisitorsOf(measured, bare)
    for (const scenario of subject.scenarios) {
      const pairs: [Measured, Measured][] = []
      for (const running of [base, measured]) await load(running, scenario, warmUp)
      for (let round = 0; round < rounds; round += 1) {
        progress(`${scenario}, round ${round + 1} of ${rounds}`)
        pairs.push([await load(base, scenario, seconds), await load(measured, scenario, seconds)])
      }
      results[scenario] = {
        ratio: median(pairs.map(([a, b]) => b.perSecond / a.perSecond)), cpuRatio: median(pairs.map(([a, b]) => a.cpu / b.cpu)), p99: median(pairs.map(([, b]) => b.p99)),
      }
    }
    progress('what is lost')
    const isLimit = subject.scenarios.length === 1
    return { subject, results, date: new Date().toISOString().slice(0, 10), lost: isLimit ? '' : await lostWrites(measured), undone: isLimit ? '' : await undoneLogouts(measured) }
  } finally {
    await Promise.all([bare, started].map(stop))
  }
}

// Both are asked the same: a browser sends a cookie whether or not somebody reads it.
function withVisitorsOf({ small, large }: Running, bare: Running): Running {
  return { ...bare, small, large }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
