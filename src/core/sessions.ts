import { encodeValue } from './codec.ts'
import { deadlineAfterTouch } from './deadlines.ts'
import { SessionError } from './errors.ts'
import { EVENT_NAMES, Events, type Listener, type SessionEventName } from './events.ts'
import { andThen, isPromise } from './internal/awaitable.ts'
import { EndRegistry } from './internal/end-registry.ts'
import type { EndSignal } from './internal/end-signal.ts'
import { finish, type Outcome } from './internal/finish.ts'
import { writeWatermark } from './internal/identity.ts'
import { entryTerm } from './internal/index-terms.ts'
import type { Core } from './internal/core.ts'
import { Life } from './internal/life.ts'
import { DATA, INCARNATION, OWNER } from './internal/namespaces.ts'
import { arrive, attach, offersOf } from './internal/open.ts'
import { firstRecord, isSession, readRecord } from './internal/records.ts'
import { StoreGuard } from './internal/store-guard.ts'
import { Sweeper } from './internal/sweeper.ts'
import { hooksFrom, settingsFrom, type CoreOptions, type Hooks, type Settings, type StartHook } from './options.ts'
import { isLive, makeEntries, type SessionId } from './record.ts'
import { lifeOf, Session } from './session.ts'
import type { Awaitable, SweepRequest } from './store.ts'
import { derivedId, isId, makeId } from './token.ts'
import type { Exchange } from './transport.ts'
import { headersExchange, type HeadersLike } from './internal/headers-exchange.ts'
import { parseInstant } from './duration.ts'

export type { Outcome } from './internal/finish.ts'

export interface LoadOptions {
  /** Ask the primary, not a cache near this process. */
  readonly fresh?: boolean
}

export interface SweepOptions {
  /** Delete what was last touched, or created, before this: a duration ago, a Date, ISO text. Without it: what has expired. */
  readonly olderThan?: number | string | Date
  /** Which instant `olderThan` is compared with. Defaults to `touched`. */
  readonly by?: 'touched' | 'created'
}

/** The manager of all sessions of an application. */
export interface Sessions<Data extends object = Record<string, unknown>> {
  /** For adapters: the session of a request. Rejects (or throws) only when the store fails. */
  open(exchange: Exchange): Awaitable<Session<Data>>
  /**
   * For adapters: commits, then puts the token on the response. Call it before the head leaves. When it rejects,
   * make an error response and call it again with `failed`: the cookie of a login that has happened still goes out.
   */
  finish(session: Session<Data>, outcome?: Outcome): Awaitable<void>
  /** The session of a token, of an id, or of a request's headers (a WebSocket upgrade); undefined when there is none that lives. Changes to it are stored by `commit` and `update`. */
  load(from: string | { readonly id: SessionId } | { readonly headers: HeadersLike }, options?: LoadOptions): Promise<Session<Data> | undefined>
  /** A new, stored session apart from any request. Its `token` can be handed out. */
  create(): Promise<Session<Data>>
  /** The one session with this value under this key, made when there is none. Two that ask at once get the same. It has no token until `regenerate`. */
  findOrCreate<K extends keyof Data & string>(key: K, value: Data[K]): Promise<Session<Data>>
  /** The live sessions with this value under an indexed key. Typed: `1` and `"1"` are two values. */
  find<K extends keyof Data & string>(key: K, value: Data[K]): AsyncIterable<Session<Data>>
  /** The live sessions of an owner: a devices page. */
  findByOwner(owner: string): AsyncIterable<Session<Data>>
  /** Every live session. Reads each: for administration, not for requests. */
  list(): AsyncIterable<Session<Data>>
  /** Ends a session from outside. True when it was there. */
  revoke(id: SessionId): Promise<boolean>
  /** Ends every session of an owner, also those that a login is just making. Tells how many. */
  revokeAll(owner: string, options?: { readonly except?: SessionId }): Promise<number>
  /** Deletes what has expired, or what is older, in batches. Tells how many. */
  sweep(options?: SweepOptions): Promise<number>
  /** Observes; returns what stops it. */
  on(event: SessionEventName, listener: Listener): () => void
  /** The hooks that were given as `onStart`. */
  readonly onStart: readonly StartHook<Data>[]
  /** The name under which the token travels in an exchange. */
  nameFor(exchange: Exchange): string | undefined
  /** For adapters: a cookie of ours is on the request. Browsers add it by themselves, so a page of another site may have made the request. */
  carriesCookie(exchange: Exchange): boolean
  /** For adapters: a transport looks for the token in a form, so the exchange needs its `body` before {@link open}. */
  readonly readsBody: boolean
  /** Stops the sweeper and closes what the store opened. */
  close(): Promise<void>
}

