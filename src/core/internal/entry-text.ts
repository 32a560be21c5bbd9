/** An entry's stored text: the codec's text, and before it the entry's own expiry where it has one. */
export interface EntryText {
  /** The codec's text. */
  readonly text: string
  /** Milliseconds since the epoch; undefined when the entry lives as long as its session. */
  readonly expiresAt: number | undefined
}

const MARK = '@'

export function joinEntryText(text: string, expiresAt: number | undefined): string {
  if (expiresAt !== undefined) return `${MARK}${expiresAt} ${text}`
  // A codec whose text begins with the mark is told apart from an expiry by an empty one.
  return text.startsWith(MARK) ? `${MARK} ${text}` : text
}

export function splitEntryText(stored: string): EntryText {
  if (!stored.startsWith(MARK)) return { text: stored, expiresAt: undefined }
  const space = stored.indexOf(' ')
  const digits = stored.slice(1, Math.max(space, 1))
  return { text: stored.slice(space + 1), expiresAt: digits === '' ? undefined : Number(digits) }
}
