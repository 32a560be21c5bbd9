import { strict as assert } from 'node:assert'
import type { Sessions } from '../../core/sessions.ts'
import type { Awaitable } from '../../core/store.ts'
import { createSessions, type SessionsOptions } from '../../index.ts'
import { browser, type Browser, type Page } from '../browser.ts'
import { movableClock } from '../clock.ts'
import type { AdapterFixture, Reply, RunningApp, Visit } from '../describe-adapter.ts'
import { trialStore, type TrialStore } from './trial-store.ts'
import { send, type Answer, type Sent, type WireRequest } from './wire.ts'

/** What an adapter, or the framework it fits, may offer beyond a session. */
export type AdapterCapability = 'second' | 'node-response' | 'late'

/** One rule of the contract, shown on one adapter. */
export interface AdapterCase {
  /** The rule as a fact. */
  readonly title: string
  readonly needs?: readonly AdapterCapability[]
  /** It holds calls of the store, so it says nothing about a store that answers at once. */
  readonly slowStoreOnly?: boolean
  run(trial: Trial): Promise<void>
}

export interface Trial {
  /** Starts an application with this handler, or with one for each path. */
  site(handler: Handler | Readonly<Record<string, Handler>>, options?: SiteOptions): Promise<Site>
}

export interface SiteOptions extends Omit<SessionsOptions<Record<string, unknown>>, 'store' | 'clock'> {
  /** Let the adapter commit once more when the body ends. */
  readonly late?: boolean
}

/** What a case lets the application answer: the parts of a reply that differ from an empty 200, or its text. */
export type Handler = (visit: Visit) => Awaitable<Partial<Reply> | string | void>

/** A running application, and what a case needs to know about its inside. */
export interface Site {
  readonly origin: string
  readonly sessions: Sessions
  readonly store: TrialStore
  /** What the handlers threw. */
  readonly thrown: readonly unknown[]
  /** A new visitor. */
  visitor(): Browser
  /** Sends a request that can be watched. The cookies are those of the visitor, when there is one. */
  send(path: string, request?: WireRequest & { readonly visitor?: Browser }): Sent
  /** Sends a request and waits for the answer. */
  ask(path: string, request?: WireRequest & { readonly visitor?: Browser }): Promise<Answer>
  /** Moves the clock of the sessions: seconds, or text such as `"30 minutes"`. */
  advance(duration: number | string): void
  /** Resolves when the application has answered other visitors: whatever it wanted to send before has been sent and has arrived. */
  quiet(): Promise<void>
}

export interface TrialOptions {
  readonly http2: boolean
  readonly answersAtOnce: boolean
}

/** Runs one case and stops every application that it started. */
export async function runAdapterCase(one: AdapterCase, start: (fixture: AdapterFixture) => Awaitable<RunningApp>, options: TrialOptions): Promise<void> {
  const stops: (() => Awaitable<void>)[] = []
  try {
    await one.run({ site: (handler, siteOptions) => openSite(handler, siteOptions ?? {}, start, options, stops) })
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

const QUIET = '/-quiet'

async function openSite(
  handler: Handler | Readonly<Record<string, Handler>>, { late = false, ...siteOptions }: SiteOptions, start: (fixture: AdapterFixture) => Awaitable<RunningApp>,
  { http2, answersAtOnce }: TrialOptions, stops: (() => Awaitable<void>)[],
): Promise<Site> {
  const clock = movableClock()
  const store = trialStore(answersAtOnce)
  // Long enough for a busy machine: cases hold calls, and none is to end by itself.
  const common = { clock, sweepEvery: 'never', storeTimeout: 60 } as const
  const sessions = createSessions({ ...common, store, ...siteOptions })
  const second = createSessions({ ...common, cookie: { name: 'second' } })
  const thrown: unknown[] = []
  const answer = async (visit: Visit): Promise<Reply> => {
    const { pathname } = new URL(visit.url, 'http://localhost')
    const chosen = pathname === QUIET ? () => {} : typeof handler === 'function' ? handler : handler[pathname]
    try {
      const reply = (await chosen?.(visit)) ?? {}
      return { status: 200, headers: [], body: undefined, ...(typeof reply === 'string' ? { body: reply } : reply) }
    } catch (error) {
      thrown.push(error)
      throw error
    }
  }
  const app = await start({ sessions, second, answer, late })
  stops.push(() => sessions.close(), () => second.close(), () => app.close())
  const sendTo: Site['send'] = (path, { visitor, ...request } = {}) => {
    const cookie = visitor?.cookieHeader(path)
    return send(new URL(path, app.origin), { ...request, headers: { ...(cookie !== undefined && { cookie }), ...request.headers } }, http2)
  }
  return {
    origin: app.origin, sessions, store, thrown,
    visitor: () => browser((request) => fetchOver(request, http2), { clock, origin: app.origin }),
    send: sendTo,
    ask: (path, request) => sendTo(path, request).answer,
    advance: (duration) => clock.advance(duration),
    async quiet() {
      for (let round = 0; round < 3; round += 1) assert.equal((await sendTo(QUIET).answer).status, 200)
    },
  }
}

async function fetchOver(request: Request, http2: boolean): Promise<Response> {
  const text = await request.text()
  const { status, headers, body } = await send(new URL(request.url), {
    method: request.method, headers: Object.fromEntries(request.headers), ...(text !== '' && { body: text }),
  }, http2).answer
  const hasBody = ![204, 205, 304].includes(status)
  return new Response(hasBody ? body : null, { status, headers: headers.map(([name, value]): [string, string] => [name, value]) })
}

/** A gate for a handler to wait at. */
export class Latch {
  readonly opened: Promise<void>
  readonly reached: Promise<void>
  #open: () => void = () => {}
  #reach: () => void = () => {}

  constructor() {
    this.opened = new Promise((resolve) => { this.#open = resolve })
    this.reached = new Promise((resolve) => { this.#reach = resolve })
  }

  /** Says that the handler is here, and waits. */
  wait(): Promise<void> {
    this.#reach()
    return this.opened
  }

  open(): void {
    this.#open()
  }
}

export function assertStatus({ status }: Answer | Page, expected: number): void {
  assert.equal(status, expected)
}

export function assertFailed(answer: Answer): void {
  assert.ok(answer.status >= 500 && answer.status <= 599, `the status is ${answer.status}, not one of 500 to 599`)
}

/** The names of the cookies that a response sets. */
export function cookieNames({ setCookies }: Answer | Page): string[] {
  return setCookies.map((header) => header.slice(0, header.indexOf('=')))
}

/** The name of the session's cookie over plain http. */
export const SESSION_COOKIE = 'sid'

export function assertNoSessionCookie(answer: Answer | Page): void {
  assert.deepEqual(cookieNames(answer).filter((name) => name === SESSION_COOKIE), [], 'no session cookie is sent')
}

export function assertSessionCookie(answer: Answer | Page): void {
  assert.equal(cookieNames(answer).filter((name) => name === SESSION_COOKIE).length, 1, 'one session cookie is sent')
}
