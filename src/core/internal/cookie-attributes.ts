import { stringifySetCookie } from 'cookie'
import { parseInstant, parseTimeout } from '../duration.ts'
import { SessionError } from '../errors.ts'
import type { Exchange, TokenHandout } from '../transport.ts'

/** Where a cookie is valid. Two cookies that differ in one of these are two cookies to a browser. */
export interface CookieScope {
  /** Defaults to `/`. Undefined leaves the attribute out: the cookie is then valid below the path of the request. */
  readonly path?: string | undefined
  /** Defaults to none: the host that set it, and no other. */
  readonly domain?: string | undefined
  /** CHIPS: one cookie for each top-level site. Implies `secure` and `sameSite: 'none'`. Defaults to false. */
  readonly partitioned?: boolean
}

export interface CookieAttributes extends CookieScope {
  /** `auto`: when the request came over https. Defaults to `auto`. */
  readonly secure?: boolean | 'auto'
  /** Hidden from scripts. Defaults to true. */
  readonly httpOnly?: boolean
  /** Any case. `none` implies `secure`. Defaults to `lax`. */
  readonly sameSite?: string
  /** Seconds, or text such as `"2 weeks"`, for which the browser keeps the cookie. Defaults to the session's deadline, when `persistent`. */
  readonly maxAge?: number | string
  /** When the browser forgets the cookie: a duration from now, a Date, ISO or HTTP-date text. */
  readonly expires?: number | string | Date
}

/** The settings that a response may change. */
export const ATTRIBUTES: readonly string[] = ['path', 'domain', 'partitioned', 'secure', 'httpOnly', 'sameSite', 'maxAge', 'expires'] satisfies (keyof CookieAttributes)[]
const DEFAULT_NAME = 'sid'

/** The cookie's name by the scheme and the port of the request. */
export function cookieNamer(name: string | undefined, attributes: Attributes): (secure: boolean, exchange: Exchange) => string {
  if (name !== undefined) return name.includes('$PORT') ? (_secure, { port }) => name.replaceAll('$PORT', String(port ?? 'NOPORT')) : () => name
  const secureName = (attributes.path === '/' && attributes.domain === undefined ? '__Host-' : '__Secure-') + DEFAULT_NAME
  return (secure) => (secure ? secureName : DEFAULT_NAME)
}

/** Attributes after the checks; `partitioned` and `sameSite: 'none'` have had their consequences. */
export interface Attributes {
  readonly path: string | undefined
  readonly domain: string | undefined
  readonly secure: boolean | 'auto'
  readonly httpOnly: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  readonly partitioned: boolean
  readonly maxAge: number | undefined
  readonly expires: number | string | Date | undefined
}

/** Attributes with their defaults. Throws `ERR_SESSION_OPTION` for what browsers refuse. */
export function checkedAttributes(given: CookieAttributes): Attributes {
  const path = 'path' in given ? given.path : '/'
  checkAttribute('path', path)
  checkAttribute('domain', given.domain)
  if (path !== undefined && !path.startsWith('/')) throw wrong(`path is ${JSON.stringify(path.slice(0, 60))}`, 'Begin it with a slash')
  if (given.domain !== undefined && !/^\.?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(given.domain)) throw wrong(`domain is ${JSON.stringify(given.domain.slice(0, 60))}`, 'Pass a host name such as "example.com"')
  for (const flag of ['partitioned', 'httpOnly'] as const) {
    if (given[flag] !== undefined && typeof given[flag] !== 'boolean') throw wrong(`${flag} is not true or false`, 'Pass true or false')
  }
  if (given.secure !== undefined && given.secure !== 'auto' && typeof given.secure !== 'boolean') throw wrong('secure is not true, false or "auto"', 'Pass one of these')
  if (given.expires !== undefined) parseInstant(given.expires, 0, 'cookie.expires')
  const partitioned = given.partitioned === true
  const sameSite = partitioned ? 'none' : checkedSameSite(given.sameSite)
  if (given.secure === false && given.partitioned !== true && given.sameSite !== undefined && sameSite === 'none') throw wrong('sameSite is "none" and secure is false', 'Browsers refuse that: leave secure out')
  return {
    path,
    domain: given.domain,
    secure: sameSite === 'none' ? true : given.secure ?? 'auto',
    httpOnly: given.httpOnly ?? true,
    sameSite,
    partitioned,
    maxAge: given.maxAge === undefined ? undefined : parseTimeout(given.maxAge, 'cookie.maxAge'),
    expires: given.expires,
  }
}

