import type { Session } from '../../core/session.ts'
import { lifeOf } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'

export interface LateOptions {
  /**
   * Commits once more when the body of the response ends: what was set while it streamed. The end waits for the store. Nothing that needs a
   * cookie can happen by then (`ERR_SESSION_LATE`). Mount the adapter again for a route to say it for that route. Defaults to false.
   */
  readonly late?: boolean
}

const late = new WeakSet<object>()

/** Says that what is set while the body of this request's response streams is to be committed when it ends. */
export function markLate(session: object | undefined, isLate: boolean | undefined): void {
  if (session !== undefined && isLate === true) late.add(session)
}

export function isLate(session: object): boolean {
  return late.has(session)
}

/** Commits what was set since the head left. Rejects like `finish`. */
export function finishLate<Data extends object>(sessions: Sessions<Data>, session: Session<Data>, status: number): Awaitable<void> {
  lifeOf(session).finished = false
  return sessions.finish(session, { status })
}

/** A body whose end waits for a commit. When that fails, the body breaks off; a visitor who leaves before the end is no reason not to commit, a source that fails is. */
export function lateBody(body: ReadableStream<Uint8Array>, commit: () => Awaitable<void>): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let committed: Awaitable<void> | undefined
  let hasBegun = false
  const once = (): Awaitable<void> => {
    if (!hasBegun) {
      hasBegun = true
      committed = commit()
    }
    return committed
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (!done) return controller.enqueue(value)
      await once()
      controller.close()
    },
    async cancel(reason) {
      await Promise.allSettled([reader.cancel(reason), once()])
    },
  }, { highWaterMark: 0 })
}

/** The response with a late body, when the session is marked and there is a body that streams. */
export function lateResponse<Data extends object>(response: Response, sessions: Sessions<Data>, session: Session<Data>): Response {
  // Not looked at otherwise: some servers make their response only when it is.
  if (!isLate(session)) return response
  const { body, status } = response
  return body === null || body.locked ? response : new Response(lateBody(body, () => finishLate(sessions, session, status)), response)
}
