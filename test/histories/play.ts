import { AsyncLocalStorage } from 'node:async_hooks'
import { createSessions, type SessionEvent, type Sessions, type SessionsOptions, type Store } from '../../src/index.ts'
import { movableClock } from '../../src/testing/clock.ts'
import { numbersFrom, pick, type Numbers } from '../../src/testing/store-cases/numbers.ts'
import { ALL_CALLS, everyOrder, inOrderOf, type Scenario, type Stepped } from '../stores/interleavings.ts'
import { Client, lineOf, type Deed, type Jar, type Plan, type World } from './client.ts'
import { idOf, judge, type Rest } from './judge.ts'

/** Who does what. */
export interface Cast {
  /** Seconds until the next touch is due; 0 makes a touch of every commit. */
  readonly touchAfter: number
  /** Done before the others begin. */
  readonly before: readonly Plan[]
  readonly clients: readonly { readonly plans: readonly Plan[]; /** Which jar it uses; each begins with the token of before. */ readonly jar: number; readonly manager: number }[]
}

// Two days ago, so that what is past by this clock is past by a server's own.
const START = Date.now() - 2 * 86_400_000

/** Plays the history of a seed, in the order of a seed. Throws with the list of what happened. */
export async function playSeed(store: Store, seed: number): Promise<void> {
  const numbers = numbersFrom(seed)
  const cast = randomCast(numbers)
  // How readily a client is interrupted.
  const stay = numbers(4)
  let last: number | undefined
  const choose = (enabled: readonly number[]): number | undefined => {
    if (last === undefined || !enabled.includes(last) || numbers(4) >= stay) last = pick(numbers, enabled)
    return last
  }
  try {
    await inOrderOf(choose, scenario(store, cast), ALL_CALLS)
  } catch (cause) {
    throw new Error(`A history failed. Play it again with --seed ${seed} --count 1.\n${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Plays a history in every order of its store calls; answers how many there are. `fresh` gives each a store. */
export function playEveryOrder(fresh: () => Store, cast: Cast): Promise<number> {
  return everyOrder(Infinity, (stepped) => scenario(fresh(), cast)(stepped), ALL_CALLS)
}

/** Sets a history up, for each run anew. */
function scenario(store: Store, { touchAfter, before, clients }: Cast): (stepped: Stepped) => Promise<Scenario> {
  return async (stepped) => {
    const clock = movableClock(START)
    const deeds: Deed[] = []
    let ticks = 0
    const world: World = { clock, deeds, tick: () => (ticks += 1), change: new AsyncLocalStorage() }
    const conflicts: SessionEvent[] = []
    const methods = noting(store, () => {
      const change = world.change.getStore()
      if (change !== undefined) change.called = Math.min(change.called, world.tick())
    })
    const managers = Array.from({ length: 1 + Math.max(0, ...clients.map(({ manager }) => manager)) }, () => managerOf({ store: stepped(methods), clock, touchAfter }, conflicts))
    const [first] = managers
    if (first === undefined) throw new Error('There is no manager.')
    const jar: Jar = { token: undefined }
    await new Client('before', { sessions: first, jar, world }).run(before)
    const jars = clients.map((): Jar => ({ token: jar.token }))
    const programs = clients.map(({ plans, jar: place, manager }, n) => {
      const client = new Client(String.fromCharCode(65 + n), { sessions: managers[manager] ?? first, jar: jars[place] ?? jar, world })
      return () => client.run(plans)
    })
    const check = async (): Promise<void> => {
      try {
        judge({ deeds, conflicts, now: clock(), rest: await restOf(first, deeds) })
      } catch (cause) {
        throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${deeds.toSorted((one, other) => one.began - other.began).map(lineOf).join('\n')}`, { cause })
      }
    }
    return { programs, check }
  }
}

function managerOf(options: Pick<SessionsOptions<Record<string, unknown>>, 'store' | 'clock' | 'touchAfter'>, conflicts: SessionEvent[]): Sessions {
  // Nothing but its own expiry ends a session by time.
  const sessions = createSessions({ ...options, cookie: { name: 'sid' }, idleTimeout: '1 day', absoluteTimeout: 'never', sweepEvery: 'never', storeTimeout: 60 })
  sessions.on('conflict', (event) => { conflicts.push(event) })
  return sessions
}

