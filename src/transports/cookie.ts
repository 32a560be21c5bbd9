import { ATTRIBUTES, checkedAttributes, checkKnown, checkName, cookieNamer, EXPIRED, isSecure, lifetimeOf, serialise, type CookieAttributes, type CookieScope } from '../core/internal/cookie-attributes.ts'
import { cookieValues } from '../core/internal/cookie-values.ts'
import type { Exchange, Transport } from '../core/transport.ts'

export type { CookieAttributes, CookieScope } from '../core/internal/cookie-attributes.ts'

export interface CookieOptions extends CookieAttributes {
  /**
   * Defaults to `__Host-sid` on https with path `/` and no domain, `__Secure-sid` on https otherwise, `sid` on plain http.
   * `$PORT` in it becomes the server's port, since cookies do not know ports, or `NOPORT`.
   */
  readonly name?: string
  /** The browser keeps the cookie until the session's deadline, not only while it is open. Defaults to false. */
  readonly persistent?: boolean
  /** Scopes that earlier versions of the application used: a twin cookie of one of these is expired when it is met. */
  readonly previously?: readonly CookieScope[]
}

/** The token in a cookie: the default. Throws `ERR_SESSION_OPTION` for combinations that browsers refuse. */
export function cookieTransport(options: CookieOptions = {}): Transport {
  checkKnown(options, COOKIE_OPTIONS)
  const { name, persistent = false, previously = [], ...given } = options
  const attributes = checkedAttributes(given)
  checkName(name, attributes)
  for (const scope of previously) checkedAttributes({ ...given, ...scope })
  const nameOf = cookieNamer(name, attributes)
  const nameFor = (exchange: Exchange): string => nameOf(isSecure(attributes, exchange), exchange)
  const warn = oneWarning()
  const lasts = persistent || attributes.maxAge !== undefined || attributes.expires !== undefined
  return {
    persistent: lasts,
    facts: { ...attributes, carrier: 'cookie', name, persistent: lasts },
    vary: 'Cookie',
    nameFor,
    read(exchange) {
      const header = exchange.header('cookie')
      if (header === undefined) return NONE
      if (exchange.secure !== undefined) return cookieValues(header, nameFor(exchange))
      const names = new Set([nameOf(true, exchange), nameOf(false, exchange)])
      return [...names].flatMap((each) => cookieValues(header, each))
    },
    refuses(exchange) {
      if (exchange.secure !== false) return undefined
      if (saysHttps(exchange)) warn(UNTRUSTED)
      if (attributes.secure !== true) return undefined
      if (!saysHttps(exchange)) warn(NOT_HTTPS)
      return 'a secure cookie cannot be sent over plain http'
    },
    checkOverrides(overrides, exchange) {
      checkKnown(overrides, ATTRIBUTES)
      const effective = checkedAttributes({ ...given, ...overrides })
      // The name stays, or the next request would not be recognised; so the prefix's demands hold for this response, too.
      checkName(exchange === undefined ? name : nameFor(exchange), effective)
    },
    write(exchange, handout) {
      const effective = handout.overrides === undefined ? attributes : checkedAttributes({ ...given, ...handout.overrides })
      const lifetime = handout.token === undefined ? EXPIRED : lifetimeOf(effective, handout, persistent)
      exchange.appendResponseHeader('Set-Cookie', serialise(nameFor(exchange), handout.token ?? '', effective, lifetime, isSecure(effective, exchange)))
    },
    settle(exchange) {
      if (previously.length === 0 || cookieValues(exchange.header('cookie') ?? '', nameFor(exchange)).length < 2) return
      for (const scope of previously) {
        exchange.appendResponseHeader('Set-Cookie', serialise(nameFor(exchange), '', checkedAttributes({ ...given, ...scope }), EXPIRED, isSecure(attributes, exchange)))
      }
    },
  }
}

const COOKIE_OPTIONS: readonly string[] = [...ATTRIBUTES, 'name', 'persistent', 'previously']

const NONE: readonly string[] = []

function saysHttps(exchange: Exchange): boolean {
  return exchange.header('x-forwarded-proto')?.split(',')[0]?.trim() === 'https' || exchange.header('forwarded')?.includes('proto=https') === true
}

const UNTRUSTED = 'A proxy says https, but is not trusted, so the session cookie cannot be secure. Trust it: app.set("trust proxy", 1) in Express, trustProxy elsewhere.'
const NOT_HTTPS = 'The session cookie is secure, but requests arrive over plain http, so no session can be kept. Use secure: "auto".'

/** Once per transport: a warning at every request would hide what else the log says. */
function oneWarning(): (message: string) => void {
  const given = new Set<string>()
  return (message) => {
    if (given.has(message)) return
    given.add(message)
    process.emitWarning(message, { type: 'SojournWarning' })
  }
}
