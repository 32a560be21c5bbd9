import { isTouchDue } from '../../src/core/deadlines.ts'

/** What a large site looks like. Times are milliseconds. */
export interface Site {
  readonly sessions: number
  readonly requestsPerSecond: number
  /** The part of the requests that change their session. */
  readonly writes: number
  readonly idle: number
  readonly touchAfter: number
}

/** What one second costs the stores, in commands. */
export interface Commands {
  readonly reads: number
  readonly commits: number
  /** Commits that do nothing but move the deadline. */
  readonly touches: number
}

/** Random numbers that are the same in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * Walks visitors through an hour each: pages at random times, of which some write, and asks the library's own rule when a touch is due.
 * A visitor loads a page every `pause` milliseconds on average while they are there, and each page makes `burst` requests at once.
 */
export function touchesPerRequest({ writes, touchAfter }: Site, { visitors = 20_000, pause = 20_000, burst = 4, visit = 600_000 } = {}): number {
  const random = randomFrom(7)
  let [requests, touches] = [0, 0]
  for (let visitor = 0; visitor < visitors; visitor += 1) {
    const head = { nonce: String.fromCharCode(97 + Math.floor(random() * 16)), touchedAt: 0 }
    for (let now = 0; now < visit; now += -Math.log(1 - random()) * pause) {
      for (let one = 0; one < burst; one += 1) {
        requests += 1
        const isDue = isTouchDue(head, now, { idle: 0, absolute: 0, touchAfter })
        if (random() < writes || isDue) {
          if (isDue) {
            head.touchedAt = now
            touches += 1
          }
          head.nonce = String.fromCharCode(97 + Math.floor(random() * 16))
        }
      }
    }
  }
  return touches / requests
}

export function commandsOf(site: Site): Commands {
  const { requestsPerSecond, writes } = site
  const touches = touchesPerRequest(site) * requestsPerSecond * (1 - writes)
  return { reads: requestsPerSecond, commits: requestsPerSecond * writes + touches, touches }
}

/** The load of the busiest of so many shards, as a ratio to the mean: keys are spread by hash, and some visitors (robots, kiosks) ask far more than others (Zipf, exponent 1). */
export function busiestShard(shards: number, { visitors = 200_000, hottest = 0.001 } = {}): number {
  const random = randomFrom(11)
  const load = Array.from({ length: shards }, () => 0)
  let total = 0
  for (let rank = 1; rank <= visitors; rank += 1) {
    // None asks for more than a limit of requests would let through.
    const weight = Math.min(1 / rank, hottest * Math.log(visitors))
    const shard = Math.floor(random() * shards)
    load[shard] = (load[shard] ?? 0) + weight
    total += weight
  }
  return Math.max(...load) / (total / shards)
}

/** What a failover of one of so many primaries costs, when it takes so many seconds. */
export function failover(site: Site, shards: number, { seconds, replicationLag }: { readonly seconds: number; readonly replicationLag: number }): { readonly failedRequests: number; readonly unreplicated: number } {
  const share = site.requestsPerSecond / shards
  return { failedRequests: share * seconds, unreplicated: (commandsOf(site).commits / shards) * (replicationLag / 1000) }
}
