import { EVENT_NAMES, type SessionEvent, type SessionEventName } from '../../src/core/events.ts'
import type { SessionRecord } from '../../src/core/record.ts'
import { createSessions, memoryStore, type Patch, type Sessions, type SessionsOptions, type Store, type TokenHandout, type Transport } from '../../src/index.ts'
import { holdable, type HoldableStore } from '../../src/testing/race-kit.ts'
import { Visitor } from './visitor.ts'

/** What the tests of the core keep in a session. */
export interface Data { n: number; note: string; userId: number; list: string[] }

/** Sessions in memory of which everything is seen: each call to the store, each patch, each event. */
export interface Watched {
  readonly sessions: Sessions<Data>
  /** Holds a call, or counts the calls. */
  readonly held: HoldableStore
  readonly store: Store
  /** In their order, without `now` and the nonce. */
  readonly patches: Omit<Patch, 'now' | 'nonce'>[]
  readonly created: SessionRecord[]
  /** The events of some names, or all of them, in their order. */
  told(...names: readonly SessionEventName[]): readonly (readonly [SessionEventName, SessionEvent])[]
  forget(): void
  visitor(cookie?: string): Visitor<Data>
  /** Another manager, as of another process, on the same store. */
  elsewhere(options?: SessionsOptions<Data>): Sessions<Data>
  advance(seconds: number): void
  now(): number
}

export function watched(options: SessionsOptions<Data> = {}, memory: Store = memoryStore()): Watched {
  let now = 1_700_000_000_000
  const patches: Omit<Patch, 'now' | 'nonce'>[] = []
  const created: SessionRecord[] = []
  const events: [SessionEventName, SessionEvent][] = []
  const held = holdable(memory)
  const store: Store = {
    ...held,
    create(id, record) {
      created.push(record)
      return held.create(id, record)
    },
    patch(id, patch, settings) {
      const { now: _now, nonce: _nonce, ...rest } = patch
      patches.push(rest)
      return held.patch(id, patch, settings)
    },
  }
  const given: SessionsOptions<Data> = { clock: () => now, sweepEvery: 'never', index: ['userId'], ...options }
  const sessions = createSessions<Data>({ store, ...given })
  for (const name of EVENT_NAMES) sessions.on(name, (event) => { events.push([name, event]) })
  return {
    sessions, held, store, patches, created,
    told: (...names) => events.filter(([name]) => names.length === 0 || names.includes(name)),
    forget() {
      events.length = 0
      patches.length = 0
      created.length = 0
      held.forgetCalls()
    },
    visitor: (cookie) => new Visitor<Data>(sessions, cookie),
    elsewhere: (others = {}) => createSessions<Data>({ store, ...given, ...others }),
    advance(seconds) { now += seconds * 1000 },
    now: () => now,
  }
}

/** A transport that takes the token from a header and keeps what it is told to hand out. */
export function headerTransport(facts: Partial<Transport> = {}): { readonly transport: Transport; readonly handouts: TokenHandout[]; settled(): number } {
  const handouts: TokenHandout[] = []
  let settled = 0
  const transport: Transport = {
    read: (exchange) => exchange.header('x-token')?.split(',') ?? [],
    write: (_exchange, handout) => { handouts.push(handout) },
    settle: () => { settled += 1 },
    ...facts,
  }
  return { transport, handouts, settled: () => settled }
}
