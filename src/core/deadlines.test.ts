import { describe, expect, it } from 'vitest'
import { isTouchDue } from './deadlines.ts'

describe('a touch', () => {
  const deadlines = { idle: 10_000, absolute: 100_000, touchAfter: 1000 }
  /** The milliseconds after the latest touch from which the next is due. */
  const dueAfter = (nonce: string): number => {
    for (let after = 0; ; after += 1) if (isTouchDue({ nonce, touchedAt: 50 }, 50 + after, deadlines)) return after
  }

  it('is due at the touch interval at the latest, and up to a fifth of it earlier, by the record’s nonce', () => {
    expect(['n0', 'n8', 'n?'].map(dueAfter)).toEqual([1000, 900, 813])
  })
})
