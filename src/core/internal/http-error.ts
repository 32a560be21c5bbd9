import type { SessionError } from '../errors.ts'

/** A refusal of a request, with what frameworks look for to answer it. */
export interface HttpError<Status extends number> extends SessionError {
  readonly status: Status
  readonly statusCode: Status
  /** The message may be shown: Koa's and http-errors' convention. */
  readonly expose: true
  /** The answer, by Hono's convention. */
  getResponse(): Response
}

/** The error, to be answered with this status. */
export function withStatus<Status extends number>(error: SessionError, status: Status): HttpError<Status> {
  const getResponse = (): Response => new Response(`${error.message}\n`, { status, headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' } })
  // Where it was made says nothing, and Express shows it in development.
  return Object.assign(error, { status, statusCode: status, expose: true, stack: String(error), getResponse } as const)
}
