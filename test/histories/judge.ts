import type { Deed } from './client.ts'

/** A session as it is when every client is done. */
export interface Rest {
  readonly owner: string | undefined
  readonly data: Readonly<Record<string, unknown>>
  readonly messages: readonly unknown[]
  /** Those of its tokens that still open it. */
  readonly tokens: readonly string[]
}

/** All that is known of a history. */
export interface Story {
  readonly deeds: readonly Deed[]
  /** By id; undefined: it lives no more. */
  readonly rest: ReadonlyMap<string, Rest | undefined>
  /** The events `conflict`. */
  readonly conflicts: readonly { readonly id?: string; readonly key?: string }[]
  /** The clock at the end. */
  readonly now: number
}

/** The end of a history: after every tick. */
const END = Infinity

/**
 * What is allowed: each acknowledged change took place in one moment between its beginning and its end, and each session
 * goes from one change to the next until it ends. Throws at what no such order explains.
 */
export function judge(story: Story): void {
  for (const deed of story.deeds) judgeDeed(deed, story)
  for (const [id, rest] of story.rest) judgeRest(new Account(id, story), rest, story)
}

function judgeDeed(deed: Deed, story: Story): void {
  const { token, saw, plan, result } = deed
  const must = (holds: boolean, what: string): void => assertThat(holds, `${deed.client}’s ${plan.name} at ${deed.began} ${what}`)
  if (plan.name === 'login' && result === 'gone') must(story.deeds.some((other) => isRevocationOf(other, plan.owner) && overlap(other, deed)), 'was undone without a revocation')
  if (token === undefined) return
  const account = new Account(idOf(token), story)
  if (saw === undefined) return must(account.mayHaveEnded(deed.acted, deed.endedAt) || account.mayHaveRotated(token, deed.acted), 'found no session, and it was there')
  must(!account.hasEnded(deed.began, deed.beganAt), 'saw a session that had ended')
  must(!account.hadRotated(token, deed.began), 'saw a session under a token that had been replaced')
  must(account.mayHaveOwner(saw.owner, deed.began, deed.acted), `saw the owner ${saw.owner}`)
  if (plan.name === 'read') {
    must(account.fits(saw, deed.began, deed.acted), 'saw data that nobody can have left like this')
  }
  if (result === 'gone' && plan.name !== 'login') must(account.mayHaveEnded(deed.ended, deed.endedAt) || account.mayHaveRotated(token, deed.ended), 'was refused, and the session was there')
  if (result === 'ok' && deed.id === saw.id && isChange(deed)) {
    must(!account.hasEndedBefore(deed.called), 'changed a session that had ended')
    must(!account.hadRotated(token, deed.called), 'changed a session under a token that had been replaced')
  }
}

function judgeRest(account: Account, rest: Rest | undefined, { now, conflicts }: Story): void {
  const must = (holds: boolean, what: string): void => assertThat(holds, `session ${account.id.slice(0, 4)} ${what}: ${JSON.stringify(rest)}`)
  must(new Set(account.counts).size === account.counts.length, 'counted one number twice')
  if (account.hasEnded(END, now)) return must(rest === undefined, 'had ended and lives')
  if (rest === undefined) return must(account.mayHaveEnded(END, now), 'is not there, and nobody ended it')
  must(account.mayHaveOwner(rest.owner, END, END), 'has an owner who did not log in last')
  must(account.fits(rest, END, END), 'has lost a write, or has one too many')
  must(rest.tokens.length === 1 && rest.tokens.every((token) => account.mayBeCurrent(token)), 'does not have the newest token, and that alone')
  const lost = account.messages.filter((message) => account.takersOf(message).length === 0 && !rest.messages.includes(message))
  must(lost.length === 0, `has lost ${lost.join()}`)
  must(rest.messages.every((message) => account.messages.includes(message) && account.takersOf(message).length === 0), 'has a message that was taken')
  const again = account.messages.reduce((sum: number, message) => sum + Math.max(0, account.takersOf(message).length - 1), 0)
  const told = conflicts.filter(({ id, key }) => id === account.id && key?.startsWith('f:') === true).length
  must(again <= told, 'has shown a message twice, and no event says so')
}

/** What the deeds say of one session. */
class Account {
  readonly id: string
  readonly #deeds: readonly Deed[]
  readonly #changes: readonly Deed[]

  constructor(id: string, { deeds }: Story) {
    this.id = id
    this.#deeds = deeds
    this.#changes = deeds.filter((deed) => deed.id === id && deed.result === 'ok' && isChange(deed))
  }

  /** The results of `update`. */
  get counts(): readonly unknown[] {
    return this.#changes.filter(({ plan }) => plan.name === 'update').map(({ wrote }) => wrote)
  }

  get messages(): readonly unknown[] {
    return this.#changes.filter(({ plan }) => plan.name === 'leave').map(({ wrote }) => wrote)
  }

  takersOf(message: unknown): readonly Deed[] {
    return this.#changes.filter(({ took }) => took.includes(message))
  }

  /** Something that ended it was acknowledged before this tick, or its own deadline has passed whichever of them counts, those under way as well. */
  hasEnded(tick: number, now: number): boolean {
    if (this.hasEndedBefore(tick)) return true
    const expiries = this.#changes.filter(({ plan }) => plan.name === 'expire')
    const deadlines = expiries.filter((deed) => deed.acted < tick && !expiries.some((other) => other.called >= deed.ended && other.ended <= tick))
    return deadlines.some(({ ended }) => ended <= tick) && deadlines.every(({ wrote }) => Number(wrote) <= now)
  }

