import { describe, expect, it } from 'vitest'
import { parseDateText } from './date-text.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('the text of a date', () => {
  it.each<[string, number | undefined]>([
    ['0099-01-01', Date.parse('0099-01-01T00:00:00Z')], ['2026-12-31T23:59:59.9Z', Date.UTC(2026, 11, 31, 23, 59, 59, 900)], ['2026-01-01T00:00:00+00:00', NOW], ['2026-01-01T00:00:00-00:30', NOW + 1_800_000], ['2026-01-01T23:00:00+23:59', NOW + 23 * 3_600_000 - 86_340_000],
    ['Thu, 01 Jan 2026 23:59:59 GMT', NOW + 86_399_000], ['Thursday, 01-Jan-76 00:00:00 GMT', Date.UTC(2076, 0, 1)], ['Thursday, 01-Jan-77 00:00:00 GMT', Date.UTC(1977, 0, 1)], ['Thu Jan  1 00:00:00 2026', NOW],
    ['2026-04-31', undefined], ['2026-02-29', undefined], ['2024-02-29', Date.UTC(2024, 1, 29)], ['2026-01-00', undefined], ['2026-01-32', undefined], ['2026-12-01', Date.UTC(2026, 11, 1)], ['2026-01-01T00:00:00+24:00', undefined], ['2026-01-01T00:00:00+00:60', undefined], ['Thu, 01 jan 2026 00:00:00 GMT', undefined], ['x2026-01-01', undefined], ['2026-01-01x', undefined],
  ])('%s is %s', (text, instant) => {
    expect(parseDateText(text, NOW)).toBe(instant)
  })
})
