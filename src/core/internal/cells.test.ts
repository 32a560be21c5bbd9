import { describe, expect, it } from 'vitest'
import { Cells, type Cell } from './cells.ts'

const cell = (key: string): Cell => ({ key, stored: undefined, read: false, value: key, present: true, pending: false, write: 0, expiresAt: undefined, text: undefined, next: undefined })

function keysOf(cells: Cells): string[] {
  const keys: string[] = []
  for (let at = cells.first; at !== undefined; at = at.next) keys.push(at.key)
  return keys
}

describe('the cells of a request', () => {
  it.each([0, 1, 7, 8, 9, 100])('finds each of %i by its key, and tells them in their order', (count) => {
    const cells = new Cells()
    const keys = Array.from({ length: count }, (_, at) => `d:key${at}`)
    for (const key of keys) cells.add(cell(key))
    expect(keysOf(cells)).toEqual(keys)
    expect(keys.map((key) => cells.get(key)?.value)).toEqual(keys)
    expect(cells.get('d:another')).toBeUndefined()
  })
})