/** The methods that do not belong to one manager; `note` is called at each call. */
function noting(store: Store, note: () => void): Store {
  const noted = <T>(call: () => T): T => (note(), call())
  return {
    read: (id, options) => noted(() => store.read(id, options)),
    create: (id, record) => noted(() => store.create(id, record)),
    patch: (id, patch, options) => noted(() => store.patch(id, patch, options)),
    end: (id, because, at) => noted(() => store.end(id, because, at)),
    find: (term) => store.find?.(term) ?? nothing(),
    sweep: (what, limit) => store.sweep?.(what, limit) ?? 0,
  }
}

async function* nothing(): AsyncIterable<string> {}

async function restOf(sessions: Sessions, deeds: readonly Deed[]): Promise<ReadonlyMap<string, Rest | undefined>> {
  const tokens = deeds.flatMap(({ issued }) => issued ?? [])
  const ids = new Set([...tokens.map(idOf), ...deeds.flatMap(({ id, saw }) => [id, saw?.id]).filter((id) => id !== undefined)])
  const rest = new Map<string, Rest | undefined>()
  for (const id of ids) {
    const session = await sessions.load({ id }, { fresh: true })
    if (session === undefined) {
      rest.set(id, undefined)
      continue
    }
    const working: string[] = []
    for (const token of tokens) if (idOf(token) === id && (await sessions.load(token)) !== undefined) working.push(token)
    rest.set(id, { owner: session.owner, data: session.toObject(), messages: session.flash.takeAll('notice'), tokens: working })
  }
  return rest
}

const KEYS = ['one', 'two']
const OWNERS = ['ada', 'bob']

/** Every kind of thing that a client does, each with how often it does it. */
const PLANS: readonly (readonly [times: number, make: (numbers: Numbers) => Plan])[] = [
  [3, () => ({ name: 'read' })],
  [5, (numbers) => ({ name: 'write', key: pick(numbers, KEYS), looks: numbers(2) === 0 })],
  [1, (numbers) => ({ name: 'delete', key: pick(numbers, KEYS) })],
  [3, () => ({ name: 'update' })],
  [2, () => ({ name: 'leave' })],
  [3, () => ({ name: 'take' })],
  [3, (numbers) => ({ name: 'login', owner: pick(numbers, OWNERS) })],
  [1, () => ({ name: 'logout' })],
  [2, () => ({ name: 'regenerate' })],
  [2, (numbers) => ({ name: 'expire', minutes: pick(numbers, [10, 60]) })],
  [1, () => ({ name: 'revoke' })],
  [1, (numbers) => ({ name: 'revokeAll', owner: pick(numbers, OWNERS) })],
  [1, () => ({ name: 'sweep' })],
  [2, (numbers) => ({ name: 'advance', minutes: pick(numbers, [11, 61]) })],
]

const DECK = PLANS.flatMap(([times, make]) => Array.from({ length: times }, () => make))

function randomPlan(numbers: Numbers): Plan {
  return pick(numbers, DECK)(numbers)
}

function randomCast(numbers: Numbers): Cast {
  const count = 2 + numbers(3)
  const isShared = numbers(2) === 0
  return {
    touchAfter: numbers(2) * 60,
    before: [
      ...(numbers(4) === 0 ? [] : [{ name: 'write', key: 'one', looks: false } as const]),
      ...(numbers(2) === 0 ? [] : [{ name: 'login', owner: pick(numbers, OWNERS) } as const]),
      ...(numbers(3) === 0 ? [{ name: 'leave' } as const] : []),
    ],
    clients: Array.from({ length: count }, (_, n) => ({
      plans: Array.from({ length: 1 + numbers(count === 2 ? 4 : 3) }, () => randomPlan(numbers)),
      jar: numbers(count),
      manager: isShared ? 0 : n,
    })),
  }
}
