import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeEntries, NEVER } from '../../core/record.ts'
import { Deadlines } from './deadlines.ts'
import { Slot } from './slot.ts'

function slotUntil(expiresAt: number): Slot {
  const record = { version: 1, createdAt: 0, touchedAt: 0, expiresAt, tokenHash: 'hash', nonce: 'nonce', index: [], entries: makeEntries() }
  return new Slot(`until-${expiresAt}`, record, 0)
}

describe('deadlines', () => {
  it('look at nothing but the 1,000 that have expired, among 200,000', () => {
    const deadlines = new Deadlines()
    for (let n = 0; n < 200_000; n += 1) deadlines.add(slotUntil(n < 1000 ? 5_000 : 20_000 + n * 10))
    expect([...deadlines.upTo(10_000)].length).toBe(1000)
  })

  it('look at the buckets in order of time', () => {
    const deadlines = new Deadlines()
    for (const expiresAt of [50_000, NEVER, 10_000, 30_000]) deadlines.add(slotUntil(expiresAt))
    expect([...deadlines.upTo(60_000)].map((slot) => slot.expiresAt)).toEqual([10_000, 30_000, 50_000])
  })

  it('find those that are added below what was looked at before', () => {
    const deadlines = new Deadlines()
    expect([...deadlines.upTo(1_000_000)]).toEqual([])
    const slot = slotUntil(7)
    deadlines.add(slot)
    expect([...deadlines.upTo(10)]).toEqual([slot])
  })

  it('yield what is past and not removed, and no other bucket, whatever was added and removed', () => {
    const times = fc.oneof(fc.nat(200_000), fc.constantFrom(0, NEVER, 9_999, 10_000, 1_700_000_000_000))
    fc.assert(fc.property(fc.array(fc.record({ expiresAt: times, removed: fc.boolean() })), fc.array(times), (added, looks) => {
      const deadlines = new Deadlines()
      const slots = added.map(({ expiresAt }) => slotUntil(expiresAt))
      for (const slot of slots) deadlines.add(slot)
      for (const [n, slot] of slots.entries()) if (added[n]?.removed === true) deadlines.remove(slot)
      let left = slots.filter((_, n) => added[n]?.removed !== true)
      for (const now of looks) {
        const seen = [...deadlines.upTo(now)]
        const past = left.filter((slot) => slot.expiresAt <= now)
        expect(past.filter((slot) => !seen.includes(slot))).toEqual([])
        expect(seen.filter((slot) => slot.expiresAt >= now + 10_000)).toEqual([])
        for (const slot of past) deadlines.remove(slot)
        left = left.filter((slot) => slot.expiresAt > now)
      }
    }))
  })
})
