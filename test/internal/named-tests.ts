import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'vitest/node'
import { nodesOf, type Node } from './syntax.ts'

const root = join(import.meta.dirname, '../..')
const cache = new Map<string, ReadonlySet<string>>()

/**
 * The titles of the tests in a file: of `it` and `describe` in all their forms, and of the cases of a contract (`title: '…'`).
 * What a template puts in is `…`, and so is `%s` of an `it.each`.
 */
export function titlesIn(file: string): ReadonlySet<string> {
  const known = cache.get(file)
  if (known !== undefined) return known
  const titles = new Set(nodesOf(parseAst(readFileSync(join(root, file), 'utf8'), { lang: 'ts' })).flatMap(titleOf))
  cache.set(file, titles)
  return titles
}

/** Those of them that are tests, without the groups that they are in. */
export function casesIn(file: string): readonly string[] {
  return nodesOf(parseAst(readFileSync(join(root, file), 'utf8'), { lang: 'ts' })).flatMap((node) => (isCallOf(node, CASES) ? titleOf(node) : []))
}

const CASES: ReadonlySet<unknown> = new Set(['it', 'test'])
const RUNNERS: ReadonlySet<unknown> = new Set([...CASES, 'describe', 'describeWithServer', 'describeOnSmallDisk'])

function titleOf(node: Node): readonly string[] {
  if (node['type'] === 'Property' && isNode(node['key']) && node['key']['name'] === 'title') return textOf(node['value'])
  return isCallOf(node, RUNNERS) && Array.isArray(node['arguments']) ? textOf(node['arguments'][0]) : []
}

function isCallOf({ type, callee }: Node, runners: ReadonlySet<unknown>): boolean {
  return type === 'CallExpression' && runners.has(runnerOf(callee))
}

/** `it` of `it`, `it.each(…)`, `runner.it`. */
function runnerOf(callee: unknown): unknown {
  if (!isNode(callee)) return undefined
  const { type, name, object, property } = callee
  if (type === 'Identifier') return name
  if (type === 'CallExpression') return runnerOf(callee['callee'])
  if (type !== 'MemberExpression' || !isNode(property)) return undefined
  return RUNNERS.has(property['name']) ? property['name'] : runnerOf(object)
}

function textOf(node: unknown): readonly string[] {
  if (!isNode(node)) return []
  if (node['type'] === 'Literal' && typeof node['value'] === 'string') return [node['value'].replaceAll(/%[sdijo]|\$\w+/g, '…')]
  if (node['type'] !== 'TemplateLiteral' || !Array.isArray(node['quasis'])) return []
  return [node['quasis'].map(({ value }: Node) => (isNode(value) ? String(value['cooked']) : '')).join('…')]
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
