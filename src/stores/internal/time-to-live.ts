/** Milliseconds by which a backend keeps a record longer than the session lives. The core judges life; this only sweeps. */
const MARGIN_MS = 60_000

/** Ten years: what `never` means to a backend that counts from now. Fits every backend's number of seconds or milliseconds. */
const LONGEST_MS = 10 * 365 * 86_400_000

/**
 * Milliseconds for which a backend must keep a record that is past at `expiresAt`, counted from `now`, both by core's clock.
 * Counted, not an instant: so the backend's own clock may be wrong without dropping a living session.
 */
export function timeToLive(expiresAt: number, now: number): number {
  return Math.min(Math.max(expiresAt - now, 0) + MARGIN_MS, LONGEST_MS)
}
