import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { hold, holdBoth, interleave, replayOrder, type Scene } from '../../../test/files/interleave.ts'
import { memoryFiles } from '../../../test/files/memory-files.ts'
import { aRecord, assertExplained, independent, serializer, SharedFolder, type Event, type Operation } from '../../../test/files/record-model.ts'
import { isSessionError } from '../../core/errors.ts'
import type { SessionRecord } from '../../core/record.ts'
import { isLogName } from './file-names.ts'
import { sweepDrafts } from './file-sweep.ts'
import { codeOf, fileFailure, localFiles, type LocalFiles } from './local-files.ts'
import type { Place } from './record-folders.ts'
import { decodeBase, replay, type Replayed } from './record-log.ts'
import { finish, finishOnDisk, type Steps } from './steps.ts'

const patch = (nonce: string, changes: object = {}): Operation => ({ name: 'patch', patch: { now: 10, nonce, set: [[`d:${nonce}`, nonce]], ...changes } })
const swap = (nonce: string): Operation => patch(nonce, { expect: [['d:n', null]], set: [['d:n', nonce]] })
const touch: Operation = patch('touch', { touchedAt: 10, expiresAt: 5000, set: undefined })
const create = (nonce: string): Operation => ({ name: 'create', record: aRecord({ nonce, createdAt: 2000, expiresAt: 3000 }) })
const end: Operation = { name: 'end', at: 20 }
const compact: Operation = { name: 'compact' }
const sweep: Operation = { name: 'drop', rule: { by: 'expires', time: 2000 } }
const sweepAll: Operation = { name: 'drop', rule: { by: 'expires', time: 200_000 } }
const read: Operation = { name: 'read' }

type Prepare = (shared: SharedFolder) => void

const absent: Prepare = () => undefined
const live: Prepare = (shared) => void shared.now({ name: 'create', record: aRecord() })

/** The states that a folder can be in before a race: made by whole calls, and by a process that was killed. */
const beginnings: Readonly<Record<string, Prepare>> = {
  absent,
  live,
  'compacted once': (shared) => {
    live(shared)
    shared.now(patch('before'))
    shared.now(compact)
  },
  ended: (shared) => {
    live(shared)
    shared.now(end)
  },
  'sealed and left': left(compact, 'put draft'),
  'linked and left': left(compact, 'unlink'),
  'linked, left and written to': (shared) => {
    left(compact, 'unlink')(shared)
    // By a process that knows the new generation, so it lists nothing and the old one stays.
    finish(shared.actor(0, [patch('between')], { place: seenAs(2)(shared) }))
    shared.events.length = 0
  },
  'dropped and left': left(sweep, 'unlink'),
  'emptied and left': left(sweep, 'remove folder'),
}

/** A live record and a process that died before this step. */
function left(operation: Operation, before: string): Prepare {
  return (shared) => {
    live(shared)
    const steps = shared.actor(0, [operation])
    for (let turn = steps.next(); turn.done !== true; turn = steps.next()) if (turn.value === before) break
    shared.events.length = 0
  }
}

type Actors = readonly (readonly Operation[])[]

interface SceneOptions {
  readonly files?: LocalFiles
  readonly root?: string
  /** What every process saw of the record before the race began. */
  sight?(shared: SharedFolder): Place
}

function sceneOf(from: string, actors: Actors, { files = memoryFiles(), root = '/s', sight = seen }: SceneOptions = {}): Scene {
  const shared = new SharedFolder(files, root)
  beginnings[from]?.(shared)
  const before = stateAfter(from)
  const leftover = shared.files.list(shared.place.folder) ?? []
  return {
    actors: actors.map((operations, n) => shared.actor(n, operations, { place: sight(shared) })),
    watch: () => shared.tick(),
    check() {
      assertExplained(before, shared.events, stateOf(shared))
      if (shared.events.every((event) => event.end !== undefined)) assertTidy(shared, leftover)
    },
  }
}

function seen(shared: SharedFolder): Place {
  const place = shared.place
  finish(shared.process().load(place))
  return place
}

const unseen = (shared: SharedFolder): Place => shared.place

/** A generation as it is when the race begins, whether or not it is the newest. */
function seenAs(generation: number): (shared: SharedFolder) => Place {
  return (shared) => {
    const place = shared.place
    const name = (shared.files.list(place.folder) ?? []).find((name) => name.endsWith(`.${generation}.log`)) ?? ''
    const { state, end } = decodeLog(shared.files, `${place.folder}/${name}`)
    place.log = { name, state, read: end, base: 0 }
    return place
  }
}

