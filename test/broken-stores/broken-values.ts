import { makeEntries, parseRecord, stringifyRecord, type SessionRecord } from '../../src/core/record.ts'
import type { BrokenStore } from './broken-store.ts'
import type { Decisions } from './plain-store.ts'

function storing(changeText: (text: string) => string, changeKey: (key: string) => string = (key) => key): Partial<Decisions> {
  return {
    encode(record: SessionRecord) {
      const entries = makeEntries()
      for (const [key, text] of Object.entries(record.entries)) entries[changeKey(key)] = changeText(text)
      return stringifyRecord({ ...record, entries })
    },
  }
}

function storingKeys(changeKey: (key: string) => string): Partial<Decisions> {
  return storing((text) => text, changeKey)
}

/** What a JSON column does with a text that looks like JSON. */
function normalised(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}

/** Mistakes in keeping keys and texts. */
export const brokenValues: readonly BrokenStore[] = [
  {
    name: 'replaces lone surrogates in texts',
    decisions: storing((text) => text.toWellFormed()),
    caughtBy: [
      'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
      'compares an expected text byte for byte',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'normalises JSON',
    decisions: storing(normalised),
    caughtBy: [
      'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
      'compares an expected text byte for byte',
    ],
  },
  {
    name: 'cuts texts at NUL',
    decisions: storing((text) => text.split('\0')[0] ?? ''),
    caughtBy: [
      'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
      'compares an expected text byte for byte',
      'keeps a text of 100 KiB',
      'keeps a text of 1 MiB',
    ],
  },
  {
    name: 'cuts texts at 64 KiB',
    decisions: storing((text) => text.slice(0, 65_535)),
    caughtBy: [
      'keeps a text of 100 KiB',
      'keeps a text of 1 MiB',
    ],
  },
  {
    name: 'composes accents in texts',
    decisions: storing((text) => text.normalize()),
    caughtBy: [
      'keeps any text byte for byte: NUL, lone surrogates, control characters, JSON that a parser would normalise',
      'compares an expected text byte for byte',
    ],
  },
  {
    name: 'replaces lone surrogates in keys',
    decisions: storingKeys((key) => key.toWellFormed()),
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
      'reads on one handle what another wrote',
    ],
  },
  {
    name: 'trims keys',
    decisions: storingKeys((key) => key.trimEnd()),
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
    ],
  },
  {
    name: 'composes accents in keys',
    decisions: storingKeys((key) => key.normalize()),
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
    ],
  },
  {
    name: 'cuts keys at 255 characters',
    decisions: storingKeys((key) => (key.length > 255 ? `${key.slice(0, 255)}…` : key)),
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
    ],
  },
  {
    name: 'forgets namespaces',
    decisions: storingKeys((key) => `d:${key.slice(2)}`),
    caughtBy: [
      'reads back every field of a record that was created',
      'keeps the same key in different namespaces apart',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'drops keys that an object inherits',
    decisions: {
      decode(line) {
        const record = parseRecord(line)
        const entries = makeEntries()
        for (const [key, text] of Object.entries(record.entries)) if (!(key.slice(2) in {})) entries[key] = text
        return { ...record, entries }
      },
    },
    caughtBy: [
      'keeps entries under any key: empty, numeric, inherited names, NUL, lone surrogates, quotes, 1000 characters',
      'keeps keys apart that only look alike, when they are written one by one',
      'answers 600 random calls, one after another, as applyPatch says',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'keeps entries beside its own fields',
    decisions: {
      encode(record) {
        const own = Object.entries(record.entries).find(([key]) => key === 'd:version')
        return stringifyRecord(own === undefined ? record : { ...record, version: Number(own[1]) })
      },
    },
    caughtBy: ['lets entries change neither identity nor deadlines, whatever they are called'],
  },
  {
    name: 'expects without regard to case',
    wrap: (store, { lines }) => ({
      ...store,
      async patch(id, patch, options) {
        const there = lines.has(id) ? (await store.read(id))?.entries : undefined
        if (patch.expect === undefined || there === undefined) return store.patch(id, patch, options)
        const expect = patch.expect.map(([key, text]) => [key, there[key]?.toLowerCase() === text?.toLowerCase() ? (there[key] ?? null) : text] as const)
        return store.patch(id, { ...patch, expect }, options)
      },
    }),
    lacks: ['corrupt'],
    caughtBy: ['compares an expected text byte for byte'],
  },
  {
    name: 'keeps 256 entries at most',
    decisions: { encode: (record) => stringifyRecord({ ...record, entries: Object.assign(makeEntries(), Object.fromEntries(Object.entries(record.entries).slice(0, 256))) }) },
    caughtBy: ['keeps 500 entries in one record'],
  },
]
