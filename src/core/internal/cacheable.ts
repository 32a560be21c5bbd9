import type { Exchange } from '../transport.ts'

/**
 * The application has declared that anybody may be given a copy of this response: `Cache-Control: public` or
 * `s-maxage`, or an `Expires` in the future that no `private`, `no-store` or `no-cache` takes back (RFC 9111 5.2, 5.3).
 * `public, max-age=0`, which Express sets on every file, declares nothing: no copy may be given without asking us.
 */
export function isPubliclyCacheable(exchange: Exchange, now: number): boolean {
  const control = exchange.responseHeader('cache-control')?.toLowerCase() ?? ''
  if (/\b(?:private|no-store)\b/.test(control)) return false
  if (/\bs-maxage=(?!0\b)/.test(control)) return true
  if (/\bpublic\b/.test(control)) return !/\bmax-age=0\b/.test(control)
  const expires = exchange.responseHeader('expires')
  if (expires === undefined || control.includes('max-age') || control.includes('no-cache')) return false
  return Date.parse(expires) > now
}

/** A cache may keep a copy, to give it after asking us or without. */
export function mayBeShared(exchange: Exchange, now: number): boolean {
  return exchange.responseHeader('cache-control') === undefined || /\bpublic\b/i.test(exchange.responseHeader('cache-control') ?? '') || isPubliclyCacheable(exchange, now)
}

/** Adds a name to `Vary` unless it is there. */
export function vary(exchange: Exchange, name: string): void {
  const present = exchange.responseHeader('vary')
  if (present === undefined || present === '') return exchange.setResponseHeader('Vary', name)
  const names = present.toLowerCase().split(',').map((item) => item.trim())
  if (!names.includes('*') && !names.includes(name.toLowerCase())) exchange.setResponseHeader('Vary', `${present}, ${name}`)
}
