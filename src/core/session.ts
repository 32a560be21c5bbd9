import type { Continuations, ContinuationsExtension } from './continuations.ts'
import { parseInstant } from './duration.ts'
import { SessionError } from './errors.ts'
import type { EndedBecause } from './events.ts'
import { Flash } from './flash.ts'
import { asStored } from './internal/as-stored.ts'
import { dataView } from './internal/data-view.ts'
import { login, type Assurance, type LoginOptions, type LoginResult } from './internal/identity.ts'
import type { CommitResult, Life } from './internal/life.ts'
import { late, unsupportedUpdate } from './internal/refusals.ts'
import { SealedObject } from './internal/sealed-object.ts'
import { arrive } from './internal/open.ts'
import { updateEntry } from './internal/update-entry.ts'
import { masked } from './internal/masked.ts'
import { ASSURANCE, AUTHENTICATED_AT, DATA, GUARDED_METADATA, METADATA, OWN_EXPIRY, openNamespace } from './internal/namespaces.ts'
import { Namespace } from './namespace.ts'
import type { SessionId } from './record.ts'
import { SessionCookie } from './session-cookie.ts'

export type { Assurance, LoginOptions, LoginResult } from './internal/identity.ts'
export type { CommitResult } from './internal/life.ts'
export { SessionCookie } from './session-cookie.ts'

type Key<Data> = keyof Data & string

export interface SetDataOptions {
  /** When this key ends: a duration from now, a Date, ISO or HTTP-date text. Defaults to the end of the session. */
  readonly expires?: number | string | Date
}

/** The inside of a session, for the manager and the adapters' contract. */
export let lifeOf: <Data extends object>(session: Session<Data>) => Life

/**
 * The session of one visitor, as one request sees it. Reads are answered from what was loaded; changes are
 * committed as a patch before the head of the response leaves.
 */
export class Session<Data extends object = Record<string, unknown>> extends SealedObject {
  readonly #life: Life
  readonly #data: Namespace
  readonly #starting: boolean
  #view: Partial<Data> | undefined
  #flash: Flash | undefined
  #metadata: Namespace | undefined
  #cookie: SessionCookie | undefined
  #continuations: Continuations | undefined

  static {
    lifeOf = (session) => session.#life
  }

  /** Made by the manager; `starting` for the hooks that run before the session is first stored. */
  constructor(life: Life, starting = false) {
    super()
    this.#life = life
    this.#starting = starting
    this.#data = new Namespace(life, DATA)
  }

  /** The public part of the token: safe in logs and on a devices page. Made when it is asked for, stored when something is. */
  get id(): SessionId {
    return this.#life.id
  }

