import { describe, expect, it } from 'vitest'
import { guessingDetector } from './guessing.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('guessing', () => {
  const detector = (): { misses(times: number, now?: number): unknown[]; fits(times: number): void } => {
    const one = guessingDetector()
    return {
      misses: (times, now = NOW) => Array.from({ length: times }, () => one.misses(now, undefined)).filter((told) => told !== undefined),
      fits: (times) => { for (let n = 0; n < times; n += 1) one.fits(undefined) },
    }
  }

  it('is a hundred misses within a minute, told once', () => {
    const { misses } = detector()
    expect([misses(99), misses(1), misses(500), misses(99, NOW + 59_999), misses(99, NOW + 60_000), misses(1, NOW + 60_000)]).toEqual([[], [{ count: 100 }], [], [], [], [{ count: 100 }]])
  })

  it('is none while more fit, and is told when they are overtaken', () => {
    const { misses, fits } = detector()
    misses(1)
    fits(150)
    expect([misses(149), misses(1)]).toEqual([[], [{ count: 151 }]])
  })

  it('is counted anew when the clock was set back', () => {
    const { misses } = detector()
    expect([misses(99), misses(99, NOW - 60_000), misses(1, NOW - 60_000)]).toEqual([[], [], [{ count: 100 }]])
    expect([detector().misses(99), misses(1, NOW)]).toEqual([[], []])
  })
})
