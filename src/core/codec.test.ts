import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue, standardCodec } from './codec.ts'

class Point {
  readonly x = 1
}

const unnamed = (): unknown => () => 1

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

  it.each<[string, unknown, string]>([
    ['this value: it is a function', () => 1, ''], ['this value: it is a symbol', Symbol('x'), ''], ['this value: it is an instance of Point', new Point(), ''],
    ['the part at cart: it is a function', () => 1, 'd:cart'], ['the part at cart.list[1].f: it is a symbol', { list: [1, { f: Symbol('x') }] }, 'd:cart'], ['the part at a:b: it is a symbol', Symbol('x'), 'd:a:b'],
    ['the part at cart.k: it is a function', new Map([['k', () => 1]]), 'd:cart'], ['the part at cart.value: it is a function', new Map([[1, () => 1]]), 'd:cart'], ['the part at cart.key: it is a function', new Map([[() => 1, 1]]), 'd:cart'],
    ['the part at cart.item: it is a function', new Set([() => 1]), 'd:cart'],
    ['the part at cart.x: it is an instance of an unnamed class', { x: Object.create({ constructor: unnamed() }) }, 'd:cart'], ['the part at cart: it is an instance of an unnamed class', Object.create(Object.create(null)), 'd:cart'],
    ['the part at cart: it is an instance of an unnamed class', Object.create({ constructor: 'text', name: 'Fake' }), 'd:cart'],
    ['the part at cart: it has a property whose name is a symbol', { [Symbol('s')]: 1 }, 'd:cart'],
    [`the part at ${'k'.repeat(200)}: it is a function`, { a: () => 1 }, `d:${'k'.repeat(250)}`],
  ])('refuses in words: %s', (text, value, key) => {
    const encode = (): string => (key === '' ? encodeValue(value) : standardCodec.encode(value, { id: 'i', key }))
    expect(encode).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining(`cannot keep ${text}. `) }))
  })

  it('tells with its cause what only the serialiser stumbles over', () => {
    let reads = 0
    const value = { d: new Date(0), get shy(): number { if ((reads += 1) > 1) throw new Error('not twice'); return 1 } }
    expect(() => standardCodec.encode(value, { id: 'i', key: 'd:cart' })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('the part at cart: it cannot be serialised'), cause: expect.objectContaining({ message: 'not twice' }) }))
  })

  it('keeps 200 levels and no more', () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
    expect(decodeValue(standardCodec.encode(nested(200), { id: 'i', key: 'd:deep' }))).toEqual(nested(200))
    expect(() => standardCodec.encode(nested(201), { id: 'i', key: 'd:deep' })).toThrow(/200 levels/)
  })

  it('keeps 10,000 empty places and no more', () => {
    expect(decodeValue(encodeValue(Array(10_000)))).toHaveLength(10_000)
    expect(() => encodeValue(Array(10_001))).toThrow(/more than 10000 empty places/)
    expect(() => encodeValue([Array(6000), Array(6000)])).toThrow(/more than 10000 empty places/)
  })

  it('takes objects without a prototype and those of another realm for plain ones', () => {
    expect(encodeValue(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
    expect(encodeValue(runInNewContext('({ a: [1] })'))).toBe('{"a":[1]}')
    expect(() => encodeValue(Object.create({ isPrototypeOf: 1 }))).toThrow(/an instance of Object/)
    expect(() => encodeValue(Object.create(Object.assign(Object.create({}), { isPrototypeOf: 1 })))).toThrow(/an instance of Object/)
  })

  it.each(['""', '"a"', '"\\""', '"a\\\\"', '"\\u00e9"', '"ä"', '"\ud800"'])('reads %s as JSON does', (text) => {
    expect(decodeValue(text)).toBe(JSON.parse(text))
  })

  it.each(['', '"', 'a"', '"a', '"a"b', '"a"b"', '"\\"', '~', '~[', 'no JSON'])('says of %j that no codec makes it, and quotes nothing', (text) => {
    expect(() => decodeValue(text)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE', message: expect.stringMatching(/^A stored entry is no .+\. [A-Z]/) }))
  })

  it('brings back any plain data', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => { expect(decodeValue(encodeValue(value))).toEqual(value) }))
  })
})
