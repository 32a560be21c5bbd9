import { isPromise } from '../../core/internal/awaitable.ts'
import type { Awaitable } from '../../core/store.ts'
import { answerInstead, callBack, cutOff } from './error-answer.ts'
import { HELD, type Arguments, type NodeResponse } from './node-types.ts'
import { forgetBody, takeHead } from './response-head.ts'

/** Who keeps the session of a held response. */
export interface Keeper {
  /** HTTP/2 sends the head when it is written, HTTP/1.1 with the first byte of the body. */
  readonly isHttp2: boolean
  /** There is one more commit when the body ends. */
  readonly isLate: boolean
  /** Commits, and puts the cookie on the response. Called once, with the status that the response is about to have. */
  commit(status: number): Awaitable<void>
  /** Called when the body ends, if {@link isLate}. The end waits for it, and when it fails, the body breaks off. */
  commitLate(status: number): Awaitable<void>
  /** Called when the commit failed: puts the cookie on the response that what has happened before calls for. */
  sealFailed(): Awaitable<void>
  /** Called then: nothing has been sent, and the error has to be answered. */
  answer(error: unknown): void
}

type Method = 'write' | 'end' | 'flushHeaders'
type Originals = Required<Pick<NodeResponse, Method | 'writeHead'>>

/**
 * Holds back the head and the body of a response until the session is committed: the first `write`, `end` or
 * `flushHeaders` starts the commit, and what comes meanwhile waits, in order. With a synchronous store nothing waits.
 * Only documented methods are used, so that HTTP/2 responses work as well.
 */
export function hold(response: NodeResponse, keeper: Keeper): HeldResponse {
  const held = new HeldResponse(response, keeper)
  // The methods are never set back, or what wrapped them meanwhile, such as a compression, would be cut off.
  if (response[HELD] === undefined) {
    response[HELD] = held
    response.writeHead = SHARED.writeHead
    response.write = SHARED.write
    response.end = SHARED.end
    response.flushHeaders = SHARED.flushHeaders
  } else {
    // A second manager holds what the first holds already.
    response.writeHead = (...args) => held.writeHead(args)
    response.write = (...args) => held.pass('write', args) === true
    response.end = (...args) => (held.pass('end', args), response)
    response.flushHeaders = () => void held.pass('flushHeaders', [])
  }
  return held
}

// One function for all responses: V8 keeps an object that was given a closure of its own as a method alive beyond
// the next scavenge, and collecting those costs more than all the rest of a session.
const SHARED = {
  writeHead(this: NodeResponse, ...args: Arguments): unknown { return this[HELD]?.writeHead(args) },
  write(this: NodeResponse, ...args: Arguments): boolean { return this[HELD]?.pass('write', args) === true },
  end(this: NodeResponse, ...args: Arguments): unknown { return (this[HELD]?.pass('end', args), this) },
  flushHeaders(this: NodeResponse): void { this[HELD]?.pass('flushHeaders', []) },
}

// Frameworks ask whether they may still answer; while the answer waits for the commit they may not.
const PRETENDED: PropertyDescriptorMap = {
  headersSent: { configurable: true, get(this: NodeResponse) { return this[HELD]?.headersSent } },
  writableEnded: { configurable: true, get(this: NodeResponse) { return this[HELD]?.writableEnded } },
}

/** A response whose head and body wait for a commit. */
export class HeldResponse {
  readonly #response: NodeResponse
  readonly #keeper: Keeper
  readonly #originals: Originals
  #state: 'open' | 'committing' | 'released' | 'ending' | 'failed' = 'open'
  /** What `writeHead` was given beside headers, once it was called. */
  #head: { readonly status: number; readonly reason: readonly string[] } | undefined
  #waiting: (readonly [Method, Arguments])[] | undefined
  #ended = false
  /** The commit at the end of the body has begun. */
  #lateEnd = false
  #failure: unknown

  constructor(response: NodeResponse, keeper: Keeper) {
    const { writeHead, write, end, flushHeaders = nothing } = response
    this.#response = response
    this.#keeper = keeper
    this.#originals = { writeHead, write, end, flushHeaders }
  }

  get headersSent(): boolean {
    return this.#head !== undefined || this.#state === 'committing' || this.#state === 'ending' || this.#asked('headersSent')
  }

