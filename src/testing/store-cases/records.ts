import { strict as assert } from 'node:assert'
import { NEVER } from '../../core/record.ts'
import { assertSameRecord, atOnce, created, entriesOf, FAR, HOUR, newHash, newId, newRecord, NOW, type StoreCase } from './trial.ts'

export const recordCases: readonly StoreCase[] = [
  {
    title: 'reads back every field of a record that was created',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { touchedAt: NOW + 1, index: [newHash(), newHash()], entries: entriesOf([['d:cart', '["tea"]'], ['m:owner', '"ada"']]) })
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'reads back a record that has a history, as a copy from another store has',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { version: 7, createdAt: NOW - HOUR, previous: { tokenHash: newHash(), rotatedAt: NOW - 1 } })
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'keeps a record that never expires',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { expiresAt: NEVER })
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'answers undefined for an id that was never written',
    async run({ store }) {
      assert.equal(await store.read(newId()), undefined)
    },
  },
  {
    title: 'tells ids apart that differ in upper and lower case only',
    async run({ store }) {
      const lower = newId().toLowerCase()
      const upper = lower.toUpperCase()
      const one = await created(store, lower)
      const other = await created(store, upper)
      assertSameRecord(await store.read(lower), one)
      assertSameRecord(await store.read(upper), other)
    },
  },
  {
    title: 'does not create over a live record, and changes nothing',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { entries: entriesOf([['d:a', '1']]) })
      assert.equal(await store.create(id, newRecord({ entries: entriesOf([['d:a', '2']]) })), false)
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'replaces an expired record on create, judged by the new one’s createdAt',
    async run({ store }) {
      const id = newId()
      await created(store, id, { expiresAt: NOW + HOUR, entries: entriesOf([['d:old', '1']]) })
      const early = newRecord({ createdAt: NOW + HOUR - 1, touchedAt: NOW + HOUR - 1 })
      assert.equal(await store.create(id, early), false, 'still live a millisecond before its deadline')
      const next = newRecord({ createdAt: NOW + HOUR, touchedAt: NOW + HOUR, entries: entriesOf([['d:new', '1']]) })
      assert.equal(await store.create(id, next), true, 'past at the deadline itself')
      assertSameRecord(await store.read(id), next)
    },
  },
  {
    title: 'replaces an ended record on create',
    async run({ store }) {
      const id = newId()
      await created(store, id, { entries: entriesOf([['d:old', '1']]) })
      await store.end(id, 'destroyed', NOW)
      const next = newRecord({ createdAt: NOW + 1, entries: entriesOf([['d:new', '1']]) })
      assert.equal(await store.create(id, next), true)
      assertSameRecord(await store.read(id), next)
    },
  },
  {
    title: 'lets exactly one of 20 creates of one id win, and keeps the winner’s record',
    async run({ store }) {
      const id = newId()
      const records = Array.from({ length: 20 }, (_, n) => newRecord({ entries: entriesOf([['d:n', String(n)]]) }))
      const wins = await atOnce(20, (n) => store.create(id, records[n] ?? newRecord()))
      const winner = records[wins.indexOf(true)]
      assert.equal(wins.filter(Boolean).length, 1)
      assert.ok(winner !== undefined)
      assertSameRecord(await store.read(id), winner)
    },
  },
  {
    title: 'reads a record also after its deadline',
    async run({ store }) {
      const id = newId()
      const record = await created(store, id, { expiresAt: NOW + 1 })
      assertSameRecord(await store.read(id), record)
    },
  },
  {
    title: 'keeps its own copy: changing a record that was passed in or read changes nothing stored',
    async run({ store }) {
      const id = newId()
      const entries = { 'd:a': '1' }
      const given = newRecord({ entries: entriesOf(Object.entries(entries)), index: [newHash()], expiresAt: FAR })
      const expected = { ...given, entries: entriesOf(Object.entries(given.entries)), index: [...given.index] }
      await store.create(id, given)
      vandalise(given)
      assertSameRecord(await store.read(id), expected)
      vandalise(await store.read(id))
      assertSameRecord(await store.read(id), expected)
      const conflict = await store.patch(id, { now: NOW, nonce: 'n', expect: [['d:a', 'other']] })
      assert.equal(conflict.status, 'conflict')
      if (conflict.status === 'conflict') vandalise(conflict.record)
      assertSameRecord(await store.read(id), expected)
    },
  },
]

/** Writes over everything that can be written over; what is frozen stays as it is. */
function vandalise(record: object | undefined): void {
  if (record === undefined) return
  for (const key of Object.keys(record)) {
    const value: unknown = Reflect.get(record, key)
    if (Array.isArray(value)) Reflect.set(value, 0, 'vandalised')
    else if (typeof value === 'object' && value !== null) vandalise(value)
    else Reflect.set(record, key, 'vandalised')
  }
}