/** Makes the manager. Throws `ERR_SESSION_OPTION` for options that cannot work. */
export function createManager<Data extends object>(options: CoreOptions<Data>): Sessions<Data> {
  return new Manager<Data>(settingsFrom(options), hooksFrom(options))
}

/** The settings of a manager that {@link createManager} made; undefined for anything else. */
export function settingsOf<Data extends object>(sessions: Sessions<Data>): Settings | undefined {
  return coreOf(sessions)?.settings
}

/** The inside of a manager that {@link createManager} made; undefined for anything else. */
export function coreOf<Data extends object>(sessions: Sessions<Data>): (Core & Pick<Manager<Data>, 'store'>) | undefined {
  return sessions instanceof Manager ? sessions : undefined
}

class Manager<Data extends object> implements Sessions<Data>, Core {
  readonly settings: Settings
  readonly events = new Events()
  readonly #store: StoreGuard | undefined
  readonly #sweeper: Sweeper
  readonly #ends: EndRegistry
  readonly #hooks: Hooks<Data>
  readonly #hasHooks: boolean
  #noncePrefix: string | undefined
  #nonces = 0
  #warned = false

  constructor(settings: Settings, hooks: Hooks<Data>) {
    this.settings = settings
    this.#hooks = hooks
    this.#hasHooks = hooks.onStart.length > 0 || hooks.onAccess !== undefined || hooks.continuations !== undefined
    this.#store = typeof settings.store === 'function' ? undefined : new StoreGuard(settings.store, settings.storeTimeoutMs)
    this.#ends = new EndRegistry(this.#store, this)
    this.#sweeper = new Sweeper(this.#store, this, this.#ends)
    this.#store?.observe(({ event, id, error }) => this.events.emit(event, { ...(id !== undefined && { id }), ...(error !== undefined && { error }) }))
  }

  // ── what the sessions of this manager share ──

  get store(): StoreGuard {
    if (this.#store === undefined) throw new SessionError('ERR_SESSION_UNSUPPORTED', 'The visitor keeps the session, so it can only be reached in their request. Use the session that the handler holds.')
    return this.#store
  }

  now(): number {
    return this.settings.clock()
  }

  // Unique without asking for randomness at every commit; drawn late, since Workers allow none at module scope. It tells
  // patches to one record apart, for which 48 bits are plenty; every session in memory keeps one.
  nextNonce(): string {
    this.#noncePrefix ??= makeId(this.settings.random).slice(0, 8)
    this.#nonces += 1
    return `${this.#noncePrefix}.${this.#nonces.toString(36)}`
  }

  onCreated(): void {
    this.#sweeper.start()
  }

  onLogin(): void {
    if (this.#warned || this.#store?.consistency !== 'best-effort') return
    this.#warned = true
    this.events.emit('warning', { reason: BEST_EFFORT })
    process.emitWarning(BEST_EFFORT, { type: 'SojournWarning' })
  }

  onEnded(id: SessionId): void {
    this.#ends.ended(id)
  }

  endSignalOf(id: SessionId): EndSignal {
    return this.#ends.signalOf(id)
  }

  checkEnd(id: SessionId): void {
    void this.#ends.check(id)
  }

  onEnd(id: SessionId, listener: () => void): () => void {
    const stop = this.#ends.on(id, listener)
    this.#sweeper.start()
    return stop
  }

  // ── requests ──

  open(exchange: Exchange): Awaitable<Session<Data>> {
    const life = this.#lifeFor(exchange)
    const session = this.#sessionOf(life)
    const offers = offersOf(this, exchange)
    if (offers.length > 0 && this.settings.lazy) {
      life.status = 'unloaded'
      return session
    }
    const attached = offers.length === 0 ? undefined : attach(life, offers, false)
    if (isPromise(attached)) return openedAfter(attached, life, session)
    const arrived = arrive(life)
    return isPromise(arrived) ? later(arrived, session) : session
  }

  finish(session: Session<Data>, outcome: Outcome = {}): Awaitable<void> {
    const life = lifeOf(session)
    const { settled } = life
    return settled === undefined ? finish(life, outcome) : settled.then(() => finish(life, outcome))
  }

  reload(life: Life, fresh: boolean): Awaitable<void> {
    if (life.loading !== undefined) return life.loading
    const loading = this.#reload(life, fresh)
    if (!isPromise(loading)) return undefined
    const settled = (): void => { life.loading = undefined }
    life.loading = Promise.resolve(loading)
    life.loading.then(settled, settled)
    return life.loading
  }

  #reload(life: Life, fresh: boolean): Awaitable<void> {
    const { status, exchange } = life
    if (status === 'unloaded' && exchange !== undefined) {
      // Not loaded until it is: a failure, or somebody who does not wait, must not find an empty session.
      return andThen(attach(life, offersOf(this, exchange), fresh), () => { if (life.status === 'unloaded') life.status = 'absent' })
    }
    if (!fresh && status !== 'released') return undefined
    const { token: text } = life
    const token = text === undefined ? undefined : this.settings.tokens.parse(text)
    if (text !== undefined && token !== undefined) {
      return andThen(attach(life, [{ token, text, transport: life.transport }], fresh), () => { if (life.status === 'released') life.becomeBlank('absent') })
    }
    if (status === 'live' || life.wasLive) return this.#reread(life)
    if (status === 'released') life.becomeBlank('absent')
    return undefined
  }

  get onStart(): readonly StartHook<Data>[] {
    return this.#hooks.onStart
  }

  nameFor(exchange: Exchange): string | undefined {
    return this.settings.transports[0].nameFor?.(exchange)
  }

  carriesCookie(exchange: Exchange): boolean {
    return this.settings.transports.some((one) => one.vary === 'Cookie' && one.read(exchange).length > 0)
  }

  get readsBody(): boolean {
    return this.settings.transports.some((one) => one.readsBody === true)
  }

  #lifeFor(exchange: Exchange): Life {
    const { store } = this.settings
    const guard = this.#store ?? new StoreGuard(typeof store === 'function' ? store(exchange) : store, this.settings.storeTimeoutMs)
    return new Life(this, guard, this.settings.transports[0], exchange)
  }

