import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import cases from './cases.json' with { type: 'json' }

const root = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

// Comments name cases too, and show nothing.
const tests = globSync(['test/seeds/*.test.ts', 'src/continuations/*.test.ts'], { cwd: root }).map((file) => read(file).replaceAll(/^\s*\/\/.*$/gm, '')).join('\n')
const page = read('docs/from-perl.md')
const [, different = '', notCovered = ''] = /## Where we differ on purpose\n(.*)## Not covered\n(.*)/s.exec(page) ?? []
const named = (text: string, id: string): boolean => new RegExp(`\\b${id}\\b`).test(text)

it('every case is the title of a test, or is said not to be covered', () => {
  const ids = cases.map(({ id }) => id)
  expect(ids).toHaveLength(186)
  expect(ids.filter((id) => named(tests, id) === named(notCovered, id))).toEqual([])
})

it('every case in which we may differ has its reason in docs/from-perl.md, and no other is excused', () => {
  const rows = different.match(/^\| [A-Z]+-\d+ /gm)?.map((row) => row.slice(2, -1))
  expect(rows).toEqual(cases.filter(({ mode }) => mode.startsWith('V')).map(({ id }) => id))
})
