/** A piece of code in a document that is checked, and perhaps run. */
export interface Block {
  /** The line of the opening fence, from 1. */
  readonly line: number
  readonly language: 'ts' | 'js'
  /** The info string says `run`. */
  readonly run: boolean
  /** The code with what `setup` and `then` comments add, each line at the place it has in the document. */
  readonly code: string
}

const FENCE = /^\s*(`{3,})\s*(\S*)\s*(.*)$/
const HIDDEN = /^\s*<!-- (setup|then):/

/**
 * The `ts` and `js` blocks of a document. A comment `<!-- setup: … -->` before a block holds code that goes before it
 * (imports, what the text around it has explained), `<!-- then: … -->` after it code that goes behind it (what the
 * block must have done). Every line keeps its number, so an error names the line of the document.
 */
export function codeBlocks(markdown: string): readonly Block[] {
  const lines = markdown.split('\n')
  const blocks: Draft[] = []
  let setup: readonly Line[] = []
  for (let at = 0; at < lines.length; at++) {
    const hidden = HIDDEN.exec(lines[at] ?? '')?.[1]
    const fence = FENCE.exec(lines[at] ?? '')
    if (hidden !== undefined) {
      const comment = linesUntil(lines, at, (line) => line.includes('-->'))
      if (hidden === 'setup') setup = commented(comment)
      else blocks.at(-1)?.lines.push(...commented(comment))
      at = comment.at(-1)?.at ?? at
    } else if (fence !== null) {
      const [, ticks = '', language = '', info = ''] = fence
      const fenced = linesUntil(lines, at, (line, first) => !first && line.trim() === ticks)
      if ((language === 'ts' || language === 'js') && !info.startsWith('from ')) blocks.push({ line: at + 1, language, run: info.split(/\s+/).includes('run'), lines: [...setup, ...fenced.slice(1, -1)] })
      setup = []
      at = fenced.at(-1)?.at ?? at
    }
  }
  return blocks.map(({ line, language, run, lines: own }) => ({ line, language, run, code: inPlace(own) }))
}

interface Line {
  /** From 0. */
  readonly at: number
  readonly text: string
}

interface Draft extends Omit<Block, 'code'> {
  readonly lines: Line[]
}

function linesUntil(lines: readonly string[], from: number, isLast: (line: string, first: boolean) => boolean): readonly Line[] {
  const taken: Line[] = []
  for (const [offset, text] of lines.slice(from).entries()) {
    taken.push({ at: from + offset, text })
    if (isLast(text, offset === 0)) break
  }
  return taken
}

function commented(lines: readonly Line[]): readonly Line[] {
  return lines.map(({ at, text }) => ({ at, text: text.replace(HIDDEN, '').replace(/-->.*$/, '') }))
}

function inPlace(lines: readonly Line[]): string {
  const placed: string[] = []
  for (const { at, text } of lines) placed[at] = text
  return Array.from(placed, (text) => text ?? '').join('\n')
}

/** Code that a document takes from a file which is run elsewhere. */
export interface Quote {
  /** From the root of the repository. */
  readonly file: string
  /** What the file has to have, in this order; `// …` stands between the pieces. */
  readonly pieces: readonly string[]
}

/** The blocks whose info string says where they come from: `ts from examples/bun.ts`. */
export function quotes(markdown: string): readonly Quote[] {
  const found = markdown.matchAll(/^```\w+ from (\S+)\n([\s\S]*?)^```$/gm)
  return [...found].map(([, file = '', code = '']) => ({ file, pieces: code.split(/^[ \t]*\/\/ …\n/m).map((piece) => piece.trim()) }))
}

/** The relative links of a document, without their fragments. */
export function relativeLinks(markdown: string): readonly string[] {
  const outsideCode = markdown.replaceAll(/^\s*(`{3,})[\s\S]*?^\s*\1\s*$/gm, '')
  return [...outsideCode.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, target = '']) => target).filter((target) => !/^[a-z]+:/.test(target))
}
