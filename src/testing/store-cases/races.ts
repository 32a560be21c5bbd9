import { strict as assert } from 'node:assert'
import type { Store } from '../../core/store.ts'
import { assertNothingLives, assertSameRecord, atOnce, created, entriesOf, newHash, newId, newPatch, newRecord, NOW, patched, readLive, type StoreCase } from './trial.ts'

export const raceCases: readonly StoreCase[] = [
  {
    title: 'keeps both of two patches to different entries, though both come from the same reading',
    async run({ store }) {
      const id = newId()
      const { tokenHash } = await created(store, id, { entries: entriesOf([['d:a', '1'], ['d:b', '1']]) })
      await patched(store, id, { tokenHash, expect: [['d:a', '1']], set: [['d:a', '2']] })
      await patched(store, id, { tokenHash, expect: [['d:b', '1']], set: [['d:b', '2']] })
      assert.deepEqual(Object.entries((await readLive(store, id)).entries).sort(), [['d:a', '2'], ['d:b', '2']])
    },
  },
  {
    title: 'keeps all of 50 patches to 50 entries that are under way at once',
    run: ({ store }) => assertDisjointSurvive([store]),
  },
  {
    title: 'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
    run: ({ store }) => assertOneExpectationWins([store]),
  },
  {
    title: 'gives one of 10 rotations that are under way at once the token',
    run: ({ store }) => assertOneRotationWins([store]),
  },
  {
    title: 'lets nothing live after an end, whatever patches are under way with it',
    run: ({ store }) => assertEndIsFinal([store]),
  },
  {
    title: 'reads on one handle what another wrote',
    needs: ['reopen'],
    async run({ store, reopen }) {
      const other = await reopen()
      const id = newId()
      const record = await created(store, id, { index: [newHash()], entries: entriesOf([['d:a\u0000\ud800', '1']]) })
      assertSameRecord(await other.read(id), record)
      await patched(other, id, { tokenHash: record.tokenHash, set: [['d:b', '2']] })
      assert.equal((await readLive(store, id)).entries['d:b'], '2')
      assert.equal(await store.end(id, 'destroyed', NOW), true)
      assert.equal(await other.end(id, 'destroyed', NOW), false)
      await assertNothingLives(other, id)
    },
  },
  {
    title: 'applies the patches and creates of two handles in one atomic step each',
    needs: ['reopen'],
    async run({ store, reopen }) {
      const handles = [store, await reopen()]
      await assertDisjointSurvive(handles)
      await assertOneExpectationWins(handles)
      await assertOneCreateWins(handles)
    },
  },
  {
    title: 'gives a rotation one winner across two handles',
    needs: ['reopen'],
    run: async ({ store, reopen }) => assertOneRotationWins([store, await reopen()]),
  },
  {
    title: 'lets nothing live after an end on one handle, whatever patches are under way on another',
    needs: ['reopen'],
    run: async ({ store, reopen }) => assertEndIsFinal([store, await reopen()]),
  },
]

type Handles = readonly Store[]

function handleOf(handles: Handles, n: number): Store {
  const handle = handles[n % handles.length]
  assert.ok(handle !== undefined)
  return handle
}

async function assertDisjointSurvive(handles: Handles): Promise<void> {
  const id = newId()
  await created(handleOf(handles, 0), id)
  const results = await atOnce(50, (n) => handleOf(handles, n).patch(id, newPatch({ expect: [[`d:${n}`, null]], set: [[`d:${n}`, String(n)]], touchedAt: NOW + n })))
  assert.deepEqual(results.map(({ status }) => status), results.map(() => 'ok'))
  const record = await readLive(handleOf(handles, 1), id)
  assert.deepEqual(Object.keys(record.entries).filter((key) => key === `d:${record.entries[key]}`).length, 50)
  assert.deepEqual([record.version, record.touchedAt], [51, NOW + 49])
}

async function assertOneExpectationWins(handles: Handles): Promise<void> {
  const id = newId()
  await created(handleOf(handles, 0), id, { entries: entriesOf([['d:n', '0']]) })
  const results = await atOnce(20, (n) => handleOf(handles, n).patch(id, newPatch({ expect: [['d:n', '0']], set: [['d:n', `by ${n}`]] })))
  const winner = results.findIndex(({ status }) => status === 'ok')
  const record = await readLive(handleOf(handles, 1), id)
  assert.deepEqual([record.version, record.entries['d:n']], [2, `by ${winner}`])
  assert.equal(results.filter(({ status }) => status === 'conflict').length, 19)
  for (const result of results) if (result.status === 'conflict') assertSameRecord(result.record, record)
}

async function assertOneCreateWins(handles: Handles): Promise<void> {
  const id = newId()
  const wins = await atOnce(10, (n) => handleOf(handles, n).create(id, newRecord({ entries: entriesOf([['d:by', String(n)]]) })))
  assert.equal(wins.filter(Boolean).length, 1)
  assert.equal((await readLive(handleOf(handles, 1), id)).entries['d:by'], String(wins.indexOf(true)))
}

async function assertOneRotationWins(handles: Handles): Promise<void> {
  const id = newId()
  const { tokenHash } = await created(handleOf(handles, 0), id)
  const tokens = Array.from({ length: 10 }, newHash)
  const results = await atOnce(10, (n) => handleOf(handles, n).patch(id, newPatch({ tokenHash, rotateTo: tokens[n] ?? '' })))
  const statuses = results.map(({ status }) => status)
  assert.deepEqual([...statuses].sort(), [...Array.from({ length: 9 }, () => 'gone'), 'ok'])
  const record = await readLive(handleOf(handles, 1), id)
  assert.deepEqual([record.tokenHash, record.previous?.tokenHash], [tokens[statuses.indexOf('ok')], tokenHash])
}

async function assertEndIsFinal(handles: Handles): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const id = newId()
    const { tokenHash } = await created(handleOf(handles, 0), id)
    const ends = await atOnce(10, async (n) => {
      if (n % 5 === 4) return handleOf(handles, n).end(id, 'revoked', NOW)
      await handleOf(handles, n).patch(id, newPatch({ tokenHash, set: [[`d:${n}`, '1']] }))
      return false
    })
    assert.equal(ends.filter(Boolean).length, 1, 'one end answers true')
    await assertNothingLives(handleOf(handles, 1), id)
    assert.equal((await handleOf(handles, 1).patch(id, newPatch({ set: [['d:late', '1']] }))).status, 'gone')
  }
}
