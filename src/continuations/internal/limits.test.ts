import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { surplus, type Kept } from './limits.ts'

const kept = (id: string, usedAt: number, parent?: string, bytes = 10): Kept => ({ id, usedAt, parent, bytes })
const ROOMY = { maxCount: 50, maxBytes: 65_536 }

describe('surplus', () => {
  it('is nothing within the limits', () => {
    expect(surplus([kept('a', 1), kept('b', 2)], { maxCount: 2, maxBytes: 20 })).toEqual([])
  })

  it('is the least recently used leaf, then the next', () => {
    expect(surplus([kept('a', 1), kept('b', 2), kept('c', 3, 'a')], { ...ROOMY, maxCount: 1 }, 'c')).toEqual(['b', 'a'])
    expect(surplus([kept('root', 1), kept('old', 2, 'root'), kept('new', 3, 'root')], { ...ROOMY, maxCount: 2 })).toEqual(['old'])
  })

  it('counts bytes', () => {
    expect(surplus([kept('a', 1, undefined, 60), kept('b', 2, undefined, 30), kept('c', 3, undefined, 30)], { maxCount: 9, maxBytes: 60 }, 'c')).toEqual(['a'])
  })

  it('spares the newest and what it needs, until nothing else is left; then the outermost goes', () => {
    const chain = [kept('a', 1), kept('b', 2, 'a'), kept('c', 3, 'b'), kept('d', 4, 'c')]
    expect(surplus([...chain, kept('x', 9)], { ...ROOMY, maxCount: 3 }, 'd')).toEqual(['x', 'a'])
  })

  it('ends with what goes round in a circle', () => {
    const circle = [kept('a', 1, 'c'), kept('b', 2, 'a'), kept('c', 3, 'b')]
    expect(surplus(circle, { ...ROOMY, maxCount: 1 })).toHaveLength(2)
    expect(surplus(circle, { ...ROOMY, maxCount: 1 }, 'c')).toHaveLength(2)
    expect(surplus([kept('self', 1, 'self'), kept('b', 2)], { ...ROOMY, maxCount: 1 }, 'b')).toEqual(['self'])
  })

  const anyKept = fc.uniqueArray(fc.record({ id: fc.integer({ min: 0, max: 40 }), usedAt: fc.integer({ min: 0, max: 20 }), parent: fc.option(fc.integer({ min: 0, max: 40 })), bytes: fc.integer({ min: 1, max: 100 }) }), { selector: ({ id }) => id, maxLength: 40 })
    .map((list) => list.map(({ id, usedAt, parent, bytes }) => kept(`k${id}`, usedAt, parent === null || parent >= id ? undefined : `k${parent}`, bytes)))

  it('always leaves what keeps the limits, and takes no more than it must', () => {
    fc.assert(fc.property(anyKept, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1500 }), (list, maxCount, maxBytes) => {
      const newest = list.at(-1)?.id
      const gone = surplus(list, { maxCount, maxBytes }, newest)
      const after = (count: number): Kept[] => list.filter(({ id }) => !gone.slice(0, count).includes(id))
      const isWithin = (rest: readonly Kept[]): boolean => rest.length <= maxCount && rest.reduce((sum, { bytes }) => sum + bytes, 0) <= maxBytes
      expect(isWithin(after(gone.length))).toBe(true)
      if (gone.length > 0) expect(isWithin(after(gone.length - 1))).toBe(false)
      expect(new Set(gone).size).toBe(gone.length)
    }))
  })

  it('never takes what another one that stays needs, except from the newest one\'s own chain', () => {
    fc.assert(fc.property(anyKept, fc.integer({ min: 1, max: 30 }), (list, maxCount) => {
      const newest = list.at(-1)?.id
      const gone = surplus(list, { ...ROOMY, maxCount }, newest)
      const chain = new Set<string>()
      for (let one = list.find(({ id }) => id === newest); one !== undefined; one = list.find(({ id }) => id === one?.parent)) chain.add(one.id)
      const orphans = list.filter(({ id, parent }) => !gone.includes(id) && parent !== undefined && gone.includes(parent))
      for (const { id } of orphans) expect(chain).toContain(id)
    }))
  })
})
