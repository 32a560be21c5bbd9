import { parseAst } from 'vitest/node'

/** What the tests of the layout want to know about one source file. */
export interface Syntax {
  /** Every module it names: imported, re-exported, loaded at run time, or only for a type. */
  readonly imports: readonly string[]
  /** Where the compiler is told to look away: `any`, `as unknown as`, `!`. With their lines. */
  readonly escapes: readonly string[]
}

/** Reads TypeScript without running it. */
export function syntaxOf(code: string): Syntax {
  const imports: string[] = []
  const escapes: string[] = []
  walk(parseAst(code, { lang: 'ts' }), (node) => {
    const source = node['source'] ?? (node['type'] === 'TSImportType' ? node['argument'] : undefined)
    if (isNode(source) && typeof source['value'] === 'string') imports.push(source['value'])
    const escape = escapeOf(node)
    if (escape !== undefined) escapes.push(`${escape} in line ${lineOf(code, node)}`)
  })
  return { imports, escapes }
}

/** A node of the syntax tree, or anything else that is an object in it. */
export type Node = Readonly<Record<string, unknown>>

/** Every node of a tree, in order. */
export function nodesOf(tree: unknown): readonly Node[] {
  const nodes: Node[] = []
  walk(tree, (node) => nodes.push(node))
  return nodes
}

function escapeOf(node: Node): string | undefined {
  const { type, expression } = node
  if (type === 'TSAnyKeyword') return 'any'
  if (type === 'TSNonNullExpression') return '!'
  if (type !== 'TSAsExpression' || !isNode(expression) || expression['type'] !== 'TSAsExpression') return undefined
  return 'a cast of a cast'
}

function lineOf(code: string, { start }: Node): number {
  return typeof start === 'number' ? code.slice(0, start).split('\n').length : 0
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, visit)
  if (!isNode(value)) return
  if (typeof value['type'] === 'string') visit(value)
  for (const child of Object.values(value)) walk(child, visit)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
