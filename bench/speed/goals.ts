import type { Row } from './compare.ts'
import type { Framework, Scenario } from './subjects.ts'

type Part = Exclude<Scenario, 'large'>

/** What a subject is to reach: ratios to the bare server. */
interface Goal {
  readonly framework: Framework
  readonly name: string
  readonly at: Partial<Record<Part, number>>
}

const goals: readonly Goal[] = [
  { framework: 'node', name: 'Sojourn, memory', at: { anonymous: 0.98, read: 0.92, write: 0.85 } },
  { framework: 'express', name: 'Sojourn, memory', at: { anonymous: 0.98, read: 0.94, write: 0.9 } },
  { framework: 'fastify', name: 'Sojourn, memory', at: { anonymous: 0.98, read: 0.9, write: 0.85 } },
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
}

const comparisons: readonly Comparison[] = [
  { framework: 'express', name: 'Sojourn, memory', beside: 'express-session, memory', times: 3.3 },
  { framework: 'fastify', name: 'Sojourn, memory', beside: '@fastify/session, memory', times: 3.3 },
  { framework: 'express', name: 'Sojourn, redis', beside: 'express-session, redis', times: 1.7 },
  { framework: 'node', name: 'Sojourn, cookie', beside: 'iron-session, cookie', times: 8 },
]

/** The goals that this run has rows for, and what became of them. */
export function goalTable(rows: readonly Row[]): string {
  const rowOf = (framework: Framework, name: string): Row | undefined => rows.find(({ subject }) => subject.framework === framework && subject.name === name)
  const lines = [
    ...goals.flatMap(({ framework, name, at }) => Object.entries(at).map(([part, goal]) => verdict(`${framework}: ${name}, ${part}`, goal, rowOf(framework, name)?.results[part as Part]?.ratio))),
    ...comparisons.flatMap(({ framework, name, beside, times }) => (['read', 'write'] as const).map((part) => {
      const [ours, theirs] = [name, beside].map((one) => rowOf(framework, one)?.results[part]?.ratio)
      return verdict(`${framework}: ${name}, ${part}, times ${beside}`, times, ours === undefined || theirs === undefined ? undefined : ours / theirs)
    })),
  ]
  return `| | goal | measured | |\n|---|---:|---:|---|\n${lines.filter((line) => line !== '').join('\n')}`
}

function verdict(what: string, goal: number, measured: number | undefined): string {
  return measured === undefined ? '' : `| ${what} | ${goal.toFixed(2)} | ${measured.toFixed(2)} | ${measured >= goal ? 'met' : '**missed**'} |`
}
