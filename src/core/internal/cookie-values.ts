import { appended } from './appended.ts'

/**
 * Every value of a name in a Cookie header, in the order sent; a browser sends twins of different paths or
 * domains side by side. Quotes are taken off; nothing is decoded, since a token needs no escapes.
 */
export function cookieValues(header: string, name: string): readonly string[] {
  let values = NONE
  for (let next = valueAt(header, name, 0); next !== undefined; next = valueAt(header, name, next.end)) values = appended(values, next.value)
  return values
}

const NONE: string[] = []

function valueAt(header: string, name: string, from: number): { value: string; end: number } | undefined {
  for (let at = header.indexOf(name, from); at !== -1; at = header.indexOf(name, at + 1)) {
    const equals = skipBlanks(header, at + name.length)
    if (header[equals] !== '=' || !beginsPair(header, at)) continue
    const semicolon = header.indexOf(';', equals)
    const end = semicolon === -1 ? header.length : semicolon
    return { value: unquoted(header.slice(equals + 1, end).trim()), end }
  }
  return undefined
}

function beginsPair(header: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && (header[before] === ' ' || header[before] === '\t')) before -= 1
  return before < 0 || header[before] === ';'
}

function skipBlanks(header: string, at: number): number {
  let next = at
  while (header[next] === ' ' || header[next] === '\t') next += 1
  return next
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}
