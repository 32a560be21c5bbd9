// npm run bench [-- --quick] [-- --only words] [-- --from 5]: throughput beside a bare server, interleaved in one run, and what each subject loses.
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { needsPostgres, startPostgres } from '../../test/servers/postgres.ts'
import { needsRedis, startRedis } from '../../test/servers/redis.ts'
import { compare, type Effort, type Row } from './compare.ts'
import { report, table } from './report.ts'
import { quickSubjects, subjects, type Subject } from './subjects.ts'

const peers = join(import.meta.dirname, '..', 'peers')
const { values: { quick, only, from } } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, from: { type: 'string', default: '1' } } })
const effort: Effort = { rounds: quick ? 1 : 5, seconds: 1 }

async function main(): Promise<void> {
  installPeers()
  const chosen = (quick ? quickSubjects : subjects).slice(Number(from) - 1).filter(({ framework, name }) => only === undefined || `${framework} ${name}`.includes(only))
  const servers = await startServers(chosen)
  const rows: Row[] = []
  try {
    for (const [at, subject] of chosen.entries()) {
      const url = subject.needs === undefined ? '' : servers.urls[subject.needs]
      if (url === undefined) console.log(`${subject.framework}: ${subject.name} is left out, since ${subject.needs} is not installed.`)
      else await compare(subject, url, effort, (text) => progress(`${at + 1} of ${chosen.length} · ${subject.framework} · ${subject.name} · ${text}`)).then((row) => rows.push(row), leaveOut(subject))
      // After each, so that a run that is broken off is not lost.
      if (!quick && only === undefined) writeFileSync(join(import.meta.dirname, '..', 'results.md'), report(rows, effort))
    }
  } finally {
    await servers.stop()
  }
  console.log(`\n${table(rows)}`)
}

/** One that cannot be measured must not cost the others; a table without its line says so, too. */
function leaveOut({ framework, name }: Subject): (error: unknown) => void {
  return (error) => {
    console.error(`${framework}: ${name} is left out.`, error)
    process.exitCode = 1
  }
}

function installPeers(): void {
  if (existsSync(join(peers, 'node_modules', 'connect-pg-simple'))) return
  console.log('Installing the libraries to compare with …')
  execFileSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: peers, stdio: 'inherit' })
}

interface Servers {
  readonly urls: { readonly redis: string | undefined; readonly postgres: string | undefined }
  stop(): Promise<void>
}

async function startServers(chosen: readonly Subject[]): Promise<Servers> {
  const wants = (name: Subject['needs']): boolean => chosen.some(({ needs }) => needs === name)
  const redis = wants('redis') && needsRedis.binary !== undefined ? await startRedis(needsRedis.binary) : undefined
  const postgres = wants('postgres') && needsPostgres.binary !== undefined ? await startPostgres(needsPostgres.binary) : undefined
  return {
    urls: { redis: redis && `redis://:${redis.password}@127.0.0.1:${redis.port}`, postgres: postgres?.url },
    stop: async () => void (await Promise.all([redis?.stop(), postgres?.stop()])),
  }
}

function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${text}`)
  else console.log(text)
}

await main()
