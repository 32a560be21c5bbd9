import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Program, Scenario } from './subjects.ts'

const benchFolder = join(import.meta.dirname, '..')

/** A server of the benchmark that answers, with the cookies of two visitors for each connection: one with about 1 KB, one with 10. */
export interface Running {
  readonly child: ChildProcess
  readonly origin: string
  readonly connections: number
  /** Whether it has no sessions. */
  readonly isBare: boolean
  readonly small: readonly string[]
  readonly large: readonly string[]
}

/** One measured stretch. */
export interface Measured {
  readonly perSecond: number
  /** Milliseconds. */
  readonly p99: number
  /** Microseconds of the server's processor for each request. */
  readonly cpu: number
}

export async function start({ program: [file, ...words], connections = 16 }: Program, scenarios: readonly Scenario[], url: string): Promise<Running> {
  const child = fork(join(benchFolder, file), [...words, url], { execArgv: ['--conditions=sojourn:source', '--no-warnings'], env: { ...process.env, NODE_ENV: 'production' }, silent: true })
  let output = ''
  child.stderr?.on('data', (chunk) => { output += String(chunk) })
  child.stdout?.resume()
  const [port]: unknown[] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (typeof port !== 'number' || child.exitCode !== null) throw new Error(`${file} ${words.join(' ')} did not start:\n${output}`)
  const origin = `http://127.0.0.1:${port}`
  child.once('exit', (code) => { if (child.connected) console.error(`${file} ${words.join(' ')} ended by itself (${code}):\n${output}`) })
  return withNewVisitors({ child, origin, connections, isBare: words.includes('bare'), small: [], large: [] }, scenarios)
}

/** The same server, with visitors who have written nothing yet. */
export async function withNewVisitors(running: Running, scenarios: readonly Scenario[]): Promise<Running> {
  return { ...running, small: await logInAll(running, '/login'), large: scenarios.includes('large') ? await logInAll(running, '/login-large') : [] }
}

/** Each server ends, and takes its files away, when it is no longer connected. */
export async function stop({ child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.disconnect()
  await exit
}

// On a connection of its own, and once more: a server closes a connection that was idle while the load ran, perhaps just when it is used again.
async function ask(url: string, cookie = ''): Promise<Response> {
  const options = { headers: { connection: 'close', ...(cookie !== '' && { cookie }) } }
  try {
    return await fetch(url, options)
  } catch {
    return fetch(url, options)
  }
}

async function logInAll({ origin, connections }: Running, path: string): Promise<readonly string[]> {
  const cookies: string[] = []
  while (cookies.length < connections) cookies.push(await logIn(origin, path))
  return cookies
}

async function logIn(origin: string, path: string): Promise<string> {
  return cookiesOf(await ask(origin + path))
}

/** As a browser sends them back: of each name the last. */
function cookiesOf({ headers }: Response): string {
  const pairs = headers.getSetCookie().map((line) => line.split(';')[0] ?? '')
  return [...new Map(pairs.map((pair) => [pair.split('=')[0], pair])).values()].join('; ')
}

/** All connections for so many seconds. Throws when an answer is wrong: a benchmark of those counts for nothing. */
export async function load({ child, origin, isBare, connections, small, large }: Running, scenario: Scenario, seconds: number): Promise<Measured> {
  const autocannon: unknown = createRequire(join(benchFolder, 'peers', 'package.json'))('autocannon')
  if (typeof autocannon !== 'function') throw new Error('autocannon is not installed')
  const cookies = scenario === 'anonymous' ? [] : scenario === 'large' ? [...large] : [...small]
  // A visitor for each connection: requests of one session seldom come sixteen at once.
  const setupClient = (client: { setHeaders(headers: object): void }): void => {
    const cookie = cookies.pop()
    if (cookie !== undefined && cookie !== '') client.setHeaders({ cookie })
  }
  const beginning = beginningOf(scenario, isBare)
  const before = await cpuOf(child)
  const verifyBody = (body: unknown): boolean => String(body).startsWith(beginning)
  // It ends with the sample during which the time is over; its samples take a second unless told otherwise.
  const result: unknown = await Reflect.apply(autocannon, undefined, [{ url: `${origin}/${scenario}`, connections, duration: seconds, sampleInt: 50, verifyBody, setupClient }])
  const { requests, latency, duration, errors, non2xx, mismatches } = result as { requests: { total: number }; latency: { p99: number }; duration: number; errors: number; non2xx: number; mismatches: number }
  if (errors + non2xx + mismatches > 0) throw new Error(`${errors + non2xx} requests failed, and ${mismatches} had a wrong answer.`)
  return { perSecond: requests.total / duration, p99: latency.p99, cpu: ((await cpuOf(child)) - before) / requests.total }
}

/** How each answer begins; without sessions nobody is known. */
function beginningOf(scenario: Scenario, isBare: boolean): string {
  if (scenario === 'anonymous') return 'hello stranger'
  if (isBare) return 'hello nobody'
  return scenario === 'write' ? 'hello written' : 'hello 3333'
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('how much time?')
  const [usage]: unknown[] = await once(child, 'message')
  const { user, system } = usage as NodeJS.CpuUsage
  return user + system
}

/** 100 requests at once, each setting a key of its own: how many are not there afterwards. */
export async function lostWrites({ origin }: Running): Promise<string> {
  let cookie = await logIn(origin, '/login')
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(`${origin}/key/n${n}`, cookie)))
  // Where the cookie is the session, the last answer is what a browser keeps.
  const last = cookiesOf(answers.at(-1) ?? new Response())
  if (last !== '') cookie = last
  return `${100 - Number(await (await ask(`${origin}/keys`, cookie)).text())} of 100`
}

/** A slow request overlaps a logout: how often the cookie works again afterwards. */
export async function undoneLogouts({ origin }: Running): Promise<string> {
  let undone = 0
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const cookie = await logIn(origin, '/login')
    const slow = ask(`${origin}/slow`, cookie)
    await ask(`${origin}/logout`, cookie)
    await slow
    if (!(await (await ask(`${origin}/read`, cookie)).text()).includes('nobody')) undone += 1
  }
  return `${undone} of 5`
}
