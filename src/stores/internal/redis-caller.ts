import { SessionError } from '../../core/errors.ts'
import { unreadable } from '../../core/record.ts'
import { canBeOfWait, failed, notConnected, replyCode, UnsentError, type RedisLink } from './redis-client.ts'
import { replyText } from './redis-record.ts'
import type { RedisScript } from './redis-scripts.ts'

/** How a script is run. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined
  /** What a failure means for the record. `unknown` by default: the script may have run. */
  readonly onFailure?: 'none' | 'unknown'
}

/** How many replicas must have a write, and the seconds to wait for them. */
interface ReplicaSettings {
  readonly minReplicas: number
  readonly replicaTimeout: number
}

/** Milliseconds after which a call without a signal of its own is given up: more than the longest `storeTimeout`, which is over first. */
const CALL_MS = 61_000

/** The answer of a script: a word and what belongs to it. */
export type Answer = readonly [status: string, ...unknown[]]

/** The answers of a script that has written something. */
const WROTE = new Set(['ok', 'ended'])

/** Sends commands and scripts about one key, each limited in time, each failure an `ERR_SESSION_STORE`. */
export class RedisCaller {
  readonly #link: RedisLink
  readonly #settings: ReplicaSettings

  constructor(link: RedisLink, settings: ReplicaSettings) {
    this.#link = link
    this.#settings = settings
  }

  /** As {@link send}, for a command after which nothing is begun: without a signal of the caller it gets none, which would cost as much as decoding the answer. */
  async read(key: string, args: string[], signal?: AbortSignal): Promise<unknown> {
    if (signal !== undefined) return this.send(key, args, signal)
    this.#assertCanStart(key)
    try {
      return await inTime(this.#link.send(key, args))
    } catch (error) {
      throw this.#readFailed(error)
    }
  }

  /** Sends a command that changes nothing. */
  send(key: string, args: string[], signal?: AbortSignal): Promise<unknown> {
    return this.ask(key, (limit) => this.#link.send(key, args, limit), signal)
  }

  /** Makes a call about one key, or about none (`''`), that changes nothing. */
  async ask<T>(key: string, call: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#assertCanStart(key, signal)
    try {
      return await limited(call, signal)
    } catch (error) {
      throw this.#readFailed(error)
    }
  }

  #readFailed(error: unknown): SessionError {
    return replyCode(error) === 'WRONGTYPE' ? unreadable('its key holds something else') : failed(error, this.#link, 'none')
  }

  /** Runs a script on one key. Resolves to its answer: a word and what belongs to it. */
  async run(script: RedisScript, key: string, args: readonly string[], { signal, onFailure = 'unknown' }: RunOptions = {}): Promise<Answer> {
    this.#assertCanStart(key, signal)
    const call = (limit: AbortSignal): Promise<Answer> => this.#evaluate(script, [key, ...args], limit)
    try {
      return await limited(call, signal)
    } catch (error) {
      throw failed(error, this.#link, onFailure)
    }
  }

  async #evaluate(script: RedisScript, keyAndArgs: readonly [string, ...string[]], signal: AbortSignal): Promise<Answer> {
    const [key] = keyAndArgs
    try {
      return await this.#transmit(key, ['EVALSHA', script.sha, '1', ...keyAndArgs], signal)
    } catch (error) {
      // The server has restarted, failed over, or its scripts were flushed.
      if (replyCode(error) !== 'NOSCRIPT') throw error
      assertWanted(signal)
      return this.#transmit(key, ['EVAL', script.text, '1', ...keyAndArgs], signal)
    }
  }

  #transmit(key: string, command: string[], signal: AbortSignal): Promise<Answer> {
    return this.#settings.minReplicas === 0 ? this.#link.send(key, command, signal).then(answerOf) : this.#transmitAndWait(key, command, signal)
  }

  async #transmitAndWait(key: string, command: string[], signal: AbortSignal): Promise<Answer> {
    const { minReplicas, replicaTimeout } = this.#settings
    const wait = ['WAIT', String(minReplicas), String(Math.ceil(replicaTimeout * 1000))]
    const sendBoth = (): Promise<readonly unknown[]> => this.#link.sendAndWait(key, command, wait).catch((error: unknown) => { throw canBeOfWait(error) ? unconfirmed(error) : error })
    const [reply, acknowledged] = await sendBoth().catch(async (error: unknown) => {
      if (replyCode(error) !== 'MOVED') throw error
      // A batch does not follow to the slot's new node; a single command does, and tells the client where that is.
      await this.#link.send(key, ['EXISTS', key], signal)
      assertWanted(signal)
      return sendBoth()
    })
    const answer = answerOf(reply)
    if (WROTE.has(answer[0]) && Number(acknowledged) < minReplicas) throw tooFewReplicas(Number(acknowledged), minReplicas)
    return answer
  }

