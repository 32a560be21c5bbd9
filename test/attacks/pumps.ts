/** A text that makes a backtracking matcher try as many ways as the pattern has: `prefix`, `pump` many times, then what cannot match. */
export interface Pump {
  readonly prefix: string
  readonly pump: string
}

/** For each repetition without an end in a pattern, the texts that would make it slow. Throws for syntax that it does not know. */
export function pumpsOf(pattern: RegExp): readonly Pump[] {
  const pumps = new Map<string, Pump>()
  const add = (prefix: string, pump: string): void => {
    if (pump !== '') pumps.set(`${prefix}\n${pump}`, { prefix, pump })
  }
  for (const { before, atom } of endlessParts(parse(pattern))) {
    // What stands before it can be found at many places, and each of them walks to the end.
    for (const prefix of before) add('', prefix)
    for (const pump of atom) for (const prefix of ['', ...before]) add(prefix, pump)
    for (const pump of atom) for (const prefix of before) add('', prefix + pump)
  }
  return [...pumps.values()]
}

/** A piece of a pattern: the texts that stand for what it matches. */
type Part = { readonly samples: readonly string[]; readonly inner: readonly Part[][]; readonly endless: boolean }

const MOST = 6

function* endlessParts(sequence: readonly Part[], before: readonly string[] = ['']): Iterable<{ before: readonly string[]; atom: readonly string[] }> {
  let prefixes = before
  for (const part of sequence) {
    if (part.endless) yield { before: prefixes, atom: part.samples }
    for (const branch of part.inner) yield* endlessParts(branch, prefixes)
    prefixes = joined(prefixes, part.samples)
  }
}

function joined(left: readonly string[], right: readonly string[]): readonly string[] {
  return left.flatMap((a) => right.map((b) => a + b)).slice(0, MOST)
}

function parse({ source, unicode }: RegExp): readonly Part[] {
  const reader = { source, unicode, at: 0 }
  const branches = readBranches(reader)
  if (reader.at < source.length) throw new Error(`not understood: ${source.slice(reader.at)}`)
  return [{ samples: branches.flatMap(samplesOf).slice(0, MOST), inner: branches, endless: false }]
}

interface Reader {
  readonly source: string
  readonly unicode: boolean
  at: number
}

function readBranches(reader: Reader): Part[][] {
  const branches: Part[][] = [[]]
  while (reader.at < reader.source.length && reader.source[reader.at] !== ')') {
    if (reader.source[reader.at] === '|') {
      reader.at += 1
      branches.push([])
    } else branches.at(-1)?.push(readRepeated(reader))
  }
  return branches
}

function readRepeated(reader: Reader): Part {
  const { samples, inner } = readAtom(reader)
  const [quantifier = ''] = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(reader.source.slice(reader.at)) ?? []
  reader.at += quantifier.length
  const [, least = '1'] = /^\{(\d+)/.exec(quantifier) ?? []
  const repeated = samples.map((text) => text.repeat(Number(least)))
  return { samples: /^[*?]/.test(quantifier) ? [...repeated, ''] : repeated, inner, endless: /^[*+]|,\}/.test(quantifier) }
}

function readAtom(reader: Reader): Pick<Part, 'samples' | 'inner'> {
  const rest = reader.source.slice(reader.at)
  const [group] = /^\((?:\?(?:[:=!]|<[=!]|<\w+>))?/.exec(rest) ?? []
  if (group !== undefined) {
    reader.at += group.length
    const inner = readBranches(reader)
    reader.at += 1
    // What a lookaround matches is not consumed.
    return { samples: /^\(\?<?[=!]/.test(group) ? [''] : inner.flatMap(samplesOf).slice(0, MOST), inner }
  }
  const [atom = ''] = /^(?:\[\^?(?:\\.|[^\]\\])*\]|\\k<\w+>|\\u(?:[0-9a-f]{4}|\{[0-9a-f]+\})|\\p\{\w+\}|\\.|[^\\])/is.exec(rest) ?? []
  if (atom === '') throw new Error(`not understood: ${rest}`)
  reader.at += atom.length
  return { samples: /^(?:[\^$]|\\[bB])$/.test(atom) ? [''] : charactersOf(atom, reader.unicode), inner: [] }
}

const CANDIDATES = [...Array.from({ length: 127 }, (_, code) => String.fromCharCode(code)), '\u0085', '\u2028', '\u6f22', '\ud800']

function charactersOf(atom: string, unicode: boolean): readonly string[] {
  if (atom.startsWith('\\k')) return [' ']
  const one = new RegExp(`^(?:${atom})$`, unicode ? 'u' : '')
  const found = CANDIDATES.filter((text) => one.test(text))
  // One of each kind: letters, digits, blanks and the rest behave alike within a class.
  return [found.find((text) => /[a-z]/i.test(text)), found.find((text) => /\d/.test(text)), found.find((text) => /\s/.test(text)), found.find((text) => /[^\w\s]/.test(text))].filter((text) => text !== undefined)
}

function samplesOf(sequence: readonly Part[]): readonly string[] {
  let samples: readonly string[] = ['']
  for (const part of sequence) samples = joined(samples, part.samples)
  return samples
}
