import { parseDuration, parseInstant } from '../core/duration.ts'

/** A clock that moves when it is told to. Pass it as `now` to `createSessions`. */
export interface MovableClock {
  /** Milliseconds since the epoch. */
  (): number
  /** Moves the clock on by a duration: seconds, or text such as `"30 minutes"`. A negative one moves it back. */
  advance(duration: number | string): void
  /** Sets the clock: milliseconds since the epoch, a `Date`, or the text of one. */
  set(at: number | string | Date): void
}

/** A clock that stands at `start`, milliseconds since the epoch: by default at the time of the call. */
export function movableClock(start: number = Date.now()): MovableClock {
  let now = start
  return Object.assign(() => now, {
    advance(duration: number | string): void {
      now += parseDuration(duration, 'clock.advance') * 1000
    },
    set(at: number | string | Date): void {
      now = typeof at === 'number' ? at : parseInstant(at, now, 'clock.set')
    },
  })
}
