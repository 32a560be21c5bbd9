import { SessionError, isSessionError } from '../errors.ts'
import type { Patch, PatchResult } from '../patch.ts'
import type { EndReason, SessionId, SessionRecord } from '../record.ts'
import type { Awaitable, Store, StoreEvent, SweepRequest } from '../store.ts'
import { andThen, isPromise } from './awaitable.ts'

interface CallOptions {
  readonly signal: AbortSignal
  readonly fresh?: boolean
}

/**
 * The store as the core calls it: opened once before the first call, each call limited in time,
 * each failure an `ERR_SESSION_STORE` that says whether anything can have changed.
 */
export class StoreGuard {
  readonly store: Store
  readonly #timeoutMs: number
  #opening: Awaitable<void> | undefined
  #opened = false

  constructor(store: Store, timeoutMs: number) {
    this.store = store
    this.#timeoutMs = timeoutMs
  }

  get consistency(): 'atomic' | 'best-effort' | 'client' {
    return this.store.consistency ?? 'atomic'
  }

  get keeps(): 'nothing' | undefined {
    return this.store.keeps
  }

  read(id: SessionId, fresh = false): Awaitable<SessionRecord | undefined> {
    if (!this.#opened || this.store.answersAtOnce !== true) return this.#readInTime(id, fresh)
    try {
      return this.store.read(id, NO_OPTIONS)
    } catch (error) {
      throw storeError('read', 'none', error)
    }
  }

  #readInTime(id: SessionId, fresh: boolean): Awaitable<SessionRecord | undefined> {
    return this.#call('read', 'none', (call) => this.store.read(id, this.#readOptionsOf(call, fresh)))
  }

  create(id: SessionId, record: SessionRecord): Awaitable<boolean> {
    return this.#call('create', 'unknown', () => this.store.create(id, record))
  }

  patch(id: SessionId, patch: Patch): Awaitable<PatchResult> {
    return this.#call('patch', 'unknown', (call) => this.store.patch(id, patch, this.store.answersAtOnce === true ? NO_OPTIONS : call))
  }

  end(id: SessionId, because: EndReason, at: number): Awaitable<boolean> {
    return this.#call('end', 'unknown', () => this.store.end(id, because, at))
  }

  sweep(what: SweepRequest, limit: number): Awaitable<number> {
    const { store } = this
    if (store.sweep === undefined) return 0
    return this.#call('sweep', 'unknown', () => store.sweep?.(what, limit) ?? 0)
  }

