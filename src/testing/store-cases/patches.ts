import { strict as assert } from 'node:assert'
import { assertGone, assertNothingLives, assertSameRecord, created, entriesOf, FAR, HOUR, newHash, newId, newPatch, NOW, patched, readLive, type StoreCase } from './trial.ts'

export const patchCases: readonly StoreCase[] = [
  {
    title: 'sets, replaces and removes entries, and leaves the others alone',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { entries: entriesOf([['d:keep', '1'], ['d:change', '1'], ['d:drop', '1']]) })
      const patch = newPatch({ tokenHash: record.tokenHash, set: [['d:change', '2'], ['d:add', '3']], remove: ['d:drop', 'd:never'] })
      assert.deepEqual({ ...(await store.patch(id, patch)) }, { status: 'ok', version: 2 })
      assertSameRecord(await store.read(id), { ...record, version: 2, nonce: patch.nonce, entries: entriesOf([['d:keep', '1'], ['d:change', '2'], ['d:add', '3']]) })
    },
  },
  {
    title: 'counts the version up by one with every patch',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id)
      assert.equal(await patched(store, id, { tokenHash, set: [['d:a', '1']] }), 2)
      assert.equal(await patched(store, id, { touchedAt: NOW + 1 }), 3)
      assert.equal(await patched(store, id, {}), 4)
      assert.equal((await readLive(store, id)).version, 4)
    },
  },
  {
    title: 'never creates: a patch to an id that was never written is gone, and nothing appears',
    async run({ store }) {
      const id = newId()
      assertGone(await store.patch(id, newPatch({ set: [['d:a', '1']], expiresAt: FAR, touchedAt: NOW, index: [newHash()] })))
      assert.equal(await store.read(id), undefined)
    },
  },
  {
    title: 'is gone at the deadline and after it, judged by the patch’s now alone, and changes nothing',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { expiresAt: NOW + HOUR })
      assertGone(await store.patch(id, newPatch({ now: NOW + HOUR, set: [['d:a', '1']], expiresAt: FAR, touchedAt: NOW + HOUR })))
      assertGone(await store.patch(id, newPatch({ now: FAR, set: [['d:a', '1']], expiresAt: FAR + HOUR })))
      assertSameRecord(await store.read(id), record)
      assert.equal(await patched(store, id, { now: NOW + HOUR - 1, set: [['d:a', '1']] }), 2)
    },
  },
  {
    title: 'is gone under another token’s hash, and changes nothing',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id)
      for (const tokenHash of [newHash(), '', swapCase(record.tokenHash)]) {
        assertGone(await store.patch(id, newPatch({ tokenHash, set: [['d:a', '1']], touchedAt: NOW + 1 })))
      }
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'applies a patch by id, without a token hash',
    async run({ store }) {
      const id = newId()
      await created(store, id)
      await patched(store, id, { set: [['d:a', '1']] })
      assert.equal((await readLive(store, id)).entries['d:a'], '1')
    },
  },
  {
    title: 'takes options that hold nothing',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id)
      assert.equal((await store.patch(id, newPatch({ tokenHash, set: [['d:a', '1']] }), {})).status, 'ok')
      assert.equal((await store.read(id, {}))?.entries['d:a'], '1')
    },
  },
  {
    title: 'applies a patch whose expectations hold: a text that is stored, null for what is absent',
    async run({ store }) {
      const id = newId()
      await created(store, id, { entries: entriesOf([['d:a', '1']]) })
      await patched(store, id, { expect: [['d:a', '1'], ['d:b', null]], set: [['d:a', '2'], ['d:b', '2']] })
      assert.deepEqual(Object.entries((await readLive(store, id)).entries).sort(), [['d:a', '2'], ['d:b', '2']])
    },
  },
  {
    title: 'answers a conflict with the newest record when an expected text is another, is absent, or is there against null',
    async run({ store }) {
      const id = newId()
      await created(store, id, { index: [newHash()], entries: entriesOf([['d:a', '1'], ['d:empty', '']]) })
      await patched(store, id, { set: [['d:b', 'newest']] })
      const newest = await readLive(store, id)
      const failing = [['d:a', '2'], ['d:absent', '1'], ['d:absent', ''], ['d:a', null], ['d:empty', null]] as const
      for (const [key, text] of failing) {
        const result = await store.patch(id, newPatch({ expect: [['d:b', 'newest'], [key, text]], set: [['d:a', '3']] }))
        assert.equal(result.status, 'conflict')
        if (result.status === 'conflict') assertSameRecord(result.record, newest)
      }
    },
  },
  {
    title: 'checks everything before it changes anything',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { entries: entriesOf([['d:a', '1'], ['d:b', '1']]) })
      const everything = { rotateTo: newHash(), set: [['d:a', '2'], ['d:c', '2']], remove: ['d:b'], touchedAt: NOW + HOUR, expiresAt: FAR + HOUR } as const
      const refused = await store.patch(id, newPatch({ ...everything, tokenHash: record.tokenHash, expect: [['d:a', '1'], ['d:b', 'other']] }))
      assert.equal(refused.status, 'conflict')
      assertGone(await store.patch(id, newPatch({ ...everything, tokenHash: newHash(), expect: [['d:a', '1']] })))
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'judges the token before the expectations: a stranger learns nothing of the record',
    async run({ store }) {
      const id = newId()
      await created(store, id, { entries: entriesOf([['d:secret', '1']]) })
      assertGone(await store.patch(id, newPatch({ tokenHash: newHash(), expect: [['d:secret', '2']] })))
    },
  },
  {
    title: 'moves touchedAt and expiresAt only later',
    async run({ store }) {
      const id = newId()
      await created(store, id, { touchedAt: NOW, expiresAt: FAR })
      await patched(store, id, { touchedAt: NOW + HOUR, expiresAt: FAR + HOUR })
      await patched(store, id, { touchedAt: NOW + 1, expiresAt: FAR - HOUR })
      const { touchedAt, expiresAt } = await readLive(store, id)
      assert.deepEqual([touchedAt, expiresAt], [NOW + HOUR, FAR + HOUR])
    },
  },
  {
    title: 'moves the deadline earlier when it was set on purpose',
    async run({ store }) {
      const id = newId()
      await created(store, id, { expiresAt: FAR })
      await patched(store, id, { expiresAt: NOW + HOUR, deadline: 'replace' })
      assert.equal((await readLive(store, id)).expiresAt, NOW + HOUR)
      assertGone(await store.patch(id, newPatch({ now: NOW + HOUR, set: [['d:a', '1']] })))
    },
  },
  {
    title: 'lets entries change neither identity nor deadlines, whatever they are called',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id)
      const names = ['version', '!', '!h', '!p', '!s', '!x', 'tokenHash', 'expiresAt', 'ended', 'nonce', 'index', 'entries', 'previous', 'id', 'a.b', '$set', 'entries.d:x']
      const set = names.map((name) => [`d:${name}`, '9'] as const)
      const patch = newPatch({ set })
      await store.patch(id, patch)
      assertSameRecord(await store.read(id), { ...record, version: 2, nonce: patch.nonce, entries: entriesOf(set) })
      await patched(store, id, { tokenHash: record.tokenHash, remove: names.map((name) => `d:${name}`) })
      assert.deepEqual(Object.keys((await readLive(store, id)).entries), [])
    },
  },
  {
    title: 'recognises a patch that is sent again, and does not repeat it',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id, { entries: entriesOf([['d:n', '1']]) })
      const patch = newPatch({ tokenHash, expect: [['d:n', '1']], set: [['d:n', '2']] })
      assert.deepEqual({ ...(await store.patch(id, patch)) }, { status: 'ok', version: 2 })
      assert.deepEqual({ ...(await store.patch(id, patch)) }, { status: 'ok', version: 2 })
      assert.equal((await readLive(store, id)).entries['d:n'], '2')
    },
  },
  {
    title: 'rotates the token: the old hash becomes previous, and is gone',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id, { entries: entriesOf([['d:a', '1']]) })
      const rotateTo = newHash()
      await patched(store, id, { now: NOW + 5, tokenHash, rotateTo, set: [['m:owner', '"ada"']] })
      const record = await readLive(store, id)
      assert.equal(record.tokenHash, rotateTo)
      assert.deepEqual({ ...record.previous }, { tokenHash, rotatedAt: NOW + 5 })
      assertGone(await store.patch(id, newPatch({ tokenHash, set: [['d:a', '2']] })))
      await patched(store, id, { tokenHash: rotateTo, set: [['d:b', '1']] })
      const later = await readLive(store, id)
      assert.deepEqual({ ...later.previous }, { tokenHash, rotatedAt: NOW + 5 })
      assert.equal(later.entries['d:a'], '1')
    },
  },
  {
    title: 'recognises a rotation that is sent again under the old hash',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id)
      const patch = newPatch({ tokenHash, rotateTo: newHash() })
      assert.deepEqual({ ...(await store.patch(id, patch)) }, { status: 'ok', version: 2 })
      assert.deepEqual({ ...(await store.patch(id, patch)) }, { status: 'ok', version: 2 })
      assert.equal((await readLive(store, id)).previous?.tokenHash, tokenHash)
    },
  },
  {
    title: 'starts nothing when its signal has fired before the call',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id)
      const answer = await settled(() => store.patch(id, newPatch({ set: [['d:a', '1']] }), { signal: AbortSignal.abort() }))
      assert.notEqual(answer, 'ok')
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'ends once: true the first time, false after that and for what was never there',
    async run({ store }) {
      const id = newId()
      await created(store, id)
      assert.equal(await store.end(id, 'revoked', NOW), true)
      assert.equal(await store.end(id, 'destroyed', NOW), false)
      assert.equal(await store.end(newId(), 'destroyed', NOW), false)
    },
  },
  {
    title: 'keeps of an ended record nothing but the reason',
    async run({ store }) {
      const id = newId()
      await created(store, id, { index: [newHash()], entries: entriesOf([['d:a', '1']]) })
      await store.end(id, 'replaced', NOW + 1)
      await store.end(id, 'destroyed', NOW + 2)
      const record = await store.read(id)
      if (record === undefined) return
      assert.deepEqual({ ...record.ended }, { because: 'replaced', at: NOW + 1 })
      assert.deepEqual([Object.keys(record.entries), [...record.index]], [[], []])
    },
  },
  {
    title: 'lets no patch bring an ended record back',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id, { entries: entriesOf([['d:a', '1']]) })
      const before = newPatch({ tokenHash, set: [['d:a', '2']] })
      await store.patch(id, before)
      await store.end(id, 'destroyed', NOW)
      for (const patch of [before, newPatch({ tokenHash, set: [['d:a', '3']] }), newPatch({ set: [['d:a', '4']], expiresAt: FAR }), newPatch({ tokenHash, rotateTo: newHash() })]) {
        assertGone(await store.patch(id, patch))
      }
      await assertNothingLives(store, id)
    },
  },
]

function swapCase(text: string): string {
  return text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase()
}

async function settled(call: () => PromiseLike<{ status: string }> | { status: string }): Promise<string> {
  try {
    return (await call()).status
  } catch {
    return 'rejected'
  }
}
