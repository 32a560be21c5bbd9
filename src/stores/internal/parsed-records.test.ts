import { describe, expect, it } from 'vitest'
import { stringifyRecord, type SessionRecord } from '../../core/record.ts'
import { ParsedRecords } from './parsed-records.ts'

function recordWith(value: string): SessionRecord {
  return { version: 1, createdAt: 1, touchedAt: 1, expiresAt: 2, tokenHash: 'hash', nonce: 'nonce', index: ['term'], entries: { 'd:a': value }, previous: { tokenHash: 'old', rotatedAt: 1 } }
}

describe('ParsedRecords', () => {
  it('parses a text once, while it is asked for the same text', () => {
    const parsed = new ParsedRecords()
    const text = stringifyRecord(recordWith('one'))
    const first = parsed.parse('id', text)
    expect(first).toEqual(recordWith('one'))
    expect(parsed.parse('id', `${text}`)).toBe(first)
  })

  it('parses again when the text under the key is another', () => {
    const parsed = new ParsedRecords()
    parsed.parse('id', stringifyRecord(recordWith('one')))
    expect(parsed.parse('id', stringifyRecord(recordWith('two'))).entries['d:a']).toBe('two')
    expect(parsed.parse('id', stringifyRecord(recordWith('one'))).entries['d:a']).toBe('one')
  })

  it('does not mistake an old text for the present one after a change of generation', () => {
    const parsed = new ParsedRecords()
    parsed.parse('id', stringifyRecord(recordWith('one')))
    fillOneGeneration(parsed)
    expect(parsed.parse('id', stringifyRecord(recordWith('two'))).entries['d:a']).toBe('two')
  })

  it('keeps what is used, and forgets what has not been used for two generations', () => {
    const parsed = new ParsedRecords()
    const [usedText, idleText] = [stringifyRecord(recordWith('used')), stringifyRecord(recordWith('idle'))]
    const used = parsed.parse('used', usedText)
    const idle = parsed.parse('idle', idleText)
    for (let generation = 0; generation < 3; generation += 1) {
      fillOneGeneration(parsed)
      expect(parsed.parse('used', usedText)).toBe(used)
    }
    expect(parsed.parse('idle', idleText)).not.toBe(idle)
  })

  it('freezes what several callers share', () => {
    const record = new ParsedRecords().parse('id', stringifyRecord(recordWith('one')))
    for (const shared of [record, record.entries, record.index, record.previous]) expect(Object.isFrozen(shared)).toBe(true)
  })

  it('refuses a text that is no record', () => {
    expect(() => new ParsedRecords().parse('id', '{}')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })
})

function fillOneGeneration(parsed: ParsedRecords): void {
  const text = stringifyRecord(recordWith('x'.repeat(250_000)))
  for (let n = 0; n < 9; n += 1) parsed.parse(`filler-${n}`, text)
}
