import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyEntries, anyRecord, anyText } from '../../test/internal/arbitrary-records.ts'
import { isSessionError } from './errors.ts'
import { entriesFrom, isEndReason, isLive, makeEntries, parseRecord, recordFrom, stringifyRecord, tombstone, TOMBSTONE_AGE_MS, unreadable, type SessionRecord } from './record.ts'

const record: SessionRecord = {
  version: 3, createdAt: 1, touchedAt: 2, expiresAt: 100, tokenHash: 'hash', nonce: 'nonce', index: ['term'],
  entries: Object.assign(makeEntries(), { 'd:a': '1' }), previous: { tokenHash: 'old', rotatedAt: 2 },
}

/** Equal also where the entries have a key that an object literal could not hold. */
function comparable({ entries, ...rest }: SessionRecord): object {
  return { ...rest, entries: Object.entries(entries) }
}

describe('isLive', () => {
  it('is false for nothing, for what has ended, and from the deadline on', () => {
    expect(isLive(undefined, 0)).toBe(false)
    expect(isLive({ ...record, ended: { because: 'revoked', at: 0 } }, 0)).toBe(false)
    expect(isLive(record, 100)).toBe(false)
    expect(isLive(record, 99)).toBe(true)
  })
})

describe('tombstone', () => {
  it('keeps the reason, and neither data nor terms', () => {
    const ended = tombstone(record, 'replaced', 50)
    expect(ended).toMatchObject({ version: 4, expiresAt: 50 + TOMBSTONE_AGE_MS, index: [], ended: { because: 'replaced', at: 50 }, previous: record.previous })
    expect(Object.keys(ended.entries)).toEqual([])
    expect(isLive(ended, 0)).toBe(false)
  })
})

describe('makeEntries', () => {
  it('inherits nothing, so that any key is a key like any other', () => {
    const entries = makeEntries()
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) expect(entries[key]).toBeUndefined()
    entries['__proto__'] = 'text'
    entries['constructor'] = 'text'
    expect(Object.keys(entries)).toEqual(['__proto__', 'constructor'])
    expect('toString' in entries).toBe(false)
  })

  it('copies every entry, and is a copy', () => {
    fc.assert(fc.property(anyEntries, anyText, (from, key) => {
      const copy = makeEntries(from)
      expect(Object.entries(copy)).toEqual(Object.entries(from))
      const before = from[key]
      copy[key] = `${before ?? ''} changed`
      expect(from[key]).toBe(before)
    }))
  })
})

describe('stringifyRecord and parseRecord', () => {
  it('bring any record back', () => {
    fc.assert(fc.property(anyRecord, (one) => {
      expect(comparable(parseRecord(stringifyRecord(one)))).toEqual(comparable(one))
    }))
  })

  it('keep a record in one line', () => {
    fc.assert(fc.property(anyRecord, (one) => {
      expect(stringifyRecord(one)).not.toMatch(/[\n\r]/)
    }))
  })

  it('give entries that inherit nothing', () => {
    expect(parseRecord(stringifyRecord(record)).entries['constructor']).toBeUndefined()
  })

  it('read a text without a format, as a store that keeps columns makes it', () => {
    const { entries, ...rest } = record
    expect(comparable(recordFrom({ ...rest, entries: { ...entries }, ended: null }))).toEqual(comparable(record))
  })
})

