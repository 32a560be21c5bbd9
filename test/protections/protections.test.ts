import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSessions } from '../../src/index.ts'
import { audit } from '../../src/security/index.ts'
import { withoutProtection } from './apply.ts'
import { PROTECTIONS } from './protections.ts'
import { securityTable } from './table.ts'

const root = dirname(dirname(import.meta.dirname))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const rows = audit(createSessions({ sweepEvery: 'never' })).rows

/** Whether a file seems to have a test of this name. Values in a title are looked for word by word; `npm run check:protections` runs each test. */
function seemsToHave(code: string, title: string): boolean {
  const plain = code.replaceAll('\\\'', '\'')
  const templates = [...plain.matchAll(/\)\('([^'\n]*[%$]\w[^'\n]*)', /g)].map(([, template = '']) => new RegExp(`^${template.replaceAll(/[.*+?^{}()|[\]\\]/g, '\\$&').replaceAll(/%\w|\$\w+/g, '(.+)')}$`))
  const fits = (part: string): boolean => templates.some((template) => template.exec(part)?.slice(1).every((value) => value.split(' ').every((word) => plain.includes(word))))
  return title.split(' > ').every((part) => plain.includes(part) || fits(part))
}

describe('a protection', () => {
  it.each(PROTECTIONS)('of $rows, in $file, can be taken out, and its test is there: $title', (protection) => {
    const source = read(protection.file)
    expect(withoutProtection(source, protection)).not.toBe(source)
    expect(seemsToHave(read(protection.test), protection.title)).toBe(true)
  })

  it('that were not there would be noticed', () => {
    const [first] = PROTECTIONS
    expect(first).toBeDefined()
    if (first === undefined) return
    expect(() => withoutProtection('something else', first)).toThrow(/0 times/)
    expect(() => withoutProtection(first.search.repeat(2), first)).toThrow(/2 times/)
    expect(seemsToHave(read(first.test), 'a policy > can be deviated from for no reason')).toBe(false)
  })

  it('holds each requirement that is not up to the application, and no other', () => {
    const held = new Set(PROTECTIONS.flatMap((protection) => protection.rows))
    expect(rows.filter(({ id, status }) => status !== 'application' && !held.has(id))).toEqual([])
    expect([...held].filter((id) => !rows.some((row) => row.id === id))).toEqual([])
  })
})

describe('docs/security.md', () => {
  it('has the row of every requirement, as node scripts/check-protections.ts --table prints them', () => {
    const page = read('docs/security.md')
    expect(securityTable().split('\n').filter((line) => !page.includes(line))).toEqual([])
  })
})
