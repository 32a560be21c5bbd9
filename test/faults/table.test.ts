import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { casesIn, titlesIn } from '../internal/named-tests.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/faults.md'), 'utf8')
const [table = '', list = ''] = page.split('## Tests')

const tests = [...list.matchAll(/^(\d+)\. `([^`]+)`: (.+)$/gm)].map(([, number = '', file = '', title = '']) => ({ number: Number(number), file, title }))
const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Fault')).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))

describe('docs/faults.md', () => {
  it('has for each fault what the visitor sees, what the application sees, what is lost, how it recovers, and tests', () => {
    expect(rows.length).toBeGreaterThan(20)
    for (const row of rows) {
      expect(row).toHaveLength(6)
      expect(row).not.toContain('')
      expect(row.at(-1)).toMatch(/^\d+(?:, \d+)*$/)
    }
  })

  it('names each test once, and each in a row', () => {
    expect(tests.map(({ number }) => number)).toEqual(tests.map((_, at) => at + 1))
    const used = [...rows.map((row) => row.at(-1) ?? '').join(', ').split(', '), ...[...table.matchAll(/\[(\d+)\]/g)].map(([, number]) => number)].map(Number)
    expect([...new Set(used)].toSorted((a, b) => a - b)).toEqual(tests.map(({ number }) => number))
  })

  it.each(tests)('names a test that exists: $number', ({ file, title }) => {
    expect([...titlesIn(file)]).toContain(title)
  })

  it('names every test of faults', () => {
    const files = globSync('test/faults/*.test.ts', { cwd: root }).filter((file) => !file.endsWith('table.test.ts'))
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) for (const title of casesIn(file)) expect(tests.filter((test) => test.file === file).map((test) => test.title)).toContain(title)
  })
})