describe('parseRecord', () => {
  function refusal(parse: () => unknown): unknown {
    try {
      parse()
    } catch (error) {
      return error
    }
    return undefined
  }

  it('throws nothing but ERR_SESSION_UNREADABLE, whatever the text', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), anyText), (text) => {
      const error = refusal(() => parseRecord(text))
      expect(error === undefined || isSessionError(error, 'ERR_SESSION_UNREADABLE')).toBe(true)
    }), { numRuns: 1000 })
  })

  it('throws nothing but ERR_SESSION_UNREADABLE for a record in which anything was exchanged', () => {
    const keys = ['version', 'createdAt', 'touchedAt', 'expiresAt', 'tokenHash', 'nonce', 'index', 'entries', 'previous', 'ended', 'format']
    fc.assert(fc.property(anyRecord, fc.constantFrom(...keys), fc.jsonValue(), (one, key, value) => {
      const error = refusal(() => recordFrom({ ...one, [key]: value }))
      expect(error === undefined || isSessionError(error, 'ERR_SESSION_UNREADABLE')).toBe(true)
    }), { numRuns: 1000 })
  })

  it('refuses a record of which a byte was lost or changed, or reads it as another', () => {
    const text = stringifyRecord(record)
    fc.assert(fc.property(fc.nat(text.length - 1), fc.constantFrom('', '0', '"', '}', '\0', 'x'), (place, byte) => {
      const error = refusal(() => parseRecord(text.slice(0, place) + byte + text.slice(place + 1)))
      expect(error === undefined || isSessionError(error, 'ERR_SESSION_UNREADABLE')).toBe(true)
    }))
  })

  it.each([
    ['not JSON', '{', 'it is not JSON'], ['nothing', '', 'it is not JSON'],
    ['an array', '[]', 'it is not an object'], ['null', 'null', 'it is not an object'], ['a text', '"record"', 'it is not an object'],
    ['a version from the future', stringifyRecord(record).replace('"format":1', '"format":2'), 'its format is of another version'],
    ['a missing time', JSON.stringify({ ...record, expiresAt: undefined }), 'a number is missing'], ['a time that is text', JSON.stringify({ ...record, expiresAt: '100' }), 'a number is missing'],
    ['a time that is infinite', stringifyRecord(record).replace('"expiresAt":100', '"expiresAt":1e999'), 'a number is missing'],
    ['a token hash that is a number', JSON.stringify({ ...record, tokenHash: 1 }), 'a text is missing'], ['an entry that is an object', JSON.stringify({ ...record, entries: { 'd:a': {} } }), 'a text is missing'],
    ['an index that is text', JSON.stringify({ ...record, index: 'term' }), 'its index is not a list'], ['a term that is a number', JSON.stringify({ ...record, index: [1] }), 'its index holds something that is not text'],
    ['entries that are a list', JSON.stringify({ ...record, entries: [] }), 'its entries are not an object'], ['a superseded token that is text', JSON.stringify({ ...record, previous: 'old' }), 'its superseded token is not an object'],
    ['an end without a reason', JSON.stringify({ ...record, ended: { at: 1 } }), 'its end has no known reason'], ['an end that is true', JSON.stringify({ ...record, ended: true }), 'its end has no known reason'],
    ['an end for an unknown reason', JSON.stringify({ ...record, ended: { because: 'boredom', at: 1 } }), 'its end has no known reason'],
  ])('refuses %s, and says why', (_, text, why) => {
    expect(() => parseRecord(text)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE', message: expect.stringContaining(`cannot be read: ${why}. `) }))
  })

  it('carries a cause only where there is one', () => {
    const cause = new Error('The tag does not fit.')
    expect(unreadable('its seal is broken', cause).cause).toBe(cause)
    expect('cause' in unreadable('its seal is broken')).toBe(false)
  })

  it('does not quote what was stored, neither itself nor in its cause', () => {
    for (const text of ['s3cret', '{"entries": "s3cret"', '{"entries": {"d:a": s3cret}}', JSON.stringify({ ...record, index: 's3cret' })]) {
      const error = refusal(() => parseRecord(text))
      expect(isSessionError(error)).toBe(true)
      expect(inspect(error)).not.toContain('s3cret')
    }
  })

  it('survives a text that is nested 100,000 deep', () => {
    expect(() => parseRecord('['.repeat(100_000))).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })
})

describe('entriesFrom', () => {
  it('takes __proto__ for a key like any other', () => {
    const entries = entriesFrom(JSON.parse('{"__proto__":"text","a":"b"}'))
    expect(Object.entries(entries)).toEqual([['__proto__', 'text'], ['a', 'b']])
  })
})

describe('isEndReason', () => {
  it('knows the reasons and nothing else', () => {
    expect(['destroyed', 'revoked', 'replaced', 'expired-idle', 'expired-absolute'].every(isEndReason)).toBe(true)
    expect(['', 'Destroyed', 'toString', 1, null, undefined].some(isEndReason)).toBe(false)
  })
})
