import { channel } from 'node:diagnostics_channel'
import { decodeValue, encodeValue } from './core/codec.ts'
import { parseTimeout } from './core/duration.ts'
import { SessionError } from './core/errors.ts'
import type { KeyList } from './core/keys.ts'
import { withParameters } from './core/internal/parameters.ts'
import { Signer } from './core/internal/signer.ts'

/** Why a state that came with a request counts as none: nobody with our keys signed it for this place, it is too old, too long, or holds no values. */
export type RejectedWindowState = 'forged' | 'expired' | 'too-long' | 'unreadable'

export interface WindowStateOptions {
  /** Keys of 32 bytes. The first signs; every one still opens what it signed. No default: all processes need the same ones. */
  readonly keys: KeyList
  /** The parameter that carries the state: letters, digits, `_`, `.`, `:` and `-`. Two states of one application need two names. Defaults to `w`. */
  readonly parameter?: string
  /** How many characters the state may take in a URL. From 128 to 8192. Defaults to 2000, which every browser and server lets through. */
  readonly maxLength?: number
  /** How long a link keeps its state, in seconds or as text. Defaults to `'never'`: as long as its key is in the list. */
  readonly maxAge?: number | string
  /** Told of each state that counts as none; so is `node:diagnostics_channel`, as `sojourn:window-state`. Never with a value in it. */
  readonly onRejected?: (event: { readonly reason: RejectedWindowState }) => void
  /** Milliseconds since the epoch. Defaults to Date.now. */
  readonly clock?: () => number
}

/** Whose state it is. */
export interface WindowStateContext {
  /** Text without which the state does not open, such as the owner of the session: a link that somebody else was given counts as forged. Defaults to none. */
  readonly boundTo?: string | undefined
}

/** What a link is made with: some of the values. An undefined one is left out. */
export type WindowValues<Values extends object> = { readonly [Name in keyof Values]?: Values[Name] | undefined }

/** State of one window of the browser: it travels in every link that is made with it, and nothing of it is stored. */
export interface WindowState<Values extends object> {
  /** The name of the parameter. */
  readonly parameter: string
  /** The values that came with a request: in its URL, or in the fields of its form. Empty when there are none that we signed. Never throws for what a visitor sent. */
  read(from: string | URL | URLSearchParams, context?: WindowStateContext): Partial<Values>
  /**
   * The URL with these values on it, in place of those it had. A URL that leads elsewhere is given back as it is: the state is none of
   * another site's business. Throws `ERR_SESSION_TOO_LARGE` over `maxLength` and `ERR_SESSION_VALUE` for what cannot be kept.
   */
  link(url: string, values: WindowValues<Values>, context?: WindowStateContext): string
  /** The values as text, for a hidden field of a form. `''` where there are none. Throws as `link` does. */
  encode(values: WindowValues<Values>, context?: WindowStateContext): string
}

/**
 * State that belongs to one window rather than to the session: the step of a wizard, an open tab, a sort order. Signed, not
 * sealed: the visitor can read it, and nobody can change it. Throws `ERR_SESSION_OPTION` for options that cannot work.
 */
export function windowState<Values extends object = Record<string, unknown>>(options: WindowStateOptions): WindowState<Values> {
  const { signer, parameter, maxLength, maxAgeMs, clock, reject } = settingsFrom(options)
  const encode = (values: WindowValues<Values>, context: WindowStateContext = {}): string => {
    const present = Object.entries(values).filter(([, value]) => value !== undefined)
    if (present.length === 0) return ''
    const text = signer.sign(purposeOf(parameter, context), `${clock().toString(36)} ${encodeValue(Object.fromEntries(present))}`)
    if (text.length > maxLength) throw tooLarge(text.length, maxLength, present)
    return text
  }
  const opened = (text: string, context: WindowStateContext): Partial<Values> | RejectedWindowState => {
    if (text.length > maxLength) return 'too-long'
    const payload = signer.open(purposeOf(parameter, context), text)
    if (payload === undefined) return 'forged'
    const [, signedAt, encoded = ''] = /^([\da-z]+) (.*)$/s.exec(payload) ?? []
    if (signedAt !== undefined && Number.parseInt(signedAt, 36) + maxAgeMs <= clock()) return 'expired'
    return valuesIn(encoded) ?? 'unreadable'
  }
  return {
    parameter,
    encode,
    read(from, context = {}) {
      let reason: RejectedWindowState | undefined
      for (const text of textsIn(from, parameter)) {
        const found = opened(text, context)
        if (typeof found === 'object') return found
        reason ??= found
      }
      if (reason !== undefined) reject(reason)
      return Object.create(null)
    },
    link(url, values, context) {
      if (!staysHere(url)) return url
      const text = encode(values, context)
      return withParameters(url, { [parameter]: text === '' ? undefined : text })
    },
  }
}

