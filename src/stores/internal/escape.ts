/** ESC: hardly ever part of a text, and allowed in every backend's text. */
const ESCAPE = '\u001B'

// With the u flag a surrogate pair is one character, so this matches lone surrogates only.
const ESCAPED = new RegExp(`[\\0${ESCAPE}\\p{Surrogate}]`, 'gu')
const SEQUENCE = new RegExp(`${ESCAPE}([0-9a-f]{4})`, 'g')

/**
 * The text without NUL and without lone surrogates, which some backends refuse and some clients change
 * without a word. Each, and ESC itself, becomes ESC and four hexadecimal digits; every other text stays
 * as it is. Two texts never become the same one.
 */
export function escapeText(text: string): string {
  if (isPlain(text)) return text
  return text.replace(ESCAPED, (unit) => ESCAPE + unit.charCodeAt(0).toString(16).padStart(4, '0'))
}

/** The text that {@link escapeText} was given. */
export function unescapeText(text: string): string {
  if (!text.includes(ESCAPE)) return text
  return text.replace(SEQUENCE, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

// Three native scans; a regular expression over a text of 1 MiB would take ten times as long.
function isPlain(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0') && !text.includes(ESCAPE)
}
