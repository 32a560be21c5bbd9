import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeText, unescapeText } from './escape.ts'

/** Any sequence of UTF-16 code units, rich in what has to be escaped and in what an escape looks like. */
const anyText = fc
  .array(fc.oneof(fc.constantFrom('\0', '\u001B', '\uD800', '\uDBFF', '\uDC00', '\uDFFF', '\u001B0000', '\u001Bd800', '0', 'a', '😀'), fc.string({ unit: 'binary' })))
  .map((parts) => parts.join(''))

describe('escapeText', () => {
  it('is undone by unescapeText, whatever the text', () => {
    fc.assert(fc.property(anyText, (text) => unescapeText(escapeText(text)) === text), { numRuns: 2000 })
  })

  it('never makes one text of two', () => {
    fc.assert(fc.property(anyText, anyText, (one, other) => one === other || escapeText(one) !== escapeText(other)), { numRuns: 2000 })
  })

  it('leaves no NUL and no lone surrogate', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeText(text)
        return escaped.isWellFormed() && !escaped.includes('\0')
      }),
      { numRuns: 2000 },
    )
  })

  it('does not change ordinary text', () => {
    const ordinary = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0') && !text.includes('\u001B'))
    fc.assert(fc.property(ordinary, (text) => escapeText(text) === text))
  })

  it('writes ESC and four hexadecimal digits', () => {
    expect(escapeText('a\0b')).toBe('a\u001B0000b')
    expect(escapeText('\uD800\uD800\uDC00')).toBe('\u001Bd800\uD800\uDC00')
    expect(escapeText('\u001B')).toBe('\u001B001b')
  })

  it('escapes a text that looks escaped already', () => {
    expect(unescapeText(escapeText('\u001B0000'))).toBe('\u001B0000')
  })
})
