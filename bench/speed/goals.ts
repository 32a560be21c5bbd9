import type { Row } from './compare.ts'
import type { Framework, Limit, Scenario } from './subjects.ts'

/** What a subject is to reach: a ratio to the bare server; and the row that does less than it must. */
type Aim = readonly [ratio: number, limit: Limit]

interface Goal {
  readonly framework: Framework
  readonly name: string
  readonly at: Partial<Record<Scenario, Aim>>
}

const goals: readonly Goal[] = [
  { framework: 'node', name: 'Sojourn, memory', at: { read: [0.92, 'limit of one hash'], write: [0.85, 'limit of one hash'] } },
  { framework: 'express', name: 'Sojourn, memory', at: { read: [0.94, 'limit of one hash'], write: [0.9, 'limit of one hash'] } },
  { framework: 'fastify', name: 'Sojourn, memory', at: { read: [0.9, 'limit of one hash'], write: [0.85, 'limit of one hash'] } },
  { framework: 'express', name: 'Sojourn, sqlite', at: { read: [0.75, 'limit of one statement'], write: [0.45, 'limit of one transaction'] } },
  { framework: 'express', name: 'Sojourn, redis', at: { read: [0.55, 'limit of one command'], write: [0.4, 'limit of two commands'] } },
  { framework: 'express', name: 'Sojourn, redis with near cache', at: { read: [0.85, 'limit of one hash'], write: [0.4, 'limit of one command'] } },
  { framework: 'node', name: 'Sojourn, cookie', at: { read: [0.6, 'limit of opening'], write: [0.45, 'limit of opening and sealing'] } },
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

const HEAD = '| | goal | limit | measured | |\n|---|---:|---:|---:|---|'

/** The goals that there are rows for, and what became of them. A goal beyond its limit is out of reach for whatever does more than the limit. */
export function goalTable(rows: readonly Row[]): string {
  const rowOf = (framework: Framework, name: string): Row | undefined => rows.find(({ subject }) => subject.framework === framework && subject.name === name)
  const ratioOf = (framework: Framework, limit: Limit): number | undefined => Object.values(rowOf(framework, limit)?.results ?? {})[0]?.ratio
  const limitFor = (framework: Framework, name: string, part: Scenario): number | undefined => {
    const [, limit] = goals.find((goal) => goal.framework === framework && goal.name === name)?.at[part] ?? []
    return limit === undefined ? undefined : ratioOf(framework, limit)
  }
  const redis = rowOf('express', 'Sojourn, redis')
  const lines = [
    ...(['node', 'express', 'fastify', 'koa', 'hono'] as const).map((framework) => anonymous(framework, rows, ratioOf(framework, 'limit of a look'))),
    ...goals.flatMap(({ framework, name, at }) => Object.entries(at).map(([part, [goal, limit]]) =>
      atLeast(`${framework}: ${name}, ${part}`, goal, ratioOf(framework, limit), rowOf(framework, name)?.results[part as Scenario]?.ratio))),
    ...comparisons.flatMap(({ framework, name, beside, times, parts }) => parts.map((part) => {
      const [ours, theirs] = [name, beside].map((one) => rowOf(framework, one)?.results[part]?.ratio)
      return atLeast(`${framework}: ${name}, ${part}, times ${beside}`, times, over(limitFor(framework, name, part), theirs), over(ours, theirs))
    })),
    ...(['read', 'write'] as const).map((part) => atMost(`express: Sojourn, redis, p99 of ${part}, times express-session, redis`, 0.5, over(redis?.results[part]?.p99, rowOf('express', 'express-session, redis')?.results[part]?.p99))),
    ...(['node', 'express', 'fastify'] as const).map((framework) => {
      const results = rowOf(framework, 'Sojourn, memory')?.results
      return atMost(`${framework}: Sojourn, memory, time of a read where the session has 10 KB, times one of 1 KB`, 1.1, over(results?.read?.ratio, results?.large?.ratio))
    }),
  ]
  return [HEAD, ...lines.filter((line) => line !== '')].join('\n')
}

/** The slowest of a framework that keeps sessions. */
function anonymous(framework: Framework, rows: readonly Row[], limit: number | undefined): string {
  const ours = rows.filter(({ subject, results }) => subject.framework === framework && subject.name.startsWith('Sojourn') && results.anonymous !== undefined)
  const [slowest] = ours.toSorted((a, b) => (a.results.anonymous?.ratio ?? 0) - (b.results.anonymous?.ratio ?? 0))
  return slowest === undefined ? '' : atLeast(`${framework}: anonymous, the slowest of ${ours.length} rows (${slowest.subject.name})`, 0.98, limit, slowest.results.anonymous?.ratio)
}

function over(ours: number | undefined, theirs: number | undefined): number | undefined {
  const times = (ours ?? Number.NaN) / (theirs ?? Number.NaN)
  return Number.isNaN(times) ? undefined : times
}

function atLeast(what: string, goal: number, limit: number | undefined, measured: number | undefined): string {
  if (measured === undefined) return ''
  const verdict = measured >= goal ? 'met' : limit !== undefined && limit < goal ? '**missed**, as by the limit' : '**missed**'
  return `| ${what} | ≥ ${goal.toFixed(2)} | ${limit?.toFixed(2) ?? ''} | ${measured.toFixed(2)} | ${verdict} |`
}

function atMost(what: string, goal: number, measured: number | undefined): string {
  return measured === undefined ? '' : `| ${what} | ≤ ${goal.toFixed(2)} |  | ${measured.toFixed(2)} | ${measured <= goal ? 'met' : '**missed**'} |`
}
