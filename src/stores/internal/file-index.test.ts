import { strict as assert } from 'node:assert'
import { describe, it } from 'vitest'
import { interleave, type Scene } from '../../../test/files/interleave.ts'
import { memoryFiles } from '../../../test/files/memory-files.ts'
import { aRecord, independent, SharedFolder, type Operation } from '../../../test/files/record-model.ts'
import { fileIndex, type FileIndex } from './file-index.ts'
import { nameOfTerm } from './file-names.ts'
import { sweepDrafts, sweepEntry } from './file-sweep.ts'
import { incarnationOf, type CreateHooks } from './record-folders.ts'
import { finish, type Steps } from './steps.ts'

const TERM = 'term'
const OTHER = 'Other term'

const addTerm: Operation = { name: 'patch', patch: { now: 10, nonce: 'n', index: [OTHER, TERM], expiresAt: 5000 } }
const create: Operation = { name: 'create', record: aRecord({ nonce: 'new', createdAt: 2000, expiresAt: 3000, index: [TERM] }) }
const end: Operation = { name: 'end', at: 20 }
const sweep: Operation = { name: 'drop', rule: { by: 'expires', time: 2000 } }

interface Setting {
  readonly shared: SharedFolder
  readonly index: FileIndex
  readonly hooks: CreateHooks
}

/** A live record under TERM, and an entry that an earlier incarnation left behind. */
function setting(): Setting {
  const shared = new SharedFolder(memoryFiles(), '/s')
  const index = fileIndex({ files: shared.files, folder: '/s/index', shards: 0, flush: false })
  const hooks: CreateHooks = { list: (terms, incarnation) => index.add(terms, 'a', incarnation), unlist: (terms, incarnation) => index.remove(terms, 'a', incarnation) }
  finish(shared.actor(0, [{ name: 'create', record: aRecord({ index: [TERM] }) }], { hooks }))
  finish(index.add([TERM], 'a', '00000000000000ff'))
  return { shared, index, hooks }
}

function* sweepIndex({ shared, index }: Setting): Steps<void> {
  yield 'list index'
  for (const entry of index.entries('')) {
    yield* sweepEntry({ files: shared.files, drafts: shared.drafts, index, folders: shared.process(), placeOf: () => shared.place }, entry)
  }
}

/** Fails at any moment at which a live record is not listed under each of its terms. */
function assertListed({ shared }: Setting): void {
  const log = finish(shared.process().load(shared.place))
  for (const term of log?.state.record?.index ?? []) {
    const entry = `/s/index/${nameOfTerm(term)}/a.${incarnationOf(log?.name ?? '')}`
    assert.ok(shared.files.size(entry) !== undefined, `a live record is not listed under ${term}`)
  }
}

function sceneOf(...operations: readonly (Operation | 'sweep index')[]): Scene {
  const made = setting()
  const actors = operations.map((operation, n): Steps<void> => (operation === 'sweep index' ? sweepIndex(made) : made.shared.actor(n, [operation], { hooks: made.hooks })))
  return { actors, check: () => assertSweptClean(made), watch: () => assertListed(made) }
}

/** Once the rest is swept, the index holds what lives and nothing else. */
function assertSweptClean(made: Setting): void {
  const { shared, index } = made
  finish(sweepDrafts({ files: shared.files, drafts: shared.drafts }, 0))
  finish(sweepIndex(made))
  const log = finish(shared.process().load(shared.place))
  const live = log?.state.record !== undefined && log.state.record.ended === undefined
  const left = [...index.entries('')]
  assert.deepEqual([...new Set(left.map(({ incarnation }) => incarnation))], live ? [incarnationOf(log.name)] : [])
  assertListed(made)
}

describe('the index of the file store', () => {
  const races: readonly (readonly (Operation | 'sweep index')[])[] = [
    [addTerm, end],
    [addTerm, sweep],
    [addTerm, 'sweep index'],
    [end, create],
    [sweep, create],
    [create, 'sweep index'],
    [create, create],
    [sweep, 'sweep index'],
    [end, create, 'sweep index'],
    [addTerm, end, create],
  ]
  for (const operations of races) {
    const names = operations.map((operation) => (operation === 'sweep index' ? operation : operation.name)).join(' × ')
    it(`lists a live record at every moment, and in the end nothing else: ${names}`, () => {
      const { runs } = interleave(() => sceneOf(...operations), { independent, limit: 400 })
      assert.ok(runs > 1)
      for (let killAt = 0; killAt < 25; killAt += 1) interleave(() => sceneOf(...operations), { independent, limit: 10, killAt })
    })
  }

  it('takes no name for an entry that is none', () => {
    const { shared, index } = setting()
    for (const name of ['junk', 'a.b', '..00000000000000ff', 'a.00000000000000fg', '.00000000000000ff']) shared.files.ensureFile(`/s/index/${nameOfTerm(TERM)}/${name}`)
    assert.deepEqual([...index.entries('')].map(({ id }) => id), ['a', 'a'])
  })
})
