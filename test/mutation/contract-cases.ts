// What the mutants of the contract are tried on: each case of it once, on the store that does everything right and on every broken one. The suite asks the same by
// store; asked by case, a mutant costs the case it is in and not all of them.
import { expect, it } from 'vitest'
import { brokenStores, casesFor, failuresAmong } from '../broken-stores/cases-on-stores.ts'

for (const one of casesFor({ name: 'right' })) {
  it(`"${one.title}" lets a right store pass and catches the broken ones`, { timeout: 20_000 }, async () => {
    await one.body()
    for (const broken of brokenStores) {
      const failures = await failuresAmong(casesFor(broken).filter(({ title }) => title === one.title))
      expect(failures.length > 0, broken.name).toBe(broken.caughtBy.includes(one.title))
    }
  })
}
