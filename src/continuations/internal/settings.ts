import type { Arrived } from '../../core/continuations.ts'
import { parseTimeout } from '../../core/duration.ts'
import { SessionError } from '../../core/errors.ts'
import type { KeyList } from '../../core/keys.ts'
import type { Session } from '../../core/session.ts'
import type { Awaitable } from '../../core/store.ts'
import { localTarget } from '../target.ts'
import { mayKeep, REDACTED, type MayKeep } from './fields.ts'
import { Signer } from '../../core/internal/signer.ts'

/** Runs when a visitor arrives back, after the session is read and before the page's own handler. */
export type ArrivalHandler<Data extends object> = (arrived: Arrived, session: Session<Data>) => Awaitable<void>

export interface ContinuationsOptions<Data extends object> {
  /** Time after its last use when a continuation ends. Up to 400 days. Defaults to 1 hour. */
  readonly maxAge?: number | string
  /** How many are kept in one session. From 1. Defaults to 50. */
  readonly maxCount?: number
  /** How many bytes all of one session may take; never more than a quarter of the session. From 1024. Defaults to 64 KiB. */
  readonly maxBytes?: number
  /** Parts of names, without regard to case, whose fields and parameters are never kept. Defaults to `REDACTED`. */
  readonly redact?: readonly string[]
  /** Where `return` leads when there is nothing to return to: a path on this site. Defaults to `/`. */
  readonly fallback?: string
  /** Keys that sign the addresses of visitors of whom nothing is stored: 32 bytes each, the current one first. Defaults to a key of this process alone. */
  readonly keys?: KeyList
  /** The parameters that carry the current continuation and the id of a return. Default to `c` and `r`. */
  readonly parameters?: { readonly current?: string; readonly returned?: string }
  /** What `save({ handler })` can name: a continuation is data, so code stays here. */
  readonly handlers?: Readonly<Record<string, ArrivalHandler<Data>>>
}

/** The options after every check, with every default filled in. */
export interface Settings {
  readonly maxAgeMs: number
  readonly maxCount: number
  readonly maxBytes: number
  readonly may: MayKeep
  readonly fallback: string
  readonly signer: Signer
  readonly current: string
  readonly returned: string
  readonly handlers: ReadonlySet<string>
}

const KNOWN: readonly string[] = ['maxAge', 'maxCount', 'maxBytes', 'redact', 'fallback', 'keys', 'parameters', 'handlers'] satisfies (keyof ContinuationsOptions<object>)[]

export function settingsFrom<Data extends object>(options: ContinuationsOptions<Data>): Settings {
  for (const name of Object.keys(options)) if (!KNOWN.includes(name)) throw wrong(`there is no option ${JSON.stringify(name.slice(0, 60))}`, `The options are ${KNOWN.join(', ')}`)
  const { maxAge = '1 hour', redact = REDACTED, fallback = '/', parameters = {}, handlers = {} } = options
  if (!Array.isArray(redact) || redact.some((part) => typeof part !== 'string' || part === '')) throw wrong('redact is not a list of parts of names', "Pass a list such as [...REDACTED, 'iban']")
  for (const [name, handler] of Object.entries(handlers)) if (typeof handler !== 'function') throw wrong(`handlers.${name} is not a function`, 'Pass (arrived, session) => …')
  const target = localTarget(fallback)
  if (target === undefined) throw wrong('fallback is not a path of this site', "Pass a path that begins with one slash, such as '/'")
  return {
    maxAgeMs: parseTimeout(maxAge, 'continuations.maxAge', { min: 1, max: 400 * 86_400 }) * 1000,
    maxCount: wholeNumber(options.maxCount ?? 50, 1, 'maxCount'),
    maxBytes: wholeNumber(options.maxBytes ?? 64 * 1024, 1024, 'maxBytes'),
    may: mayKeep(redact),
    fallback: target,
    signer: new Signer(options.keys, 'continuations', 'sojourn continuation'),
    ...parameterNames(parameters),
    handlers: new Set(Object.keys(handlers)),
  }
}

function parameterNames({ current = 'c', returned = 'r' }: NonNullable<ContinuationsOptions<object>['parameters']>): Pick<Settings, 'current' | 'returned'> {
  for (const name of [current, returned]) if (!/^[A-Za-z][A-Za-z0-9_.:-]{0,31}$/.test(name)) throw wrong(`${JSON.stringify(String(name).slice(0, 60))} cannot name a parameter`, 'Pass a letter, then up to 31 letters, digits, "_", ".", ":" or "-"')
  if (current === returned) throw wrong('both parameters have one name', "Pass two, such as { current: 'c', returned: 'r' }")
  return { current, returned }
}

function wholeNumber(value: number, least: number, what: string): number {
  if (!Number.isInteger(value) || value < least) throw wrong(`${what} is not a whole number from ${least}`, `Pass a number such as ${least === 1 ? '50' : '64 * 1024'}`)
  return value
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The options of continuations are wrong: ${what}. ${instead}.`)
}
