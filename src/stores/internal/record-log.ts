import { crc32 } from 'node:zlib'
import type { SessionError } from '../../core/errors.ts'
import { applyPatch, GONE, type Patch } from '../../core/patch.ts'
import { isEndReason, isLive, recordFrom, tombstone, unreadable, type EndReason, type SessionRecord } from '../../core/record.ts'

/*
 * The text of one record's log. It begins with the record as it was when the log was made:
 *
 *   sojourn 1 <crc32> <bytes>\n<the record>\n
 *
 * and every change after that is one line, written by one call:
 *
 *   \n<crc32> <bytes> {"by":"…","patch":{…}}\n
 *
 * A change counts from the moment its line is complete, and its effect is what replaying the lines in their
 * order says. A line that was cut off (a full disk, a writer that was killed) is a strict prefix of a line:
 * it never counts, and the newline that the next writer begins with keeps the two apart. Anything else that
 * is not a line is damage, and makes the whole log unreadable: a lost line could be a logout.
 */

/** How the record at the beginning of a log becomes text. */
export interface RecordSerializer {
  stringify(record: SessionRecord): string
  /** What `stringify` was given, or a plain copy of it; it is checked. Throws for a text it cannot read. */
  parse(text: string): unknown
}

/** Which records a drop takes: not live at a time, past their deadline by a time, last touched or created before one. */
export interface DropRule {
  readonly by: 'dead' | 'expires' | 'touched' | 'created'
  readonly time: number
}

/** One change of a log. A seal ends the log: the next generation goes on. A drop ends the record's existence. */
export type Change =
  | { readonly patch: Patch }
  | { readonly end: { readonly because: EndReason; readonly at: number } }
  | { readonly drop: DropRule }
  | { readonly seal: true }

/** What a log says after some of its lines. */
export interface LogState {
  readonly phase: 'open' | 'sealed' | 'dropped' | 'unreadable'
  /** Absent from a log that was dropped or cannot be read. */
  readonly record: SessionRecord | undefined
  /** The terms the record was listed under before it ended. */
  readonly terms: readonly string[]
  /** Why the log cannot be read. */
  readonly fault?: SessionError
}

/** What became of a change. `void`: it came after the seal and must be made again in the next generation. */
export type Verdict =
  | { readonly status: 'ok'; readonly version: number }
  | { readonly status: 'gone' }
  | { readonly status: 'conflict'; readonly record: SessionRecord }
  | { readonly status: 'void' }

export interface Judged {
  /** The state that was passed in when the change has no effect. */
  readonly state: LogState
  readonly verdict: Verdict
}

const VOID = { status: 'void' } as const

/** The meaning of a change. A drop that finds the record not past answers a conflict. */
export function judge(state: LogState, change: Change): Judged {
  const { phase, record } = state
  if (phase === 'sealed') return { state, verdict: VOID }
  if (record === undefined) return { state, verdict: GONE }
  if ('seal' in change) return { state: { ...state, phase: 'sealed' }, verdict: { status: 'ok', version: record.version } }
  if ('patch' in change) return judgePatch(state, change.patch)
  if ('drop' in change) {
    if (!isPast(record, change.drop)) return { state, verdict: { status: 'conflict', record } }
    return { state: { phase: 'dropped', record: undefined, terms: state.terms }, verdict: { status: 'ok', version: record.version } }
  }
  if (record.ended !== undefined) return { state, verdict: GONE }
  const ended = tombstone(record, change.end.because, change.end.at)
  return { state: { ...state, record: ended }, verdict: { status: 'ok', version: ended.version } }
}

function judgePatch(state: LogState, patch: Patch): Judged {
  const applied = applyPatch(state.record, patch)
  if (applied.status !== 'ok') return { state, verdict: applied }
  const { record } = applied
  return { state: record === state.record ? state : { phase: 'open', record, terms: record.index }, verdict: { status: 'ok', version: record.version } }
}

/** Whether a drop takes this record. Tombstones go by their own deadline, whatever a sweep is by: they explain for a minute why the session ended. */
export function isPast(record: SessionRecord, { by, time }: DropRule): boolean {
  if (by === 'dead') return !isLive(record, time)
  if (by === 'expires') return record.expiresAt <= time
  return record.ended === undefined && (by === 'touched' ? record.touchedAt : record.createdAt) < time
}

const NEWLINE = 10
const FORMAT = 1

/** The beginning of a log. */
export function encodeBase(record: SessionRecord, serializer: RecordSerializer): Buffer {
  const text = Buffer.from(serializer.stringify(record))
  return Buffer.concat([Buffer.from(`sojourn ${FORMAT} ${checksum(text)} ${text.length}\n`), text, Buffer.of(NEWLINE)])
}

/** One change as the bytes of one write. `by` names this attempt, differently from every other. */
export function encodeLine(by: string, change: Change): Buffer {
  const json = Buffer.from(JSON.stringify({ by, ...('patch' in change ? { patch: patchOnly(change.patch) } : change) }))
  const header = `\n${checksum(json)} ${json.length} `
  const line = Buffer.allocUnsafe(header.length + json.length + 1)
  line.write(header, 'latin1')
  json.copy(line, header.length)
  line[line.length - 1] = NEWLINE
  return line
}

// A field that this version does not know would make the line unreadable, so none is written.
function patchOnly({ now, nonce, tokenHash, rotateTo, set, remove, expect, touchedAt, expiresAt, deadline, index }: Patch): object {
  return { now, nonce, tokenHash, rotateTo, set, remove, expect, touchedAt, expiresAt, deadline, index }
}