function decodeLog(files: LocalFiles, path: string): Replayed {
  const descriptor = files.open(path, 'read')
  assert.ok(descriptor !== undefined)
  const bytes = files.read(descriptor, 0)
  const { state, end } = decodeBase(bytes, serializer)
  const rest = replay(state, bytes.subarray(end))
  return { ...rest, end: end + rest.end }
}

const states = new Map<string, SessionRecord | undefined>()

// Looked up in a folder of its own: whoever lists a folder tidies it.
function stateAfter(from: string): SessionRecord | undefined {
  if (!states.has(from)) {
    const shared = new SharedFolder(memoryFiles(), '/s')
    beginnings[from]?.(shared)
    states.set(from, stateOf(shared))
  }
  return states.get(from)
}

function stateOf(shared: SharedFolder): SessionRecord | undefined {
  return finish(shared.process().load(shared.place))?.state.record
}

/** Nobody was killed in the race, so it leaves no draft and one log at most. */
function assertTidy(shared: SharedFolder, leftover: readonly string[]): void {
  assert.deepEqual(shared.files.list(shared.drafts) ?? [], [])
  const names = (shared.files.list(shared.place.folder) ?? []).filter((name) => !leftover.includes(name))
  assert.ok(names.length <= 1 && names.every(isLogName), `left over: ${names.join()}`)
}

// All that the limits below leave out takes hours: SOJOURN_EXHAUSTIVE=1 runs it.
const exhaustive = process.env['SOJOURN_EXHAUSTIVE'] === '1'
let runs = 0
afterAll(() => console.log(`file store: ${runs} interleavings of calls on one record, all explained`))

describe('every interleaving of two calls on one record is explained by one after the other', () => {
  const races: readonly (readonly [string, Operation, Operation])[] = [
    ['live', swap('a'), swap('b')],
    ['live', patch('a'), compact],
    ['live', swap('a'), end],
    ['live', touch, sweep],
    ['absent', create('a'), create('b')],
    ['live', create('a'), create('b')],
    ['ended', create('a'), create('b')],
    ['emptied and left', create('a'), create('b')],
    ['live', create('a'), sweep],
    ['live', create('a'), end],
    ['live', compact, compact],
    ['live', read, compact],
    ['compacted once', read, create('a')],
  ]
  for (const [from, one, other] of races) {
    it(`${one.name} × ${other.name} (${from})`, () => {
      const orders: (readonly number[])[] = []
      const { runs: count } = interleave(() => sceneOf(from, [[one], [other]]), { independent, onRun: (order) => orders.push(order) })
      runs += count
      console.log(`${one.name} × ${other.name} (${from}): ${count}`)
      const sample = orders.filter((_, n) => n % Math.ceil(orders.length / 10) === 0)
      for (const order of sample) onDisk((root) => replayOrder(sceneOf(from, [[one], [other]], { files: localFiles(), root }), order))
    })
  }
})

