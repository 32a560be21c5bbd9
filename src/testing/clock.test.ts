import { describe, expect, it } from 'vitest'
import { movableClock } from './clock.ts'

describe('movable clock', () => {
  it('stands where it was started', () => {
    const clock = movableClock(5000)
    expect([clock(), clock()]).toEqual([5000, 5000])
  })

  it('starts at the real time', () => {
    const before = Date.now()
    const started = movableClock()()
    expect(started).toBeGreaterThanOrEqual(before)
    expect(started).toBeLessThanOrEqual(Date.now())
  })

  it('moves by seconds and by text, forward and back', () => {
    const clock = movableClock(0)
    clock.advance(1.5)
    expect(clock()).toBe(1500)
    clock.advance('2 minutes')
    expect(clock()).toBe(121_500)
    clock.advance(-1.5)
    expect(clock()).toBe(120_000)
  })

  it('can be set', () => {
    const clock = movableClock(0)
    clock.set(7)
    expect(clock()).toBe(7)
    clock.set(new Date(8))
    expect(clock()).toBe(8)
    clock.set('2030-01-01T00:00:00Z')
    expect(clock()).toBe(Date.UTC(2030, 0, 1))
  })

  it('refuses a text that is no duration', () => {
    expect(() => movableClock().advance('soon')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})
