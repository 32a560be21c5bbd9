import type { Exchange } from '../transport.ts'

/** RFC 9110 9.2.1: methods that ask for no change. */
const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']

/**
 * Whether a request that may change something was made by a page of another origin, as browsers tell. Who tells nothing
 * is no browser (curl, a webhook). Origins in the list, such as `https://app.example.com`, count as ours.
 */
export function isFromElsewhere(exchange: Exchange, trustedOrigins: readonly string[] = []): boolean {
  if (SAFE.includes(exchange.method) && !opensSocket(exchange)) return false
  const site = exchange.header('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return false
  const origin = exchange.header('origin')
  if (origin !== undefined && trustedOrigins.includes(origin)) return false
  // A browser that says where the page came from knows better than names do: http and https of one host are two sites.
  return site !== undefined || (origin !== undefined && !isOwnOrigin(exchange, origin))
}

// RFC 6455 10.2: whoever opens a socket acts through it, and no other rule of browsers stands in the way.
function opensSocket(exchange: Exchange): boolean {
  return exchange.header('upgrade')?.toLowerCase() === 'websocket'
}

function isOwnOrigin(exchange: Exchange, origin: string): boolean {
  const page = URL.parse(origin)
  const host = exchange.host ?? exchange.header('host') ?? exchange.header(':authority')
  // `Origin: null` is what every sandboxed frame says.
  if (page === null || host === undefined) return false
  // A page that came over plain http may be anybody's on the way. That we do not see https where the page does is a proxy's doing.
  if (exchange.secure === true && page.protocol === 'http:') return false
  return URL.parse(`${page.protocol}//${host}`)?.host === page.host
}
