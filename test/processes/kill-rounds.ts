import { strict as assert } from 'node:assert'
import type { ChildProcess } from 'node:child_process'
import { bulky, TOKEN_KEY } from './jobs.ts'
import { runInProcesses, startWorker } from './run-in-processes.ts'

export interface KillRounds {
  /** The path of a file that exports `open(location: string): Awaitable<Store>`. */
  readonly module: string
  readonly location: string
  /** Defaults to 60. More are run until `inFlight` is reached, at most three times as many. */
  readonly rounds?: number
  /** In how many rounds a write must have been under way at the kill. Defaults to 40. */
  readonly inFlight?: number
  /** Processes that write at once, and die at once. Defaults to 2. */
  readonly writers?: number
}

/** What happened in a run of {@link killRounds}. */
export interface KillReport {
  readonly rounds: number
  readonly inFlight: number
  readonly acknowledged: number
}

/** A write as its writer announced it: an entry, or (without a key) whether a record lives. */
interface Write {
  readonly id: string
  readonly key?: string
  readonly value: string
}

/** What may be read: the last acknowledged value, or the one that was under way at a kill. */
type Possible = Map<string, { readonly id: string; readonly key: string | undefined; readonly values: readonly string[] }>

/**
 * Kills writers, which also rotate tokens and sweep, with SIGKILL, round after round on the same data, and checks after each that every record
 * is readable and holds the old or the new value of what was under way, and that nothing acknowledged is lost.
 */
export async function killRounds({ module, location, rounds = 60, inFlight = 40, writers = 2 }: KillRounds): Promise<KillReport> {
  const possible: Possible = new Map()
  let done = 0
  let caught = 0
  let acknowledged = 0
  while (done < rounds || (caught < inFlight && done < rounds * 3)) {
    const outputs = await Promise.all(Array.from({ length: writers }, (_, index) => {
      const worker = startWorker([module, location, 'write-until-killed', String(index), String(writers), JSON.stringify({ round: String(done) })], Date.now())
      return killedAfter(worker, 1 + Math.floor(Math.random() * 40))
    }))
    const logs = outputs.map(parseLog)
    for (const log of logs) note(log, possible)
    if (logs.some(({ pending }) => pending !== undefined)) caught += 1
    acknowledged += logs.reduce((sum, log) => sum + log.acknowledged.length, 0)
    done += 1
    await check({ module, location, possible })
  }
  assert.ok(caught >= inFlight, `a write was in flight in ${caught} of ${done} rounds, fewer than ${inFlight}`)
  return { rounds: done, inFlight: caught, acknowledged }
}

/** Kills the worker at its `count`-th acknowledgement, and answers all it said. */
function killedAfter(worker: ChildProcess, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    worker.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
      if (said.split('acknowledged\n').length > count) worker.kill('SIGKILL')
    })
    worker.on('message', (message: { at: string; stack?: string }) => reject(new Error(`A writer failed: ${message.stack}`)))
    worker.once('error', reject)
    worker.once('close', (_code, signal) => (signal === 'SIGKILL' ? resolve(said) : reject(new Error('A writer left before it was killed'))))
  })
}

function parseLog(said: string): { readonly acknowledged: readonly Write[]; readonly pending: Write | undefined } {
  const acknowledged: Write[] = []
  let pending: Write | undefined
  // The last piece is empty, or a line that the kill cut off: a write that had not begun.
  for (const line of said.split('\n').slice(0, -1)) {
    if (line !== 'acknowledged') pending = JSON.parse(line)
    else if (pending !== undefined) acknowledged.push(pending)
    if (line === 'acknowledged') pending = undefined
  }
  return { acknowledged, pending }
}

function note({ acknowledged, pending }: ReturnType<typeof parseLog>, possible: Possible): void {
  for (const { id, key, value } of acknowledged) possible.set(`${id} ${key}`, { id, key, values: [value] })
  if (pending === undefined) return
  const { id, key, value } = pending
  const before = possible.get(`${id} ${key}`)?.values ?? ['absent']
  possible.set(`${id} ${key}`, { id, key, values: [...before, value] })
}

async function check({ module, location, possible }: { module: string; location: string; possible: Possible }): Promise<void> {
  const ids = [...new Set([...possible.values()].map(({ id }) => id))]
  const [seen] = (await runInProcesses({ module, location, job: 'look', count: 1, input: { ids: JSON.stringify(ids) } })) as readonly [Record<string, { ended: boolean; tokenHash: string; entries: Record<string, string> } | null>]
  for (const [name, { id, key, values }] of possible) {
    const found = seen[id] ?? undefined
    const value = key === undefined ? stateOf(found) : unbulky(found?.entries[key])
    if (key === TOKEN_KEY && value !== 'absent') assert.equal(found?.tokenHash, value, `${name}: token and entry of one rotation are not of one step`)
    // A tombstone may leave nothing behind at all.
    const right = values.includes(value) || (key === undefined && value === 'absent' && values.includes('ended'))
    assert.ok(right, `${name} is ${value} after the kill; it may be ${values.join(' or ')}`)
    possible.set(name, { id, key, values: [value] })
    if (value === 'ended' || value === 'absent') possible.delete(name)
  }
}

function stateOf(found: { ended: boolean } | undefined): string {
  if (found === undefined) return 'absent'
  return found.ended ? 'ended' : 'live'
}

function unbulky(text: string | undefined): string {
  if (text === undefined) return 'absent'
  const value = text.slice(0, text.indexOf('.....'))
  return text === bulky(value) ? value : 'torn'
}
