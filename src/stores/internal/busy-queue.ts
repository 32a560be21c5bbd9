import { SessionError } from '../../core/errors.ts'

interface Waiting {
  /** Milliseconds of `performance.now()` at which it has waited long enough. */
  readonly until: number
  readonly signal: AbortSignal | undefined
  /** False while the file is still held by somebody else; otherwise the caller has its answer. */
  attempt(): boolean
  reject(error: SessionError): void
}

const PATIENCE_MS = 2000
// What may run in one go after a long wait, so that a hundred commits do not freeze the event loop either.
const SLICE_MS = 8
const LONGEST_PAUSE_MS = 6

/**
 * Runs synchronous work at once while its file is free. Work that finds the file held waits without holding
 * the event loop, and whatever comes later waits behind it, so that many callers cost one attempt, not many.
 */
export class BusyQueue {
  readonly #isBusy: (error: unknown) => boolean
  readonly #waiting: Waiting[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #failedAttempts = 0
  #lastError: unknown

  constructor(isBusy: (error: unknown) => boolean) {
    this.#isBusy = isBusy
  }

  /**
   * The work's result; a promise of it when the work has to wait. Fails with `ERR_SESSION_STORE`, outcome `none`,
   * when the signal fires or two seconds are over first. Other errors of the work pass through.
   */
  run<T>(work: () => T, signal?: AbortSignal): T | Promise<T> {
    if (signal?.aborted) throw cancelled(signal)
    if (this.#waiting.length > 0) return this.#wait(work, signal)
    try {
      return work()
    } catch (error) {
      if (!this.#isBusy(error)) throw error
      this.#lastError = error
      return this.#wait(work, signal)
    }
  }

  /** Rejects whatever still waits. */
  close(error: SessionError): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error)
  }

  #wait<T>(work: () => T, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = (): boolean => this.#settle(work, resolve, reject)
      this.#waiting.push({ until: performance.now() + PATIENCE_MS, signal, attempt, reject })
      if (this.#timer === undefined) this.#pause()
    })
  }

  #settle<T>(work: () => T, resolve: (result: T) => void, reject: (error: unknown) => void): boolean {
    try {
      resolve(work())
    } catch (error) {
      if (this.#isBusy(error)) {
        this.#lastError = error
        return false
      }
      reject(error)
    }
    return true
  }

  // The pause is random, so that processes which collided once do not meet again at the next attempt.
  #pause(): void {
    this.#failedAttempts += 1
    const longest = Math.min(LONGEST_PAUSE_MS, 2 * this.#failedAttempts)
    this.#timer = setTimeout(() => this.#takeTurns(), 1 + Math.random() * longest)
  }

  #takeTurns(): void {
    this.#timer = undefined
    const end = performance.now() + SLICE_MS
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (performance.now() > end) {
        this.#timer = setTimeout(() => this.#takeTurns(), 0)
        return
      }
      if (next.signal?.aborted) next.reject(cancelled(next.signal))
      else if (!next.attempt()) return this.#goOnWaiting()
      this.#waiting.shift()
      this.#failedAttempts = 0
    }
  }

  // Only now, with the file held still: whoever waited behind others while it was free is not late.
  #goOnWaiting(): void {
    const now = performance.now()
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.signal?.aborted) waiting.reject(cancelled(waiting.signal))
      else if (waiting.until <= now) waiting.reject(this.#lockedTooLong())
      else this.#waiting.push(waiting)
    }
    if (this.#waiting.length > 0) this.#pause()
  }

  #lockedTooLong(): SessionError {
    return new SessionError(
      'ERR_SESSION_STORE',
      `The SQLite database was locked by another connection for ${PATIENCE_MS / 1000} seconds; nothing was changed. Look for a long write transaction, a backup or an open shell on the same file.`,
      { cause: this.#lastError, outcome: 'none' },
    )
  }
}

function cancelled(signal: AbortSignal): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The call to the SQLite store was cancelled before it began; nothing was changed. Repeat the request.', { cause: signal.reason, outcome: 'none' })
}
