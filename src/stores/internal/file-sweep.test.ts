import { strict as assert } from 'node:assert'
import { describe, it } from 'vitest'
import { memoryFiles } from '../../../test/files/memory-files.ts'
import { aRecord, noIndex, serializer } from '../../../test/files/record-model.ts'
import { fileIndex } from './file-index.ts'
import { fileSweep } from './file-sweep.ts'
import { recordFolders } from './record-folders.ts'
import { finish } from './steps.ts'

/** A sweep over 100 records, of which the first ten are past at 1000, that counts the logs it opens. */
function counted() {
  const files = memoryFiles()
  let opened = 0
  const counting = { ...files, open: (path: string, how: 'read' | 'append') => {
    opened += 1
    return files.open(path, how)
  } }
  const folders = recordFolders({ files: counting, serializer, drafts: '/s/drafts', flush: false })
  const index = fileIndex({ files: counting, folder: '/s/index', shards: 2, flush: false })
  const placeOf = (id: string) => ({ name: id, folder: `/s/records/${id.slice(-1)}/${id.slice(-2, -1)}/${id}`, log: undefined })
  for (let n = 0; n < 100; n += 1) finish(folders.create(placeOf(`id-${String(n).padStart(2, '0')}`), aRecord({ expiresAt: n < 10 ? 1000 : 2000 }), noIndex))
  const sweep = fileSweep({ files: counting, folders, index, records: '/s/records', drafts: '/s/drafts', shards: 2, placeOf, run: finish })
  return { sweep, opened: () => opened, reset: () => { opened = 0 } }
}

describe('the cost of a sweep', () => {
  it('is that of the records that are past: no log is opened of those that live, but for one shard in 256', async () => {
    const { sweep, opened, reset } = counted()
    reset()
    assert.equal(await sweep({ now: 999 }, 100), 0)
    assert.ok(opened() <= 1, `${opened()} logs opened`)
    reset()
    assert.equal(await sweep({ now: 1000 }, 100), 10)
    assert.ok(opened() <= 21, `${opened()} logs opened`)
    reset()
    assert.equal(await sweep({ now: 1000 }, 100), 0)
    assert.ok(opened() <= 1, `${opened()} logs opened`)
  })

  it('goes on where the last one stopped: what it has looked through is not looked through again', async () => {
    const { sweep, opened, reset } = counted()
    reset()
    const counts = [await sweep({ now: 2000 }, 30), await sweep({ now: 2000 }, 30), await sweep({ now: 2000 }, 30), await sweep({ now: 2000 }, 30)]
    assert.deepEqual(counts, [30, 30, 30, 10])
    assert.ok(opened() <= 220, `${opened()} logs opened`)
  })
})
