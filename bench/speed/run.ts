// npm run bench [-- --quick] [-- --only PATTERN [--merge]] [-- --pairs 11]: throughput beside a bare server, interleaved in one run, and what each subject loses.
// Without --only it writes bench/results.md anew; with --merge what is chosen takes its place among the rows that are there.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compare, timeOf, type Effort, type Row } from './compare.ts'
import { merged, report, rowsOf, table } from './report.ts'
import { lackOf, startServers } from './servers.ts'
import { quickSubjects, subjects, type Subject } from './subjects.ts'

const peers = join(import.meta.dirname, '..', 'peers')
const results = join(import.meta.dirname, '..', 'results.md')
const { values: { quick, only, merge, pairs } } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, merge: { type: 'boolean', default: false }, pairs: { type: 'string' } } })
// Many short pairs: what else runs on a machine changes from one second to the next.
const effort: Effort = { rounds: Number(pairs ?? (quick ? 3 : 11)), seconds: 0.3, beginning: quick ? 1 : 4, warmUp: quick ? 0.2 : 1 }
const isWritten = !quick && (merge || only === undefined)

async function main(): Promise<void> {
  if (merge && effort.rounds < 5) throw new Error('The results are medians of at least five pairs. Leave out --merge, or --quick and --pairs.')
  installPeers()
  const pattern = new RegExp(only ?? '', 'i')
  const chosen = (quick ? quickSubjects : subjects).filter(({ framework, name }) => pattern.test(`${framework} ${name}`))
  const possible = chosen.filter((subject) => lackOf(subject) === undefined)
  for (const subject of chosen) if (!possible.includes(subject)) console.log(`Left out: ${nameOf(subject)}`)
  console.log(`${possible.length} ${possible.length === 1 ? 'row' : 'rows'} of ${effort.rounds} ${effort.rounds === 1 ? 'pair' : 'pairs'}: ${timeFor(possible)}, when nothing else runs.`)
  const servers = await startServers(possible)
  const older = merge ? rowsOf(readFileSync(results, 'utf8'), subjects) : []
  const rows: Row[] = []
  try {
    for (const [at, subject] of possible.entries()) {
      const where = `${at + 1} of ${possible.length} · ${timeFor(possible.slice(at))} left · ${subject.framework} · ${subject.name}`
      await compare(subject, servers.urlFor(subject), effort, (text) => progress(`${where} · ${text}`)).then((row) => rows.push(row), leaveOut(subject))
      // After each, so that a run that is broken off is not lost.
      if (isWritten) write(merged(older, rows, subjects))
    }
  } finally {
    await servers.stop()
  }
  console.log(`\n${table(rows)}`)
}

function write(rows: readonly Row[]): void {
  writeFileSync(results, report(rows, effort, subjects.filter((subject) => !rows.some((row) => row.subject === subject)).map(nameOf)))
}

/** What the table calls it, and why it cannot be measured here where it cannot. */
function nameOf(subject: Subject): string {
  const lack = lackOf(subject)
  return `${subject.framework}: ${subject.name}${lack === undefined ? '' : `. ${lack}`}`
}

function timeFor(some: readonly Subject[]): string {
  const seconds = some.reduce((sum, subject) => sum + timeOf(subject, effort), 0)
  return seconds < 90 ? `about ${Math.round(seconds)} s` : `about ${Math.round(seconds / 60)} min`
}

/** One that cannot be measured must not cost the others; a table without its line says so, too. */
function leaveOut({ framework, name }: Subject): (error: unknown) => void {
  return (error) => {
    console.error(`${framework}: ${name} is left out.`, error)
    process.exitCode = 1
  }
}

function installPeers(): void {
  if (existsSync(join(peers, 'node_modules', 'koa-session'))) return
  console.log('Installing the libraries to compare with …')
  execFileSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: peers, stdio: 'inherit' })
}

function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${text}`)
  else console.log(text)
}

await main()
