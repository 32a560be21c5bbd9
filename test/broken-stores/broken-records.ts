import { isLive, makeEntries, stringifyRecord, tombstone } from '../../src/core/record.ts'
import type { BrokenStore } from './broken-store.ts'

/** Mistakes in reading, creating and ending. */
export const brokenRecords: readonly BrokenStore[] = [
  {
    name: 'creates over the living',
    decisions: { mayReplace: () => true },
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
    name: 'does not create over the expired',
    decisions: { mayReplace: (there) => there === undefined || there.ended !== undefined },
    caughtBy: [
      'replaces an expired record on create, judged by the new one’s createdAt',
      'finds a record that replaced another under its own terms',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'does not create over the ended',
    decisions: { mayReplace: (there, next) => there === undefined || (there.ended === undefined && there.expiresAt <= next.createdAt) },
    caughtBy: [
      'replaces an ended record on create',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'hides the expired',
    wrap: (store) => ({
      ...store,
      async read(id) {
        const record = await store.read(id)
        return record?.ended !== undefined || isLive(record, Date.now()) ? record : undefined
      },
    }),
    caughtBy: [
      'reads a record also after its deadline',
      'is gone at the deadline and after it, judged by the patch’s now alone, and changes nothing',
      'moves the deadline earlier when it was set on purpose',
      'sweeps what is past its deadline, and nothing else',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'tells ids of other case not apart',
    wrap: (store) => ({
      read: (id) => store.read(id.toLowerCase()),
      create: (id, record) => store.create(id.toLowerCase(), record),
      patch: (id, patch, options) => store.patch(id.toLowerCase(), patch, options),
      end: (id, because, at) => store.end(id.toLowerCase(), because, at),
    }),
    lacks: ['find', 'list', 'sweep', 'watch', 'corrupt'],
    caughtBy: ['tells ids apart that differ in upper and lower case only'],
  },
  {
    name: 'keeps the data of an ended record',
    decisions: { end: (record, because, at) => ({ ...tombstone(record, because, at), entries: record.entries }) },
    caughtBy: [
      'keeps of an ended record nothing but the reason',
      'lets no patch bring an ended record back',
      'lets nothing live after an end, whatever patches are under way with it',
      'reads on one handle what another wrote',
      'lets nothing live after an end on one handle, whatever patches are under way on another',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'ends twice',
    wrap: (store) => ({ ...store, end: async (id, because, at) => (await store.end(id, because, at)) || (await store.read(id)) !== undefined }),
    lacks: ['corrupt'],
    caughtBy: [
      'ends once: true the first time, false after that and for what was never there',
      'lets nothing live after an end, whatever patches are under way with it',
      'reads on one handle what another wrote',
      'lets nothing live after an end on one handle, whatever patches are under way on another',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'says that it ended what was never there',
    wrap: (store) => ({ ...store, end: async (id, because, at) => (await store.end(id, because, at)) || (await store.read(id)) === undefined }),
    lacks: ['corrupt'],
    caughtBy: [
      'ends once: true the first time, false after that and for what was never there',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'tells the watchers of every session',
    wrap: (store, { watchers }) => ({ ...store, watch: (_, onEnd) => store.watch?.('every', onEnd) ?? (() => {}), async end(id, because, at) {
      for (const onEnd of watchers.get('every') ?? []) onEnd()
      return store.end(id, because, at)
    } }),
    caughtBy: ['tells a watcher once when the session is ended on this handle'],
  },
  {
    name: 'tells also those who have stopped watching',
    wrap: (store) => ({ ...store, watch: (id, onEnd) => (store.watch?.(id, onEnd), () => {}) }),
    caughtBy: ['tells a watcher once when the session is ended on this handle'],
  },
  {
    name: 'takes what is no record for nothing',
    wrap: (store) => ({
      ...store,
      async read(id) {
        try {
          return await store.read(id)
        } catch {
          return undefined
        }
      },
    }),
    caughtBy: ['fails to read what is no record with ERR_SESSION_UNREADABLE'],
  },
  {
    name: 'fails to patch what is no record',
    wrap: (store) => ({
      ...store,
      async patch(id, patch, options) {
        await store.read(id)
        return store.patch(id, patch, options)
      },
    }),
    caughtBy: [
      'takes what is no record for gone in a patch, and replaces it on create',
      'can be told to end what is no record, after which a patch is gone',
    ],
  },
  {
    name: 'begins every record anew',
    wrap: (store) => ({
      ...store,
      create(id, record) {
        const { previous, ...rest } = record
        return store.create(id, previous === undefined ? record : { ...rest, version: 1 })
      },
    }),
    caughtBy: ['reads back a record that has a history, as a copy from another store has'],
  },
  {
    name: 'holds no time beyond the year 2100',
    decisions: { encode: (record) => stringifyRecord({ ...record, expiresAt: Math.min(record.expiresAt, Date.UTC(2100, 0, 1)) }) },
    caughtBy: ['keeps a record that never expires'],
  },
  {
    name: 'has a record for every id',
    wrap: (store) => ({
      ...store,
      read: async (id) => (await store.read(id)) ?? { version: 0, createdAt: 0, touchedAt: 0, expiresAt: 0, tokenHash: '', nonce: '', index: [], entries: makeEntries(), ended: { because: 'expired-idle', at: 0 } },
    }),
    caughtBy: [
      'answers undefined for an id that was never written',
      'never creates: a patch to an id that was never written is gone, and nothing appears',
      'sweeps what is past its deadline, and nothing else',
      'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
      'sweeps tombstones once their minute is over',
      'brings nothing back: a patch to a record that was swept is gone',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'tells watchers of its own ends only',
    wrap: (store) => {
      const mine = new Map<string, (() => void)[]>()
      return {
        ...store,
        watch(id, onEnd) {
          mine.set(id, [...(mine.get(id) ?? []), onEnd])
          return () => mine.delete(id)
        },
        async end(id, because, at) {
          const ended = await store.end(id, because, at)
          for (const onEnd of ended ? mine.get(id) ?? [] : []) onEnd()
          return ended
        },
      }
    },
    caughtBy: ['tells a watcher when the session is ended on another handle'],
  },
]
