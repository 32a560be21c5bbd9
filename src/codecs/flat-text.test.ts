import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anyRecord, anyText } from '../../test/internal/arbitrary-records.ts'
import { makeEntries, type SessionRecord } from '../core/record.ts'
import { createSessions } from '../index.ts'
import { describeStore } from '../testing/describe-store.ts'
import { newRecord } from '../testing/store-cases/trial.ts'
import { fileStore } from '../stores/file.ts'
import { flatCodec, flatText } from './flat-text.ts'

const HEAD = /^(?:version|createdAt|touchedAt|expiresAt|tokenHash|previous|nonce|index|ended): /

function withEntry(key: string, text: string): SessionRecord {
  const entries = makeEntries()
  entries[key] = text
  return newRecord({ entries })
}

/** Lines as the most splitting of tools sees them. */
const linesOf = (text: string): readonly string[] => text.split(/[\p{Cc}\p{Zl}\p{Zp}]/u).filter((line) => line !== '')

describe('flatText', () => {
  it('gives every record back as it was', () => {
    fc.assert(fc.property(anyRecord, (record) => {
      expect(flatText.parse(flatText.stringify(record))).toEqual(record)
    }), { numRuns: 2000 })
  })

  it('survives being written in UTF-8', () => {
    fc.assert(fc.property(anyRecord, (record) => {
      const text = flatText.stringify(record)
      expect(Buffer.from(text).toString()).toBe(text)
    }), { numRuns: 500 })
  })

  it('writes one line for each field and entry, whatever is in them', () => {
    fc.assert(fc.property(anyRecord, ({ ended: _ended, ...record }) => {
      const { entries, ...head } = record
      expect(linesOf(flatText.stringify(record))).toHaveLength(Object.keys(head).length + Object.keys(entries).length)
    }), { numRuns: 1000 })
  })

  it('shows plain data as a person would write it', () => {
    const { entries: _entries, ...head } = newRecord()
    const text = flatText.stringify({ ...head, entries: { 'd:user': '"ada"', 'd:count': '3', 'm:owner': '"ada"' } })
    expect(text.split('\n').slice(Object.keys(head).length)).toEqual(['d:user: "ada"', 'd:count: 3', 'm:owner: "ada"', ''])
  })

  it.each([
    ['a line feed', 'x\nm:owner: "root"'], ['a carriage return', 'x\rm:owner: "root"'], ['a line separator', 'x\u2028m:owner: "root"'], ['a next line', 'x\u0085m:owner: "root"'],
    ['a form feed', 'x\fm:owner: "root"'], ['a colon', 'a: b: c'], ['spaces before it', '  m:owner: "root"'], ['spaces after it', 'x  '], ['a NUL', '\0'], ['half a character', '\ud800'],
    ['our own mark', '\\"x"'], ['our own mark alone', '\\'], ['nothing', ''], ['a quote', '"'], ['a mark of an expiry', '@1 x'],
  ])('holds a text with %s, and no line is forged by it', (_title, text) => {
    for (const record of [withEntry('d:x', text), withEntry(`d:${text}`, '1'), withEntry(text, text)]) {
      const written = flatText.stringify(record)
      expect(flatText.parse(written)).toEqual(record)
      expect(linesOf(written).filter((line) => !HEAD.test(line))).toHaveLength(1)
      expect(linesOf(written).filter((line) => line.trim().startsWith('m:owner'))).toEqual([])
    }
  })

  it.each(['__proto__', 'constructor', 'version', 'entries', 'd:__proto__'])('takes an entry called %s for an entry', (key) => {
    const record = withEntry(key, '{"version":7}')
    const parsed = flatText.parse(flatText.stringify(record))
    expect(parsed).toEqual(record)
    expect([Object.keys(parsed.entries), Object.getPrototypeOf(parsed)]).toEqual([[key], Object.prototype])
  })

  const good = flatText.stringify(withEntry('d:x', '1'))
  it.each([
    ['cut', good.slice(0, -1)], ['cut in a line', good.slice(0, good.indexOf('d:x'))  + 'd:\n'], ['with a line twice', `${good}d:x: 2\n`], ['with a field twice', `${good}version: 2\n`], ['with an empty line', `${good}\n`],
    ['with a line of no key', `${good}x\n`], ['with a field that is not JSON', good.replace('version: 1', 'version: one')], ['with a quoted value that is none', `${good}d:y: \\x\n`],
    ['with a quoted value that is no text', `${good}d:y: \\7\n`], ['with a key that is not JSON', `${good}"\\x": 1\n`], ['with no field at all', 'd:x: 1\n'], ['empty', ''], ['with entries as a field', good.replace('version: 1', 'entries: {}')],
  ])('refuses a text %s', (_title, text) => {
    expect(() => flatText.parse(text)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })

  it('is not fooled by a field called __proto__', () => {
    const { version, ...rest } = newRecord()
    const text = flatText.stringify({ version, ...rest }).replace('version: 1', '__proto__: {"version":1}')
    expect(() => flatText.parse(text)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })

  it('throws nothing but ERR_SESSION_UNREADABLE for any text', () => {
    const damaged = fc.tuple(anyRecord, fc.nat(), anyText).map(([record, at, text]) => {
      const written = flatText.stringify(record)
      return written.slice(0, at % written.length) + text + written.slice(at % written.length + text.length)
    })
    fc.assert(fc.property(fc.oneof(anyText, damaged), (text) => {
      try {
        flatText.parse(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_SESSION_UNREADABLE' })
      }
    }), { numRuns: 2000 })
  })
})

describe('flatCodec', () => {
  const encode = (key: string, value: unknown): string => flatCodec.encode(value, { id: 'id', key })

  it.each(['text', '', 'x\ny: z', 0, -0, Number.NaN, 12n, true, null, undefined, new Date(0)].map((value) => [String(value).replace('\n', ' '), value] as const))('keeps %s', (_title, value) => {
    expect(flatCodec.decode(encode('d:x', value), { id: 'id', key: 'd:x' })).toEqual(value)
  })

  it.each([[[]], [{}], [[1]], [new Map()], [new Set([1])], [new Uint8Array(1)], [{ a: 1 }]])('refuses what is nested: %j', (value) => {
    expect(() => encode('d:cart', value)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('"cart"') }))
  })

  it.each(['', 'a b', 'a\nb', 'é', ' a', 'a\0', 'a"'])('refuses the key %j', (key) => {
    expect(() => encode(`d:${key}`, 1)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE' }))
  })

  it('leaves alone what is kept beside the data', () => {
    expect(encode('c:a b', { path: '/' })).toBe('{"path":"/"}')
  })
})

describe('the file store with flat text', () => {
  let folder = ''
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'sojourn-flat-')) })
  afterEach(async () => { await rm(folder, { recursive: true, force: true }) })

  it('writes files anew however often, also when a later change is not flat', async () => {
    const sessions = createSessions<Record<string, unknown>>({ store: fileStore(folder, { serializer: flatText, compactAt: 1024 }), sweepEvery: 'never' })
    const session = await sessions.create()
    const values = Array.from({ length: 60 }, (_, n) => ({ line: `x\nm:owner: ${n}` }))
    for (const value of values) {
      session.set('a b', value)
      await session.commit()
    }
    expect((await sessions.load({ id: session.id }))?.get('a b')).toEqual(values.at(-1))
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    const texts = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'utf8')))
    expect(texts.join('')).toContain('\n"d:a b": {"line":"x\\nm:owner: ')
    await sessions.close()
  })
})

describeStore({ describe, it }, 'fileStore with flat text', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sojourn-flat-'))
  const open = (): ReturnType<typeof fileStore> => fileStore(folder, { serializer: flatText })
  const store = open()
  return {
    store,
    reopen: open,
    async close() {
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}, { lacks: ['watch', 'corrupt'] })
