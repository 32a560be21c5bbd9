import { decodeValue, encodeValue } from '../../core/codec.ts'
import { isSessionError } from '../../core/errors.ts'
import { settledResult } from '../../core/internal/build-patch.ts'
import { undoLogin } from '../../core/internal/identity.ts'
import { entryTerm } from '../../core/internal/index-terms.ts'
import type { Life } from '../../core/internal/life.ts'
import { OWNER } from '../../core/internal/namespaces.ts'
import { firstRecord } from '../../core/internal/records.ts'
import { contended } from '../../core/internal/refusals.ts'
import { startedAt } from '../../core/internal/resolve.ts'
import type { Patch } from '../../core/patch.ts'
import { isLive, makeEntries, type SessionId, type SessionRecord } from '../../core/record.ts'
import type { SecurityHooks } from '../../core/security.ts'
import { derivedId } from '../../core/token.ts'

export interface SeatOptions {
  /** How many sessions an owner may have. */
  readonly max: number
  readonly onLimit: 'refuse' | 'end-oldest'
}

/** One session of an owner, or a login that is under way. */
interface Seat {
  /** Absent while the login is under way. */
  readonly id?: SessionId
  /** Names the login. */
  readonly login: string
  /** When the login began, milliseconds since the epoch. */
  readonly at: number
}

/**
 * Counts the sessions of an owner in one record, which each login changes by compare-and-set: it claims a seat, makes its session, and
 * confirms the seat. A seat is taken from a session only once that has ended for good, and a login whose claim was taken meanwhile
 * undoes itself. So on an atomic store no two logins, of any processes, come to more sessions than there are seats.
 */
export function limitedLogin(options: SeatOptions): NonNullable<SecurityHooks['aroundLogin']> {
  return async (life, owner, attach) => {
    const roster = new Roster(life, owner, options)
    if (!(await roster.claim())) return 'refused'
    const result = await attach().catch(async (error: unknown) => {
      await roster.release()
      throw error
    })
    if (result === 'gone') {
      await roster.release()
      return 'gone'
    }
    return confirmed(life, roster)
  }
}

// Until the seat is confirmed, nobody has the token.
async function confirmed(life: Life, roster: Roster): Promise<'ok' | 'gone'> {
  try {
    if (await roster.confirm(life.id)) return 'ok'
  } catch (error) {
    await undoLogin(life)
    throw error
  }
  await undoLogin(life)
  return 'gone'
}

const SEATS = 'm:seats'
const DAY_MS = 86_400_000
// Longer than any login can take: each of its store calls is limited in time. Only how soon a crashed login is forgotten hangs on it.
const CLAIM_AGE_MS = 60_000
// At every attempt one of the competitors gets through.
const MAX_ATTEMPTS = 400

class Roster {
  readonly #life: Life
  readonly #owner: string
  readonly #options: SeatOptions
  readonly #id: SessionId
  readonly #login: string

  constructor(life: Life, owner: string, options: SeatOptions) {
    this.#life = life
    this.#owner = owner
    this.#options = options
    this.#id = derivedId('seats', owner)
    this.#login = life.core.nextNonce()
  }

  /** False when there is no seat to be had. */
  async claim(): Promise<boolean> {
    // The seat of this very session is kept for it, or a login that fails would leave a session without a seat.
    const { status, id } = this.#life
    const own = status === 'live' ? id : undefined
    return this.#change(async (seats) => {
      const others = await this.#withRoom(seats.filter((seat) => seat.id === undefined || seat.id !== own))
      if (others === undefined) return undefined
      return [...others, ...seats.filter((seat) => seat.id !== undefined && seat.id === own), { login: this.#login, at: this.#life.core.now() }]
    })
  }

