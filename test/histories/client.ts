import type { AsyncLocalStorage } from 'node:async_hooks'
import type { Session, Sessions } from '../../src/index.ts'
import type { MovableClock } from '../../src/testing/clock.ts'
import { TestExchange } from '../../src/testing/exchange.ts'

/** What a client is about to do. */
export type Plan =
  | { readonly name: 'read' | 'update' | 'leave' | 'take' | 'logout' | 'regenerate' | 'revoke' | 'sweep' }
  | { readonly name: 'delete'; readonly key: string }
  /** `looks` reads the value before it is changed, so that the commit expects it. */
  | { readonly name: 'write'; readonly key: string; readonly looks: boolean }
  | { readonly name: 'login' | 'revokeAll'; readonly owner: string }
  | { readonly name: 'expire' | 'advance'; readonly minutes: number }

/** The session as a request found it. */
export interface View {
  readonly id: string
  readonly owner: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** What a client did, and what it was told. Ticks order everything that happens in a history. */
export interface Deed {
  readonly client: string
  readonly plan: Plan
  /** When it began, when it had read its session and began to change it, and when it was told the result. */
  readonly began: number
  readonly acted: number
  readonly ended: number
  /** When the first store call of the change was made; Infinity: there was none. */
  readonly called: number
  /** By the clock of the sessions. */
  readonly beganAt: number
  readonly endedAt: number
  /** The token that the request carried. */
  readonly token: string | undefined
  /** Undefined: it found no session. */
  readonly saw: View | undefined
  /** The session that it changed, or ended. */
  readonly id: string | undefined
  readonly result: 'ok' | 'gone'
  /** The token that it was given. */
  readonly issued: string | undefined
  /** What it wrote: a value, a counter's new value, a message, or the instant of an expiry. */
  readonly wrote: unknown
  /** The messages that it took. */
  readonly took: readonly unknown[]
}

/** What several tabs of one browser share. */
export interface Jar {
  token: string | undefined
}

/** What all clients of a history share. */
export interface World {
  readonly clock: MovableClock
  readonly deeds: Deed[]
  tick(): number
  /** The change that is under way. */
  readonly change: AsyncLocalStorage<{ called: number }>
}

interface Told {
  readonly id?: string | undefined
  readonly result?: 'ok' | 'gone'
  readonly wrote?: unknown
  readonly took?: readonly unknown[]
}

/** Somebody who does one thing after the other. */
export class Client {
  readonly name: string
  readonly #sessions: Sessions
  readonly #jar: Jar
  readonly #world: World
  #done = 0

  constructor(name: string, { sessions, jar, world }: { readonly sessions: Sessions; readonly jar: Jar; readonly world: World }) {
    this.name = name
    this.#sessions = sessions
    this.#jar = jar
    this.#world = world
  }

