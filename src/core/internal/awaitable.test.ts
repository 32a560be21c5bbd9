import { describe, expect, it } from 'vitest'
import { andThen, isPromise } from './awaitable.ts'

describe('an answer now or later', () => {
  it('is told by its method then', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- it is what the test is about
    const having = (then: unknown): unknown => Object.fromEntries([['then', then]])
    expect([Promise.resolve(), having(() => 1), having(5), null, undefined, 'x', () => {}].map((value: unknown) => isPromise(value))).toEqual([true, true, false, false, false, false, false])
    expect(andThen(1, (n) => n + 1)).toBe(2)
    expect(await andThen(Promise.resolve(1), (n) => n + 1)).toBe(2)
  })
})
