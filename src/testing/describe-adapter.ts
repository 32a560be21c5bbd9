import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import { adapterCases } from './adapter-cases/all.ts'
import { runAdapterCase, type AdapterCapability, type AdapterCase } from './adapter-cases/trial.ts'
import type { Runner } from './describe-store.ts'

/** A request, as the application under test hands it to the contract. */
export interface Visit {
  readonly method: string
  /** Path and query, as sent. */
  readonly url: string
  /** The session as the framework gives it: `request.session`, `c.var.session`. */
  readonly session: Session
  /** The session of the second manager. Leave it out where the adapter lacks `second`. */
  readonly second?: Session
  /** Reads the whole body of the request. */
  text(): Promise<string>
}

/** What the application has to answer. */
export interface Reply {
  readonly status: number
  /** Headers in order. `set-cookie` may be there several times. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Text to be sent at once, or chunks to be streamed: each is asked for when the one before has been taken. Undefined: no body. */
  readonly body: string | AsyncIterable<string> | undefined
  /** Present when the case answers on Node's own response: call it with that, do nothing else, and hand on what it throws. Never present where the adapter lacks `node-response`. */
  readonly onNode?: (response: NodeResponseUnderTest) => Awaitable<void>
}

/** Node's response, of node:http or of node:http2. */
export interface NodeResponseUnderTest {
  statusCode: number
  readonly headersSent: boolean
  readonly writableEnded: boolean
  readonly writableNeedDrain: boolean
  setHeader(name: string, value: string | string[]): unknown
  // Their several signatures are what the cases are about.
  writeHead(...args: readonly unknown[]): unknown
  write(...args: readonly unknown[]): boolean
  end(...args: readonly unknown[]): unknown
  flushHeaders?(): void
  once(event: 'drain' | 'finish' | 'close', listener: () => void): unknown
}

/** What an application under test is made of: one handler for every method and path, behind the adapter. */
export interface AdapterFixture {
  /** Mount it under the adapter's usual name. */
  readonly sessions: Sessions
  /** Mount it beside the first, under another name. It makes no difference to a request that does not use it. */
  readonly second: Sessions
  /** The adapter is to commit once more when the body of a response ends: `{ late: true }`. Never true where the adapter lacks `late`. */
  readonly late: boolean
  /** Resolves to what is to be answered. When it rejects, let the framework make of it what it makes of any error. */
  answer(visit: Visit): Promise<Reply>
}

/** An application that listens on a socket of this machine. */
export interface RunningApp {
  /** Such as `http://127.0.0.1:41234`. */
  readonly origin: string
  /** Stops listening and closes every connection. */
  close(): Awaitable<void>
}

export interface DescribeAdapterOptions {
  /**
   * What the adapter does not offer: `second` a second manager in the same application, `node-response` Node's own
   * response behind the framework's, `late` a commit at the end of a body. Its cases are left out, and the title says so.
   */
  readonly lacks?: readonly AdapterCapability[]
  /** Talk HTTP/2 (without TLS, with prior knowledge) to the application. Defaults to false. */
  readonly http2?: boolean
}

/**
 * Declares one test for each rule that every adapter obeys (docs/writing-an-adapter.md). `start` is called for each case.
 * Each rule that does not need a slow store is tested with one that answers at once, too.
 */
export function describeAdapter(runner: Runner, name: string, start: (fixture: AdapterFixture) => Awaitable<RunningApp>, options: DescribeAdapterOptions = {}): void {
  const { lacks = [], http2 = false } = options
  const fits = (one: AdapterCase): boolean => !one.needs?.some((capability) => lacks.includes(capability))
  runner.describe(lacks.length === 0 ? name : `${name} (without ${lacks.join(', ')})`, () => {
    for (const one of adapterCases.filter(fits)) {
      runner.it(one.title, () => runAdapterCase(one, start, { http2, answersAtOnce: false }))
      if (one.slowStoreOnly !== true) runner.it(`${one.title}, with a store that answers at once`, () => runAdapterCase(one, start, { http2, answersAtOnce: true }))
    }
  })
}