  async run(plans: readonly Plan[]): Promise<void> {
    for (const plan of plans) await (isOutside(plan) ? this.#administer(plan) : this.#visit(plan))
  }

  async #administer(plan: Plan): Promise<void> {
    const { tick, clock, deeds } = this.#world
    const [began, beganAt, id] = [tick(), clock(), this.#jar.token?.split('.')[0]]
    if (plan.name === 'revoke' && id !== undefined) await this.#sessions.revoke(id)
    if (plan.name === 'revokeAll') await this.#sessions.revokeAll(plan.owner)
    if (plan.name === 'sweep') await this.#sessions.sweep()
    if (plan.name === 'advance') clock.advance(plan.minutes * 60)
    deeds.push({
      client: this.name, plan, began, acted: began, called: began, ended: tick(), beganAt, endedAt: clock(), token: undefined, saw: undefined,
      id: plan.name === 'revoke' ? id : undefined, result: 'ok', issued: undefined, wrote: undefined, took: [],
    })
  }

  async #visit(plan: Plan): Promise<void> {
    const { tick, clock, deeds, change } = this.#world
    const { token } = this.#jar
    const [began, beganAt] = [tick(), clock()]
    const exchange = new TestExchange({ method: 'POST', headers: token === undefined ? {} : { cookie: `sid=${token}` } })
    const session = await this.#sessions.open(exchange)
    const saw = session.isNew ? undefined : { id: session.id, owner: session.owner, data: plan.name === 'read' ? session.toObject() : {} }
    const acted = tick()
    const under = { called: Infinity }
    const told = await change.run(under, () => this.#act(session, plan))
    const issued = session.token
    await this.#sessions.finish(session)
    deeds.push({ client: this.name, plan, began, acted, called: under.called, ended: tick(), beganAt, endedAt: clock(), token, saw, issued, id: undefined, result: 'ok', wrote: undefined, took: [], ...told })
    this.#take(exchange.setCookies)
  }

  async #act(session: Session, plan: Plan): Promise<Told> {
    // What it had before the change; a session that begins gets its id with it.
    const before = session.isNew ? undefined : session.id
    const changed = async (wrote?: unknown, took: readonly unknown[] = []): Promise<Told> => {
      const result = await session.commit()
      return { result, id: result === 'ok' && (before !== undefined || session.token !== undefined) ? session.id : before, wrote, took }
    }
    switch (plan.name) {
      case 'write': {
        if (plan.looks) session.get(plan.key)
        return changed(session.set(plan.key, `${session.owner ?? 'nobody'}’s ${this.name}${this.#done += 1}`))
      }
      case 'delete': {
        // Of a key that is not there nothing is deleted.
        const isThere = session.has(plan.key)
        session.delete(plan.key)
        return isThere ? changed() : {}
      }
      case 'update': {
        const wrote = await session.update('count', (count) => (typeof count === 'number' ? count : 0) + 1)
        return { result: wrote === 'gone' ? 'gone' : 'ok', id: wrote === 'gone' ? before : session.id, wrote }
      }
      case 'leave': {
        const message = `message ${this.name}${this.#done += 1}`
        session.flash.set('notice', message)
        return changed(message)
      }
      case 'take': return changed(undefined, session.flash.takeAll('notice'))
      case 'login': return { result: (await session.login(plan.owner)) === 'ok' ? 'ok' : 'gone', id: session.id }
      case 'regenerate': return { result: await session.regenerate(), id: before }
      case 'logout': {
        await session.logout()
        return { id: before }
      }
      case 'expire': {
        session.expire(plan.minutes * 60)
        const at = session.expiresAt
        return changed(at)
      }
      default: return { id: before }
    }
  }

  #take(setCookies: readonly string[]): void {
    for (const line of setCookies) this.#jar.token = /max-age=0/i.test(line) ? undefined : /^sid=([^;]*)/.exec(line)?.[1]
  }
}

function isOutside({ name }: Plan): boolean {
  return name === 'revoke' || name === 'revokeAll' || name === 'sweep' || name === 'advance'
}

/** A deed as a line of a list. */
export function lineOf({ client, plan, began, acted, ended, token, saw, id, result, issued, wrote, took }: Deed): string {
  const { name, ...details } = plan
  const parts = [
    `${String(began).padStart(3)}–${acted}–${ended}`, client, name, Object.values(details).join(' '),
    token === undefined ? '' : `with ${short(token)}`, saw === undefined ? '' : `saw ${short(saw.id)} of ${saw.owner ?? 'nobody'} ${JSON.stringify(saw.data)}`,
    wrote === undefined ? '' : `wrote ${JSON.stringify(wrote)}`, took.length === 0 ? '' : `took ${took.join(', ')}`,
    `→ ${result}`, id === undefined ? '' : `on ${short(id)}`, issued === undefined ? '' : `got ${short(issued)}`,
  ]
  return parts.filter((part) => part !== '').join('  ')
}

function short(token: string): string {
  return token.split('.').map((part) => part.slice(0, 4)).join('.')
}
