import { strict as assert } from 'node:assert'

/** A whole number from 0, below the one given. */
export type Numbers = (below: number) => number

/** mulberry32: small, seeded, and good enough to choose test data. */
export function numbersFrom(seed: number): Numbers {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32)
}

export function pick<T>(numbers: Numbers, from: readonly T[]): T {
  const picked = from[numbers(from.length)]
  assert.ok(picked !== undefined)
  return picked
}
