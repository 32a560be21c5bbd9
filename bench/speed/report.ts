import { cpus } from 'node:os'
import type { Effort, Row } from './compare.ts'
import { goalTable } from './goals.ts'
import { FRAMEWORKS, type Scenario } from './subjects.ts'

/** The table, one part for each framework. */
export function table(rows: readonly Row[]): string {
  const parts = FRAMEWORKS.map((framework) => rows.filter(({ subject }) => subject.framework === framework)).filter((part) => part.length > 0)
  return parts.map((part) => [`### ${part[0]?.subject.framework === 'node' ? 'node:http' : part[0]?.subject.framework}`, '', HEAD, ...part.map(line)].join('\n')).join('\n\n')
}

const HEAD = '| | anonymous | read | read of 10 KB | write | CPU, read | CPU, write | p99, read | lost writes | undone logouts |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|'

function line({ subject, results, lost, undone }: Row): string {
  const ratio = (scenario: Scenario): string => results[scenario]?.ratio.toFixed(2) ?? ''
  const cpu = (scenario: Scenario): string => results[scenario]?.cpuRatio.toFixed(2) ?? ''
  return `| ${subject.name} | ${ratio('anonymous')} | ${ratio('read')} | ${ratio('large')} | ${ratio('write')} | ${cpu('read')} | ${cpu('write')} | ${results.read?.p99.toFixed(1) ?? ''} ms | ${lost} | ${undone} |`
}

/** bench/results.md. */
export function report(rows: readonly Row[], { rounds, seconds }: Effort): string {
  return `# Results

Throughput as a ratio to the same server without any session: 1.00 is no cost at all. Medians of ${rounds} pairs of ${seconds} s, bare and measured in turns in one
run, 16 connections, load from another process. Sessions of 8 keys and about 1 KB, or 10 KB. The columns "CPU" are the ratio of the processor time that the
two servers took for a request. Beside the speed, what is lost: keys missing after 100 parallel requests that set one each, and logouts undone by a request
that was under way. ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}).

${table(rows)}

## Against the goals

${goalTable(rows)}

Where the time goes: [docs/speed.md](../docs/speed.md). Made by \`npm run bench\`. Absolute figures differ from machine to machine and from minute to minute; only the ratios count. With a store on a server, the bare
server waits for nobody, while the measured one shares its two cores with that server and with the load: there the "limits" tell what is possible.
`
}
