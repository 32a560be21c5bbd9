import { guessingDetector, type GuessingDetector } from '../../core/internal/guessing.ts'
import type { Exchange } from '../../core/transport.ts'

/** Who sent a request; undefined where that cannot be told. */
export type SourceOf = (exchange: Exchange) => string | undefined

/** Sources that are counted at once. Who guesses from more addresses than these is noticed over all requests. */
const MAX_SOURCES = 1000
const MAX_SOURCE_LENGTH = 200

/**
 * Counts guessed tokens for each source by itself, and beside that over all requests: a busy site does not hide one who guesses,
 * and many who guess little each are noticed together. Keeps the latest {@link MAX_SOURCES} that missed.
 */
export function guessingBySource(sourceOf: SourceOf): GuessingDetector {
  const overall = guessingDetector()
  // Least recent first.
  const bySource = new Map<string, GuessingDetector>()
  const tell = safely(sourceOf)
  const named = (exchange: Exchange | undefined): string | undefined => (exchange === undefined ? undefined : tell(exchange)?.slice(0, MAX_SOURCE_LENGTH))
  return {
    fits(exchange) {
      overall.fits(exchange)
      if (bySource.size === 0) return
      // Who has missed nothing yet is not kept: ordinary visitors would drive out those who guess.
      const source = named(exchange)
      if (source !== undefined) bySource.get(source)?.fits(exchange)
    },
    misses(now, exchange) {
      const told = overall.misses(now, exchange)
      const source = named(exchange)
      if (source === undefined) return told
      const own = bySource.get(source) ?? guessingDetector()
      bySource.delete(source)
      bySource.set(source, own)
      if (bySource.size > MAX_SOURCES) bySource.delete(bySource.keys().next().value ?? source)
      const count = own.misses(now, exchange)?.count
      return count === undefined ? told : { count, source }
    },
  }
}

// A request that the application's function did not reckon with must not fail for being counted.
function safely(sourceOf: SourceOf): SourceOf {
  let hasWarned = false
  const none = (): undefined => {
    if (!hasWarned) process.emitWarning('The function guessing of security() threw, or answered neither text nor undefined, so a request is counted without its source. Look at what it does with every request.', { type: 'SojournWarning' })
    hasWarned = true
  }
  return (exchange) => {
    try {
      const source: unknown = sourceOf(exchange)
      if (typeof source === 'string' || source === undefined) return source
      // An asynchronous one must not end the process either.
      if (source instanceof Promise) source.catch(none)
      return none()
    } catch {
      return none()
    }
  }
}

/**
 * The client's address, as Express and Fastify tell it (`request.ip`, by what they trust of a proxy) or as Node's socket does.
 * Of IPv6 the first 64 bits, since one client has all that follow. Undefined for Fetch requests, which know none.
 */
export function addressOf({ request }: Exchange): string | undefined {
  const ip = field(request, 'ip') ?? field(field(request, 'socket'), 'remoteAddress')
  return typeof ip === 'string' ? networkOf(ip) : undefined
}

function networkOf(ip: string): string {
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1]
  if (v4 !== undefined || !ip.includes(':')) return v4 ?? ip
  const [head = '', tail] = ip.split('::')
  const [first, last] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: Math.max(0, 8 - (first?.length ?? 0) - (last?.length ?? 0)) }, () => '0')
  return `${[...(first ?? []), ...zeros, ...(last ?? [])].slice(0, 4).join(':')}::/64`
}

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined
}
