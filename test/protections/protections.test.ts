import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSessions } from '../../src/index.ts'
import { audit } from '../../src/security/index.ts'
import { faultTable, type NamedTest } from '../faults/table.ts'
import { titlesIn } from '../internal/named-tests.ts'
import { withoutProtection } from './apply.ts'
import { FAULT_PROTECTIONS } from './fault-protections.ts'
import { PROTECTIONS, type Protection } from './protections.ts'
import { securityTable } from './table.ts'

const root = dirname(dirname(import.meta.dirname))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const rows = audit(createSessions({ sweepEvery: 'never' })).rows

/** A title in which what a template puts in is `…`, as a pattern. */
function patternOf(title: string): RegExp {
  return new RegExp(`^${title.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('(.+)')}$`)
}

/** Whether a file seems to have a test of this name. Values in a title are looked for word by word; `npm run check:protections` runs each test. */
function seemsToHave(file: string, title: string): boolean {
  const code = read(file)
  const patterns = [...titlesIn(file)].map(patternOf)
  const fits = (part: string): boolean => patterns.some((pattern) => pattern.exec(part)?.slice(1).every((value) => value.split(' ').every((word) => code.includes(word))))
  return title.split(' > ').every(fits)
}

describe('a protection', () => {
  it.each([...PROTECTIONS, ...FAULT_PROTECTIONS])('of $rows, in $file, can be taken out, and its test is there: $title', (protection) => {
    const source = read(protection.file)
    expect(withoutProtection(source, protection)).not.toBe(source)
    expect(seemsToHave(protection.test, protection.title)).toBe(true)
  })

  it('that were not there would be noticed', () => {
    const [first] = PROTECTIONS
    expect(first).toBeDefined()
    if (first === undefined) return
    expect(() => withoutProtection('something else', first)).toThrow(/0 times/)
    expect(() => withoutProtection(first.search.repeat(2), first)).toThrow(/2 times/)
    expect(seemsToHave(first.test, 'a policy > can be deviated from for no reason')).toBe(false)
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

describe('docs/faults.md', () => {
  const { faults, tests } = faultTable()
  const isOf = ({ test, title }: Protection, named: NamedTest): boolean => test === named.file && patternOf(named.title).test(title.split(' > ').at(-1) ?? '')

  it.each(faults)('has in bold the tests that fail without the protection: $fault', ({ fault, held }) => {
    const named = tests.filter(({ number }) => held.includes(number))
    const protections = FAULT_PROTECTIONS.filter(({ rows }) => rows.includes(fault))
    expect(protections.filter((protection) => !named.some((test) => isOf(protection, test)))).toEqual([])
    expect(named.filter((test) => !protections.some((protection) => isOf(protection, test)))).toEqual([])
  })

  it('has the row of each protection', () => {
    expect(FAULT_PROTECTIONS.flatMap((protection) => protection.rows).filter((row) => !faults.some(({ fault }) => fault === row))).toEqual([])
  })
})
