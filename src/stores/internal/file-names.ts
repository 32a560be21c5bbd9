import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** How many levels of 16 folders the records and the index are spread over. */
export type ShardDepth = 0 | 1 | 2

const PLAIN = /^[A-Za-z0-9_-]{1,128}$/
const LONGEST_CODED = 60

/**
 * The name of an id's folder, or undefined for an id that this store cannot hold (more than 128 plain or 60
 * other characters). A plain id stands in it as it is, any other in hexadecimal, so no id can name a path.
 * Differs also on a file system that takes upper and lower case for the same.
 */
export function nameOfId(id: string): string | undefined {
  if (PLAIN.test(id)) return withCaseMark(id)
  // UTF-16, because a lone surrogate has no UTF-8.
  if (id.length <= LONGEST_CODED) return `=${Buffer.from(id, 'utf16le').toString('hex')}`
  return undefined
}

/** The id that {@link nameOfId} was given; undefined for a name that it did not make. */
export function idOfName(name: string): string | undefined {
  const coded = /^=((?:[0-9a-f]{4})*)$/.exec(name)?.[1]
  const id = coded === undefined ? (name.split('.')[0] ?? '') : Buffer.from(coded, 'hex').toString('utf16le')
  return nameOfId(id) === name ? id : undefined
}

/** The name of an index term's folder. Terms need not be told from their names, so a long one is hashed. */
export function nameOfTerm(term: string): string {
  if (PLAIN.test(term)) return withCaseMark(term)
  return `=${createHash('sha256').update(Buffer.from(term, 'utf16le')).digest('hex')}`
}

/** The folder, relative to all records or terms, that a name belongs to: `a/3/name`. */
export function inShard(name: string, depth: ShardDepth): string {
  if (depth === 0) return name
  const hash = crc32(name).toString(16).padStart(8, '0')
  return depth === 1 ? `${hash.charAt(0)}/${name}` : `${hash.charAt(0)}/${hash.charAt(1)}/${name}`
}

const DIGITS = [...'0123456789abcdef']

/** Every shard's folder: `''`, `0` to `f`, or `0/0` to `f/f`. */
export function shardFolders(depth: ShardDepth): readonly string[] {
  if (depth === 0) return ['']
  return depth === 1 ? DIGITS : DIGITS.flatMap((first) => DIGITS.map((second) => `${first}/${second}`))
}

// One bit for each character, four to a hexadecimal digit: set where it is in upper case.
function withCaseMark(text: string): string {
  let mark = ''
  for (let start = 0; start < text.length; start += 4) {
    let digit = 0
    for (let n = 0; n < 4; n += 1) {
      const code = text.charCodeAt(start + n)
      if (code >= 65 && code <= 90) digit |= 1 << n
    }
    mark += digit.toString(16)
  }
  const trimmed = mark.replace(/0+$/, '')
  return trimmed === '' ? text : `${text}.${trimmed}`
}

/** A log's file name: which incarnation of the record it belongs to, and how many times that was compacted. */
export interface LogName {
  readonly incarnation: string
  /** From 1. */
  readonly generation: number
}

export function logName({ incarnation, generation }: LogName): string {
  return `${incarnation}.${generation}.log`
}

/** The log that a file name begins with; undefined for any other name. A draft's name is a log's and more. */
export function parseLogName(name: string): LogName | undefined {
  const [, incarnation, generation] = /^([0-9a-f]{16})\.([1-9]\d{0,8})\.log/.exec(name) ?? []
  return incarnation === undefined ? undefined : { incarnation, generation: Number(generation) }
}

export function isLogName(name: string): boolean {
  const parsed = parseLogName(name)
  return parsed !== undefined && logName(parsed) === name
}

/** The next generation's name. */
export function nextLogName(name: string): string {
  return neighbour(name, 1) ?? name
}

/** The generation before; undefined for the first. */
export function previousLogName(name: string): string | undefined {
  return neighbour(name, -1)
}

function neighbour(name: string, step: 1 | -1): string | undefined {
  const parsed = parseLogName(name)
  if (parsed === undefined || parsed.generation + step < 1) return undefined
  return logName({ ...parsed, generation: parsed.generation + step })
}
