import { strict as assert } from 'node:assert'
import type { Awaitable } from '../../src/core/store.ts'
import type { Runner } from '../../src/testing/describe-store.ts'
import { runInProcesses, type ProcessRun } from './run-in-processes.ts'

export interface ProcessesOptions {
  /** The path of a file that exports `open(location: string): Awaitable<Store>`. */
  readonly module: string
  /** A place without data, made anew for each case: a path, a key prefix, a connection string. */
  location(): Awaitable<string>
  /** Removes what is at the place. */
  remove?(location: string): Awaitable<void>
  /** Defaults to 4. */
  readonly count?: number
}

/** Declares the cases that need several operating-system processes on one store. */
export function describeProcesses(runner: Runner, name: string, options: ProcessesOptions): void {
  const { count = 4 } = options
  runner.describe(`${name}, from ${count} processes`, () => {
    runner.it('keeps 100 keys that are set at once', async () => {
      const answers = await run(options, { job: 'set-keys', count })
      assert.deepEqual(answers, answers.map(() => ({ written: 100 / count, there: 100 })))
    })
    runner.it('counts every one of 250 increments by each process', async () => {
      const answers = await run(options, { job: 'increment', count })
      assert.deepEqual(answers, answers.map(() => 250 * count))
    })
    for (const by of ['logout', 'revoke', 'rotate', 'expire']) {
      runner.it(`answers gone to a patch that was held past a ${by} by another process, and nothing comes back`, async () => {
        const [holder, other] = await run(options, { job: 'late', count: 2, input: { by } })
        const lives = by === 'rotate'
        assert.deepEqual(holder, { status: 'gone', lives })
        assert.deepEqual(other, { lives })
      })
    }
    runner.it('leaves nothing alive when one process ends what the others write to', async () => {
      assert.deepEqual(await run(options, { job: 'end-race', count }), Array.from({ length: count }, () => 0))
    })
    runner.it('gives an id that all create at once to one of them', () => assertOneWinner(options, 'create-one', (index) => String(index)))
    runner.it('gives a rotation that all make at once to one of them', () => assertOneWinner(options, 'rotate', (index) => `new-${index}`))
  })
}

async function run({ module, location, remove }: ProcessesOptions, what: Pick<ProcessRun, 'job' | 'count' | 'input'>): Promise<readonly unknown[]> {
  const place = await location()
  try {
    return await runInProcesses({ module, location: place, ...what })
  } finally {
    await remove?.(place)
  }
}

interface Race {
  readonly won: readonly number[]
  readonly found: readonly string[]
}

async function assertOneWinner(options: ProcessesOptions, job: 'create-one' | 'rotate', mark: (index: number) => string): Promise<void> {
  const races = (await run(options, { job, count: options.count ?? 4 })) as readonly Race[]
  const rounds = races[0]?.found.length ?? 0
  assert.ok(rounds > 0)
  for (let round = 0; round < rounds; round += 1) {
    const winners = [...races.keys()].filter((index) => races[index]?.won.includes(round))
    assert.equal(winners.length, 1, `round ${round} has one winner`)
    for (const { found } of races) assert.equal(found[round], mark(winners[0] ?? -1), 'everyone sees the winner’s')
  }
}
