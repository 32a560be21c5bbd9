import { strict as assert } from 'node:assert'
import { isSessionError } from '../../core/errors.ts'
import { assertGone, assertSameRecord, created, newId, newPatch, newRecord, NOW, type StoreCase } from './trial.ts'

export const oddityCases: readonly StoreCase[] = [
  {
    title: 'tells a watcher once when the session is ended on this handle',
    needs: ['watch'],
    async run({ store }) {
      const [id, other] = [newId(), newId()]
      await created(store, id)
      await created(store, other)
      const told: string[] = []
      const ended = toldOf((onEnd) => store.watch?.(id, () => {
        told.push(id)
        onEnd()
      }))
      const stop = store.watch?.(other, () => told.push(other))
      stop?.()
      await store.end(other, 'destroyed', NOW)
      await store.end(id, 'revoked', NOW)
      await store.end(id, 'revoked', NOW)
      await ended
      assert.deepEqual(told, [id])
    },
  },
  {
    title: 'tells a watcher when the session is ended on another handle',
    needs: ['watch', 'reopen'],
    async run({ store, reopen }) {
      const other = await reopen()
      const id = newId()
      await created(store, id)
      const ended = toldOf((onEnd) => store.watch?.(id, onEnd))
      await other.end(id, 'revoked', NOW)
      await ended
    },
  },
  {
    title: 'fails to read what is no record with ERR_SESSION_UNREADABLE',
    needs: ['corrupt'],
    async run({ store, corrupt }) {
      const id = newId()
      await created(store, id)
      await corrupt(id)
      await assert.rejects(async () => store.read(id), (error) => isSessionError(error, 'ERR_SESSION_UNREADABLE'))
    },
  },
  {
    title: 'takes what is no record for gone in a patch, and replaces it on create',
    needs: ['corrupt'],
    async run({ store, corrupt }) {
      const id = newId()
      const { tokenHash } = await created(store, id)
      await corrupt(id)
      assertGone(await store.patch(id, newPatch({ tokenHash, set: [['d:a', '1']] })))
      const record = newRecord()
      assert.equal(await store.create(id, record), true)
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'can be told to end what is no record, after which a patch is gone',
    needs: ['corrupt'],
    async run({ store, corrupt }) {
      const id = newId()
      await created(store, id)
      await corrupt(id)
      await store.end(id, 'revoked', NOW)
      assertGone(await store.patch(id, newPatch({ set: [['d:a', '1']] })))
    },
  },
]

const PATIENCE = 5_000

/** Resolves when the watcher is told; rejects when it has not been for long enough. */
async function toldOf(watch: (onEnd: () => void) => unknown): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new assert.AssertionError({ message: `the watcher was not told within ${PATIENCE} ms` })), PATIENCE)
  watch(resolve)
  try {
    await promise
  } finally {
    clearTimeout(timer)
  }
}