  /** False when somebody else has taken the seat. */
  confirm(id: SessionId): Promise<boolean> {
    return this.#change(async (seats) => {
      const claim = seats.find((seat) => seat.login === this.#login)
      if (claim === undefined) return undefined
      // The seat that was kept for this session is one too many when the login had to make another session.
      const others = await this.#withRoom(seats.filter((seat) => seat !== claim && seat.id !== id))
      return others === undefined ? undefined : [...others, { ...claim, id }]
    })
  }

  /** Gives the claim back. A failure is none: an old claim is forgotten. */
  async release(): Promise<void> {
    await this.#change(async (seats) => seats.filter((seat) => seat.login !== this.#login)).catch(() => false)
  }

  /** One compare-and-set of the list, until it goes through. False when `next` gives none. */
  async #change(next: (seats: readonly Seat[]) => Promise<readonly Seat[] | undefined>): Promise<boolean> {
    const { core } = this.#life
    let record = await this.#read()
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const basis = record.entries[SEATS] ?? null
      const seats = await next(seatsFrom(basis))
      if (seats === undefined) return false
      const now = core.now()
      const patch: Patch = { now, nonce: core.nextNonce(), set: [[SEATS, encodeValue(seats)]], expect: [[SEATS, basis]], touchedAt: now, expiresAt: this.#deadline(now) }
      const result = settledResult(await core.store.patch(this.#id, patch), patch)
      if (result.status === 'ok') return true
      record = result.status === 'conflict' ? result.record : await this.#read()
    }
    throw contended()
  }

  /** Those that keep their seats when one more comes; undefined when nobody may. */
  async #withRoom(seats: readonly Seat[]): Promise<readonly Seat[] | undefined> {
    const { max, onLimit } = this.#options
    if (seats.length < max) return seats
    const taken: Seat[] = []
    for (const seat of seats) if (await this.#isTaken(seat)) taken.push(seat)
    if (taken.length < max) return taken
    if (onLimit === 'refuse') return undefined
    const oldestFirst = taken.toSorted((a, b) => a.at - b.at)
    const leaving = oldestFirst.slice(0, taken.length - max + 1)
    // Ended before its seat is given away: there is never one session more than there are seats.
    for (const { id } of leaving) if (id !== undefined) await this.#end(id)
    return taken.filter((seat) => !leaving.includes(seat))
  }

  async #isTaken({ id, at }: Seat): Promise<boolean> {
    const { core } = this.#life
    if (id === undefined) return core.now() - at < CLAIM_AGE_MS
    const record = await this.#recordOf(id)
    return isLive(record, core.now()) && core.settings.counts?.(record) !== false
  }

  async #end(id: SessionId): Promise<void> {
    const { core } = this.#life
    const ended = await core.store.end(id, 'revoked', core.now())
    core.onEnded(id)
    if (ended) core.events.emit('revoke', { id, owner: this.#owner, reason: 'limit' })
  }

  async #read(): Promise<SessionRecord> {
    const { core } = this.#life
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const record = await this.#recordOf(this.#id)
      if (isLive(record, core.now())) return record
      const made = await this.#firstRecord()
      if (await core.store.create(this.#id, made)) return made
    }
    throw contended()
  }

  // The option may be new, or the record evicted, while the owner has sessions.
  async #firstRecord(): Promise<SessionRecord> {
    const { core } = this.#life
    const now = core.now()
    const entries = makeEntries()
    entries[SEATS] = encodeValue(core.store.store.find === undefined ? [] : await this.#listed())
    return firstRecord(core, now, { expiresAt: this.#deadline(now), entries })
  }

  async #listed(): Promise<Seat[]> {
    const { core } = this.#life
    const seats: Seat[] = []
    for await (const id of core.store.find(entryTerm(OWNER, this.#owner))) {
      const record = await this.#recordOf(id)
      if (isLive(record, core.now()) && record.entries[OWNER] === encodeValue(this.#owner)) seats.push({ id, login: core.nextNonce(), at: startedAt(record) })
    }
    return seats
  }

  async #recordOf(id: SessionId): Promise<SessionRecord | undefined> {
    try {
      return await this.#life.core.store.read(id, true)
    } catch (error) {
      if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return undefined
      throw error
    }
  }

  // Sessions that live longer are found again by their owner.
  #deadline(now: number): number {
    return now + Math.min(this.#life.core.settings.deadlines.absolute, 400 * DAY_MS) + DAY_MS
  }
}

function seatsFrom(text: string | null): readonly Seat[] {
  const value: unknown = text === null ? [] : decodeValue(text)
  return Array.isArray(value) ? value.filter(isSeat) : []
}

function isSeat(value: unknown): value is Seat {
  return typeof value === 'object' && value !== null && 'login' in value && typeof value.login === 'string' && 'at' in value && typeof value.at === 'number' && (!('id' in value) || typeof value.id === 'string')
}
