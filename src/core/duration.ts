import { SessionError } from './errors.ts'
import { NEVER } from './record.ts'
import { parseDateText } from './internal/date-text.ts'

/** 400 days, the longest life a cookie may have (RFC 6265bis 5.5) and the longest timeout that is taken without doubt. */
export const LONGEST_TIMEOUT = 400 * 86_400

/** What a timeout may be, in seconds. */
export interface TimeoutRange {
  /** Defaults to 0. */
  readonly min?: number
  /** Defaults to 400 days. With Infinity, `never` is taken too. */
  readonly max?: number
}

/**
 * Seconds, from a number of seconds or from text such as `"30 minutes"`, `"1h 30m"`, `"1:30"` (hours and minutes),
 * `"-90"`, `"now"` (0) or `"never"` (Infinity). Exact to the millisecond. `what` is the option's name; anything
 * else throws `ERR_SESSION_OPTION`, which names it and quotes the text.
 */
export function parseDuration(value: number | string, what: string): number {
  const ms = durationMs(value)
  if (ms === undefined) throw unreadableDuration(value, what)
  return ms / 1000
}

/** A {@link parseDuration} that must lie within a range. Throws `ERR_SESSION_OPTION` outside of it. */
export function parseTimeout(value: number | string, what: string, { min = 0, max = LONGEST_TIMEOUT }: TimeoutRange = {}): number {
  const seconds = parseDuration(value, what)
  if (seconds < min) throw optionError(`${what} must be at least ${inWords(min)}, not ${quote(value)}. Pass a number of seconds, or text such as "30 minutes".`)
  if (seconds <= max) return seconds
  const milliseconds = seconds === Infinity ? '' : ' Are these milliseconds?'
  throw optionError(`${what} must be at most ${inWords(max)}, not ${quote(value)}.${milliseconds} Pass a number of seconds, or text such as "30 minutes".`)
}

/**
 * Milliseconds since the epoch, from a `Date`, ISO text (a time of day needs its zone), HTTP-date text, or a duration counted
 * from `now`. `never` is `NEVER`. Anything else throws `ERR_SESSION_OPTION`, which names `what` and quotes the text.
 */
export function parseInstant(value: number | string | Date, now: number, what: string): number {
  const instant = instantMs(value, now)
  // Negated, so that NaN fails it too.
  if (instant === undefined || !(Math.abs(instant) <= NEVER)) throw unreadableInstant(value, what)
  return instant
}

function instantMs(value: number | string | Date, now: number): number | undefined {
  if (value instanceof Date) return value.getTime()
  const ms = durationMs(value)
  if (ms === Infinity) return NEVER
  if (ms !== undefined) return now + ms
  return typeof value === 'string' && value.length <= LONGEST_TEXT ? parseDateText(value.trim(), now) : undefined
}

// Bounds the work, whatever the patterns below may cost; the longest sensible text has some sixty characters.
const LONGEST_TEXT = 200

function durationMs(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const ms = typeof value === 'string' ? textMs(value) : value * 1000
  if (ms === Infinity && typeof value === 'string') return Infinity
  // Past what a Date can hold is a slip of the hand. Adding 0 turns -0 into 0.
  return Math.abs(ms) <= NEVER ? Math.round(ms) + 0 : undefined
}

// NaN when the text is no duration; Infinity for `never` alone, since what a text of this length counts is finite.
function textMs(text: string): number {
  if (text.length > LONGEST_TEXT) return NaN
  const trimmed = text.trim()
  const word = trimmed.toLowerCase()
  if (word === 'now') return 0
  if (word === 'never') return Infinity
  const signed = trimmed.startsWith('+') || trimmed.startsWith('-')
  const ms = unsignedMs(signed ? trimmed.slice(1) : trimmed) ?? NaN
  return trimmed.startsWith('-') ? -ms : ms
}

function unsignedMs(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000
  return clockMs(text) ?? partsMs(text)
}

// `1:5` could be five or fifty minutes: two digits are needed after a colon.
const CLOCK = /^(\d+):([0-5]\d)(?::([0-5]\d))?$/

function clockMs(text: string): number | undefined {
  const [matched, hours, minutes, seconds = 0] = CLOCK.exec(text) ?? []
  if (matched === undefined) return undefined
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
}

function partsMs(text: string): number | undefined {
  // Sticky and without nested repetition, so each character is looked at a bounded number of times.
  const part = /(\d+(?:\.\d+)?|\.\d+) *([A-Za-z]+) */y
  const joiner = /(?:,|and) */iy
  let total = 0
  for (;;) {
    const [matched, amount, unit = ''] = part.exec(text) ?? []
    const unitMs = UNITS.get(unit.length === 1 ? unit : unit.toLowerCase())
    if (matched === undefined || unitMs === undefined) return undefined
    total += Math.round(Number(amount) * unitMs)
    if (part.lastIndex === text.length) return total
    joiner.lastIndex = part.lastIndex
    if (joiner.test(text)) part.lastIndex = joiner.lastIndex
  }
}

// A single letter is its own word, so `M` (month) and `m` (minute) stay apart and `H` is nothing.
const UNITS = new Map<string, number>([
  ...unit(1, 's', 'sec', 'secs', 'second', 'seconds'),
  ...unit(60, 'm', 'min', 'mins', 'minute', 'minutes'),
  ...unit(3600, 'h', 'hr', 'hour', 'hours'),
  ...unit(86_400, 'd', 'day', 'days'),
  ...unit(7 * 86_400, 'w', 'week', 'weeks'),
  ...unit(30 * 86_400, 'M', 'month', 'months'),
  ...unit(365 * 86_400, 'y', 'year', 'years'),
])

function unit(seconds: number, ...names: readonly string[]): readonly (readonly [string, number])[] {
  return names.map((name) => [name, seconds * 1000])
}

function unreadableDuration(value: unknown, what: string): SessionError {
  return optionError(`${what} is not a length of time: ${quote(value)}. Pass a number of seconds, or text such as "30 minutes", "1h 30m", "1:30" or "never".`)
}

function unreadableInstant(value: unknown, what: string): SessionError {
  return optionError(`${what} is not a time: ${quote(value)}. Pass a Date, ISO text with its zone, an HTTP date, or a length of time such as "2 weeks" or "never".`)
}

function optionError(message: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', message)
}

function quote(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date'
  if (typeof value !== 'string') return value === null ? 'null' : `a value of type ${typeof value}`
  return value.length > 60 ? `${JSON.stringify(value.slice(0, 60))}…` : JSON.stringify(value)
}

function inWords(seconds: number): string {
  if (seconds >= 86_400 && seconds % 86_400 === 0) return seconds === 86_400 ? '1 day' : `${seconds / 86_400} days`
  return seconds === 1 ? '1 second' : `${seconds} seconds`
}