/** As many of one name as are tried. */
const MAX_TRIED = 4

// A link that somebody put together may have the parameter twice: the first that is ours counts.
function textsIn(from: string | URL | URLSearchParams, parameter: string): readonly string[] {
  const query = typeof from === 'string' ? new URLSearchParams(/^[^?#]*\?([^#]*)/.exec(from)?.[1] ?? '') : from instanceof URLSearchParams ? from : from.searchParams
  return query.getAll(parameter).filter((text) => text !== '').slice(0, MAX_TRIED)
}

// What was signed for another parameter or owner is not signed for this one.
function purposeOf(parameter: string, { boundTo }: WindowStateContext): string {
  return JSON.stringify([parameter, boundTo ?? null])
}

/** The values in a text that we signed; undefined where it holds none. */
function valuesIn<Values extends object>(encoded: string): Partial<Values> | undefined {
  try {
    const value = decodeValue(encoded)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.assign(Object.create(null), value) as Partial<Values> : undefined
  } catch {
    return undefined
  }
}

// A path, a query or a fragment. Browsers take a backslash for a slash, and drop white space and control characters.
function staysHere(url: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return !/^[\u0000-\u0020]*(?:[a-z][a-z\d+.-]*:|[/\\][\t\n\r]*[/\\])/i.test(url.replaceAll(/[\t\n\r]/g, ''))
}

function tooLarge(length: number, maxLength: number, values: readonly (readonly [string, unknown])[]): SessionError {
  const biggest = values.map(([name, value]) => [name, encodeValue(value).length] as const).toSorted(([, a], [, b]) => b - a).slice(0, 3).map(([name]) => JSON.stringify(name))
  return new SessionError('ERR_SESSION_TOO_LARGE', `The state of a window would take ${length} characters in a URL, and ${maxLength} are allowed. Keep less in it or raise maxLength; the biggest: ${biggest.join(', ')}.`)
}

interface Settings {
  readonly signer: Signer
  readonly parameter: string
  readonly maxLength: number
  readonly maxAgeMs: number
  clock(): number
  reject(reason: RejectedWindowState): void
}

const OPTIONS: readonly string[] = ['keys', 'parameter', 'maxLength', 'maxAge', 'onRejected', 'clock'] satisfies (keyof WindowStateOptions)[]

function settingsFrom(options: WindowStateOptions): Settings {
  for (const name of Object.keys(options)) if (!OPTIONS.includes(name)) throw wrong(`it has no option ${JSON.stringify(name.slice(0, 60))}`, `Pass only these: ${OPTIONS.join(', ')}`)
  const { keys, parameter = 'w', maxLength = 2000, maxAge = 'never', onRejected, clock = Date.now } = options
  if (typeof parameter !== 'string' || !/^[\w.:-]+$/.test(parameter)) throw wrong('parameter is not a plain name', 'Use letters, digits, _, ., : and -')
  if (!Number.isSafeInteger(maxLength) || maxLength < 128 || maxLength > 8192) throw wrong('maxLength is not a number from 128 to 8192', 'Pass for example 2000')
  if (onRejected !== undefined && typeof onRejected !== 'function') throw wrong('onRejected is no function', 'Pass a function of one event')
  return {
    // Without a key the signer would draw one, and no other process would know it.
    signer: new Signer(keys ?? [], 'windowState', 'sojourn window state'),
    parameter,
    maxLength,
    maxAgeMs: parseTimeout(maxAge, 'maxAge', { min: 1, max: Infinity }) * 1000,
    clock,
    reject: (reason) => tell({ reason }, onRejected),
  }
}

function tell(event: { readonly reason: RejectedWindowState }, listener: WindowStateOptions['onRejected']): void {
  channel('sojourn:window-state').publish(event)
  try {
    listener?.(event)
  } catch (error) {
    // A listener that throws must not fail the visitor's request.
    channel('sojourn:error').publish({ reason: 'onRejected of windowState threw', error })
  }
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `windowState cannot be made: ${what}. ${instead}.`)
}
