import { describe, expect, it } from 'vitest'
import { makeEntries } from '../../core/record.ts'
import { Slot } from './slot.ts'
import { TermIndex } from './term-index.ts'

function slot(id: string): Slot {
  return new Slot(id, { version: 1, createdAt: 0, touchedAt: 0, expiresAt: 1, tokenHash: 'hash', nonce: 'nonce', index: [], entries: makeEntries() }, 0)
}

describe('term index', () => {
  it('lists one slot, several, and each once', () => {
    const index = new TermIndex(100)
    const [one, two] = [slot('one'), slot('two')]
    index.add('red', one)
    expect(index.under('red')).toEqual([one])
    index.add('red', one)
    expect(index.under('red')).toEqual([one])
    index.add('red', two)
    index.add('red', two)
    expect(index.under('red')).toEqual([one, two])
    expect(index.under('blue')).toEqual([])
  })

  it('keeps no term without a slot', () => {
    const index = new TermIndex(100_000)
    const slots = ['one', 'two', 'three'].map(slot)
    for (const each of slots) index.add('red', each)
    index.add('blue', slot('one'))
    for (const each of slots) index.remove('red', each)
    expect(index.size).toBe(1)
    index.clear()
    expect(index.size).toBe(0)
  })

  it('takes nothing away that is not there', () => {
    const index = new TermIndex(100)
    const [one, other] = [slot('one'), slot('other')]
    index.add('red', one)
    index.remove('red', other)
    index.remove('blue', one)
    expect(index.under('red')).toEqual([one])
  })
})
