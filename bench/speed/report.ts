import { cpus } from 'node:os'
import type { Effort, Result, Row } from './compare.ts'
import { goalTable } from './goals.ts'
import { FRAMEWORKS, type Framework, type Scenario, type Subject } from './subjects.ts'

type Cell = (row: Row) => string

const COLUMNS: readonly (readonly [head: string, cell: Cell])[] = [
  ['', ({ subject }) => subject.name],
  ['anonymous', shown('anonymous', 'ratio')],
  ['read', shown('read', 'ratio')],
  ['read of 10 KB', shown('large', 'ratio')],
  ['write', shown('write', 'ratio')],
  ['CPU, read', shown('read', 'cpuRatio')],
  ['CPU, write', shown('write', 'cpuRatio')],
  ['p99, read', shown('read', 'p99')],
  ['p99, write', shown('write', 'p99')],
  ['lost writes', ({ lost }) => lost],
  ['undone logouts', ({ undone }) => undone],
  ['measured', ({ date }) => date],
]

function shown(scenario: Scenario, what: keyof Result): Cell {
  return ({ results }) => {
    const value = results[scenario]?.[what] ?? Number.NaN
    // An older table may lack a column.
    return Number.isNaN(value) ? '' : value.toFixed(2)
  }
}

/** The table, one part for each framework. */
export function table(rows: readonly Row[]): string {
  const parts = FRAMEWORKS.map((framework) => [framework, rows.filter(({ subject }) => subject.framework === framework)] as const).filter(([, part]) => part.length > 0)
  return parts.map(([framework, part]) => [`### ${titleOf(framework)}`, '', line(COLUMNS.map(([head]) => head)), `|---|${'---:|'.repeat(COLUMNS.length - 1)}`, ...part.map((row) => line(COLUMNS.map(([, cell]) => cell(row))))].join('\n')).join('\n\n')
}

function titleOf(framework: Framework): string {
  return framework === 'node' ? 'node:http' : framework
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** The rows that a report shows of these subjects, in their order: what {@link report} writes comes back, to two decimals. */
export function rowsOf(text: string, subjects: readonly Subject[]): readonly Row[] {
  const parts = text.split(/^### /m).slice(1)
  return subjects.flatMap((subject) => {
    const [, , head, , ...lines] = parts.find((part) => part.startsWith(`${titleOf(subject.framework)}\n`))?.split('\n') ?? []
    const found = lines.find((one) => one.startsWith(`| ${subject.name} |`))
    if (head === undefined || found === undefined) return []
    const [heads, cells] = [head, found].map((one) => one.split('|').slice(1, -1).map((cell) => cell.trim()))
    return [rowFrom(subject, (name) => cells?.[heads?.indexOf(name) ?? -1] ?? '')]
  })
}

function rowFrom(subject: Subject, cell: (head: string) => string): Row {
  const heads = { anonymous: 'anonymous', read: 'read', large: 'read of 10 KB', write: 'write' }
  const results = Object.entries(heads).filter(([, head]) => cell(head) !== '').map(([scenario, head]) => [scenario, {
    ratio: Number.parseFloat(cell(head)), cpuRatio: Number.parseFloat(cell(`CPU, ${head}`)), p99: Number.parseFloat(cell(`p99, ${head}`)),
  }])
  return { subject, date: cell('measured'), lost: cell('lost writes'), undone: cell('undone logouts'), results: Object.fromEntries(results) }
}

/** The older rows, with the newer ones in their places; in the order of the subjects. */
export function merged(older: readonly Row[], newer: readonly Row[], subjects: readonly Subject[]): readonly Row[] {
  return subjects.flatMap((subject) => newer.find((row) => row.subject === subject) ?? older.find((row) => row.subject === subject) ?? [])
}

/** bench/results.md. `missing` are the subjects without a row, and why. */
export function report(rows: readonly Row[], { rounds, seconds, beginning, warmUp }: Effort, missing: readonly string[]): string {
  return `# Results

Throughput as a ratio to the same server without any session: 1.00 is no cost at all. Medians of ${rounds} pairs of ${seconds} s, bare and measured in turns in one
run after ${beginning} s of load on both, and ${warmUp} s more in each column, 16 connections, load from another process. A visitor for each connection; both servers are sent the same requests, with the same cookies. Sessions of 8 keys and about 1 KB, or 10 KB. The columns "CPU" are the ratio of the processor time that the
two servers took for a request; p99 in milliseconds. Beside the speed, what is lost: keys missing after 100 parallel requests that set one each, and logouts undone by a request
that was under way. Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}).

${table(rows)}
${missing.length === 0 ? '' : `\nNot measured:\n\n${missing.map((text) => `- ${text}`).join('\n')}\n`}
## Against the goals

${goalTable(rows)}

Where the time goes: [docs/speed.md](../docs/speed.md). Written by \`npm run bench\`. Absolute figures differ from machine to machine and from minute to minute; only the ratios count. With a store on a server, the bare
server waits for nobody, while the measured one shares its cores with that server and with the load: there the "limits" tell what is possible. Stores in the cookie lose parallel writes and
undo logouts by their nature: the visitor holds the session. Rows that were merged in can have had less load before: docs/speed.md says which. Starman with one worker and the memory store answers one request after the other, so nothing is under way at once that could be lost; with files it has 16 workers.
`
}