  async *find(term: string): AsyncIterable<SessionId> {
    await this.#waitForOpen()
    const { store } = this
    if (store.find === undefined) throw unsupported('find sessions by a value')
    yield* guarded(store.find(term), 'find', this.#timeoutMs)
  }

  async *list(): AsyncIterable<SessionId> {
    await this.#waitForOpen()
    const { store } = this
    if (store.list === undefined) throw unsupported('list its sessions')
    yield* guarded(store.list(), 'list', this.#timeoutMs)
  }

  watch(id: SessionId, onEnd: () => void): (() => void) | undefined {
    return this.store.watch?.(id, onEnd)
  }

  observe(report: (event: StoreEvent) => void): void {
    this.store.observe?.(report)
  }

  open(): Awaitable<void> {
    if (this.#opened) return undefined
    this.#opening ??= this.#start()
    return this.#opening
  }

  async close(): Promise<void> {
    await this.store.close?.()
  }

  #start(): Awaitable<void> {
    const done = (): void => { this.#opened = true }
    // A store that could not be opened is tried again by the next call.
    const failed = (error: unknown): never => {
      this.#opening = undefined
      throw storeError('open', 'none', error)
    }
    try {
      const opening = this.store.open?.()
      return isPromise(opening) ? opening.then(done, failed) : done()
    } catch (error) {
      return failed(error)
    }
  }

  #call<T>(name: string, outcome: 'none' | 'unknown', run: (call: Call) => Awaitable<T>): Awaitable<T> {
    if (!this.#opened) return andThen(this.#waitForOpen(), () => (this.#opened ? this.#call(name, outcome, run) : this.#failedToOpen()))
    const call = new Call()
    let answer: Awaitable<T>
    try {
      answer = run(call)
    } catch (error) {
      throw storeError(name, outcome, error)
    }
    return isPromise(answer) ? limited(answer, call, name, outcome, name === 'sweep' ? Math.max(this.#timeoutMs, SWEEP_TIMEOUT_MS) : this.#timeoutMs) : answer
  }

  #readOptionsOf(call: Call, fresh: boolean): Partial<CallOptions> {
    const { answersAtOnce, readsInOneStep } = this.store
    if (answersAtOnce === true || readsInOneStep === true) return fresh ? FRESH : NO_OPTIONS
    return fresh ? call.withFresh() : call
  }

  // A server that hangs while the store opens must not hang the requests that wait for it.
  #waitForOpen(): Awaitable<void> {
    const opening = this.open()
    return isPromise(opening) ? limited(opening, new Call(), 'open', 'none', this.#timeoutMs) : opening
  }

  #failedToOpen(): never {
    throw new SessionError('ERR_SESSION_STORE', 'The session store did not open. Look at the error of its first call.', { outcome: 'none' })
  }
}

const NO_OPTIONS: Partial<CallOptions> = {}
const FRESH: Partial<CallOptions> = { fresh: true }

// No visitor waits for a sweep, and one by age may have to look at every record.
const SWEEP_TIMEOUT_MS = 60_000

/** The options of one call. Its abort controller is made only for a store that asks for the signal. */
class Call implements CallOptions {
  #controller: AbortController | undefined
  #abort: { readonly reason: unknown } | undefined
  readonly fresh?: boolean

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    // A store may ask only when it gets to work, which can be after core has stopped waiting.
    if (this.#abort !== undefined) this.#controller.abort(this.#abort.reason)
    return this.#controller.signal
  }

  withFresh(): CallOptions {
    return { signal: this.signal, fresh: true }
  }

  abort(reason: unknown): void {
    this.#abort = { reason }
    this.#controller?.abort(reason)
  }
}

function limited<T>(answer: PromiseLike<T>, call: Call, name: string, outcome: 'none' | 'unknown', timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new SessionError('ERR_SESSION_STORE', `The session store did not answer ${name} within ${timeoutMs / 1000} s. Check the server, or raise storeTimeout.`, { outcome })
      call.abort(error)
      reject(error)
    }, timeoutMs)
    answer.then(
      (value) => { clearTimeout(timer); resolve(value) },
      (error: unknown) => { clearTimeout(timer); reject(storeError(name, outcome, error)) },
    )
  })
}

// Each step is limited in time, not the whole: a listing may be long.
async function* guarded(ids: AsyncIterable<SessionId>, name: string, timeoutMs: number): AsyncIterable<SessionId> {
  const steps = ids[Symbol.asyncIterator]()
  let left = true
  try {
    for (;;) {
      const step = await limited(steps.next(), new Call(), name, 'none', timeoutMs).catch((error: unknown) => {
        // An iterator that hangs would hang in its return as well.
        left = false
        throw error
      })
      if (step.done === true) {
        left = false
        return
      }
      yield step.value
    }
  } finally {
    if (left) await steps.return?.()
  }
}

function storeError(name: string, outcome: 'none' | 'unknown', error: unknown): SessionError {
  if (isSessionError(error)) return error
  return new SessionError('ERR_SESSION_STORE', `The session store failed in ${name}. The cause holds the error of its driver.`, { cause: error, outcome })
}

function unsupported(what: string): SessionError {
  return new SessionError('ERR_SESSION_UNSUPPORTED', `This session store cannot ${what}. Choose one that keeps an index, such as sqlite or redis.`)
}
