import { describe, expect, it } from 'vitest'
import { joinEntryText, splitEntryText } from './entry-text.ts'

describe('the text of an entry', () => {
  it('is the codec’s own where the entry has no expiry', () => {
    expect(joinEntryText('"tea"', undefined)).toBe('"tea"')
    expect(splitEntryText('"tea" ')).toEqual({ text: '"tea" ', expiresAt: undefined })
  })

  it('has the expiry before it', () => {
    expect(joinEntryText('"green tea"', 1_700_000_000_000)).toBe('@1700000000000 "green tea"')
    expect(splitEntryText('@1700000000000 "green tea"')).toEqual({ text: '"green tea"', expiresAt: 1_700_000_000_000 })
  })

  it.each(['@', '@1 a', '@ a', 'a@'])('comes back as it was when the codec writes %s', (text) => {
    for (const expiresAt of [undefined, 0, 5]) expect(splitEntryText(joinEntryText(text, expiresAt))).toEqual({ text, expiresAt })
  })

  it('has one mark more only where the codec’s begins with one', () => {
    expect(joinEntryText('@1 a', undefined)).toBe('@ @1 a')
    expect(joinEntryText('a@', undefined)).toBe('a@')
  })
})
