import { describe, expect, it } from 'vitest'
import { targets } from './targets.ts'

// `npm run fuzz` gives each of them many more.
const INPUTS = Math.ceil(10_000 / targets.length)

describe('10,000 inputs that were valid before', () => {
  it.each(targets)('raise no error but those that are documented: $name', async (target) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    await expect(target.fuzz(INPUTS, seed).catch((error: unknown) => error)).resolves.toBeUndefined()
  })
})