  async #reread(life: Life): Promise<void> {
    const record = await life.store.read(life.id, true)
    if (isLive(record, this.now()) && (life.guard === undefined || life.guard === record.tokenHash)) life.attach(life.id, record, life.guard)
    else life.becomeBlank('gone')
  }

  // ── outside of requests ──

  async load(from: string | { readonly id: SessionId } | { readonly headers: HeadersLike }, { fresh = false }: LoadOptions = {}): Promise<Session<Data> | undefined> {
    if (from === null || from === undefined) return undefined
    if (typeof from === 'object' && 'headers' in from) return this.#loadFromHeaders(from.headers, fresh)
    if (typeof from === 'object') return this.#loadById(from.id, fresh)
    const token = this.settings.tokens.parse(from)
    if (token === undefined) return undefined
    const life = this.#detachedLife()
    await attach(life, [{ token, text: from, transport: life.transport }], fresh)
    return life.status === 'live' ? new Session<Data>(life) : undefined
  }

  async create(): Promise<Session<Data>> {
    const life = this.#detachedLife()
    const session = this.#sessionOf(life)
    await life.create()
    return session
  }

  async findOrCreate<K extends keyof Data & string>(key: K, value: Data[K]): Promise<Session<Data>> {
    const term = entryTerm(DATA + key, value)
    for (let generation = 0; generation < MAX_GENERATIONS; generation += 1) {
      const id = derivedId('find-or-create', `${generation}\0${term}`)
      const session = (await this.#loadById(id, true)) ?? (await this.#createUnder(id, key, value, term))
      if (session !== undefined && sameValue(session.get(key), value)) return session
    }
    throw new SessionError('ERR_SESSION_CONFLICT', `Every session made for this value of ${JSON.stringify(key)} holds another by now. Do not change that key.`)
  }

  find<K extends keyof Data & string>(key: K, value: Data[K]): AsyncIterable<Session<Data>> {
    if (!this.settings.index.has(key)) throw new SessionError('ERR_SESSION_OPTION', `Sessions cannot be found by ${JSON.stringify(key)}, which is not indexed. Add it to the option index of createSessions.`)
    return this.#found(entryTerm(DATA + key, value), (session) => sameValue(session.get(key), value))
  }

  findByOwner(owner: string): AsyncIterable<Session<Data>> {
    return this.#found(entryTerm(OWNER, owner), (session) => session.owner === owner)
  }

  async *list(): AsyncIterable<Session<Data>> {
    for await (const id of this.store.list()) {
      const session = await this.#loadById(id, false)
      if (session !== undefined) yield session
    }
  }

  async revoke(id: SessionId): Promise<boolean> {
    if (!isId(id)) return false
    const ended = await this.store.end(id, 'revoked', this.now())
    this.onEnded(id)
    if (ended) this.events.emit('revoke', { id })
    return ended
  }

  async revokeAll(owner: string, { except }: { readonly except?: SessionId } = {}): Promise<number> {
    await writeWatermark(this, owner)
    let count = 0
    const entry = encodeValue(owner)
    for await (const id of this.store.find(entryTerm(OWNER, owner))) {
      const record = id === except ? undefined : await readRecord(this, id, true)
      // One that has expired as well: a commit that is under way may still move its deadline.
      if (record?.entries[OWNER] === entry && (await this.revoke(id)) && isSession(this, record)) count += 1
    }
    return count
  }

  async sweep({ olderThan, by = 'touched' }: SweepOptions = {}): Promise<number> {
    const now = this.now()
    const what: SweepRequest = olderThan === undefined ? { now } : { now, by, olderThan: ago(olderThan, now) }
    return this.#sweeper.sweep(what)
  }

  on(event: SessionEventName, listener: Listener): () => void {
    if (!EVENT_NAMES.includes(event)) throw new SessionError('ERR_SESSION_OPTION', `There is no event ${JSON.stringify(String(event).slice(0, 60))}. The events are ${EVENT_NAMES.join(', ')}.`)
    return this.events.on(event, listener)
  }

  async close(): Promise<void> {
    this.#sweeper.stop()
    await this.#store?.close()
  }

  #sessionOf(life: Life): Session<Data> {
    const session = new Session<Data>(life)
    // Apart, since a function that may make closures pays for them also when it makes none.
    if (this.#hasHooks) this.#hook(life, session)
    return session
  }

  #hook(life: Life, session: Session<Data>): void {
    const { onStart, onAccess, continuations } = this.#hooks
    const { exchange } = life
    if (continuations !== undefined && exchange !== undefined) life.arrive = () => continuations.arrive(session, exchange)
    if (onAccess !== undefined) life.onAccess = () => onAccess(session, { stored: life.stored, request: life.exchange?.request })
    if (onStart.length > 0) {
      const starting = new Session<Data>(life, true)
      life.beforeCreate = async () => { for (const hook of onStart) await hook(starting, { request: life.exchange?.request }) }
    }
  }

  #detachedLife(): Life {
    return new Life(this, this.store, this.settings.transports[0])
  }

  async #loadFromHeaders(headers: HeadersLike, fresh: boolean): Promise<Session<Data> | undefined> {
    const life = this.#detachedLife()
    await attach(life, offersOf(this, headersExchange(headers)), fresh)
    return life.status === 'live' ? new Session<Data>(life) : undefined
  }

  async #loadById(id: SessionId, fresh: boolean): Promise<Session<Data> | undefined> {
    if (!isId(id)) return undefined
    const record = await readRecord(this, id, fresh)
    if (!isSession(this, record)) return undefined
    const life = this.#detachedLife()
    life.attach(id, record, undefined)
    return new Session<Data>(life)
  }

  // Its token is one that nobody has; the incarnation tells this life of the id from the next, since operations by id carry no token.
  async #createUnder(id: SessionId, key: string, value: unknown, term: string): Promise<Session<Data> | undefined> {
    const now = this.now()
    const entries = makeEntries()
    entries[INCARNATION] = encodeValue(this.nextNonce())
    entries[DATA + key] = this.settings.codec.encode(value, { id, key: DATA + key })
    const record = firstRecord(this, now, {
      expiresAt: deadlineAfterTouch(now, now, this.settings.deadlines), tokenHash: makeId(this.settings.random), index: this.settings.index.has(key) ? [term] : [], entries,
    })
    if (!(await this.store.create(id, record))) return this.#loadById(id, true)
    this.events.emit('create', { id })
    this.onCreated()
    // Not read back: a store that keeps nothing has nothing to read.
    const life = this.#detachedLife()
    life.attach(id, record, undefined)
    return new Session<Data>(life)
  }

  async *#found(term: string, matches: (session: Session<Data>) => boolean): AsyncIterable<Session<Data>> {
    for await (const id of this.store.find(term)) {
      const session = await this.#loadById(id, true)
      if (session !== undefined && matches(session)) yield session
    }
  }
}

async function openedAfter<T>(attached: PromiseLike<void>, life: Life, session: T): Promise<T> {
  await attached
  const arrived = arrive(life)
  if (isPromise(arrived)) await arrived
  return session
}

async function later<T>(done: PromiseLike<void>, value: T): Promise<T> {
  await done
  return value
}

const MAX_GENERATIONS = 16
const BEST_EFFORT = 'This session store has no atomic step: between two processes a logout can be undone and a write lost. Use an atomic store, or run one process.'

function sameValue(a: unknown, b: unknown): boolean {
  return a !== undefined && encodeValue(a) === encodeValue(b)
}

function ago(value: number | string | Date, now: number): number {
  const instant = parseInstant(value, now, 'olderThan')
  return instant > now ? now - (instant - now) : instant
}