/** The same order on a real file system: the one in memory does not flatter. */
function onDisk(body: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'sojourn-orders-'))
  try {
    body(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}

describe('two calls on one record, whatever was there before', () => {
  const limit = exhaustive ? Infinity : 16
  const calls = [[swap('a'), swap('b')], [touch, patch('b')], [create('a'), create('b')], [end, end], [compact, compact], [sweep, sweep], [read, read]] as const
  for (const from of Object.keys(beginnings)) {
    it(`are explained by one after the other: ${from}`, { timeout: 3_600_000 }, () => {
      for (const [n, [one]] of calls.entries()) {
        for (const [, other] of calls.slice(n)) {
          for (const sight of [seen, unseen]) runs += interleave(() => sceneOf(from, [[one], [other]], { sight }), { independent, limit }).runs
        }
      }
    })
  }
})

describe('a process that has seen the log sealed', () => {
  for (const others of [[compact], [compact, patch('b')], [sweep], [end, sweepAll]]) {
    it(`neither makes its successor once more nor takes it for the newest, while others go on: ${others.map(({ name }) => name).join(', ')}`, () => {
      for (const operation of [patch('a'), compact, read]) {
        for (const from of ['sealed and left', 'linked and left', 'linked, left and written to']) {
          const scene = (): Scene => sceneOf(from, [[operation], others], { sight: seenAs(1) })
          runs += holdBoth(scene) + interleave(scene, { independent, limit: exhaustive ? Infinity : 40 }).runs
        }
      }
    })
  }
})

describe('a process that is held, or killed, before any of its steps', () => {
  // What others do meanwhile: enough to make the held one's names old several times over.
  const meanwhile: Actors = [[patch('b')], [end], [compact], [sweep], [create('b')], [compact, patch('b'), compact, patch('c')], [compact, end, compact, sweepAll], [sweepAll, create('b')], [sweep, create('b'), compact, end, sweepAll], [end, sweepAll, create('b'), compact]]
  for (const operation of [swap('a'), touch, create('a'), end, compact, sweep, read]) {
    it(`never undoes what was done meanwhile: ${operation.name}`, () => {
      for (const from of Object.keys(beginnings)) {
        for (const others of meanwhile) runs += hold(() => sceneOf(from, [[operation], others, [read]]))
      }
    })
    it(`leaves the old or the new when it is killed, and a folder that works: ${operation.name}`, () => {
      for (const from of Object.keys(beginnings)) {
        for (const others of meanwhile) runs += hold(() => sceneOf(from, [[operation], others, [read]]), { kill: true })
      }
    })
  }

  it('two of them at once', () => {
    const scene = (): Scene => sceneOf('compacted once', [[compact, swap('a')], [compact, end, sweepAll], [create('c'), compact]])
    runs += interleave(scene, { independent, limit: 400 }).runs
    for (let killAt = 0; killAt < 20; killAt += 1) runs += interleave(scene, { independent, limit: 20, killAt }).runs
  })
})

describe('a sweep of drafts', () => {
  it('may come at any moment of a create and of a compaction, and keeps no draft of a dead process', () => {
    for (const operations of [[create('a')], [compact], [create('a'), compact], [patch('a'), compact]]) {
      for (const from of ['absent', 'live']) {
        runs += interleave(() => withDraftSweep(from, operations), { independent, limit: 200 }).runs
        for (let killAt = 0; killAt < 20; killAt += 1) runs += interleave(() => withDraftSweep(from, operations), { independent, limit: 20, killAt }).runs
      }
    }
  })
})

function withDraftSweep(from: string, operations: readonly Operation[]): Scene {
  const shared = new SharedFolder(memoryFiles(), '/s')
  beginnings[from]?.(shared)
  const before = stateAfter(from)
  return {
    actors: [shared.actor(0, operations), sweepDrafts({ files: shared.files, drafts: shared.drafts }, 0)],
    watch: () => shared.tick(),
    check() {
      assertExplained(before, shared.events, stateOf(shared))
      finish(sweepDrafts({ files: shared.files, drafts: shared.drafts }, 0))
      assert.deepEqual(shared.files.list(shared.drafts) ?? [], [])
    },
  }
}

/** Counts the calls that may fail, and lets one of them fail. */
function failing(files: LocalFiles, at: number, code: string): LocalFiles & { readonly calls: number } {
  let calls = 0
  const faulty = <A extends readonly unknown[], R>(call: (...args: A) => R) => (...args: A): R => {
    calls += 1
    if (calls - 1 === at) throw Object.assign(new Error(code), { code })
    return call(...args)
  }
  return {
    ...files,
    list: faulty(files.list), open: faulty(files.open), read: faulty(files.read), write: faulty(files.write), size: faulty(files.size), put: faulty(files.put),
    ensureFolder: faulty(files.ensureFolder), link: faulty(files.link), unlink: faulty(files.unlink), moveFolder: faulty(files.moveFolder), removeFolder: faulty(files.removeFolder), stamp: faulty(files.stamp),
    get calls() { return calls },
  }
}

describe('a file system that fails', () => {
  for (const code of ['EIO', 'ENOSPC', 'EMFILE']) {
    it(`at any call (${code}): an outcome of none is true, and the record is the old or the new one`, () => {
      for (const operation of [swap('a'), touch, create('a'), end, compact, sweep, read]) {
        for (const from of Object.keys(beginnings)) for (let at = 0; failsAt(from, operation, at, code); at += 1) runs += 1
      }
    })
  }

  it('is told from a full disk: a line that was cut off at any length is none, and the next change works', () => {
    for (let length = 0; length < 40; length += 1) {
      const shared = new SharedFolder(memoryFiles(), '/s')
      live(shared)
      const before = stateOf(shared)
      const full: LocalFiles = { ...shared.files, write: (descriptor, bytes) => shared.files.write(descriptor, bytes.subarray(0, length)) }
      assert.throws(() => shared.now(swap('a'), shared.process(false, full)), (error) => isSessionError(error, 'ERR_SESSION_STORE') && error.outcome === 'none')
      assert.deepEqual(stateOf(shared), before)
      assert.deepEqual(shared.now(swap('b')), { status: 'ok', version: 2 })
    }
  })

  it('is told from a line that lacks its last newline only: it is there', () => {
    const shared = new SharedFolder(memoryFiles(), '/s')
    live(shared)
    const short: LocalFiles = { ...shared.files, write: (descriptor, bytes) => shared.files.write(descriptor, bytes.subarray(0, -1)) }
    assert.deepEqual(shared.now(swap('a'), shared.process(false, short)), { status: 'ok', version: 2 })
    assert.deepEqual(shared.now(patch('b')), { status: 'ok', version: 3 })
  })

  it('misses a file in a listing while one takes the other’s place: the record is found all the same', () => {
    const shared = new SharedFolder(memoryFiles(), '/s')
    live(shared)
    let listings = 0
    const hasty: LocalFiles = { ...shared.files, list: (folder) => (listings++ < 2 ? [] : shared.files.list(folder)) }
    assert.equal(finish(shared.process(false, hasty).load(shared.place))?.state.record?.version, 1)
  })
})

/** False once the call has come to its end without the failure. */
function failsAt(from: string, operation: Operation, at: number, code: string): boolean {
  const shared = new SharedFolder(memoryFiles(), '/s')
  beginnings[from]?.(shared)
  const before = stateAfter(from)
  const files = failing(shared.files, at, code)
  const event: Event = { actor: 0, operation, begin: 0 }
  try {
    event.answer = shared.now(operation, shared.process(false, files))
    event.end = 1
  } catch (error) {
    const failure = fileFailure(error, '/s', 'none')
    assert.equal(failure.code, 'ERR_SESSION_STORE')
    // A sweep or a create that fails may have taken what was dead: that is no change that anybody waits for.
    if (failure.outcome === 'none' && !['create', 'drop'].includes(operation.name)) assert.deepEqual(stateOf(shared), before, `${operation.name} at call ${at}: ${String(error)}`)
  }
  assertExplained(before, [event], stateOf(shared))
  shared.now(compact)
  return files.calls > at
}

describe('an operation that waits for the disk', () => {
  function* flushing(path: string): Steps<string> {
    try {
      yield { flush: path }
      return 'flushed'
    } catch (error) {
      return codeOf(error)
    }
  }

  it('goes on when what it would flush was removed meanwhile, and learns of any other failure', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sojourn-flush-'))
    try {
      assert.equal(await finishOnDisk(flushing(folder)), 'flushed')
      assert.equal(await finishOnDisk(flushing(join(folder, 'gone'))), 'flushed')
      assert.equal(await finishOnDisk(flushing('\0')), 'ERR_INVALID_ARG_VALUE')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a log that is damaged between two steps of a change', () => {
  it('makes the change gone, as it would have been a moment later', () => {
    const shared = new SharedFolder(memoryFiles(), '/s')
    live(shared)
    const files: LocalFiles = { ...shared.files, write: (descriptor, bytes) => shared.files.write(descriptor, Buffer.from('\ndamage\n')) && shared.files.write(descriptor, bytes) }
    assert.deepEqual(shared.now(swap('a'), shared.process(false, files)), { status: 'gone' })
  })
})

describe('a record that must survive a power cut', () => {
  const labels = (steps: Steps<unknown>): readonly string[] => [...steps].map((step) => (typeof step === 'string' ? step : `flush ${typeof step.flush === 'number' ? 'log' : step.flush.replaceAll(/[0-9a-f]{16}/g, '*').replace(/log\..*/, 'log')}`))

  it('is flushed before a change is answered, and its folder before a new one is', () => {
    const shared = new SharedFolder(memoryFiles(), '/s')
    const folders = shared.process(true)
    assert.deepEqual(labels(shared.actor(0, [create('a')], { folders })).filter((step) => step.startsWith('flush')), ['flush /s/drafts/*/*.1.log', 'flush /s/drafts/*', 'flush /s/records', 'flush /s', 'flush /'])
    assert.deepEqual(labels(shared.actor(0, [patch('b')], { folders })).slice(-3), ['write', 'read back', 'flush log'])
    const compacted = labels(shared.actor(0, [compact], { folders }))
    assert.deepEqual(compacted.slice(compacted.indexOf('flush log')), ['flush log', 'flush /s/records/a/*.1.log', 'put draft', 'flush /s/drafts/*.2.log', 'stat', 'link', 'discard draft', 'flush /s/records/a', 'unlink'])
  })
})

describe('calls of one process that wait for the disk', () => {
  it('are explained by one after the other', () => {
    const calls = [swap('a'), swap('b'), touch, create('a'), end, compact, sweep]
    for (const [n, one] of calls.entries()) {
      for (const other of calls.slice(n)) runs += interleave(() => inOneProcess([one, other]), { limit: 60 }).runs
    }
  })
})

function inOneProcess(operations: readonly Operation[]): Scene {
  const shared = new SharedFolder(memoryFiles(), '/s')
  live(shared)
  const [before, folders, place] = [stateOf(shared), shared.process(true), shared.place]
  return {
    actors: operations.map((operation, n): Steps<void> => shared.actor(n, [operation], { folders, place })),
    watch: () => shared.tick(),
    check: () => assertExplained(before, shared.events, stateOf(shared)),
  }
}