  /** Something that ended it was acknowledged before this tick, or somebody who came with its newest token was told that it has ended. */
  hasEndedBefore(tick: number): boolean {
    return this.#deeds.some((deed) => deed.ended <= tick && (this.#ends(deed) || this.#missed(deed)))
  }

  #missed({ token, saw, acted }: Deed): boolean {
    return token !== undefined && saw === undefined && idOf(token) === this.id && !this.mayHaveRotated(token, acted)
  }

  /** Something that could end it had begun before this tick. */
  mayHaveEnded(tick: number, now: number): boolean {
    return this.#deeds.some((deed) => deed.began < tick && (this.#ends(deed) || this.#mayEnd(deed, now)))
  }

  /** Another deed replaced this token, and that was acknowledged before this tick. */
  hadRotated(token: string, tick: number): boolean {
    return this.#rotations().some((deed) => deed.token === token && deed.ended <= tick)
  }

  /** Another deed may have replaced the token before this tick. */
  mayHaveRotated(token: string, tick: number): boolean {
    const issue = this.#deeds.find(({ issued }) => issued === token)
    return this.#deeds.some((deed) => deed !== issue && deed.saw?.id === this.id && isRotation(deed) && deed.began < tick && deed.ended > (issue?.began ?? 0))
  }

  mayBeCurrent(token: string): boolean {
    const rotations = this.#rotations()
    const issue = this.#changes.find(({ issued }) => issued === token)
    return issue !== undefined && !rotations.some((deed) => deed !== issue && deed.called >= issue.ended)
  }

  mayHaveOwner(owner: string | undefined, from: number, to: number): boolean {
    const logins = this.#changes.filter(({ plan }) => plan.name === 'login')
    if (owner === undefined) return !logins.some(({ ended }) => ended <= from)
    return logins.some(({ plan, began }) => plan.name === 'login' && plan.owner === owner && began < to)
  }

  /** Whether these can be the data of some moment between the two ticks. */
  fits({ owner, data }: Pick<Rest, 'owner' | 'data'>, from: number, to: number): boolean {
    const { count, ...values } = data
    const updates = this.#changes.filter(({ plan }) => plan.name === 'update')
    const counted = typeof count === 'number' ? count : 0
    if (counted < updates.filter(({ ended }) => ended <= from).length || counted > updates.filter(({ called }) => called < to).length) return false
    // Each value names the owner in whose time it was written.
    if (Object.values(values).some((value) => !['nobody', owner].includes(String(value).split('’')[0]))) return false
    const keys = new Set([...Object.keys(values), ...this.#changes.flatMap(({ plan }) => ('key' in plan ? [plan.key] : []))])
    return [...keys].every((key) => this.#mayHold(key, values[key], from, to))
  }

  #mayHold(key: string, value: unknown, from: number, to: number): boolean {
    const writes = this.#changes.filter(({ plan }) => 'key' in plan && plan.key === key)
    const latest = this.#latest(writes, from, to)
    const mayBeAbsent = !writes.some(({ ended }) => ended <= from)
    return (value === undefined && mayBeAbsent) || latest.some(({ wrote }) => wrote === value)
  }

  /** Those that may be the latest between the two ticks: no other began when they were done and was done itself before. */
  #latest(deeds: readonly Deed[], from: number, to: number): readonly Deed[] {
    return deeds.filter((deed) => deed.called < to && !deeds.some((other) => other.called >= deed.ended && other.ended <= from))
  }

  #rotations(): readonly Deed[] {
    return this.#changes.filter((deed) => isRotation(deed) && deed.saw?.id === this.id)
  }

  #ends({ plan, id, saw, result, began }: Deed): boolean {
    if (plan.name === 'logout' || plan.name === 'revoke') return id === this.id
    if (plan.name === 'login') return (result === 'gone' && id === this.id) || (saw?.id === this.id && saw.owner !== undefined && saw.owner !== plan.owner)
    if (plan.name !== 'revokeAll') return false
    // Who began to log in before the revocation has authenticated with what is no longer valid.
    return this.#changes.some((login) => login.plan.name === 'login' && login.plan.owner === plan.owner && login.called < began)
  }

  #mayEnd({ plan, id, result, wrote }: Deed, now: number): boolean {
    if (plan.name === 'expire') return id === this.id && result === 'ok' && Number(wrote) <= now
    return plan.name === 'revokeAll' && this.#deeds.some((login) => login.plan.name === 'login' && login.id === this.id && login.plan.owner === plan.owner)
  }
}

function isRotation({ plan }: Deed): boolean {
  return plan.name === 'regenerate' || plan.name === 'login'
}

/** It changed something, rather than finding nothing to change. */
function isChange({ plan, id, took }: Deed): boolean {
  if (plan.name === 'take') return took.length > 0
  return id !== undefined && ['write', 'delete', 'update', 'leave', 'login', 'regenerate', 'expire'].includes(plan.name)
}

function isRevocationOf({ plan }: Deed, owner: string): boolean {
  return plan.name === 'revokeAll' && plan.owner === owner
}

function overlap(one: Deed, other: Deed): boolean {
  return one.began < other.ended && other.began < one.ended
}

export function idOf(token: string): string {
  return token.split('.')[0] ?? ''
}

function assertThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
