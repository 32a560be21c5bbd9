import { checks, type Check } from './race-checks/all.ts'
import { Application } from './race-checks/application.ts'
import { Gates } from './race-checks/gates.ts'

/** Where the application has the routes of the contract: see docs/scorecard.md. */
export interface RaceRoutes {
  /** `POST ?as=`: logs the visitor in, as the application does it after it has checked a password. Defaults to `/login`. */
  readonly login: string
  /** `POST`: logs the visitor out. Defaults to `/logout`. */
  readonly logout: string
  /** `POST ?key=&value=`: keeps a text in the visitor's session. Defaults to `/write`. */
  readonly write: string
  /** `POST ?key=&value=&gate=`: as `write`, but fetches the address `gate` before it touches the session. Defaults to `/slow`. */
  readonly slow: string
  /** `GET`: answers `{"owner": text or null, "data": {key: value, …}}`. Defaults to `/who`. */
  readonly who: string
}

export interface RacesOptions {
  readonly routes?: Partial<RaceRoutes>
  /** How many requests write at once. From 2. Defaults to 20. */
  readonly requests?: number
  /**
   * The application's store fetches the address behind `hold ` in a value before it saves that value, and fails where the
   * answer does. With it the saves themselves are held; without it two checks look only at what happens by chance. Defaults to false.
   */
  readonly holdsSaves?: boolean
  /** Seconds to wait for a request that a lock of the application holds back. Defaults to 2. */
  readonly patience?: number
}

/** What can go wrong: one line of the card. */
export type RaceFault =
  | 'lost updates' | 'undone logouts' | 'undone logins' | 'revived tokens' | 'tokens kept at login' | 'tokens alive after logout'
  | 'cookies after logout' | 'answers before save' | 'successes without save' | 'anonymous sessions'

export interface Score {
  readonly fault: RaceFault
  /** How often it was seen. */
  readonly seen: number
  /** How often it was tried; 0 where the application gives nothing to try. */
  readonly of: number
}

/** What {@link races} saw. As text it is a table. */
export interface ScoreCard {
  readonly scores: readonly Score[]
  /** Those that were seen at least once. */
  readonly faults: readonly RaceFault[]
  toString(): string
}

const ROUTES: RaceRoutes = { login: '/login', logout: '/logout', write: '/write', slow: '/slow', who: '/who' }

/**
 * Drives an application over HTTP, whatever it is written in, through the moments at which session layers lose writes and
 * undo logouts. Several origins are processes that share their sessions. Rejects when the application breaks the contract of the routes.
 */
export async function races(app: string | URL | readonly string[], { routes = {}, requests = 20, holdsSaves = false, patience = 2 }: RacesOptions = {}): Promise<ScoreCard> {
  const origins = typeof app === 'string' || app instanceof URL ? [String(app)] : app
  const gates = new Gates()
  await gates.start()
  try {
    const application = new Application({ origins, routes: { ...ROUTES, ...routes }, crowd: requests, holdsSaves, patienceMs: patience * 1000, gates })
    await assertContract(application)
    const scores: Score[] = []
    for (const check of checks) scores.push(await scoreOf(check, application))
    return new Card(scores)
  } finally {
    await gates.close()
  }
}

async function scoreOf({ fault, run }: Check, application: Application): Promise<Score> {
  const attempts = await run(application)
  return { fault, seen: attempts.filter((seen) => seen).length, of: attempts.length }
}

async function assertContract(app: Application): Promise<void> {
  const visitor = app.visitor()
  assertThat((await visitor.who()).owner === undefined, 'a stranger is nobody')
  await visitor.login('ada')
  assertThat((await visitor.who()).owner === 'ada', 'after login?as=ada the owner is ada')
  await visitor.write('first', '1')
  assertThat((await visitor.who()).data['first'] === '1', 'after write?key=first&value=1 the data have it')
  const gate = app.gate()
  const slow = visitor.slow('second', '2', gate)
  assertThat(await app.patiently(gate.reached()), 'slow?gate=… fetches the address before it answers')
  gate.open()
  await slow
  assertThat((await visitor.who()).data['second'] === '2', 'after slow?key=second&value=2 the data have it')
  await visitor.logout()
  assertThat((await visitor.who()).owner === undefined, 'after logout nobody is logged in')
  if (app.holdsSaves) await assertHolds(app)
}

async function assertHolds(app: Application): Promise<void> {
  const gate = app.gate()
  const write = app.visitor().writeHeld('held', gate)
  const holds = await app.patiently(gate.reached())
  gate.open()
  await write
  assertThat(holds, 'the store fetches the address behind "hold " before it saves the value')
}

function assertThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The application breaks the contract of races: ${what}. See docs/scorecard.md.`)
}

class Card implements ScoreCard {
  readonly scores: readonly Score[]

  constructor(scores: readonly Score[]) {
    this.scores = scores
  }

  get faults(): readonly RaceFault[] {
    return this.scores.filter(({ seen }) => seen > 0).map(({ fault }) => fault)
  }

  toString(): string {
    const width = Math.max(...this.scores.map(({ fault }) => fault.length))
    return this.scores.map(({ fault, seen, of }) => `${seen > 0 ? 'FAULT' : 'ok   '}  ${fault.padEnd(width)}  ${of === 0 ? 'nothing to try' : `${seen} of ${of}`}`).join('\n')
  }
}
