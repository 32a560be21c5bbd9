import type { Exchange } from '../transport.ts'

const WINDOW_MS = 60_000
const SUSPICIOUS = 100

/** Counts the tokens that fit a session and those that do not. */
export interface GuessingDetector {
  fits(exchange: Exchange | undefined): void
  /** What to tell, when it is time to tell. */
  misses(now: number, exchange: Exchange | undefined): Guessing | undefined
}

/** What event `guessing` says. */
export interface Guessing {
  readonly count: number
  readonly source?: string
}

/**
 * Notices that somebody seems to guess tokens: within a minute a hundred that fit no session, and more than those that fit.
 * After a store was emptied every visitor looks so, too. Tells it once in each minute. Keeps three numbers, however many tokens come.
 */
export function guessingDetector(): GuessingDetector {
  let since = 0
  let missed = 0
  let fitted = 0
  return {
    fits() {
      fitted += 1
    },
    misses(now) {
      // Also when the clock was set back.
      if (Math.abs(now - since) >= WINDOW_MS) {
        since = now
        missed = fitted = 0
      }
      missed += 1
      if (missed < SUSPICIOUS || missed <= fitted) return undefined
      const count = missed
      // Nothing more to tell in this minute.
      missed = -Infinity
      return { count }
    },
  }
}
