import { strict as assert } from 'node:assert'
import type { Store } from '../../core/store.ts'
import { assertSameRecord, created, entriesOf, newId, newPatch, patched, readLive, type StoreCase } from './trial.ts'

/** Keys behind the namespace prefix that backends have been seen to merge, drop, trim or refuse. */
const awkwardKeys: readonly string[] = [
  '', '0', '-1', '__proto__', 'constructor', 'hasOwnProperty', 'toString', 'length',
  '\u0000', 'a\u0000b', 'a\u0000', '\ud800', '\udc00', 'x\ud800', '\udc00x', '\ufffd', '😀', '\ufeff',
  'é', 'e\u0301', 'É', 'a', 'A', 'a ', ' a', '\n', '\r\n', '\t', '"', "'", '\\', '\\u0000', '`', '%', '_', '*', '?', '$1', '{}', '[0]', 'a.b', 'a:b', ';--',
  'k'.repeat(1000), '漢'.repeat(300),
]

/** Texts that a backend which parses, trims, normalises or escapes would change. */
const awkwardTexts: readonly string[] = [
  '', ' ', ' a ', '\u0000', 'a\u0000b', '\ud800', '\udc00', 'x\ud800', '\udc00x', '\ud800\ud800', '\ufffd', '😀', '\ufeff', '\u001b', '\u001b[0m', '\u007f', '\u0085', '\u2028',
  '1.0', '1e2', '-0', '9007199254740993', '{"a":1,"a":2}', '{ "a" : 1.0 }', '[1,]', 'null', 'true', '"text"', '\\', '\\u0000', '\\ud800', "'", '""', '\n', '\r\n', 'é', 'e\u0301', 'É', 'a', 'A', 'a ', '漢', 'undefined', 'd:a',
]

export const valueCases: readonly StoreCase[] = [
  {
    title: 'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
    async run({ store }) {
      const entries = awkwardKeys.map((key, n) => [`d:${key}`, String(n)] as const)
      await assertKept(store, entries)
    },
  },
  {
    title: 'keeps keys apart that only look alike, when they are written one by one',
    async run({ store }) {
      const id = newId()
      await created(store, id)
      for (const [n, key] of awkwardKeys.entries()) await patched(store, id, { expect: [[`d:${key}`, null]], set: [[`d:${key}`, String(n)]] })
      assertSameEntries(await readLive(store, id), awkwardKeys.map((key, n) => [`d:${key}`, String(n)]))
      for (const [n, key] of awkwardKeys.entries()) await patched(store, id, { expect: [[`d:${key}`, String(n)]], remove: [`d:${key}`] })
      assertSameEntries(await readLive(store, id), [])
    },
  },
  {
    title: 'keeps the same key in different namespaces apart',
    async run({ store }) {
      await assertKept(store, ['d', 'm', 'f', 'c'].map((prefix) => [`${prefix}:a`, prefix] as const))
    },
  },
  {
    title: 'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
    async run({ store }) {
      await assertKept(store, awkwardTexts.map((text, n) => [`d:${n}`, text] as const))
    },
  },
  {
    title: 'compares an expected text byte for byte',
    async run({ store }) {
      const id = newId()
      await created(store, id)
      for (const text of awkwardTexts) {
        await store.patch(id, newPatch({ set: [['d:a', text]] }))
        const alike = awkwardTexts.filter((other) => other !== text)
        for (const other of alike) assert.equal((await store.patch(id, newPatch({ expect: [['d:a', other]] }))).status, 'conflict')
        await patched(store, id, { expect: [['d:a', text]] })
      }
    },
  },
  {
    title: 'keeps a text of 100 KiB',
    bytes: 110_000,
    run: ({ store }) => assertKeptLong(store, 100 * 1024),
  },
  {
    title: 'keeps a text of 1 MiB',
    bytes: 1_100_000,
    run: ({ store }) => assertKeptLong(store, 1024 * 1024),
  },
  {
    title: 'keeps 500 entries in one record',
    bytes: 20_000,
    async run({ store }) {
      await assertKept(store, Array.from({ length: 500 }, (_, n) => [`d:${n}`, String(n)] as const))
    },
  },
]

type Pairs = readonly (readonly [string, string])[]

/** Through all three doors: created with, patched in, and expected. */
async function assertKept(store: Store, pairs: Pairs): Promise<void> {
  const born = newId()
  const record = await created(store, born, { entries: entriesOf(pairs) })
  assertSameRecord(await store.read(born), record)
  const grown = newId()
  await created(store, grown)
  await patched(store, grown, { set: pairs })
  assertSameEntries(await readLive(store, grown), pairs)
  await patched(store, grown, { expect: pairs, remove: pairs.map(([key]) => key) })
  assertSameEntries(await readLive(store, grown), [])
}

function assertSameEntries(record: { readonly entries: Readonly<Record<string, string>> }, pairs: Pairs): void {
  assert.deepEqual(Object.entries(record.entries).sort(byKey), [...pairs].map(([key, text]) => [key, text]).sort(byKey))
}

function byKey([one = '']: readonly string[], [other = '']: readonly string[]): number {
  return one < other ? -1 : Number(one > other)
}

async function assertKeptLong(store: Store, length: number): Promise<void> {
  const id = newId()
  const text = 'é"\\\u0000😀 0123456789abcdef'.repeat(Math.ceil(length / 22)).slice(0, length)
  await created(store, id, { entries: entriesOf([['d:small', '1']]) })
  await patched(store, id, { set: [['d:long', text]] })
  assert.ok((await readLive(store, id)).entries['d:long'] === text, 'the long text came back as it was')
  await patched(store, id, { expect: [['d:long', text]], set: [['d:long', '']] })
  assertSameEntries(await readLive(store, id), [['d:long', ''], ['d:small', '1']])
}