  #assertCanStart(key: string, signal?: AbortSignal): void {
    if (signal !== undefined) assertNotAborted(signal)
    if (!this.#link.isReady(key)) throw notConnected()
  }
}

function answerOf(reply: unknown): Answer {
  if (!Array.isArray(reply)) throw new TypeError('a script answered no list')
  const [status, ...rest]: readonly unknown[] = reply
  return [replyText(status), ...rest]
}

function assertNotAborted(signal: AbortSignal): void {
  if (!signal.aborted) return
  throw new SessionError('ERR_SESSION_STORE', 'A call to Redis was given up before it was sent. Nothing was changed.', { cause: signal.reason, outcome: 'none' })
}

// Between two attempts, of which a client that sends by itself again may have made more than it tells.
function assertWanted(signal: AbortSignal): void {
  if (signal.aborted) throw new UnsentError('The call was given up before it was sent.', { cause: signal.reason })
}

function limited<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal !== undefined) return untilAborted(call(signal), signal)
  const limit = new AbortController()
  return inTime(call(limit.signal), limit)
}

/**
 * Gives a call that came without a signal its time. The timer goes with the call: those of `AbortSignal.timeout` stay, a hundred
 * thousand of them behind a sweep.
 */
function inTime<T>(call: Promise<T>, limit?: AbortController): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const reason = new DOMException(`Redis did not answer within ${CALL_MS / 1000} s.`, 'TimeoutError')
      limit?.abort(reason)
      afterTheClient(() => reject(reason))
    }, CALL_MS)
    // Deno's timers are numbers.
    if (typeof timer === 'object') timer.unref()
    call.then((value) => { clearTimeout(timer); resolve(value) }, (error: unknown) => { clearTimeout(timer); reject(error) })
  })
}

/** Rejects once the signal fires; the call itself goes on, and its outcome is not known. */
export function untilAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => afterTheClient(() => reject(signal.reason))
    signal.addEventListener('abort', giveUp, { once: true })
    const settled = (): void => signal.removeEventListener('abort', giveUp)
    call.then((value) => { settled(); resolve(value) }, (error: unknown) => { settled(); reject(error) })
  })
}

// A client that drops a command since it was not sent yet says so first, which is more than we know.
function afterTheClient(reject: () => void): void {
  setImmediate(reject)
}

function unconfirmed(cause: unknown): SessionError {
  return new SessionError(
    'ERR_SESSION_STORE',
    `Redis refused a change, or to wait for the replicas that should have it (${replyCode(cause) ?? 'unknown error'}). Look whether the client's user may send WAIT; read the session again before you repeat anything.`,
    { cause, outcome: 'unknown' },
  )
}

function tooFewReplicas(acknowledged: number, wanted: number): SessionError {
  return new SessionError(
    'ERR_SESSION_STORE',
    `Only ${acknowledged} of ${wanted} Redis replicas confirmed a change in time, so a failover may lose it. Check the replicas; read the session again before you repeat anything.`,
    { outcome: 'unknown' },
  )
}
