import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** What test/measure-memory.ts prints. */
interface Measurement {
  readonly sessions: number
  readonly size: number
  /** Bytes of heap after a collection, more than before. */
  readonly grown: number
  /** What the store says it holds. */
  readonly accounted: number
  /** Bytes per session beyond its keys and values. */
  readonly overhead: number
}

// 100,000 sessions show what 1,000,000 do, in a tenth of the time. `SOJOURN_SESSIONS=1000000` measures as many as that.
const sessions = Number(process.env['SOJOURN_SESSIONS'] ?? 100_000)

function measure(kind: string): Measurement {
  const script = fileURLToPath(new URL('measure-memory.ts', import.meta.url))
  const node = ['--expose-gc', '--max-old-space-size=8192', '--conditions=sojourn:source', '--disable-warning=ExperimentalWarning']
  return JSON.parse(execFileSync(process.execPath, [...node, script, kind, String(sessions)], { encoding: 'utf8' }))
}

describe('the memory store’s account', () => {
  for (const kind of ['plain', 'eight keys', 'owned', 'wide']) {
    it(`is within 10 % of what the heap grows by: ${kind}`, { timeout: 300_000 }, () => {
      const { size, grown, accounted, overhead } = measure(kind)
      expect(size).toBe(sessions)
      expect(accounted / grown).toBeGreaterThan(0.9)
      expect(accounted / grown).toBeLessThan(1.1)
      if (kind === 'plain') expect(overhead).toBeLessThanOrEqual(400)
    })
  }
})
