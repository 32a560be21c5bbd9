import type { Exchange } from '../../core/transport.ts'

const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/**
 * Whether a request that changes something came from a page of another site. Kept whole, it would run with the visitor's
 * rights once they have logged in: what SameSite keeps from the cookie, the return would hand back.
 */
export function isFromElsewhere(exchange: Exchange): boolean {
  if (SAFE.includes(exchange.method)) return false
  const site = exchange.header('sec-fetch-site')
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  const origin = exchange.header('origin')
  return origin !== undefined && URL.parse(origin)?.host !== (exchange.header('host') ?? exchange.header(':authority'))
}
