import { strict as assert } from 'node:assert'
import { assertGone, atOnce, collect, created, FAR, HOUR, newHash, newId, newPatch, newRecord, NOW, patched, readLive, type StoreCase } from './trial.ts'

export const indexCases: readonly StoreCase[] = [
  {
    title: 'finds a record under each term that it was created with, and under no other',
    needs: ['find'],
    async run({ store }) {
      const [one, two, none] = [newHash(), newHash(), newHash()]
      const id = newId()
      await created(store, id, { index: [one, two] })
      await created(store, newId(), { index: [newHash()] })
      assert.deepEqual(await collect(store.find?.(one)), [id])
      assert.deepEqual(await collect(store.find?.(two)), [id])
      assert.deepEqual(await collect(store.find?.(none)), [])
    },
  },
  {
    title: 'finds a record under the terms that a patch adds, and still under the others',
    needs: ['find'],
    async run({ store }) {
      const [first, second, third] = [newHash(), newHash(), newHash()]
      const id = newId()
      await created(store, id, { index: [first] })
      const listed = new Set([first])
      for (const index of [[second], [second, first, third], [first]]) {
        await patched(store, id, { index, set: [['d:a', '1']] })
        for (const term of index) listed.add(term)
        assert.deepEqual([...(await readLive(store, id)).index].sort(), [...listed].sort())
        for (const term of [first, second, third]) assert.deepEqual(await collect(store.find?.(term)), listed.has(term) ? [id] : [])
      }
    },
  },
  {
    title: 'still finds a record that was touched, kept alive past its first deadline, and rotated',
    needs: ['find'],
    async run({ store }) {
      const term = newHash()
      const id = newId()
      const { tokenHash } = await created(store, id, { expiresAt: NOW + HOUR, index: [term] })
      await patched(store, id, { tokenHash, touchedAt: NOW + 1, expiresAt: FAR, index: [term] })
      await patched(store, id, { tokenHash, rotateTo: newHash(), now: NOW + 2 * HOUR })
      await store.sweep?.({ now: NOW + 3 * HOUR }, 1000)
      assert.deepEqual(await collect(store.find?.(term)), [id])
    },
  },
  {
    title: 'finds nothing of a record that ended',
    needs: ['find'],
    async run({ store }) {
      const term = newHash()
      const [gone, alive] = [newId(), newId()]
      await created(store, gone, { index: [term] })
      await created(store, alive, { index: [term] })
      await store.end(gone, 'revoked', NOW)
      assert.deepEqual(await collect(store.find?.(term)), [alive])
    },
  },
  {
    title: 'finds a record that replaced another under its own terms',
    needs: ['find'],
    async run({ store }) {
      const [before, after] = [newHash(), newHash()]
      const id = newId()
      await created(store, id, { expiresAt: NOW + 1, index: [before] })
      await created(store, id, { createdAt: NOW + 2, index: [after] })
      assert.deepEqual(await collect(store.find?.(after)), [id])
    },
  },
  {
    title: 'lists nothing for a patch that was gone',
    needs: ['find'],
    async run({ store }) {
      const term = newHash()
      const id = newId()
      assertGone(await store.patch(id, newPatch({ index: [term] })))
      // A hit whose record is not there is allowed: the term goes first. It must not be taken for a session.
      for (const hit of await collect(store.find?.(term))) assert.equal(await store.read(hit), undefined)
    },
  },
  {
    title: 'finds each of 300 records under one term',
    needs: ['find'],
    async run({ store }) {
      const term = newHash()
      const ids = Array.from({ length: 300 }, newId)
      await atOnce(300, (n) => store.create(ids[n] ?? '', newRecord({ index: [term] })))
      assert.deepEqual(await collect(store.find?.(term)), [...ids].sort())
    },
  },
  {
    title: 'tells terms apart that differ in upper and lower case only, or at one end',
    needs: ['find'],
    async run({ store }) {
      const term = `a${newHash().toLowerCase().slice(2)}a`
      const id = newId()
      await created(store, id, { index: [term] })
      for (const other of [term.toUpperCase(), `${term.slice(0, -1)}b`, `b${term.slice(1)}`, term.slice(0, -1)]) assert.deepEqual(await collect(store.find?.(other)), [])
      assert.deepEqual(await collect(store.find?.(term)), [id])
    },
  },
  {
    title: 'never misses a live record while another of the same term ends',
    needs: ['find'],
    async run({ store }) {
      const term = newHash()
      const alive = newId()
      const others = Array.from({ length: 10 }, newId)
      for (const id of [alive, ...others]) await created(store, id, { index: [term] })
      const sights = await atOnce(20, async (n) => {
        if (n % 2 === 0) await store.end(others[n / 2] ?? '', 'revoked', NOW)
        return collect(store.find?.(term))
      })
      assert.deepEqual(sights.map((ids) => ids.includes(alive)), sights.map(() => true))
    },
  },
  {
    title: 'can end every record it finds while it is finding them',
    needs: ['find'],
    async run({ store }) {
      const term = newHash()
      const ids = Array.from({ length: 20 }, newId)
      for (const id of ids) await created(store, id, { index: [term] })
      const ended: string[] = []
      for await (const id of store.find?.(term) ?? []) if (await store.end(id, 'revoked', NOW)) ended.push(id)
      assert.deepEqual(ended.sort(), [...ids].sort())
      assert.deepEqual(await collect(store.find?.(term)), [])
    },
  },
  {
    title: 'lists every record that has not ended',
    needs: ['list'],
    async run({ store }) {
      const ids = Array.from({ length: 25 }, newId)
      const ended = newId()
      for (const id of [...ids, ended]) await created(store, id)
      await store.end(ended, 'destroyed', NOW)
      assert.deepEqual(await collect(store.list?.()), [...ids].sort())
    },
  },
]
