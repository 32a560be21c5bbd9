import { strict as assert } from 'node:assert'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'vitest'
import { fileStore } from '../../src/stores/file.ts'
import { isLogName } from '../../src/stores/internal/file-names.ts'
import { describeProcesses } from './describe-processes.ts'
import { killRounds } from './kill-rounds.ts'

const module = fileURLToPath(new URL('file-store.ts', import.meta.url))
const location = (): string => mkdtempSync(join(tmpdir(), 'sojourn-files-'))
const remove = (place: string): void => rmSync(place, { recursive: true, force: true })

describeProcesses({ describe, it }, 'fileStore', { module, location, remove })

describe('fileStore, killed in the middle of writes', () => {
  it('loses nothing acknowledged in 60 rounds, at least 40 of them with a write in flight, and sweeps what is left over', { timeout: 1_200_000 }, async () => {
    const place = location()
    try {
      const report = await killRounds({ module, location: place })
      console.log('fileStore, kill -9:', report)
      assert.ok(report.rounds >= 60 && report.inFlight >= 40)
      await assertSwept(place)
    } finally {
      remove(place)
    }
  })
})

/** After a sweep two minutes later: no draft, one log for each record, and nothing in the index. */
async function assertSwept(place: string): Promise<void> {
  const store = fileStore(place)
  const listed: string[] = []
  for await (const id of store.list()) listed.push(id)
  for (const id of listed) assert.ok((await store.read(id)) !== undefined)
  await store.sweep({ now: Date.now() + 120_000 }, 100_000)
  assert.deepEqual(readdirSync(join(place, 'drafts')), [])
  const files = readdirSync(join(place, 'records'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  assert.deepEqual(files.filter(({ name }) => !isLogName(name)), [])
  assert.equal(new Set(files.map(({ parentPath }) => parentPath)).size, files.length, 'one log for each record')
  assert.deepEqual(readdirSync(join(place, 'index')), [])
}
