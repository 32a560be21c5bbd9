import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { parseAst } from 'vitest/node'
import { describe, expect, it } from 'vitest'
import { parseDuration, parseInstant } from '../../src/core/duration.ts'
import { nodesOf, type Node } from '../internal/syntax.ts'
import { pumpsOf, type Pump } from './pumps.ts'

const root = join(import.meta.dirname, '../../src')

// In linear time this is read in milliseconds; in quadratic time it takes minutes.
const LENGTH = 300_000
const PATIENCE = { timeout: 20_000 }

interface Found {
  readonly file: string
  readonly pattern: RegExp
  /** As opposed to one that is put together while the program runs. */
  readonly literal: boolean
}

/** What stands in a pattern that is put together while the program runs. A new one needs its line here, or the test fails. */
const VARIABLES: Readonly<Record<string, string>> = {
  ESCAPE: String.raw`\u001B`, MONTH: '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)', TIME: String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`, name: 'role',
}

/** Every regular expression of the sources: literals, and what is handed to `RegExp`. */
function patterns(): readonly Found[] {
  return globSync('**/*.ts', { cwd: root }).filter((file) => !/\.test(-d)?\.ts$/.test(file)).toSorted().flatMap((file) => {
    const code = readFileSync(join(root, file), 'utf8')
    return nodesOf(parseAst(code, { lang: 'ts' })).flatMap((node) => patternOf(node, code)).map((pattern) => ({ file, ...pattern }))
  })
}

function patternOf(node: Node, code: string): readonly Omit<Found, 'file'>[] {
  const { type, regex, callee } = node
  if (type === 'Literal' && isNode(regex)) return [{ pattern: new RegExp(String(regex['pattern']), String(regex['flags'])), literal: true }]
  if (type !== 'NewExpression' && type !== 'CallExpression') return []
  if (!isNode(callee) || callee['name'] !== 'RegExp' || !Array.isArray(node['arguments'])) return []
  const [source, flags]: readonly unknown[] = node['arguments']
  return [{ pattern: new RegExp(templateText(source, code), isNode(flags) ? String(flags['value']) : ''), literal: false }]
}

function templateText(node: unknown, code: string): string {
  if (!isNode(node)) throw new Error('RegExp without a pattern')
  const isRaw = node['type'] === 'TaggedTemplateExpression'
  const template = isRaw ? node['quasi'] : node
  if (!isNode(template) || !Array.isArray(template['quasis']) || !Array.isArray(template['expressions'])) throw new Error(`not a template: ${code.slice(Number(node['start']), Number(node['end']))}`)
  const values = template['expressions'].map((expression: Node) => {
    const value = VARIABLES[String(expression['name'])]
    if (value === undefined) throw new Error(`say in VARIABLES what ${String(expression['name'])} can be`)
    return value
  })
  return template['quasis'].map((quasi: Node, at: number) => textOf(quasi, isRaw) + (values[at] ?? '')).join('')
}

function textOf({ value }: Node, isRaw: boolean): string {
  return isNode(value) ? String(value[isRaw ? 'raw' : 'cooked']) : ''
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first pump that a pattern does not get through in time. */
function slowPump(pattern: RegExp): Pump | undefined {
  return pumpsOf(pattern).find(({ prefix, pump }) => {
    const filler = pump.repeat(Math.ceil(LENGTH / pump.length))
    return ['\0', '', '!\n'].some((end) => !isReadInTime(pattern, prefix + filler + end))
  })
}

function isReadInTime(pattern: RegExp, text: string, patience = PATIENCE): boolean {
  try {
    runInContext('pattern.test(text)', createContext({ pattern: new RegExp(pattern), text }), patience)
    return true
  } catch (error) {
    // An error of the other context is no instance of our Error.
    if (isNode(error) && error['code'] === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false
    throw error
  }
}

const found = patterns()

/** Patterns that are given texts of bounded length only, by what bounds them. */
const BOUNDED: Readonly<Record<string, string>> = { '0+$': 'the fingerprint of a process, of a few digits' }

describe('ReDoS', () => {
  it('is looked for in every regular expression of the sources', () => {
    expect(found.length).toBeGreaterThan(50)
    const made = globSync('**/*.ts', { cwd: root }).filter((file) => !/\.test(-d)?\.ts$/.test(file)).flatMap((file) => readFileSync(join(root, file), 'utf8').match(/\bRegExp\(/g) ?? [])
    expect(found.filter(({ literal }) => !literal)).toHaveLength(made.length)
  })

  it.each(found.filter(({ pattern }) => BOUNDED[pattern.source] === undefined))('is not possible: $file $pattern', ({ pattern }) => {
    expect(slowPump(pattern)).toBeUndefined()
  })

  it.each([/^(a+)+$/, /\s+$/, /^(?:\w+\s?)*$/, /a.*b/, /^(a|a)*$/, /(?:x|[a-z])+y/, /^\d*\d*\d*\d*$/])('would be found: %s', (pattern) => {
    const slow = pumpsOf(pattern).some(({ prefix, pump }) => !isReadInTime(pattern, prefix + pump.repeat(LENGTH / pump.length) + '\0', { timeout: 2000 }))
    expect(slow).toBe(true)
  })
})

describe('ReDoS in the duration grammar', () => {
  // Walked through by hand: each is refused or read after looking at no more than 200 characters.
  it.each(['1', '1 ', '1h ', '1h,', '1 hour and ', ' ', '.1 s', '1:30', '-', '1.', 'a', 'and ', ', ', '\0', '9'.repeat(20), '1e9', 'Mon, ', '2030-01-01T'])('is not possible with many of %j', (pump) => {
    for (const text of [pump.repeat(LENGTH / pump.length), `1h${pump.repeat(LENGTH)}x`, `${' '.repeat(LENGTH)}${pump}`]) {
      expect(() => parseDuration(text, 'idleTimeout')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
      expect(() => parseInstant(text, 0, 'expires')).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    }
    for (const length of [150, 198, 199, 200, 201]) {
      const text = pump.repeat(length).slice(0, length)
      const answer = ((): unknown => { try { return parseDuration(text, 'x') } catch (error) { return error } })()
      expect(typeof answer === 'number' || (answer instanceof Error && 'code' in answer && answer.code === 'ERR_SESSION_OPTION')).toBe(true)
    }
  })
})
