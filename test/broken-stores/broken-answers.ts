import { makeEntries, stringifyRecord, type SessionRecord } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'
import { sharingStore } from './careless.ts'
import type { BrokenStore } from './broken-store.ts'

/** Shows every record changed, wherever it is read. */
function showing(change: (record: SessionRecord) => SessionRecord): (store: Store) => Store {
  return (store) => ({
    ...store,
    async read(id) {
      const record = await store.read(id)
      return record && change(record)
    },
  })
}

/** Mistakes in what is said: it is not what was done, or not what is kept. */
export const brokenAnswers: readonly BrokenStore[] = [
  {
    name: 'applies what it calls gone',
    wrap: (store) => ({
      ...store,
      async patch(id, patch, options) {
        const result = await store.patch(id, patch, options)
        const { tokenHash, ...unguarded } = patch
        if (result.status === 'gone' && tokenHash !== undefined) await store.patch(id, unguarded, options)
        return result
      },
    }),
    caughtBy: [
      'is gone under another token’s hash, and changes nothing',
      'checks everything before it changes anything',
      'rotates the token: the old hash becomes previous, and is gone',
      'gives one of 10 rotations that are under way at once the token',
      'gives a rotation one winner across two handles',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'stores what it refuses to create',
    wrap: (store, { lines }) => ({
      ...store,
      async create(id, record) {
        const created = await store.create(id, record)
        if (!created) lines.set(id, stringifyRecord(record))
        return created
      },
    }),
    caughtBy: [
      'does not create over a live record, and changes nothing',
      'replaces an expired record on create, judged by the new one’s createdAt',
      'lets exactly one of 20 creates of one id win, and keeps the winner’s record',
      'applies the patches and creates of two handles in one atomic step each',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'keeps the dead when it says that it replaced them',
    wrap: (store, { lines }) => ({
      ...store,
      async create(id, record) {
        const there = lines.get(id)
        const created = await store.create(id, record)
        if (there !== undefined) lines.set(id, there)
        return created
      },
    }),
    caughtBy: [
      'replaces an expired record on create, judged by the new one’s createdAt',
      'replaces an ended record on create',
      'finds a record that replaced another under its own terms',
      'takes what is no record for gone in a patch, and replaces it on create',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'shows the record of an id in lower case',
    wrap: (store, { lines }) => ({ ...store, read: (id) => store.read(lines.has(id.toLowerCase()) ? id.toLowerCase() : id) }),
    caughtBy: ['tells ids apart that differ in upper and lower case only'],
  },
  {
    name: 'shows every record in its first version',
    wrap: showing((record) => ({ ...record, version: 1 })),
    caughtBy: [
      'reads back a record that has a history, as a copy from another store has',
      'sets, replaces and removes entries, and leaves the others alone',
      'counts the version up by one with every patch',
      'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
      'lets entries change neither identity nor deadlines, whatever they are called',
      'keeps all of 50 patches to 50 entries that are under way at once',
      'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
      'applies the patches and creates of two handles in one atomic step each',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'shows keys without the white space around them',
    wrap: showing((record) => ({ ...record, entries: makeEntries(Object.fromEntries(Object.entries(record.entries).map(([key, text]) => [key.trim(), text]))) })),
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
    ],
  },
  {
    name: 'shows no namespace but the application’s',
    wrap: showing((record) => ({ ...record, entries: makeEntries(Object.fromEntries(Object.entries(record.entries).filter(([key]) => key.startsWith('d:')))) })),
    caughtBy: [
      'reads back every field of a record that was created',
      'keeps the same key in different namespaces apart',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'shows the old token after a rotation',
    wrap: showing((record) => ({ ...record, tokenHash: record.previous?.tokenHash ?? record.tokenHash })),
    caughtBy: [
      'reads back a record that has a history, as a copy from another store has',
      'rotates the token: the old hash becomes previous, and is gone',
      'gives one of 10 rotations that are under way at once the token',
      'gives a rotation one winner across two handles',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'refuses what was called off after it has done it',
    wrap: (store) => ({
      ...store,
      async patch(id, patch, options) {
        const result = await store.patch(id, patch)
        options?.signal?.throwIfAborted()
        return result
      },
    }),
    caughtBy: ['starts nothing when its signal has fired before the call'],
  },
  {
    name: 'sweeps one that lives beside those that it counts',
    wrap: (store, { lines }) => ({
      ...store,
      async sweep(what, limit) {
        const swept = await store.sweep?.(what, limit) ?? 0
        const last = [...lines.keys()].at(-1)
        if (last !== undefined) lines.delete(last)
        return swept
      },
    }),
    caughtBy: [
      'still finds a record that was touched, kept alive past its first deadline, and rotated',
      'sweeps what is past its deadline, and nothing else',
      'sweeps at most as many as it is asked to, and says how many',
      'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
      'sweeps what was not touched since a time, however long it would have lived',
      'sweeps what was created before a time, however often it was touched',
      'leaves a record alone that is being kept alive meanwhile',
    ],
  },
  {
    name: 'keeps the object that it is given',
    wrap: () => sharingStore({ given: true }),
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: ['keeps its own copy: changing a record that was passed in or read changes nothing stored'],
  },
  {
    name: 'hands out the object that it keeps',
    wrap: () => sharingStore({ read: true }),
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: ['keeps its own copy: changing a record that was passed in or read changes nothing stored'],
  },
  {
    name: 'hands out the object that it keeps in a conflict',
    wrap: () => sharingStore({ conflict: true }),
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: ['keeps its own copy: changing a record that was passed in or read changes nothing stored'],
  },
  {
    name: 'copies a record but for its terms',
    wrap: () => sharingStore({}, (record) => ({ ...record, entries: makeEntries(record.entries) })),
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: ['keeps its own copy: changing a record that was passed in or read changes nothing stored'],
  },
  {
    name: 'copies a record but for its entries',
    wrap: () => sharingStore({}, (record) => ({ ...record, index: [...record.index] })),
    lacks: ['find', 'list', 'sweep', 'watch', 'reopen', 'corrupt'],
    caughtBy: ['keeps its own copy: changing a record that was passed in or read changes nothing stored'],
  },
]
