const WINDOW_MS = 60_000
const SUSPICIOUS = 100

/**
 * Notices that somebody seems to guess tokens: within a minute a hundred that fit no session, and more than those that fit.
 * After a store was emptied every visitor looks so, too. Keeps four values, however many tokens come.
 */
export class Guessing {
  #since = 0
  #missed = 0
  #fitted = 0
  #told = false

  fits(): void {
    this.#fitted += 1
  }

  /** How many were missed, when it is time to tell: once in each minute. */
  misses(now: number): number | undefined {
    // Also when the clock was set back.
    if (Math.abs(now - this.#since) >= WINDOW_MS) {
      this.#since = now
      this.#missed = this.#fitted = 0
      this.#told = false
    }
    this.#missed += 1
    if (this.#told || this.#missed < SUSPICIOUS || this.#missed <= this.#fitted) return undefined
    this.#told = true
    return this.#missed
  }
}
