import { SessionError } from '../../core/errors.ts'
import { isFromElsewhere } from '../../core/internal/cross-site.ts'
import { withStatus, type HttpError } from '../../core/internal/http-error.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Exchange } from '../../core/transport.ts'

export interface CrossSiteOptions {
  /** What becomes of a request that carries our cookie, may change something, and was made by a page of another origin. Defaults to `refuse`: 403, before the handler runs. */
  readonly crossSite?: 'refuse' | 'allow'
  /** Other origins whose pages may make such requests, such as `https://app.example.com`. Defaults to none. */
  readonly trustedOrigins?: readonly string[]
}

/** Tells why a request has to be refused; undefined to let it pass. */
export type CrossSiteCheck = (exchange: Exchange) => CrossSiteError | undefined

/** The refusal, with what frameworks look for to answer it with 403. */
export type CrossSiteError = HttpError<403>

/**
 * The check of requests made by pages of other sites, for adapters: call it before `sessions.open`, and answer what it
 * gives. Throws `ERR_SESSION_OPTION` for options that cannot work.
 */
export function crossSiteCheck<Data extends object>(sessions: Pick<Sessions<Data>, 'carriesCookie'>, { crossSite = 'refuse', trustedOrigins = [] }: CrossSiteOptions = {}): CrossSiteCheck {
  if (crossSite !== 'refuse' && crossSite !== 'allow') throw new SessionError('ERR_SESSION_OPTION', `crossSite is ${JSON.stringify(crossSite)}. Pass "refuse" or "allow".`)
  for (const origin of trustedOrigins) checkOrigin(origin)
  if (crossSite === 'allow') return () => undefined
  return (exchange) => (isFromElsewhere(exchange, trustedOrigins) && sessions.carriesCookie(exchange) ? refusal() : undefined)
}

// "null" is what every sandboxed frame says, so it cannot be trusted.
function checkOrigin(origin: unknown): void {
  if (typeof origin === 'string' && origin !== 'null' && URL.parse(origin)?.origin === origin) return
  throw new SessionError('ERR_SESSION_OPTION', `${JSON.stringify(origin)?.slice(0, 80)} in trustedOrigins is no origin. Pass scheme, host and port without a path, such as "https://app.example.com".`)
}

function refusal(): CrossSiteError {
  return withStatus(new SessionError('ERR_SESSION_CROSS_SITE', 'The request carries the session cookie and was made by a page of another origin, so it was refused. If that page is yours, add its origin to trustedOrigins.'), 403)
}
