import { describe, expect, it } from 'vitest'

/** What a suite needs from the machine, and how to get it. */
export interface ServerNeed {
  /** Where it was found; undefined when it is missing. */
  readonly binary: string | undefined
  /** As people call it: `redis-server`. */
  readonly name: string
  /** What to do to get it: `apt-get install redis-server`. */
  readonly howToGet: string
}

/**
 * A suite that needs a server. Without the server it is one test that says so by name, and that fails
 * where `CI` is set: there a missing server would pass for a tested store.
 */
export function describeWithServer(title: string, { binary, name, howToGet }: ServerNeed, suite: (binary: string) => void): void {
  if (binary !== undefined) {
    describe(title, () => suite(binary))
    return
  }
  const inCi = (process.env['CI'] ?? '') !== '' && process.env['CI'] !== 'false'
  describe(title, () => {
    it(`NOT TESTED: ${name} was not found. Get it with: ${howToGet}`, () => {
      expect(inCi, `${name} must be there when CI is set`).toBe(false)
    })
  })
}
