import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'vitest'
import { describeProcesses } from './describe-processes.ts'
import { killRounds } from './kill-rounds.ts'

const module = fileURLToPath(new URL('plain-sqlite.ts', import.meta.url))
const location = (): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'sojourn-processes-')), 'records.db')
  // The step to the log is the one that SQLite refuses at once while another process takes it too, whatever the timeout.
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL')
  database.close()
  return path
}
const remove = (place: string): void => rmSync(join(place, '..'), { recursive: true, force: true })

describeProcesses({ describe, it }, 'plain sqlite', { module, location, remove })

describe('the process harness', () => {
  it('finds every promise broken by a store that reads and writes in two steps', async () => {
    const cases: { name: string; body: () => unknown }[] = []
    const recorder = { describe: (_: string, body: () => void) => body(), it: (name: string, body: () => unknown) => void cases.push({ name, body }) }
    describeProcesses(recorder, 'careless', { module, location: () => `${location()}?careless`, remove: (place) => remove(place.split('?')[0] ?? '') })
    const caught: string[] = []
    for (const { name, body } of cases) {
      try {
        await body()
      } catch {
        caught.push(name)
      }
    }
    assert.ok(caught.includes('keeps 100 keys that are set at once'), caught.join())
    assert.ok(caught.includes('counts every one of 250 increments by each process'), caught.join())
    assert.ok(caught.includes('gives a rotation that all make at once to one of them'), caught.join())
  })

  it('kills writers in the middle of a write, and finds nothing lost in a store that commits', async () => {
    const place = location()
    const { rounds, inFlight } = await killRounds({ module, location: place, rounds: 6, inFlight: 3 })
    remove(place)
    assert.ok(rounds >= 6 && inFlight >= 3)
  })
})
