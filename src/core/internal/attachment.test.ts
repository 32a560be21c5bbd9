import { describe, expect, it } from 'vitest'
import { Attachment } from './attachment.ts'

describe('something attached', () => {
  it('is found on its holder alone, by the one that attached it, and hides from listings', () => {
    const isDate = (value: unknown): value is Date => value instanceof Date
    const [one, two] = [new Attachment('x', isDate), new Attachment('x', isDate)]
    const [holder, other] = [{}, {}]
    const date = new Date(0)
    one.set(holder, date)
    expect([one.get(holder), one.get(other), two.get(holder), Object.keys(holder)]).toEqual([date, undefined, undefined, []])
    const loose = new Attachment('y', (value): value is Date => value === 'never')
    loose.set(holder, date)
    expect(loose.get(holder)).toBeUndefined()
  })
})
