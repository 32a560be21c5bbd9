import type { SessionRecord } from '../../src/index.ts'
import type { RecordSerializer } from '../../src/stores/file.ts'

/**
 * PET's flat files: one `key: value` line for each entry, and nothing nested. An entry's text is JSON, so a line feed in a
 * value is never one in the file; what does not fit is refused, not damaged.
 */
export const flatText: RecordSerializer = {
  stringify({ entries, ...head }: SessionRecord): string {
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    for (const [key, text] of Object.entries(entries)) {
      if (!/^\w+:[\w.:-]+$/.test(key)) throw new TypeError(`A flat file has no place for the key ${JSON.stringify(key)}.`)
      if (/^[[{]|\n/.test(text)) throw new TypeError(`A flat file has no place for the nested value of ${JSON.stringify(key)}.`)
      lines.push(`${key}: ${text}`)
    }
    return `${lines.join('\n')}\n`
  },
  parse(text: string): unknown {
    const entries: Record<string, string> = {}
    const head: Record<string, unknown> = {}
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const at = line.indexOf(': ')
      const [key, value] = [line.slice(0, at), line.slice(at + 2)]
      if (key.includes(':')) entries[key] = value
      else head[key] = JSON.parse(value)
    }
    return { ...head, entries }
  },
}