export interface Replayed {
  readonly state: LogState
  /** How far the bytes were understood. A cut-off line at the very end is not counted: its writer may be in the middle of it. */
  readonly end: number
  /** What became of the change that was asked for; absent when its line is not there whole. */
  readonly verdict?: Verdict
}

/** The state a whole log begins with. Throws `ERR_SESSION_UNREADABLE`. */
export function decodeBase(bytes: Buffer, serializer: RecordSerializer): Replayed {
  const stop = bytes.subarray(0, 64).indexOf(NEWLINE)
  const [, format, sum, length] = /^sojourn (\d+) ([0-9a-f]{8}) (\d+)$/.exec(bytes.toString('latin1', 0, Math.max(0, stop))) ?? []
  if (format === undefined) throw unreadable('its log has no beginning')
  if (format !== String(FORMAT)) throw unreadable('its format is of another version')
  const end = stop + 1 + Number(length)
  const text = bytes.subarray(stop + 1, end)
  if (end > bytes.length || checksum(text) !== sum) throw unreadable('the beginning of its log is damaged')
  const record = deserialize(text.toString(), serializer)
  return { state: { phase: 'open', record, terms: record.index }, end }
}

function deserialize(text: string, serializer: RecordSerializer): SessionRecord {
  let value: unknown
  try {
    value = serializer.parse(text)
  } catch {
    // No cause: the error of JSON.parse quotes what is stored.
    throw unreadable('its serializer refuses it')
  }
  return recordFrom(value)
}

/** Goes on from a state through the lines in `bytes`. Throws `ERR_SESSION_UNREADABLE` for damage. */
export function replay(from: LogState, bytes: Buffer, mine?: string): Replayed {
  let state = from
  let verdict: Verdict | undefined
  let at = 0
  while (at < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, at)
    const end = newline === -1 ? bytes.length : newline
    const line = end === at ? undefined : decodeLine(bytes.subarray(at, end))
    if (line !== undefined) {
      const judged = judge(state, line.change)
      state = judged.state
      if (line.by === mine) verdict = judged.verdict
    } else if (newline === -1) break
    at = newline === -1 ? end : end + 1
  }
  return { state, end: at, ...(verdict !== undefined && { verdict }) }
}

interface Line {
  readonly by: string
  readonly change: Change
}

/** Undefined for a line that was cut off. */
function decodeLine(bytes: Buffer): Line | undefined {
  const beginning = bytes.toString('latin1', 0, 20)
  const [header, sum, length] = /^([0-9a-f]{8}) (\d{1,10}) /.exec(beginning) ?? []
  if (header === undefined) {
    if (/^([0-9a-f]{0,8}|[0-9a-f]{8} \d{0,10})$/.test(beginning)) return undefined
    throw unreadable('a line of its log is damaged')
  }
  const json = bytes.subarray(header.length)
  // No strict prefix of an object's JSON is JSON: a short line that is one has a damaged length.
  if (json.length < Number(length) && !isJson(json)) return undefined
  if (json.length !== Number(length) || checksum(json) !== sum) throw unreadable('a line of its log is damaged')
  return lineFrom(JSON.parse(json.toString()))
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString())
    return true
  } catch {
    return false
  }
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0')
}

// The checksum held, so what follows refuses lines of other versions of this package, not damage.

function lineFrom(value: unknown): Line {
  if (!isObject(value) || typeof value['by'] !== 'string') throw unknownLine()
  const { by, patch, end, drop, seal } = value
  if (seal === true) return { by, change: { seal } }
  if (isObject(patch)) return { by, change: { patch: patchFrom(patch) } }
  if (isObject(end) && isEndReason(end['because']) && isNumber(end['at'])) return { by, change: { end: { because: end['because'], at: end['at'] } } }
  if (isObject(drop) && isDropRule(drop['by']) && isNumber(drop['time'])) return { by, change: { drop: { by: drop['by'], time: drop['time'] } } }
  throw unknownLine()
}

function patchFrom(value: Record<string, unknown>): Patch {
  const { now, nonce, tokenHash, rotateTo, set, remove, expect, touchedAt, expiresAt, deadline, index, ...others } = value
  const known = isNumber(now) && isText(nonce) && optional(tokenHash, isText) && optional(rotateTo, isText) && optional(touchedAt, isNumber) && optional(expiresAt, isNumber)
  if (!known || !optional(set, isPairs) || !optional(remove, isTexts) || !optional(expect, isExpectations) || !optional(index, isTexts)) throw unknownLine()
  if ((deadline !== undefined && deadline !== 'replace') || Object.keys(others).length > 0) throw unknownLine()
  return {
    now,
    nonce,
    ...(tokenHash !== undefined && { tokenHash }),
    ...(rotateTo !== undefined && { rotateTo }),
    ...(set !== undefined && { set }),
    ...(remove !== undefined && { remove }),
    ...(expect !== undefined && { expect }),
    ...(touchedAt !== undefined && { touchedAt }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(deadline !== undefined && { deadline }),
    ...(index !== undefined && { index }),
  }
}

function unknownLine(): SessionError {
  return unreadable('a line of its log is of another version')
}

type Guard<T> = (value: unknown) => value is T

function optional<T>(value: unknown, is: Guard<T>): value is T | undefined {
  return value === undefined || is(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

function isPairs(value: unknown): value is readonly (readonly [string, string])[] {
  return Array.isArray(value) && value.every((pair) => isTexts(pair) && pair.length === 2)
}

function isExpectations(value: unknown): value is readonly (readonly [string, string | null])[] {
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && isText(pair[0]) && (pair[1] === null || isText(pair[1])))
}

function isDropRule(value: unknown): value is DropRule['by'] {
  return value === 'dead' || value === 'expires' || value === 'touched' || value === 'created'
}
