import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A row of docs/faults.md. */
export interface Fault {
  /** Its six cells, as they stand there. */
  readonly cells: readonly string[]
  /** The fault: the first of them. */
  readonly fault: string
  /** The numbers of its tests. */
  readonly tests: readonly number[]
  /** Those of them that fail when the protection is taken out: in bold. */
  readonly held: readonly number[]
  /** What alone holds it, where nothing in this package does: `Redis`. */
  readonly heldBy: string | undefined
}

/** A test as the page lists it. What a template puts into the title is `…`. */
export interface NamedTest {
  readonly number: number
  readonly file: string
  readonly title: string
}

export interface FaultTable {
  readonly faults: readonly Fault[]
  readonly tests: readonly NamedTest[]
  /** The numbers that stand in the text above the table. */
  readonly mentioned: readonly number[]
}

/** What docs/faults.md says. */
export function faultTable(): FaultTable {
  const [table = '', list = ''] = readFileSync(join(import.meta.dirname, '../../docs/faults.md'), 'utf8').split('## Tests')
  return {
    faults: table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Fault')).map(faultIn),
    tests: [...list.matchAll(/^(\d+)\. `([^`]+)`: (.+)$/gm)].map(([, number = '', file = '', title = '']) => ({ number: Number(number), file, title })),
    mentioned: [...table.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number)),
  }
}

function faultIn(line: string): Fault {
  const cells = line.split('|').slice(1, -1).map((cell) => cell.trim())
  const last = cells.at(-1) ?? ''
  const numbers = (pattern: RegExp): readonly number[] => [...last.matchAll(pattern)].map(([, number]) => Number(number))
  return { cells, fault: cells[0] ?? '', tests: numbers(/(\d+)/g), held: numbers(/\*\*(\d+)\*\*/g), heldBy: / \((.+) alone\)$/.exec(last)?.[1] }
}
