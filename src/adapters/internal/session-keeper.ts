import { isPromise } from '../../core/internal/awaitable.ts'
import type { Session } from '../../core/session.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'
import type { Keeper } from './held-response.ts'
import { finishLate, isLate } from './late.ts'
import type { NodeRequest } from './node-types.ts'

/** What a keeper needs of an exchange on Node. */
export interface HeldExchange {
  headSent: boolean
  /** Node's own request. */
  readonly raw: NodeRequest
}

/** Keeps the session of a response that is held. Finishing twice is no work, so a framework may have done it before. */
export class SessionKeeper<Data extends object> implements Keeper {
  readonly #sessions: Sessions<Data>
  readonly #session: Session<Data>
  readonly #exchange: HeldExchange
  readonly #fail: (error: unknown) => void

  constructor(sessions: Sessions<Data>, session: Session<Data>, exchange: HeldExchange, fail: (error: unknown) => void) {
    this.#sessions = sessions
    this.#session = session
    this.#exchange = exchange
    this.#fail = fail
  }

  get isHttp2(): boolean {
    return (this.#exchange.raw.httpVersionMajor ?? 1) > 1
  }

  get isLate(): boolean {
    return isLate(this.#session)
  }

  commit(status: number): Awaitable<void> {
    return this.#sealed(this.#sessions.finish(this.#session, { status }))
  }

  commitLate(status: number): Awaitable<void> {
    return finishLate(this.#sessions, this.#session, status)
  }

  sealFailed(): Awaitable<void> {
    return this.#sealed(this.#sessions.finish(this.#session, { failed: true }))
  }

  answer(error: unknown): void {
    this.#fail(error)
  }

  #sealed(finished: Awaitable<void>): Awaitable<void> {
    if (isPromise(finished)) return finished.then(() => { this.#exchange.headSent = true })
    this.#exchange.headSent = true
    return undefined
  }
}
