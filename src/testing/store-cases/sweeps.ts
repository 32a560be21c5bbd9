import { strict as assert } from 'node:assert'
import type { Store, SweepRequest } from '../../core/store.ts'
import { assertNothingLives, assertSameRecord, atOnce, collect, created, entriesOf, FAR, HOUR, MINUTE, newHash, newId, newPatch, NOW, patched, readLive, type StoreCase } from './trial.ts'

export const sweepCases: readonly StoreCase[] = [
  {
    title: 'sweeps what is past its deadline, and nothing else',
    needs: ['sweep'],
    async run({ store }) {
      const past = Array.from({ length: 3 }, newId)
      const [atDeadline, later, alive] = [newId(), newId(), newId()]
      for (const id of past) await created(store, id, { expiresAt: NOW + HOUR })
      await created(store, atDeadline, { expiresAt: NOW + 2 * HOUR })
      const soon = await created(store, later, { expiresAt: NOW + 2 * HOUR + 1 })
      const record = await created(store, alive, { entries: entriesOf([['d:a', '1']]) })
      assert.equal(await sweepAll(store, { now: NOW + 2 * HOUR }), 4)
      for (const id of [...past, atDeadline]) assert.equal(await store.read(id), undefined)
      assertSameRecord(await store.read(later), soon)
      assertSameRecord(await store.read(alive), record)
    },
  },
  {
    title: 'sweeps at most as many as it is asked to, and says how many',
    needs: ['sweep'],
    async run({ store }) {
      for (let n = 0; n < 5; n += 1) await created(store, newId(), { expiresAt: NOW + n })
      const what = { now: NOW + HOUR }
      const counts = [await store.sweep?.(what, 2), await store.sweep?.(what, 2), await store.sweep?.(what, 2), await store.sweep?.(what, 2)]
      assert.deepEqual(counts, [2, 2, 1, 0])
    },
  },
  {
    title: 'sweeps by the deadline that a record has now: moved later it stays, moved earlier it goes',
    needs: ['sweep'],
    async run({ store }) {
      const [moved, shortened] = [newId(), newId()]
      await created(store, moved, { expiresAt: NOW + HOUR })
      await created(store, shortened)
      await patched(store, moved, { touchedAt: NOW + 1, expiresAt: FAR })
      await patched(store, shortened, { expiresAt: NOW + HOUR, deadline: 'replace' })
      assert.equal(await sweepAll(store, { now: NOW + 2 * HOUR }), 1)
      assert.equal((await readLive(store, moved)).expiresAt, FAR)
      assert.equal(await store.read(shortened), undefined)
    },
  },
  {
    title: 'sweeps what was not touched since a time, however long it would have lived',
    needs: ['sweep'],
    async run({ store }) {
      const [idle, touched, fresh] = [newId(), newId(), newId()]
      for (const id of [idle, touched]) await created(store, id)
      await created(store, fresh, { createdAt: NOW + HOUR, touchedAt: NOW + HOUR })
      await patched(store, touched, { touchedAt: NOW + 2 * HOUR })
      assert.equal(await sweepAll(store, { now: NOW + 3 * HOUR, by: 'touched', olderThan: NOW + HOUR }), 1)
      await assertNothingLives(store, idle)
      await readLive(store, touched)
      await readLive(store, fresh)
    },
  },
  {
    title: 'sweeps what was created before a time, however often it was touched',
    needs: ['sweep'],
    async run({ store }) {
      const [old, fresh] = [newId(), newId()]
      await created(store, old)
      await created(store, fresh, { createdAt: NOW + HOUR, touchedAt: NOW + HOUR })
      await patched(store, old, { touchedAt: NOW + 2 * HOUR })
      assert.equal(await sweepAll(store, { now: NOW + 3 * HOUR, by: 'created', olderThan: NOW + HOUR }), 1)
      await assertNothingLives(store, old)
      await readLive(store, fresh)
    },
  },
  {
    title: 'sweeps tombstones once their minute is over',
    needs: ['sweep'],
    async run({ store }) {
      const id = newId()
      await created(store, id)
      await store.end(id, 'revoked', NOW)
      await sweepAll(store, { now: NOW + 2 * MINUTE })
      assert.equal(await store.read(id), undefined)
    },
  },
  {
    title: 'brings nothing back: a patch to a record that was swept is gone',
    needs: ['sweep'],
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id, { expiresAt: NOW + HOUR })
      await sweepAll(store, { now: NOW + HOUR })
      const late = await store.patch(id, newPatch({ now: NOW, tokenHash, set: [['d:a', '1']], expiresAt: FAR }))
      assert.equal(late.status, 'gone')
      assert.equal(await store.read(id), undefined)
    },
  },
  {
    title: 'leaves a record alone that is being kept alive meanwhile',
    needs: ['sweep'],
    async run({ store }) {
      const ids = Array.from({ length: 30 }, newId)
      for (const id of ids) await created(store, id, { expiresAt: NOW + HOUR })
      const patch = newPatch({ now: NOW + HOUR - 1, touchedAt: NOW + HOUR - 1, expiresAt: FAR, set: [['d:a', '1']] })
      const [results] = await Promise.all([
        atOnce(ids.length, (n) => store.patch(ids[n] ?? '', patch)),
        atOnce(5, () => store.sweep?.({ now: NOW + HOUR }, 10)),
      ])
      for (const [n, { status }] of results.entries()) {
        if (status === 'ok') assert.equal((await readLive(store, ids[n] ?? '')).entries['d:a'], '1')
        else assert.equal(await store.read(ids[n] ?? ''), undefined)
      }
    },
  },
  {
    title: 'finds and lists nothing of what was swept',
    needs: ['sweep', 'find', 'list'],
    async run({ store }) {
      const term = newHash()
      await created(store, newId(), { expiresAt: NOW + 1, index: [term] })
      await sweepAll(store, { now: NOW + HOUR })
      assert.deepEqual([await collect(store.find?.(term)), await collect(store.list?.())], [[], []])
    },
  },
]

/** Sweeps until nothing more is found; answers how many went. */
async function sweepAll(store: Store, what: SweepRequest): Promise<number> {
  assert.ok(store.sweep !== undefined)
  for (let swept = 0; ; ) {
    const count = await store.sweep(what, 100)
    swept += count
    if (count < 100) return swept
  }
}
