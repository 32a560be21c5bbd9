/** A cookie as a browser keeps it. Times are milliseconds since the epoch. */
export interface StoredCookie {
  readonly name: string
  readonly value: string
  readonly domain: string
  /** Sent to `domain` alone, not to hosts below it. */
  readonly hostOnly: boolean
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly sameSite: 'strict' | 'lax' | 'none' | undefined
  readonly partitioned: boolean
  /** Undefined: forgotten when the browser is closed. */
  readonly expiresAt: number | undefined
  /** Counts up; a replaced cookie keeps its number. */
  readonly createdAs: number
}

/** Keeps cookies as RFC 6265bis 5.7 and 5.8 tell browsers to, and drops those that it tells them to drop. */
export class CookieJar {
  readonly #clock: () => number
  readonly #cookies = new Map<string, StoredCookie>()
  #made = 0

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Takes one `Set-Cookie` header of a response from `url`. False when a browser would drop it. */
  receive(header: string, url: URL): boolean {
    const parsed = parseSetCookie(header)
    if (parsed === undefined) return false
    const cookie = cookieFrom(parsed, url, this.#clock())
    if (cookie === undefined) return false
    if (url.protocol !== 'https:' && this.#hidesSecureCookie(cookie)) return false
    const key = JSON.stringify([cookie.name, cookie.domain, cookie.hostOnly, cookie.path, cookie.partitioned])
    const known = this.#cookies.get(key)
    if (cookie.expiresAt !== undefined && cookie.expiresAt <= this.#clock()) this.#cookies.delete(key)
    else this.#cookies.set(key, { ...cookie, createdAs: known?.createdAs ?? (this.#made += 1) })
    return true
  }

  /** The `Cookie` header of a request to `url`; undefined when there is nothing to send. */
  header(url: URL): string | undefined {
    const sent = this.all().filter((cookie) => isSentTo(cookie, url))
    // RFC 6265bis 5.8.3: longer paths first, then the older cookie.
    sent.sort((a, b) => b.path.length - a.path.length || a.createdAs - b.createdAs)
    return sent.length === 0 ? undefined : sent.map(({ name, value }) => (name === '' ? value : `${name}=${value}`)).join('; ')
  }

  /** Every cookie that has not expired. */
  all(): StoredCookie[] {
    const now = this.#clock()
    return [...this.#cookies.values()].filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
  }

  /** What closing the browser does: cookies without an expiry are forgotten. */
  forgetSessionCookies(): void {
    for (const [key, { expiresAt }] of this.#cookies) if (expiresAt === undefined) this.#cookies.delete(key)
  }

  clear(): void {
    this.#cookies.clear()
  }

  // RFC 6265bis 5.7, step 16: what came over http must not take the place of a secure cookie.
  #hidesSecureCookie(cookie: ParsedCookie): boolean {
    return this.all().some((known) => known.secure && known.name === cookie.name && pathMatches(cookie.path, known.path)
      && (domainMatches(cookie.domain, known.domain) || domainMatches(known.domain, cookie.domain)))
  }
}

type ParsedCookie = Omit<StoredCookie, 'createdAs'>

interface SetCookieHeader {
  readonly name: string
  readonly value: string
  /** By lower-case name; the last of one name counts. */
  readonly attributes: ReadonlyMap<string, string>
}

const LONGEST_MS = 400 * 86_400_000

// RFC 6265bis 5.6.
function parseSetCookie(header: string): SetCookieHeader | undefined {
  // A control character other than a tab.
  if (/[^\t -~\u0080-\uffff]/.test(header)) return undefined
  const [pair = '', ...rest] = header.split(';')
  const at = pair.indexOf('=')
  const name = at < 0 ? '' : pair.slice(0, at).trim()
  const value = pair.slice(at + 1).trim()
  if ((name === '' && value === '') || name.length + value.length > 4096) return undefined
  const attributes = new Map<string, string>()
  for (const attribute of rest) {
    const equals = attribute.indexOf('=')
    const key = (equals < 0 ? attribute : attribute.slice(0, equals)).trim().toLowerCase()
    const text = equals < 0 ? '' : attribute.slice(equals + 1).trim()
    if (text.length <= 1024) attributes.set(key, text)
  }
  return { name, value, attributes }
}

function cookieFrom({ name, value, attributes }: SetCookieHeader, url: URL, now: number): ParsedCookie | undefined {
  const scope = domainOf(attributes.get('domain'), url.hostname)
  if (scope === undefined) return undefined
  const path = attributes.get('path')
  const sameSite = attributes.get('samesite')?.toLowerCase()
  const cookie: ParsedCookie = {
    name, value, ...scope,
    path: path?.startsWith('/') ? path : defaultPath(url.pathname),
    secure: attributes.has('secure'),
    httpOnly: attributes.has('httponly'),
    sameSite: sameSite === 'strict' || sameSite === 'lax' || sameSite === 'none' ? sameSite : undefined,
    partitioned: attributes.has('partitioned'),
    expiresAt: expiryOf(attributes, now),
  }
  return isAllowed(cookie, path, url) ? cookie : undefined
}

function isAllowed({ name, value, secure, hostOnly, sameSite, partitioned }: ParsedCookie, path: string | undefined, url: URL): boolean {
  if (secure && url.protocol !== 'https:') return false
  if ((sameSite === 'none' || partitioned) && !secure) return false
  // RFC 6265bis 5.7, steps 20 to 22. The prefixes are told in any case, and a nameless cookie must not look like one.
  const lower = (name === '' ? value : name).toLowerCase()
  const isHost = lower.startsWith('__host-')
  if (!isHost && !lower.startsWith('__secure-')) return true
  return name !== '' && secure && (!isHost || (hostOnly && path === '/'))
}

function domainOf(attribute: string | undefined, host: string): Pick<StoredCookie, 'domain' | 'hostOnly'> | undefined {
  const domain = attribute?.replace(/^\./, '').toLowerCase() ?? ''
  if (domain === '') return { domain: host, hostOnly: true }
  // A name without a dot stands in for the list of public suffixes.
  if (!domain.includes('.')) return domain === host ? { domain: host, hostOnly: true } : undefined
  return domainMatches(host, domain) ? { domain, hostOnly: false } : undefined
}

// RFC 6265bis 5.1.3.
function domainMatches(host: string, domain: string): boolean {
  return host === domain || (host.endsWith(`.${domain}`) && !/^[\d.]+$|:/.test(host))
}

// RFC 6265bis 5.1.4.
function defaultPath(pathname: string): string {
  const end = pathname.lastIndexOf('/')
  return end <= 0 ? '/' : pathname.slice(0, end)
}

function pathMatches(requested: string, path: string): boolean {
  return requested === path || (requested.startsWith(path) && (path.endsWith('/') || requested[path.length] === '/'))
}

// Max-Age counts before Expires; neither reaches further than 400 days (RFC 6265bis 5.6.1, 5.6.2).
function expiryOf(attributes: ReadonlyMap<string, string>, now: number): number | undefined {
  const maxAge = attributes.get('max-age')
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Number(maxAge) <= 0 ? 0 : now + Math.min(Number(maxAge) * 1000, LONGEST_MS)
  const expires = Date.parse(attributes.get('expires') ?? '')
  return Number.isNaN(expires) ? undefined : Math.min(expires, now + LONGEST_MS)
}

function isSentTo({ domain, hostOnly, path, secure }: StoredCookie, url: URL): boolean {
  if (secure && url.protocol !== 'https:') return false
  return (hostOnly ? url.hostname === domain : domainMatches(url.hostname, domain)) && pathMatches(url.pathname, path)
}
