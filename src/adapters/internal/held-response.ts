import { isPromise } from '../../core/internal/awaitable.ts'
import type { Awaitable } from '../../core/store.ts'
import { answerInstead, callBack } from './error-answer.ts'
import type { Arguments, NodeResponse } from './node-types.ts'
import { forgetBody, takeHead } from './response-head.ts'

export interface HoldOptions {
  /** Commits, and puts the cookie on the response. Called once, with the status that the response is about to have. */
  readonly commit: (status: number) => Awaitable<void>
  /** Called when the commit failed: puts the cookie on the response that what has happened before calls for. */
  readonly sealFailed: () => Awaitable<void>
  /** Called then: nothing has been sent, and the error has to be answered. */
  readonly answer: (error: unknown) => void
  /** HTTP/2 sends the head when it is written, HTTP/1.1 with the first byte of the body. */
  readonly isHttp2: boolean
}

type Method = 'write' | 'end' | 'flushHeaders'

/**
 * Holds back the head and the body of a response until the session is committed: the first `write`, `end` or
 * `flushHeaders` starts the commit, and what comes meanwhile waits, in order. With a synchronous store nothing waits.
 * Only documented methods are used, so that HTTP/2 responses work as well.
 */
export class HeldResponse {
  readonly #response: NodeResponse
  readonly #options: HoldOptions
  readonly #originals: Required<Pick<NodeResponse, Method | 'writeHead'>>
  #state: 'open' | 'committing' | 'released' | 'failed' = 'open'
  /** What `writeHead` was given beside headers, once it was called. */
  #head: { readonly status: number; readonly reason: readonly string[] } | undefined
  #waiting: (readonly [Method, Arguments])[] = []
  #ended = false
  #failure: unknown

  constructor(response: NodeResponse, options: HoldOptions) {
    const { writeHead, write, end, flushHeaders = () => {} } = response
    this.#response = response
    this.#options = options
    this.#originals = { writeHead, write, end, flushHeaders }
    // Never set back, or what wrapped them meanwhile, such as a compression, would be cut off.
    response.writeHead = (...args) => this.#writeHead(args)
    response.write = (...args) => this.#pass('write', args) === true
    response.end = (...args) => (this.#pass('end', args), response)
    response.flushHeaders = () => void this.#pass('flushHeaders', [])
  }

  /** Takes back a head that was written before anything else. False when it is too late: the commit has begun. */
  takeBack(): boolean {
    if (this.#state !== 'open') return false
    this.#head = undefined
    forgetBody(this.#response)
    return true
  }

  #writeHead(args: Arguments): unknown {
    if (this.#state === 'released') return Reflect.apply(this.#originals.writeHead, this.#response, args)
    if (this.#state !== 'open') return this.#response
    this.#head = takeHead(this.#response, args)
    this.#pretendSent()
    if (this.#options.isHttp2) process.nextTick(() => { if (this.#head !== undefined && this.#state === 'open') this.#start() })
    return this.#response
  }

  #pass(method: Method, args: Arguments): unknown {
    if (method === 'end' && this.#state !== 'released') this.#ended = true
    if (this.#state === 'open') this.#start()
    if (this.#state === 'released') return Reflect.apply(this.#originals[method], this.#response, args)
    if (this.#state === 'failed') return callBack(args, this.#failure)
    this.#waiting.push([method, args])
    return false
  }

  #start(): void {
    const status = this.#response.statusCode
    this.#state = 'committing'
    try {
      const committed = this.#options.commit(status)
      if (!isPromise(committed)) return this.#release(status)
      this.#pretendSent()
      committed.then(() => { this.#release(status); this.#replay() }).then(undefined, (error: unknown) => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  #release(status: number): void {
    this.#state = 'released'
    this.#response.statusCode = status
    if (this.#head !== undefined) Reflect.apply(this.#originals.writeHead, this.#response, [status, ...this.#head.reason])
    this.#head = undefined
  }

  #replay(): void {
    const calls = this.#waiting
    let mustTell = false
    this.#waiting = []
    for (const [method, args] of calls) {
      const taken: unknown = Reflect.apply(this.#originals[method], this.#response, args)
      // Node tells when its buffer drains only if it was full; who was told by us to wait is told by us.
      if (method === 'write') mustTell = taken !== false
    }
    if (mustTell) process.nextTick(() => this.#response.emit('drain'))
  }

  // What the handler wanted to say is dropped, the head's description of the body with it; an error takes its place.
  #fail(error: unknown): void {
    this.#state = 'committing'
    this.#head = undefined
    if (!this.#hasLeft()) forgetBody(this.#response)
    const answer = (): void => this.#answer(error)
    try {
      const sealed = this.#options.sealFailed()
      if (isPromise(sealed)) return void sealed.then(answer, answer)
    } catch {
      // The first error is the one to answer.
    }
    answer()
  }

  #answer(error: unknown): void {
    this.#state = 'failed'
    this.#failure = error
    for (const [, args] of this.#waiting.splice(0)) callBack(args, error)
    answerInstead(this.#response, this.#originals, { error, handlerIsDone: this.#ended, answer: this.#options.answer })
  }

  #hasLeft(): boolean {
    return Reflect.get(Object.getPrototypeOf(this.#response), 'headersSent', this.#response) === true
  }

  // Frameworks ask whether they may still answer; while the answer waits for the commit they may not.
  #pretendSent(): void {
    if (Object.hasOwn(this.#response, 'headersSent')) return
    const asked = (name: 'headersSent' | 'writableEnded'): unknown => Reflect.get(Object.getPrototypeOf(this.#response), name, this.#response)
    const define = (name: 'headersSent' | 'writableEnded', held: () => boolean): void => {
      Object.defineProperty(this.#response, name, { configurable: true, get: () => held() || asked(name) })
    }
    define('headersSent', () => this.#head !== undefined || this.#state === 'committing')
    define('writableEnded', () => this.#state === 'committing' && this.#ended)
  }
}
