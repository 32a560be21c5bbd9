import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue, standardCodec } from './codec.ts'

class Point {
  readonly x = 1
}

const circle: Record<string, unknown> = { x: 1 }
circle['self'] = circle
const holed = [1, 2, 3]
delete holed[1]

describe('the standard codec', () => {
  it.each([['text', 'a'], ['a number', 1.5], ['null', null], ['an object', { a: [1, { b: true }] }], ['__proto__ as a key', JSON.parse('{"__proto__":1}')]])('keeps %s as plain JSON', (_name, value) => {
    expect(encodeValue(value)).toBe(JSON.stringify(value))
    expect(decodeValue(encodeValue(value))).toEqual(value)
  })

  it.each<[string, unknown]>([
    ['undefined', undefined], ['-0', -0], ['NaN', Number.NaN], ['Infinity', Infinity], ['a bigint', 10n], ['a Date', new Date(0)], ['a Map', new Map([['a', new Set([1])]])], ['a Set', new Set(['x'])],
    ['a URL', new URL('https://example.com/x')], ['a RegExp', /a/g], ['a typed array', new Uint8Array([1, 2])], ['a hole', holed], ['a circle', circle],
  ])('brings back %s', (_name, value) => {
    expect(decodeValue(encodeValue({ value }))).toEqual({ value })
  })

  it.each<[string, unknown, string]>([
    ['a function', () => 1, 'this value'], ['a symbol', Symbol('x'), 'this value'], ['a function inside', { a: [{ f() {} }] }, 'a[0].f'], ['a class instance', { d: new Point() }, 'Point'],
    ['a promise', Promise.resolve(), 'Promise'], ['a Buffer', { b: Buffer.from('a') }, 'Buffer'], ['a symbol as key', { [Symbol('s')]: 1 }, 'symbol'], ['a class instance in a Map', new Map([['k', new Point()]]), 'Point'], ['a class instance in a Set', new Set([new Point()]), 'Point'],
    ['__proto__ beside a Date', JSON.parse('{"__proto__":1}', (key, value: unknown) => (key === '' ? Object.assign(value as object, { d: new Date(0) }) : value)), '__proto__'],
  ])('refuses %s and says where', (_name, value, where) => {
    expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining(where) }))
  })

  it('refuses what is nested too deeply, before any recursion overflows', () => {
    let deep: unknown = 1
    for (let n = 0; n < 10_000; n += 1) deep = [deep]
    expect(() => standardCodec.encode(deep, { id: 'i', key: 'd:deep' })).toThrow(/200 levels/)
  })

  it('brings back any plain data', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => { expect(decodeValue(encodeValue(value))).toEqual(value) }))
  })
})
