import { SessionError } from '../errors.ts'
import type { SessionId } from '../record.ts'
import type { Core } from './core.ts'

/** The abort signal of one session: follows its id from when that is stored. */
export class EndSignal {
  readonly #core: Core
  readonly #controller = new AbortController()
  #followed: SessionId | undefined

  constructor(core: Core) {
    this.#core = core
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get hasFired(): boolean {
    return this.#controller.signal.aborted
  }

  /** The id of the session that it belongs to; undefined until that is stored. */
  get followed(): SessionId | undefined {
    return this.#followed
  }

  /** `fired` is told when the session has ended. */
  follow(id: SessionId, fired?: () => void): void {
    if (this.hasFired || this.#followed === id) return
    this.#followed = id
    const stop = this.#core.onEnd(id, () => {
      stop()
      fired?.()
      this.fire()
    })
  }

  fire(): void {
    this.#controller.abort(new SessionError('ERR_SESSION_GONE', 'The session has ended. Stop what was done on its behalf.'))
  }
}
