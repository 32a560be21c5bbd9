import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { localTarget } from './target.ts'

describe('localTarget', () => {
  it.each([
    ['/', '/'], ['/login', '/login'], ['/a/b?x=1&y=%2F%2Fevil#top', '/a/b?x=1&y=%2F%2Fevil#top'], ['/a/../b', '/b'], ['/search?q=a%0D%0Ab', '/search?q=a%0D%0Ab'],
    ['/?next=https://elsewhere.example/', '/?next=https://elsewhere.example/'], ['/a%2Fb', '/a%2Fb'], ['/@evil.example', '/@evil.example'], ['/a//b', '/a//b'],
    ['/ä b', '/%C3%A4%20b'], ['/100%', '/100%'], ['/javascript:alert(1)', '/javascript:alert(1)'], ['/a?b=\\', '/a?b=\\'],
  ])('takes %j', (text, target) => {
    expect(localTarget(text)).toBe(target)
  })

  it.each([
    'http://evil.example/', 'https://evil.example', 'HTTP://evil.example', '//evil', '///evil', '/\\evil', '\\\\evil', '\\/evil', '\\evil', 'javascript:alert(1)', 'JaVaScRiPt:alert(1)',
    'data:text/html,x', 'mailto:a@evil', 'blob:x', '', ' ', ' /login', '\t/login', 'login', './login', '../login', '?x=1', '#top', 'evil.example', 'http:evil', 'https:/evil', ':80',
    '/a?x=\n', '/a?\u0000', '/a#\u007f', '/\t/evil', '/\n/evil', '/\r/evil', '\t//evil', '/\u0000/evil', '/a\r\nSet-Cookie: x=1', '/a\u0085b', '/a\u2028b', '\ufeff//evil',
    '/%2fevil', '/%2Fevil', '/%5cevil', '/%5Cevil', '/%252fevil', '/%25255cevil', '/%09/evil', '/%0d%0aSet-Cookie:x', '/%00', '/a%5cb',
    '/.//evil', '/..//evil', '/a/..//evil', '/a/../..//evil', '/%2e%2e//evil', '/.%2e//evil', '/%2e%2e%2f%2fevil', '/..%2f/evil', '/.%2fevil/../..//x', '/..\\evil', '/a/..\\\\evil',
    `/${'a'.repeat(8192)}`,
  ])('refuses %j', (text) => {
    expect(localTarget(text)).toBeUndefined()
  })

  it.each([undefined, null, 5, {}, ['/a'], Symbol('x')])('refuses what is no text: %s', (value) => {
    expect(localTarget(value)).toBeUndefined()
  })

  const nasty = fc.array(fc.oneof(
    fc.constantFrom('/', '//', '\\', '.', '..', '%', '2f', '2F', '5c', '5C', '25', '2e', '09', '0a', '00', '\t', '\n', '\r', ' ', '\u0000', '@', ':', '?', '#', 'evil.example', 'http:', 'https://', 'javascript:', '／', '\u2028', 'ä', '\ud800'),
    fc.string({ maxLength: 3 }),
  ), { maxLength: 12 }).map((parts) => parts.join(''))
  const texts = fc.oneof(nasty, nasty.map((text) => `/${text}`), fc.webUrl(), fc.string())

  it('never gives a text that leads to another site, however it is resolved or decoded', () => {
    fc.assert(fc.property(texts, fc.webUrl(), (text, page) => {
      const target = localTarget(text)
      if (target === undefined) return
      const { origin } = new URL(page)
      for (const form of decodings(target)) {
        expect(new URL(form, page).origin).toBe(origin)
        expect(form).toMatch(/^\/(?![/\\])/)
      }
      expect(target).not.toMatch(/[^\x21-\x7e]/)
    }), { numRuns: 5000 })
  })

  it('gives a text that it takes again, unchanged', () => {
    fc.assert(fc.property(texts, (text) => {
      const target = localTarget(text)
      if (target !== undefined) expect(localTarget(target)).toBe(target)
    }), { numRuns: 2000 })
  })

  it('takes every ordinary path with any query', () => {
    const segment = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,10}$/)
    fc.assert(fc.property(fc.array(segment, { maxLength: 5 }), fc.dictionary(fc.string({ minLength: 1 }), fc.string()), (segments, query) => {
      const text = `/${segments.join('/')}?${new URLSearchParams(query)}`
      const target = localTarget(text)
      expect(target).toBeDefined()
      const { searchParams } = new URL(target ?? '', 'http://shop.example')
      expect([...searchParams]).toEqual([...new URLSearchParams(new URLSearchParams(query).toString())])
    }))
  })
})

/** The path as it is, and decoded once, twice, three times by whatever is in between. */
function decodings(target: string): string[] {
  const forms = [target]
  let path = target.split(/[?#]/, 1)[0] ?? ''
  for (let round = 0; round < 3; round += 1) {
    try {
      path = decodeURIComponent(path)
    } catch {
      break
    }
    forms.push(path)
  }
  return forms
}
