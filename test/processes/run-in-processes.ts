import { strict as assert } from 'node:assert'
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { JobName } from './jobs.ts'

export interface ProcessRun {
  /** The path of a file that exports `open(location: string): Awaitable<Store>`. */
  readonly module: string
  /** What `open` is called with: a path, a key prefix, a connection string. */
  readonly location: string
  readonly job: JobName
  readonly count: number
  /** Passed to the job. */
  readonly input?: Readonly<Record<string, string>>
}

/** What a worker says to its parent. */
export type Message = { readonly at: 'barrier' } | { readonly at: 'end'; readonly pid: number; readonly answer: unknown } | { readonly at: 'error'; readonly stack: string }

/**
 * Runs one job in `count` operating-system processes, each with a handle of its own, and answers what each
 * of them answered. Rejects when one fails; none is left running.
 */
export async function runInProcesses({ module, location, job, count, input = {} }: ProcessRun): Promise<readonly unknown[]> {
  const now = Date.now()
  const workers = Array.from({ length: count }, (_, index) => startWorker([module, location, job, String(index), String(count), JSON.stringify(input)], now))
  const waiting: ChildProcess[] = []
  try {
    const ends = await Promise.all(workers.map((worker) => conversation(worker, () => {
      waiting.push(worker)
      if (waiting.length === count) for (const each of waiting.splice(0)) each.send('go')
    })))
    assert.equal(new Set([process.pid, ...ends.map(({ pid }) => pid)]).size, count + 1, 'each job ran in a process of its own')
    return ends.map(({ answer }) => answer)
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
  }
}

/** A worker under the same Node, which runs TypeScript as it stands. Its standard output is piped. */
export function startWorker(args: readonly string[], now: number): ChildProcess {
  const execArgv = ['--conditions=sojourn:source', '--disable-warning=ExperimentalWarning']
  return fork(fileURLToPath(new URL('worker.ts', import.meta.url)), args, { execArgv, env: { ...process.env, SOJOURN_TEST_NOW: String(now) }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
}

function conversation(worker: ChildProcess, onBarrier: () => void): Promise<{ readonly pid: number; readonly answer: unknown }> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: Message) => {
      if (message.at === 'barrier') onBarrier()
      else if (message.at === 'end') resolve(message)
      else reject(new Error(`A worker failed: ${message.stack}`))
    })
    worker.once('error', reject)
    worker.once('exit', (code, signal) => reject(new Error(`A worker left early (code ${code}, signal ${signal})`)))
  })
}
