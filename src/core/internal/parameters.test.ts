import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filterParameters, isSamePage, parameterOf, pathOf, queryOf, withParameters } from './parameters.ts'

describe('parameters', () => {
  it.each([
    ['/a', { c: 'x' }, '/a?c=x'], ['/a?b=1', { c: 'x' }, '/a?b=1&c=x'], ['/a?c=old&b=1#top', { c: 'x' }, '/a?b=1&c=x#top'], ['/a?c=old', { c: undefined }, '/a'], ['/a?%63=1&c', { c: undefined }, '/a'],
    ['/a?x=%20+%2B&&c=1', { c: undefined }, '/a?x=%20+%2B'], ['/a#?c=1', { c: 'x' }, '/a?c=x#?c=1'], ['/a?', { c: undefined }, '/a'], ['/a', { 'J:C': 'a&b' }, '/a?J%3AC=a%26b'], ['/a?toString=1', { c: 'x' }, '/a?toString=1&c=x'],
  ])('%s with %o is %s', (url, parameters, result) => {
    expect(withParameters(url, parameters)).toBe(result)
  })

  it('are found under the name by which servers find them', () => {
    expect(parameterOf('/a?%63=x', 'c')).toBe('x')
    expect(parameterOf('/a?b=1&c=%7Ex+y', 'c')).toBe('~x y')
    expect(parameterOf('/a', 'c')).toBeUndefined()
    expect(parameterOf('/a#?c=1', 'c')).toBeUndefined()
  })

  it('of a query are an object by name, of which none is special', () => {
    expect({ ...queryOf('/a?b=1&c=2&b=3&b=4') }).toEqual({ b: ['1', '3', '4'], c: '2' })
    expect(Object.keys(queryOf('/a?__proto__=1&constructor=2'))).toEqual(['__proto__', 'constructor'])
  })

  it('that are filtered leave the others as they were written', () => {
    expect(filterParameters('/a?x=%61&token=1&y=+&pass%77ord=2#h', (name) => !/token|password/.test(name))).toBe('/a?x=%61&y=+#h')
  })

  it.each([['/a?x=1', '/a?x=%31', true], ['/caf%c3%a9', '/caf%C3%A9', true], ['/a?x=1&y=2', '/a?y=2&x=1', false], ['/a', '/b', false], ['/a', '/a?x=1', false], ['/a%', '/a%', true], ['/a%2', '/a%', false]])('%s and %s name one page: %s', (a, b, same) => {
    expect(isSamePage(a, b)).toBe(same)
  })

  it('put on and taken away leave what was there', () => {
    fc.assert(fc.property(fc.dictionary(fc.string({ minLength: 1 }).filter((name) => name !== 'c'), fc.string()), fc.string(), (query, value) => {
      const text = String(new URLSearchParams(query))
      const url = text === '' ? '/a' : `/a?${text}`
      const put = withParameters(url, { c: value })
      expect(parameterOf(put, 'c')).toBe(new URLSearchParams({ c: value }).get('c'))
      expect(withParameters(put, { c: undefined })).toBe(url)
    }))
  })
})

describe('a URL', () => {
  it('has a path, and parameters that may be empty', () => {
    expect([pathOf('/a?b#c'), pathOf('/a#b?c'), pathOf('/a'), pathOf('')]).toEqual(['/a', '/a', '/a', ''])
    expect([parameterOf('/a?b', 'b'), parameterOf('/a?b=', 'b'), parameterOf('/a?', 'b'), parameterOf('/a?c=1', 'b'), { ...queryOf('/a') }]).toEqual(['', '', undefined, undefined, {}])
  })
})
