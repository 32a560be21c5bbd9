import { applyPatch } from '../../src/core/patch.ts'
import { tombstone, type SessionRecord } from '../../src/core/record.ts'
import type { BrokenStore } from './broken-store.ts'
import { right, type Decisions } from './plain-store.ts'

function indexing(index: (after: SessionRecord, added: readonly string[] | undefined, rotated: boolean) => readonly string[]): Partial<Decisions> {
  return {
    apply(record, patch) {
      const result = applyPatch(record, patch)
      if (result.status !== 'ok' || result.record === record) return result
      return { status: 'ok', record: { ...result.record, index: index(result.record, patch.index, patch.rotateTo !== undefined) } }
    },
  }
}

/** Mistakes in finding, listing and sweeping. */
export const brokenListings: readonly BrokenStore[] = [
  {
    name: 'ignores terms that a patch adds',
    decisions: indexing((after, added = []) => after.index.filter((term) => !added.includes(term))),
    caughtBy: [
      'finds a record under the terms that a patch adds, and still under the others',
      'still finds a record that was touched, kept alive past its first deadline, and rotated',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'adds the terms of a patch only when all are new',
    decisions: { apply: (record, { index = [], ...patch }) => applyPatch(record, index.some((term) => record?.index.includes(term)) ? patch : { ...patch, index }) },
    caughtBy: [
      'finds a record under the terms that a patch adds, and still under the others',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'replaces the terms by those of a patch',
    decisions: indexing((after, added) => added ?? after.index),
    caughtBy: [
      'finds a record under the terms that a patch adds, and still under the others',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'loses the terms on rotation',
    decisions: indexing((after, _, rotated) => (rotated ? [] : after.index)),
    caughtBy: [
      'still finds a record that was touched, kept alive past its first deadline, and rotated',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'keeps an ended record in the index',
    decisions: { end: (record, because, at) => ({ ...tombstone(record, because, at), index: record.index }) },
    caughtBy: [
      'keeps of an ended record nothing but the reason',
      'finds nothing of a record that ended',
      'can end every record it finds while it is finding them',
    ],
  },
  {
    name: 'finds terms by their beginning',
    decisions: { isListed: (record, term) => record.index.some((one) => one.slice(0, 20) === term.slice(0, 20)) },
    caughtBy: ['tells terms apart that differ in upper and lower case only, or at one end'],
  },
  {
    name: 'finds terms without regard to case',
    decisions: { isListed: (record, term) => record.index.some((one) => one.toLowerCase() === term.toLowerCase()) },
    caughtBy: ['tells terms apart that differ in upper and lower case only, or at one end'],
  },
  {
    name: 'finds a hundred at most',
    wrap: (store) => ({
      ...store,
      async *find(term) {
        let count = 0
        for await (const id of store.find?.(term) ?? []) {
          count += 1
          if (count <= 100) yield id
        }
      },
    }),
    caughtBy: ['finds each of 300 records under one term'],
  },
  {
    name: 'lists what has ended',
    wrap: (store, { lines }) => ({
      ...store,
      async *list() {
        yield* lines.keys()
      },
    }),
    caughtBy: ['lists every record that has not ended'],
  },
  {
    name: 'sweeps everything that is past, whatever the limit',
    wrap: (store) => ({ ...store, sweep: (what) => store.sweep?.(what, Infinity) ?? 0 }),
    caughtBy: ['sweeps at most as many as it is asked to, and says how many'],
  },
  {
    name: 'sweeps a record at the deadline it was created with',
    decisions: { isPast: (record, what) => right.isPast({ ...record, expiresAt: Math.min(record.expiresAt, record.createdAt + 3_600_000) }, what) },
    caughtBy: [
      'still finds a record that was touched, kept alive past its first deadline, and rotated',
      'sweeps what is past its deadline, and nothing else',
      'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
      'leaves a record alone that is being kept alive meanwhile',
    ],
  },
  {
    name: 'sweeps nothing at its deadline',
    decisions: { isPast: (record, what) => right.isPast(record, { ...what, now: what.now - 1 }) },
    caughtBy: [
      'sweeps what is past its deadline, and nothing else',
      'brings nothing back: a patch to a record that was swept is gone',
    ],
  },
  {
    name: 'sweeps by deadline whatever it is asked',
    decisions: { isPast: (record, { now }) => record.expiresAt <= now },
    caughtBy: [
      'sweeps what was not touched since a time, however long it would have lived',
      'sweeps what was created before a time, however often it was touched',
    ],
  },
  {
    name: 'never sweeps a tombstone',
    decisions: { isPast: (record, what) => record.ended === undefined && right.isPast(record, what) },
    caughtBy: ['sweeps tombstones once their minute is over'],
  },
  {
    name: 'finds under the first term only',
    decisions: { isListed: (record, term) => record.index[0] === term },
    caughtBy: [
      'finds a record under each term that it was created with, and under no other',
      'finds a record under the terms that a patch adds, and still under the others',
    ],
  },
  {
    name: 'clears a term before it writes the rest anew',
    wrap: (store) => {
      let clearing = 0
      return {
        ...store,
        async *find(term) {
          if (clearing === 0) yield* store.find?.(term) ?? []
        },
        async end(id, because, at) {
          clearing += 1
          await new Promise(setImmediate)
          clearing -= 1
          return store.end(id, because, at)
        },
      }
    },
    caughtBy: ['never misses a live record while another of the same term ends'],
  },
  {
    name: 'lists what was swept',
    wrap: (store) => {
      const ids = new Set<string>()
      return {
        ...store,
        create(id, record) {
          ids.add(id)
          return store.create(id, record)
        },
        async end(id, because, at) {
          ids.delete(id)
          return store.end(id, because, at)
        },
        async *list() {
          yield* ids
        },
      }
    },
    caughtBy: ['finds and lists nothing of what was swept'],
  },
]