  get writableEnded(): boolean {
    return ((this.#state === 'committing' || this.#lateEnd) && this.#ended) || this.#asked('writableEnded')
  }

  /** Something of the response was asked for, so that its commit has begun. */
  get hasStarted(): boolean {
    return this.#state !== 'open'
  }

  /** The commit is acknowledged, by whoever knew of the head before the response was asked for it: nothing is held any more. */
  letGo(): void {
    if (this.#state === 'open') this.#release(this.#response.statusCode)
  }

  /** Takes back a head that was written before anything else. False when it is too late: the commit has begun. */
  takeBack(): boolean {
    if (this.#state !== 'open') return false
    this.#head = undefined
    forgetBody(this.#response)
    return true
  }

  writeHead(args: Arguments): unknown {
    if (this.#state === 'released') return Reflect.apply(this.#originals.writeHead, this.#response, args)
    if (this.#state !== 'open') return this.#response
    this.#head = takeHead(this.#response, args)
    this.#pretendSent()
    if (this.#keeper.isHttp2) process.nextTick(() => { if (this.#head !== undefined && this.#state === 'open') this.#start() })
    return this.#response
  }

  pass(method: Method, args: Arguments): unknown {
    if (method === 'end') this.#ended = true
    if (this.#state === 'open') this.#start()
    if (this.#state === 'released') return method === 'end' ? this.#end(args) : Reflect.apply(this.#originals[method], this.#response, args)
    if (this.#state === 'failed') return callBack(args, this.#failure)
    // As Node takes it: another end is none, and nothing can be written behind one.
    if (this.#state === 'ending') return callBack(args, new Error('write after end'))
    this.#waiting ??= []
    this.#waiting.push([method, args])
    return false
  }

  #start(): void {
    const status = this.#response.statusCode
    this.#state = 'committing'
    try {
      const committed = this.#keeper.commit(status)
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
    if (this.#keeper.isLate) this.#response.once('close', () => this.#left())
  }

  // What was set while the body streamed is stored before its end can be seen.
  #end(args: Arguments): unknown {
    const end = (): unknown => Reflect.apply(this.#originals.end, this.#response, args)
    if (this.#lateEnd || !this.#keeper.isLate) return end()
    this.#lateEnd = true
    try {
      const committed = this.#keeper.commitLate(this.#response.statusCode)
      if (!isPromise(committed)) return end()
      this.#state = 'ending'
      this.#pretendSent()
      committed.then(() => { this.#state = 'released'; end() }).then(undefined, () => cutOff(this.#response))
    } catch {
      cutOff(this.#response)
    }
    return this.#response
  }

  // Whoever follows events goes away in their midst. The manager tells of a failure.
  #left(): void {
    if (this.#lateEnd) return
    this.#lateEnd = true
    try {
      const committed = this.#keeper.commitLate(this.#response.statusCode)
      if (isPromise(committed)) committed.then(undefined, () => {})
    } catch {
      // As above.
    }
  }

  #replay(): void {
    const calls = this.#waiting ?? []
    let mustTell = false
    this.#waiting = undefined
    for (const [method, args] of calls) {
      if (method === 'end') return void this.#end(args)
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
    if (!this.#asked('headersSent')) forgetBody(this.#response)
    const answer = (): void => this.#answer(error)
    try {
      const sealed = this.#keeper.sealFailed()
      if (isPromise(sealed)) return void sealed.then(answer, answer)
    } catch {
      // The first error is the one to answer.
    }
    answer()
  }

  #answer(error: unknown): void {
    this.#state = 'failed'
    this.#failure = error
    for (const [, args] of this.#waiting?.splice(0) ?? []) callBack(args, error)
    answerInstead(this.#response, this.#originals, { error, handlerIsDone: this.#ended, answer: (cause) => this.#keeper.answer(cause) })
  }

  #asked(name: 'headersSent' | 'writableEnded'): boolean {
    return Reflect.get(Object.getPrototypeOf(this.#response), name, this.#response) === true
  }

  #pretendSent(): void {
    const response = this.#response
    if (Object.hasOwn(response, 'headersSent')) return
    if (response[HELD] === this) return void Object.defineProperties(response, PRETENDED)
    Object.defineProperty(response, 'headersSent', { configurable: true, get: () => this.headersSent })
    Object.defineProperty(response, 'writableEnded', { configurable: true, get: () => this.writableEnded })
  }
}

function nothing(): void {}
