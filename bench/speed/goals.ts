import type { Row } from './compare.ts'
import type { Framework, Scenario } from './subjects.ts'

/** What a subject is to reach: ratios to the bare server. */
interface Goal {
  readonly framework: Framework
  readonly name: string
  readonly at: Partial<Record<Scenario, number>>
}

const goals: readonly Goal[] = [
  { framework: 'node', name: 'Sojourn, memory', at: { read: 0.92, write: 0.85 } },
  { framework: 'express', name: 'Sojourn, memory', at: { read: 0.94, write: 0.9 } },
  { framework: 'fastify', name: 'Sojourn, memory', at: { read: 0.9, write: 0.85 } },
  { framework: 'express', name: 'Sojourn, sqlite', at: { read: 0.75, write: 0.45 } },
  { framework: 'express', name: 'Sojourn, redis', at: { read: 0.55, write: 0.4 } },
  { framework: 'express', name: 'Sojourn, redis with near cache', at: { read: 0.85, write: 0.4 } },
  { framework: 'node', name: 'Sojourn, cookie', at: { read: 0.6, write: 0.45 } },
]

/** How many times the throughput of another row a subject is to reach. */
interface Comparison {
  readonly framework: Framework
  readonly name: string
  readonly beside: string
  readonly times: number
  readonly parts: readonly Scenario[]
}

const comparisons: readonly Comparison[] = [
  { framework: 'express', name: 'Sojourn, memory', beside: 'express-session, memory', times: 3.3, parts: ['read', 'write'] },
  { framework: 'fastify', name: 'Sojourn, memory', beside: '@fastify/session, memory', times: 3.3, parts: ['read', 'write'] },
  { framework: 'express', name: 'Sojourn, redis', beside: 'express-session, redis', times: 1.7, parts: ['read', 'write'] },
  { framework: 'express', name: 'Sojourn, redis', beside: 'limit of one command', times: 0.9, parts: ['read'] },
  { framework: 'express', name: 'Sojourn, redis', beside: 'limit of two commands', times: 0.9, parts: ['write'] },
  { framework: 'node', name: 'Sojourn, cookie', beside: 'iron-session, cookie', times: 8, parts: ['read', 'write'] },
]

const HEAD = '| | goal | measured | |\n|---|---:|---:|---|'

/** The goals that there are rows for, and what became of them. */
export function goalTable(rows: readonly Row[]): string {
  const rowOf = (framework: Framework, name: string): Row | undefined => rows.find(({ subject }) => subject.framework === framework && subject.name === name)
  const redis = rowOf('express', 'Sojourn, redis')
  const lines = [
    ...anonymous(rows),
    ...goals.flatMap(({ framework, name, at }) => Object.entries(at).map(([part, goal]) => atLeast(`${framework}: ${name}, ${part}`, goal, rowOf(framework, name)?.results[part as Scenario]?.ratio))),
    ...comparisons.flatMap(({ framework, name, beside, times, parts }) => parts.map((part) => {
      const [ours, theirs] = [name, beside].map((one) => rowOf(framework, one)?.results[part]?.ratio)
      return atLeast(`${framework}: ${name}, ${part}, times ${beside}`, times, over(ours, theirs))
    })),
    ...(['read', 'write'] as const).map((part) => atMost(`express: Sojourn, redis, p99 of ${part}, times express-session, redis`, 0.5, over(redis?.results[part]?.p99, rowOf('express', 'express-session, redis')?.results[part]?.p99))),
    ...(['node', 'express', 'fastify'] as const).map((framework) => {
      const results = rowOf(framework, 'Sojourn, memory')?.results
      return atMost(`${framework}: Sojourn, memory, time of a read where the session has 10 KB, times one of 1 KB`, 1.1, over(results?.read?.ratio, results?.large?.ratio))
    }),
  ]
  return [HEAD, ...lines.filter((line) => line !== '')].join('\n')
}

/** The slowest of all that keep sessions. */
function anonymous(rows: readonly Row[]): readonly string[] {
  const ours = rows.filter(({ subject, results }) => subject.name.startsWith('Sojourn') && results.anonymous !== undefined)
  const [slowest] = ours.toSorted((a, b) => (a.results.anonymous?.ratio ?? 0) - (b.results.anonymous?.ratio ?? 0))
  return slowest === undefined ? [] : [atLeast(`anonymous, the slowest of ${ours.length} rows (${slowest.subject.framework}: ${slowest.subject.name})`, 0.98, slowest.results.anonymous?.ratio)]
}

function over(ours: number | undefined, theirs: number | undefined): number | undefined {
  const times = (ours ?? Number.NaN) / (theirs ?? Number.NaN)
  return Number.isNaN(times) ? undefined : times
}

function atLeast(what: string, goal: number, measured: number | undefined): string {
  return measured === undefined ? '' : verdict(what, `≥ ${goal.toFixed(2)}`, measured, measured >= goal)
}

function atMost(what: string, goal: number, measured: number | undefined): string {
  return measured === undefined ? '' : verdict(what, `≤ ${goal.toFixed(2)}`, measured, measured <= goal)
}

function verdict(what: string, goal: string, measured: number, isMet: boolean): string {
  return `| ${what} | ${goal} | ${measured.toFixed(2)} | ${isMet ? 'met' : '**missed**'} |`
}
