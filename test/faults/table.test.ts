import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { casesIn, titlesIn } from '../internal/named-tests.ts'
import { faultTable } from './table.ts'

const { faults, tests, mentioned } = faultTable()

describe('docs/faults.md', () => {
  it('has for each fault what the visitor sees, what the application sees, what is lost, how it recovers, and tests', () => {
    expect(faults.length).toBeGreaterThan(20)
    for (const { cells } of faults) {
      expect(cells).toHaveLength(6)
      expect(cells).not.toContain('')
      expect(cells.at(-1)).toMatch(/^(?:\d+|\*\*\d+\*\*)(?:, (?:\d+|\*\*\d+\*\*))*(?: \([^)]+ alone\))?$/)
    }
  })

  it('says of each fault which test fails when the protection is taken out, or that the database alone holds it', () => {
    for (const { fault, held, heldBy } of faults) expect([fault, held.length > 0]).toEqual([fault, heldBy === undefined])
  })

  it('names each test once, and each in a row', () => {
    expect(tests.map(({ number }) => number)).toEqual(tests.map((_, at) => at + 1))
    const used = [...faults.flatMap((fault) => fault.tests), ...mentioned]
    expect([...new Set(used)].toSorted((a, b) => a - b)).toEqual(tests.map(({ number }) => number))
  })

  it.each(tests)('names a test that exists: $number', ({ file, title }) => {
    expect([...titlesIn(file)]).toContain(title)
  })

  it('names every test of faults', () => {
    const files = globSync('test/faults/*.test.ts', { cwd: join(import.meta.dirname, '../..') }).filter((file) => !file.endsWith('table.test.ts'))
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) for (const title of casesIn(file)) expect(tests.filter((test) => test.file === file).map((test) => test.title)).toContain(title)
  })
})
