import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyPatch, anyRecord, anyText, liveRecord } from '../../test/internal/arbitrary-records.ts'
import { applyPatch, mergedDeadline, type Patch } from './patch.ts'
import { makeEntries, type SessionRecord } from './record.ts'

const NOW = 5_000

function record(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: 0, touchedAt: 1_000, expiresAt: 9_000, tokenHash: 'hash', nonce: 'first', index: [], entries: makeEntries(), ...changes }
}

function entries(pairs: Record<string, string>): Record<string, string> {
  return Object.assign(makeEntries(), pairs)
}

/** The record after patches that must all apply. */
function after(start: SessionRecord, ...patches: readonly Patch[]): SessionRecord {
  return patches.reduce((current, patch) => {
    const applied = applyPatch(current, patch)
    if (applied.status !== 'ok') throw new Error(`the patch was ${applied.status}`)
    return applied.record
  }, start)
}

/** So that any attempt to change it throws. */
function frozen(value: SessionRecord): SessionRecord {
  Object.freeze(value.entries)
  Object.freeze(value.index)
  return Object.freeze(value)
}

describe('applyPatch', () => {
  it('never creates: what is not there, has ended or is past is gone, whatever the patch', () => {
    fc.assert(fc.property(anyRecord, anyPatch, fc.nat(4_000), (there, patch, ago) => {
      const ended = { ...there, ended: { because: 'revoked', at: 0 } } as const
      for (const dead of [undefined, ended, { ...there, expiresAt: NOW - ago }]) expect(applyPatch(dead, patch)).toEqual({ status: 'gone' })
    }))
  })

  it('is gone at the deadline itself, and not a millisecond before', () => {
    expect(applyPatch(record({ expiresAt: NOW }), { now: NOW, nonce: 'n' }).status).toBe('gone')
    expect(applyPatch(record({ expiresAt: NOW + 1 }), { now: NOW, nonce: 'n' }).status).toBe('ok')
  })

  it('changes nothing that it was given', () => {
    fc.assert(fc.property(anyRecord, anyPatch, (there, patch) => {
      const copy = structuredClone({ ...there, entries: { ...there.entries } })
      applyPatch(frozen(there), patch)
      expect({ ...there, entries: { ...there.entries } }).toEqual(copy)
    }))
  })

  it('checks before the first change: a conflict answers with the very record', () => {
    fc.assert(fc.property(liveRecord, anyPatch, (there, patch) => {
      const applied = applyPatch(there, patch)
      if (applied.status === 'conflict') expect(applied.record).toBe(there)
      if (applied.status === 'ok') expect(applied.record).not.toBe(there)
    }))
  })

  it('applies exactly when the token is right and every expectation holds', () => {
    fc.assert(fc.property(liveRecord, anyPatch, (there, patch) => {
      const token = patch.tokenHash === undefined || patch.tokenHash === there.tokenHash
      const expectations = (patch.expect ?? []).every(([key, text]) => (Object.hasOwn(there.entries, key) ? there.entries[key] === text : text === null))
      const status = !token ? 'gone' : expectations ? 'ok' : 'conflict'
      expect(applyPatch(there, patch).status).toBe(status)
    }))
  })

  it('recognises the patch that was applied last, before it looks at anything else but life', () => {
    fc.assert(fc.property(liveRecord, anyPatch, (there, patch) => {
      const first = applyPatch(there, patch)
      if (first.status !== 'ok') return
      const again = applyPatch({ ...first.record, expiresAt: NOW + 1 }, patch)
      expect(again).toEqual({ status: 'ok', record: { ...first.record, expiresAt: NOW + 1 } })
    }))
  })

  it('gives the same record in either order for patches to different entries', () => {
    const touch = { touchedAt: fc.nat(20_000), expiresAt: fc.integer({ min: NOW + 1, max: 20_000 }) }
    const patchOf = (key: string) => fc.record({ now: fc.constant(NOW), nonce: fc.constant(key), set: fc.array(fc.tuple(fc.constantFrom(key, `${key}2`), anyText)), remove: fc.constantFrom([], [`${key}3`]), ...touch })
    fc.assert(fc.property(liveRecord, patchOf('d:a'), patchOf('d:b'), (there, one, other) => {
      const [forward, back] = [after(there, one, other), after(there, other, one)]
      expect({ ...forward, nonce: '' }).toEqual({ ...back, nonce: '' })
      expect(forward.version).toBe(there.version + 2)
    }))
  })

  it('counts the version up by one, and keeps the nonce', () => {
    expect(after(record({ version: 7 }), { now: NOW, nonce: 'second' })).toMatchObject({ version: 8, nonce: 'second' })
  })

  it('sets, then removes', () => {
    const start = record({ entries: entries({ 'd:a': '1', 'd:b': '1' }) })
    const patched = after(start, { now: NOW, nonce: 'n', set: [['d:a', '2'], ['d:c', '1'], ['d:d', '1']], remove: ['d:b', 'd:d', 'd:none'] })
    expect({ ...patched.entries }).toEqual({ 'd:a': '2', 'd:c': '1' })
  })

  it('shares the entries that no patch touches', () => {
    const start = record({ entries: entries({ 'd:a': '1' }) })
    expect(after(start, { now: NOW, nonce: 'n', touchedAt: NOW }).entries).toBe(start.entries)
  })

  it('finds nothing inherited among the entries', () => {
    const absent = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map((key) => [key, null] as const)
    expect(applyPatch(record(), { now: NOW, nonce: 'n', expect: absent }).status).toBe('ok')
    const patched = after(record(), { now: NOW, nonce: 'n', set: [['__proto__', 'own']] })
    expect(Object.keys(patched.entries)).toEqual(['__proto__'])
    expect(patched.entries['__proto__']).toBe('own')
  })

  it('makes the old token the superseded one on rotation, and keeps it afterwards', () => {
    const rotated = after(record(), { now: NOW, nonce: 'n', tokenHash: 'hash', rotateTo: 'next' })
    expect(rotated).toMatchObject({ tokenHash: 'next', previous: { tokenHash: 'hash', rotatedAt: NOW } })
    expect(after(rotated, { now: NOW + 1, nonce: 'm', tokenHash: 'next' }).previous).toEqual({ tokenHash: 'hash', rotatedAt: NOW })
    expect(applyPatch(rotated, { now: NOW + 1, nonce: 'm', tokenHash: 'hash' })).toEqual({ status: 'gone' })
  })

  it('adds terms, each once', () => {
    const start = record({ index: ['red'] })
    expect(after(start, { now: NOW, nonce: 'n', index: ['blue', 'red', 'blue'] }).index).toEqual(['red', 'blue'])
    expect(after(start, { now: NOW, nonce: 'n', index: ['red'] }).index).toBe(start.index)
  })

  it('keeps createdAt', () => {
    fc.assert(fc.property(liveRecord, anyPatch, (there, patch) => {
      const applied = applyPatch(there, patch)
      if (applied.status === 'ok') expect(applied.record.createdAt).toBe(there.createdAt)
    }))
  })
})

describe('mergedDeadline', () => {
  it('is the later of the two', () => {
    expect(mergedDeadline({ expiresAt: 9 }, { now: 0, nonce: '', expiresAt: 8 })).toBe(9)
    expect(mergedDeadline({ expiresAt: 9 }, { now: 0, nonce: '', expiresAt: 10 })).toBe(10)
    expect(mergedDeadline({ expiresAt: 9 }, { now: 0, nonce: '' })).toBe(9)
  })

  it('is the patch’s when that was set on purpose', () => {
    expect(mergedDeadline({ expiresAt: 9 }, { now: 0, nonce: '', expiresAt: 8, deadline: 'replace' })).toBe(8)
    expect(mergedDeadline({ expiresAt: 9 }, { now: 0, nonce: '', deadline: 'replace' })).toBe(9)
  })
})