  /** Who logged in with {@link login}; undefined for an anonymous visitor. */
  get owner(): string | undefined {
    return ownerOf(this.#life)
  }

  /** When the owner last logged in, milliseconds since the epoch. */
  get authenticatedAt(): number | undefined {
    const at = this.#life.forReading().read(AUTHENTICATED_AT)
    return typeof at === 'number' ? at : undefined
  }

  /** How the owner authenticated when they last did: set by {@link login} and {@link stepUp}, and by nothing else. */
  get assurance(): Assurance | undefined {
    return asStored<Assurance>(this.#life.forReading().read(ASSURANCE))
  }

  /** Nothing was stored for this visitor before this request. */
  get isNew(): boolean {
    return this.#life.isNew
  }

  /** The session can be read: always, unless it is loaded lazily or was released. */
  get isLoaded(): boolean {
    return this.#life.status !== 'unloaded' && this.#life.status !== 'released'
  }

  /** Whether a commit would store something, changes inside values included. Set it to force a commit, or to forget the changes. */
  get isChanged(): boolean {
    return this.#life.isChanged
  }

  set isChanged(changed: boolean) {
    if (!changed) this.#life.discard()
    this.#life.discarded = !changed
    this.#life.forced = changed
  }

  /** Milliseconds since the epoch; undefined while nothing is stored. */
  get createdAt(): number | undefined {
    return this.#life.isNew && this.#life.status !== 'live' ? undefined : this.#life.createdAt
  }

  /** When the session ends unless it is used before, milliseconds since the epoch; undefined while nothing is stored. */
  get expiresAt(): number | undefined {
    return this.#life.expiresAt === 0 ? undefined : this.#life.expiresAt
  }

  /** Why the session that the visitor's token belonged to is no more; undefined when there was none, or it lives. */
  get endedBecause(): EndedBecause | undefined {
    return this.#life.endedBecause
  }

  /** The token, when this request has made it and it can be handed out; undefined otherwise, since only its hash is kept. */
  get token(): string | undefined {
    const { handout, token, transport } = this.#life
    return handout === 'new' || transport.exposesToken === true ? token : undefined
  }

  /**
   * Fires when the session ends: when this process ends it at once, when another does where the store can tell, and when
   * it expires at the next sweep. Asked for before anything is stored, it belongs to the session that this request begins.
   */
  get signal(): AbortSignal {
    return this.#life.signal
  }

  /** The value, or undefined when absent. The same object at every call in this request; a change inside it is noticed. */
  get<K extends Key<Data>>(key: K): Data[K] | undefined {
    return asStored<Data[K]>(this.#data.get(key))
  }

  /** Keeps the value and returns it. Throws `ERR_SESSION_VALUE`, naming the path, for what cannot be kept. */
  set<K extends Key<Data>>(key: K, value: Data[K], { expires }: SetDataOptions = {}): Data[K] {
    if (expires === undefined) return this.#data.set(key, value)
    return this.#data.set(key, value, { expiresAt: parseInstant(expires, this.#life.core.now(), 'expires') })
  }

  has(key: Key<Data>): boolean {
    return this.#data.has(key)
  }

  /** No error when the key is absent. */
  delete(key: Key<Data>): void {
    this.#data.delete(key)
  }

  keys(): Key<Data>[] {
    return asStored<Key<Data>[]>(this.#data.keys()) ?? []
  }

  /** A plain object of all data. The values are the session's own. */
  toObject(): Partial<Data> {
    return asStored<Partial<Data>>(this.#data.toObject()) ?? {}
  }

  /** Deletes all data that this request knows of. What another request adds meanwhile stays, and so does the owner. */
  clear(): void {
    this.#data.clear()
  }

  /** The data as an object: properties are entries, changes inside them are noticed. Assigning replaces all of it; null ends the session at the end of the request. */
  get data(): Partial<Data> {
    this.#view ??= asStored<Partial<Data>>(dataView(propertiesOf(this.#life))) ?? {}
    return this.#view
  }

  set data(data: Partial<Data> | null | undefined) {
    const properties = propertiesOf(this.#life)
    properties.clear()
    if (data === null || data === undefined) this.#life.endAtCommit = 'destroyed'
    else for (const [key, value] of Object.entries(data)) properties.set(key, value)
  }

  /** Messages for the visitor's next page. */
  get flash(): Flash {
    this.#flash ??= new Flash(this.#life, flashNonce(this.#life))
    return this.#flash
  }

  /** What is known about the session, apart from its data. Never cleared by {@link clear}. */
  get metadata(): Namespace {
    this.#metadata ??= new Namespace(this.#life, METADATA, GUARDED_METADATA)
    return this.#metadata
  }

  /** Saved requests that the visitor can return to. Throws `ERR_SESSION_USAGE` without the option `continuations`. */
  get continuations(): Continuations {
    this.#continuations ??= extension(this.#life).open(this)
    return this.#continuations
  }

  /** A namespace of your own, for a module whose keys must not meet the application's. The name is 1 to 64 letters, digits, `-` or `_`. */
  namespace(name: string): Namespace {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new SessionError('ERR_SESSION_USAGE', `${JSON.stringify(name.slice(0, 70))} cannot name a namespace. Use 1 to 64 letters, digits, "-" or "_".`)
    return new Namespace(this.#life, openNamespace(name))
  }

  /** The cookie of this response. */
  get cookie(): SessionCookie {
    this.#cookie ??= new SessionCookie(this.#life)
    return this.#cookie
  }

  /**
   * Changes one key atomically, across processes, and commits it at once. `change` gets the newest value and may be
   * called again when another request was faster; it must be synchronous. Resolves to the new value, or to `gone`
   * when the session has ended. Rejects with `ERR_SESSION_CONFLICT` when others were faster every time.
   */
  async update<K extends Key<Data>>(key: K, change: (value: Data[K] | undefined) => Data[K]): Promise<Data[K] | 'gone'> {
    this.#life.forWriting()
    if (this.#life.store.consistency === 'client') throw unsupportedUpdate()
    return this.#exclusive(() => updateEntry<Data[K]>(this.#life, DATA + key, change))
  }

  /**
   * Attaches an owner after they have authenticated. Always gives a new token; the old one is dead at once. Data of
   * another owner is dropped, an anonymous visitor's is kept (all, or `keep`). Resolves to `gone`, with nobody logged
   * in, when all sessions of the owner were revoked meanwhile, and to `refused` when `maxConcurrent` allows no more.
   */
  async login(owner: string, options: LoginOptions & { readonly keep?: readonly Key<Data>[] } = {}): Promise<LoginResult> {
    if (typeof owner !== 'string' || owner === '') throw new SessionError('ERR_SESSION_USAGE', 'session.login was not given an owner. Pass the id of the account as text, such as String(user.id).')
    this.#life.forWriting()
    return this.#exclusive(() => login(this.#life, owner, options))
  }

  /**
   * The owner has authenticated again, in this way: a new token, a new `authenticatedAt`, and the absolute timeout begins anew.
   * Resolves to `gone`, and changes nothing, when nobody is logged in here or the session has ended meanwhile.
   */
  async stepUp(assurance: Assurance): Promise<LoginResult> {
    this.#life.forWriting()
    return this.#life.exclusive(async () => {
      const { owner } = this.#life
      return owner === undefined ? 'gone' : login(this.#life, owner, { assurance, onlyHere: true })
    })
  }

  /**
   * Ends every other session of the owner, and gives this one a new token, so that a copy of the old one ends as well.
   * Tells how many it ended; `gone`, having ended none, when nobody is logged in here or this session has ended meanwhile.
   */
  async revokeOthers(): Promise<number | 'gone'> {
    const { owner } = this
    if (owner === undefined || (await this.regenerate()) === 'gone') return 'gone'
    return this.#life.core.revokeAll(owner, { except: this.id })
  }

  /** Ends the session for good and clears the cookie; the same as {@link destroy}. */
  logout(): Promise<void> {
    return this.destroy()
  }

  /** Ends the session for good, here and in every request that still runs, and clears the cookie. A write after it begins a new session. */
  async destroy(): Promise<void> {
    const life = this.#life
    if (!this.isLoaded) await this.load()
    await this.#exclusive(async () => life.end('destroyed'))
  }

  /** Gives the visitor a new token and keeps the data. Call it whenever their rights change. Resolves to `gone` when another request was faster. */
  async regenerate(): Promise<CommitResult> {
    const life = this.#life
    life.forWriting()
    if (life.exchange?.headSent === true) throw late('give the visitor a new token')
    return this.#exclusive(async () => {
      if (life.status !== 'live') return life.status === 'absent' || life.status === 'ended' ? 'ok' : 'gone'
      const result = await life.rotate(false)
      if (result === 'ok') life.core.events.emit('regenerate', { id: life.id })
      return result
    })
  }

  /** Stores what changed now. Resolves to `gone` when the session has ended meanwhile; nothing is stored then. */
  async commit(): Promise<CommitResult> {
    return this.#exclusive(async () => this.#life.commit())
  }

  /** Forgets what this request changed. A later write counts again; a later change through `data` does not. */
  discard(): void {
    this.#life.discard()
    this.#life.discarded = true
  }

  /** Sets when this session ends, whatever the timeouts say: a duration from now, a Date, ISO or HTTP-date text, `"never"`. Undefined goes back to the timeouts. */
  expire(when: number | string | Date | undefined): void {
    const life = this.#life
    // It ends now, which nothing postpones.
    if (life.endAtCommit === 'destroyed') return undefined
    if (when === undefined) {
      life.forWriting().delete(OWN_EXPIRY)
      return life.setDeadline('policy')
    }
    const at = parseInstant(when, life.core.now(), 'expire')
    life.core.settings.checkExpiry?.(at, life)
    if (at <= life.core.now()) {
      life.discarded = false
      life.endAtCommit ||= 'expired'
      return undefined
    }
    if (life.endAtCommit === 'expired') life.endAtCommit = false
    life.forWriting().write(OWN_EXPIRY, when)
    return life.setDeadline(at)
  }

  /** Reads the session now: needed with `load: 'lazy'` and after {@link release}. With `fresh`, reads it again and forgets what this request changed. */
  async load(options: { readonly fresh?: boolean } = {}): Promise<this> {
    const life = this.#life
    const first = life.status === 'unloaded' && life.loading === undefined
    await life.core.reload(life, options.fresh === true)
    if (first) await arrive(life)
    return this
  }

  /** Commits, then forgets everything: for long-running code that must not hold on to a session. */
  async release(): Promise<void> {
    await this.commit()
    // What could not be read must not become a session that a write would begin.
    if (this.#life.status !== 'degraded') this.#life.becomeBlank('released')
  }

  /** Id, owner and data, with what looks like a secret masked: for logs and error pages. */
  toJSON(): Record<string, unknown> {
    const life = this.#life
    if (!this.isLoaded) return { id: life.id, isLoaded: false }
    return { id: life.id, owner: life.owner, isNew: life.isNew, data: life.seal?.isClosed ? 'sealed' : masked(this.#data.toObject()) }
  }

  // Waiting for its turn inside a hook that the turn waits for would never end.
  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    if (this.#starting) throw new SessionError('ERR_SESSION_USAGE', 'The session is being started, and is stored when onStart has run. Set its data there, and do the rest later.')
    return this.#life.exclusive(run)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): Record<string, unknown> {
    return this.toJSON()
  }
}

function extension({ core }: Life): Pick<ContinuationsExtension<object>, 'open'> {
  const { continuations } = core.settings
  if (continuations === undefined) throw new SessionError('ERR_SESSION_USAGE', 'Continuations are not switched on. Pass continuations: continuations() of sojourn/continuations.')
  return continuations
}

// Plain properties are assigned by code that knows nothing of `discard`, so they do not undo it.
function propertiesOf(life: Life): Namespace {
  return new Namespace({ forReading: () => life.forReading(), forWriting: () => life.forWriting(life.discarded), written: () => life.written() }, DATA)
}

function ownerOf(life: Life): string | undefined {
  life.forReading()
  return life.owner
}

function flashNonce(life: Life): () => string {
  return () => `${life.core.now().toString(36).padStart(9, '0')}${life.core.nextNonce()}`
}
