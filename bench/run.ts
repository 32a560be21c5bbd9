// npm run bench [-- --quick]: throughput beside a bare server, interleaved in one run, and what each variant loses.
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { FRAMEWORKS, SCENARIOS, VARIANTS, type Framework, type Scenario, type Variant } from './scenarios.ts'

const here = import.meta.dirname
const quick = process.argv.includes('--quick')
const SECONDS = quick ? 0.4 : 1
const ROUNDS = quick ? 1 : 5

interface Running {
  readonly child: ChildProcess
  readonly origin: string
  readonly cookie: string
}

interface Measured {
  readonly perSecond: number
  readonly p99: number
}

interface Row {
  readonly framework: Framework
  readonly variant: Variant
  readonly lost: string
  readonly undone: string
  readonly ratios: Readonly<Record<Scenario, string>>
  readonly p99: string
}

async function main(): Promise<void> {
  if (!existsSync(join(here, 'peers', 'node_modules', 'autocannon'))) {
    console.log('Installing what the benchmark needs …')
    execFileSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: join(here, 'peers'), stdio: 'inherit' })
  }
  const rows: Row[] = []
  for (const framework of FRAMEWORKS) {
    for (const variant of VARIANTS) {
      if (variant === 'bare' || (variant === 'peer' && framework !== 'express')) continue
      rows.push(await compare(framework, variant))
    }
  }
  const table = markdown(rows)
  console.log(`\n${table}`)
  if (!quick) writeFileSync(join(here, 'results.md'), report(table))
}

/** A B A B …: each round measures the bare server and the variant one right after the other, so that a busy machine slows both. */
async function compare(framework: Framework, variant: Variant): Promise<Row> {
  const [bare, subject] = [await start(framework, 'bare'), await start(framework, variant)]
  const ratios = { anonymous: '', read: '', write: '' }
  const p99: number[] = []
  for (const scenario of SCENARIOS) {
    const pairs: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      progress(`${framework} ${variant}: ${scenario}, round ${round + 1} of ${ROUNDS}`)
      const [base, measured] = [await load(bare, scenario), await load(subject, scenario)]
      pairs.push(measured.perSecond / base.perSecond)
      if (scenario === 'read') p99.push(measured.p99)
    }
    ratios[scenario] = median(pairs).toFixed(2)
  }
  progress(`${framework} ${variant}: what is lost`)
  const [lost, undone] = [await lostWrites(subject), await undoneLogouts(subject)]
  for (const { child } of [bare, subject]) child.kill()
  return { framework, variant, ratios, lost, undone, p99: `${median(p99).toFixed(1)} ms` }
}

async function start(framework: Framework, variant: Variant): Promise<Running> {
  const child = fork(join(here, 'server.ts'), [framework, variant], { execArgv: ['--conditions=sojourn:source', '--disable-warning=ExperimentalWarning'], env: { ...process.env, NODE_ENV: 'production' } })
  const [port]: unknown[] = await once(child, 'message')
  const origin = `http://127.0.0.1:${String(port)}`
  return { child, origin, cookie: await logIn(origin) }
}

async function logIn(origin: string): Promise<string> {
  const response = await fetch(`${origin}/login`)
  return response.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ')
}

async function load({ origin, cookie }: Running, scenario: Scenario): Promise<Measured> {
  const autocannon: unknown = createRequire(new URL('peers/', import.meta.url))('autocannon')
  if (typeof autocannon !== 'function') throw new Error('autocannon is not installed')
  const result: unknown = await Reflect.apply(autocannon, undefined, [{
    url: `${origin}/${scenario}`, connections: 16, duration: SECONDS, headers: scenario === 'anonymous' ? {} : { cookie },
  }])
  return measuredFrom(result)
}

function measuredFrom(result: unknown): Measured {
  const { requests, latency, duration, errors, non2xx } = result as { requests: { total: number }; latency: { p99: number }; duration: number; errors: number; non2xx: number }
  if (errors + non2xx > 0) throw new Error(`${errors + non2xx} requests failed: a benchmark of wrong answers counts for nothing.`)
  return { perSecond: requests.total / duration, p99: latency.p99 }
}

/** 100 requests at once, each setting a key of its own: how many are not there afterwards. */
async function lostWrites({ origin }: Running): Promise<string> {
  const cookie = await logIn(origin)
  await Promise.all(Array.from({ length: 100 }, (_, n) => fetch(`${origin}/key/n${n}`, { headers: { cookie } })))
  const kept = Number(await (await fetch(`${origin}/keys`, { headers: { cookie } })).text())
  return `${100 - kept} of 100`
}

/** A slow request overlaps a logout: how often the old cookie works again afterwards. */
async function undoneLogouts({ origin }: Running): Promise<string> {
  let undone = 0
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const cookie = await logIn(origin)
    const slow = fetch(`${origin}/slow`, { headers: { cookie } })
    await fetch(`${origin}/logout`, { headers: { cookie } })
    await slow
    if (!(await (await fetch(`${origin}/read`, { headers: { cookie } })).text()).includes('nobody')) undone += 1
  }
  return `${undone} of 5`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function markdown(rows: readonly Row[]): string {
  const head = '| | store | anonymous | read | write | p99 of read | lost writes | undone logouts |\n|---|---|---|---|---|---|---|---|'
  const line = ({ framework, variant, ratios, p99, lost, undone }: Row): string =>
    `| ${framework} | ${variant === 'peer' ? 'express-session, memory' : `Sojourn, ${variant}`} | ${ratios.anonymous} | ${ratios.read} | ${ratios.write} | ${p99} | ${lost} | ${undone} |`
  return [head, ...rows.map(line)].join('\n')
}

function report(table: string): string {
  return `# Results

Throughput as a ratio to the same server without any session, measured in turns in one run: medians of ${ROUNDS} pairs of ${SECONDS} s, 16 connections,
load from another process. Sessions of 8 keys and about 1 KB. Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}).
Beside the speed, what is lost: keys missing after 100 parallel requests that set one each, and logouts undone by a request that was under way.

${table}

Made by \`npm run bench\`. Absolute figures differ from machine to machine and from minute to minute; only the ratios count.
`
}

function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${text}`)
  else console.log(text)
}

await main()