/** Whether the cookie is to have `Secure` on this response. */
export function isSecure(attributes: Attributes, exchange: Exchange): boolean {
  return attributes.secure === 'auto' ? exchange.secure === true : attributes.secure
}

function checkedSameSite(value: unknown): 'strict' | 'lax' | 'none' {
  if (value === undefined) return 'lax'
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  if (text === 'strict' || text === 'lax' || text === 'none') return text
  throw wrong(`sameSite is ${JSON.stringify(String(value).slice(0, 60))}`, 'Pass "strict", "lax" or "none"')
}

// RFC 6265bis 4.1.1: no control character and no semicolon in an attribute, or a header could be injected.
function checkAttribute(what: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'string' || value === '' || value.length > 1024 || !/^[\x20-\x3a\x3c-\x7e]*$/.test(value)) {
    throw wrong(`${what} is empty, longer than 1024 characters, or has a semicolon, a control or non-ASCII character`, `Pass plain text for ${what}`)
  }
}

/** Throws `ERR_SESSION_OPTION` for a name that is none, or whose prefix demands other attributes. */
export function checkName(name: string | undefined, attributes: Attributes): void {
  if (name === undefined) return
  if (typeof name !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/.test(name)) throw wrong(`name is ${JSON.stringify(String(name).slice(0, 60))}`, 'Pass a name of letters, digits, "-" and "_"')
  const lower = name.toLowerCase()
  const isHost = lower.startsWith('__host-')
  // RFC 6265bis 4.1.3: what browsers demand of the prefixes; they drop the cookie otherwise.
  if ((isHost || lower.startsWith('__secure-')) && attributes.secure === false) throw wrong(`name is ${JSON.stringify(name)} and secure is false`, 'Leave secure out, or take another name')
  if (isHost && (attributes.path !== '/' || attributes.domain !== undefined)) throw wrong(`name is ${JSON.stringify(name)}, and path is not "/" or there is a domain`, 'Use the prefix "__Secure-", or leave path and domain out')
}

/** Both, since browsers of different age read one or the other; none lasts while the browser is open. */
export interface Lifetime {
  readonly maxAge?: number
  readonly expires?: Date
}

/** Of a cookie that is to be forgotten. */
export const EXPIRED: Lifetime = { maxAge: 0, expires: new Date(0) }

// RFC 6265bis 5.5: browsers cut a longer life down to this.
const LONGEST_SECONDS = 400 * 86_400

/** How long the browser keeps the cookie. */
export function lifetimeOf(attributes: Attributes, { now, expiresAt, lasting }: TokenHandout, persistent: boolean): Lifetime {
  const at = endOf(attributes, now) ?? (persistent || lasting ? expiresAt : undefined)
  if (at === undefined) return {}
  const maxAge = Math.min(Math.max(Math.floor((at - now) / 1000), 0), LONGEST_SECONDS)
  return { maxAge, expires: new Date(now + maxAge * 1000) }
}

function endOf({ expires, maxAge }: Attributes, now: number): number | undefined {
  if (expires !== undefined) return parseInstant(expires, now, 'cookie.expires')
  return maxAge === undefined ? undefined : now + maxAge * 1000
}

/** The text of a Set-Cookie header. */
export function serialise(name: string, value: string, { path, domain, httpOnly, sameSite, partitioned }: Attributes, lifetime: Lifetime, secure: boolean): string {
  return stringifySetCookie({
    name, value, httpOnly, sameSite, partitioned, secure,
    ...(path !== undefined && { path }),
    ...(domain !== undefined && { domain }),
    ...lifetime,
  })
}

/** Throws `ERR_SESSION_OPTION` for a setting that does not exist. */
export function checkKnown(options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw wrong(`there is no setting ${JSON.stringify(key.slice(0, 60))}`, `The settings are ${known.join(', ')}`)
  }
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The settings of the session cookie are wrong: ${what}. ${instead}.`)
}
