import { SessionError } from './core/errors.ts'
import type { Sessions } from './core/sessions.ts'

export interface SweepAfterOptions {
  /** How many sessions are stored for the first time, by this process, before one sweep. From 1. */
  readonly created: number
  /** Told when a sweep fails. The next one makes up for it. Defaults to nobody. */
  readonly onError?: (error: unknown) => void
}

/**
 * Deletes expired sessions whenever so many new ones were made, for processes in which no timer lives long enough: use it with
 * `sweepEvery: 'never'`. No request waits for it, one sweep runs at a time, and it goes in batches as `sessions.sweep()` does. Answers
 * a function that stops it. Throws `ERR_SESSION_OPTION`.
 */
export function sweepAfter(sessions: Pick<Sessions<never>, 'on' | 'sweep'>, { created, onError }: SweepAfterOptions): () => void {
  if (!Number.isSafeInteger(created) || created < 1) throw new SessionError('ERR_SESSION_OPTION', 'sweepAfter was given no count of new sessions. Pass for example { created: 1000 }.')
  let count = 0
  let isSweeping = false
  const sweep = async (): Promise<void> => {
    try {
      await sessions.sweep()
    } catch (error) {
      onError?.(error)
    } finally {
      isSweeping = false
    }
  }
  return sessions.on('create', () => {
    count += 1
    if (count < created || isSweeping) return
    count = 0
    isSweeping = true
    // After the request: its store call, and what a store answers at once, come first.
    // An onError that throws must not end the process.
    setTimeout(() => { sweep().catch(() => undefined) }, 0)
  })
}
