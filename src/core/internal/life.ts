import { deadlineAfterTouch, isTouchDue } from '../deadlines.ts'
import { endedBecause, type EndedBecause } from '../events.ts'
import type { Settings } from '../options.ts'
import type { Seal } from '../security.ts'
import type { Patch, PatchResult } from '../patch.ts'
import { makeEntries, type EndReason, type EntryKey, type SessionId, type SessionRecord } from '../record.ts'
import type { Awaitable } from '../store.ts'
import { hashSecret, tokenText, type Token } from '../token.ts'
import type { Exchange, Transport } from '../transport.ts'
import { andThen } from './awaitable.ts'
import { buildPatch, isEmpty, settledResult, type IdentityChange } from './build-patch.ts'
import type { Core } from './core.ts'
import { EndSignal } from './end-signal.ts'
import { indexedTerms } from './index-terms.ts'
import { AUTHENTICATED_AT, BINDING, INCARNATION, METADATA, OWNER } from './namespaces.ts'
import { firstRecord } from './records.ts'
import { contended, idTaken, late, notLoaded, unread } from './refusals.ts'
import { checkSize } from './size-limit.ts'
import type { StoreGuard } from './store-guard.ts'
import { WorkingCopy, type CopyContext, type EntryChanges } from './working-copy.ts'

/**
 * `unloaded` not read yet · `absent` nothing stored, a write creates · `live` · `ended` by this request, a write begins a new one ·
 * `gone` ended or rotated away meanwhile, writes are dropped · `superseded` came with an old token, writes are dropped ·
 * `released` handed back · `degraded` the store failed and the request goes on without a session.
 */
export type Status = 'unloaded' | 'absent' | 'live' | 'ended' | 'gone' | 'superseded' | 'released' | 'degraded'

export type CommitResult = 'ok' | 'gone'

/** What the response has to tell the visitor about the token. */
export type Handout = 'none' | 'refresh' | 'send' | 'new' | 'clear'

const MAX_ATTEMPTS = 64

/** The life of one session during one request: its record, what changed, and every write to the store. */
export class Life implements CopyContext {
  readonly core: Core
  readonly exchange: Exchange | undefined
  readonly store: StoreGuard
  /** Seals the entries with the token, where the application wants that. */
  readonly seal: Seal | undefined
  transport: Transport
  status: Status = 'absent'
  /** The hash that the record must still have when this request writes; undefined for operations by id. */
  guard: string | undefined
  /** The token that this request came with, or that it has made; undefined when there is none to hand out. */
  token: string | undefined
  handout: Handout = 'none'
  overrides: Record<string, unknown> | undefined
  endedBecause: EndedBecause | undefined
  /** The handler looked at the session, so the response depends on who asks. */
  accessed = false
  isNew = true
  createdAt: number
  touchedAt = 0
  #copy: WorkingCopy | undefined
  /** A commit is wanted though nothing changed. */
  forced = false
  /** Ends the session at the commit: `session.data = null`, or an expiry that has passed, which a later `expire` takes back. */
  endAtCommit: false | 'destroyed' | 'expired' = false
  /** Nothing is committed at the end of the request. */
  discarded = false
  /** Something was stored by this request. */
  stored = false
  /** Runs once at the end of the request, after the commit and before the head is made. */
  onAccess: (() => Awaitable<void>) | undefined
  /** Runs before the first record of this request is stored. */
  beforeCreate: (() => Awaitable<void>) | undefined
  /** Run once the session is read, before the handler. */
  arrive: (() => Awaitable<void>) | undefined
  /** The response has been told all that it has to say about this session. */
  finished = false
  /** The commit at the end of the request failed; it is not tried again for the error response. */
  commitFailed = false
  /** The read that is under way: whoever asks meanwhile waits for the same. */
  loading: Promise<void> | undefined
  /** It was stored when it was released. */
  wasLive = false
  #id: SessionId | undefined
  /** The nonce of the newest patch that this request knows of. */
  nonce = ''
  #terms: readonly string[] = []
  /** The token that this request made is the first that its visitor would get. */
  #neverSent = false
  #ownDeadline: number | 'policy' | undefined
  /** The deadline that is stored. */
  #deadline = 0
  #queue: Promise<unknown> | undefined
  /** What `session.data = null` ended, once something was written after it; the commit ends it before it creates. */
  #replaced: Replaced | undefined
  #endSignal: EndSignal | undefined
  /** The hooks run whose writes are stored with the record that is being made. */
  #starts = false

  constructor(core: Core, store: StoreGuard, transport: Transport, exchange?: Exchange) {
    this.core = core
    this.store = store
    this.transport = transport
    this.exchange = exchange
    this.createdAt = 0
    this.seal = core.settings.sealFor?.(this)
  }

  /** This request's view of the entries, made when somebody looks: most requests find a record before. */
  get copy(): WorkingCopy {
    this.#copy ??= new WorkingCopy(NO_ENTRIES, this)
    return this.#copy
  }

  /** The id, made when somebody asks for it before there is a record. */
  get id(): SessionId {
    this.#id ??= this.core.settings.tokens.make().id
    return this.#id
  }

  get owner(): string | undefined {
    const owner = this.copy.storedValue(OWNER)
    return typeof owner === 'string' ? owner : undefined
  }

  get authenticatedAt(): number | undefined {
    const at = this.copy.storedValue(AUTHENTICATED_AT)
    return typeof at === 'number' ? at : undefined
  }

  /** When the session ends, with what `expire` has set and no commit has stored yet. */
  get expiresAt(): number {
    return typeof this.#ownDeadline === 'number' ? this.#ownDeadline : this.#deadline
  }

  /** From when the absolute timeout counts. */
  get startedAt(): number {
    return Math.max(this.createdAt, this.authenticatedAt ?? 0)
  }

  /** Takes over a record that the store gave. */
  attach(id: SessionId, record: SessionRecord, guard: string | undefined): void {
    this.#id = id
    this.guard = guard
    this.status = 'live'
    this.isNew = false
    this.wasLive = false
    this.#copy = new WorkingCopy(record.entries, this)
    this.#takeHead(record)
    this.#endSignal?.follow(id)
  }

  /** Nothing is stored and nothing changed; the next write begins a session with an id of its own. */
  becomeBlank(status: Status): void {
    const isReleased = status === 'released'
    this.wasLive = isReleased && this.status === 'live'
    // What begins after an end is another session.
    if (this.status === 'ended' && status === 'absent') this.#endSignal = undefined
    this.status = status
    // Kept when released, since one that was reached by its id has no token to find it again.
    this.guard = isReleased ? this.guard : undefined
    this.#id = status === 'ended' || status === 'gone' || isReleased ? this.#id : undefined
    this.isNew = true
    this.forced = false
    this.endAtCommit = false
    this.#replaced = undefined
    this.#ownDeadline = undefined
    this.#deadline = 0
    this.#terms = []
    this.#copy = undefined
  }

  /** Fires when the session that this request has, or begins, ends. */
  get signal(): AbortSignal {
    if (this.#endSignal === undefined || (this.#endSignal.hasFired && this.status === 'live' && this.#endSignal.followed !== this.id)) {
      this.#endSignal = this.status === 'live' ? this.core.endSignalOf(this.id) : new EndSignal(this.core)
      if (this.status === 'ended' || this.status === 'gone') this.#endSignal.fire()
    }
    return this.#endSignal.signal
  }

  /** The entries, for a look at them. */
  forReading(): WorkingCopy {
    if (this.status === 'unloaded') throw notLoaded()
    this.accessed = true
    return this.copy
  }

  /** The entries, for a change of them, which takes a `discard` back. */
  forWriting(stillDiscarded = false): WorkingCopy {
    if (this.status === 'unloaded' || this.status === 'released') throw notLoaded()
    if ((this.status === 'absent' || this.status === 'ended') && this.exchange?.headSent === true) throw late('begin a session')
    // What is written after an end belongs to a new session, whose id is another.
    if (this.status === 'ended') this.becomeBlank('absent')
    if (this.endAtCommit === 'destroyed') this.#beginAnew()
    this.accessed = true
    this.discarded = stillDiscarded
    return this.copy
  }

  /** Something was written: stored at once where the application wants that. A failure shows at the end of the request, when it is tried again. */
  written(): void {
    if (this.core.settings.commit === 'immediate' && !this.#starts) this.exclusive(async () => this.commit()).catch(() => undefined)
  }

  discard(): void {
    if (this.#replaced !== undefined) this.#takeBack(this.#replaced)
    this.copy.discard()
    this.forced = false
    this.endAtCommit = false
    this.#ownDeadline = undefined
  }

  setDeadline(at: number | 'policy'): void {
    this.#ownDeadline = at
  }

  /** A stored session is to end before what this request begins is stored. */
  get replaces(): boolean {
    return this.#replaced !== undefined
  }

  get isChanged(): boolean {
    return this.forced || this.endAtCommit !== false || this.#replaced !== undefined || this.#ownDeadline !== undefined || this.#copy?.isChanged() === true
  }

  /** Runs one identity operation or update after the other. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#queue === undefined ? run() : this.#queue.then(run, run)
    this.#queue = turn
    return turn
  }

  /** Resolves when every operation that was begun has ended, well or not. Undefined when there is none. */
  get settled(): Promise<unknown> | undefined {
    return this.#queue?.then(undefined, () => undefined)
  }

  /** Stores what changed, of one key or of all. Creates when there is something to keep; touches when that is due. */
  commit(only?: EntryKey): Awaitable<CommitResult> {
    if (this.endAtCommit !== false) return this.end('destroyed')
    if (this.#replaced !== undefined) return andThen(this.#endReplaced(this.#replaced, 'destroyed'), () => this.commit(only))
    if (this.status === 'live') return this.#isQuiet() ? 'ok' : this.#applyChanges(only, {}, 0)
    if (this.status === 'unloaded' || this.status === 'released') return 'ok'
    if (!this.isChanged) return 'ok'
    return this.status === 'absent' || this.status === 'ended' ? this.create(only) : this.#dropChanges()
  }

  /** Whether the request comes from what the session is bound to. */
  get isBoundHere(): boolean {
    const { bind } = this.core.settings
    if (bind === undefined || this.exchange === undefined) return true
    const bound = this.copy.storedValue(BINDING)
    return bound === undefined || bound === hashSecret(bind(this.exchange))
  }

  /** Stores a new record with a new token. */
  create(only?: EntryKey): Awaitable<CommitResult> {
    if (this.#replaced !== undefined) return andThen(this.#endReplaced(this.#replaced, 'destroyed'), () => this.create(only))
    if (this.exchange?.headSent === true) throw late('begin a session')
    const refusal = this.exchange === undefined ? undefined : this.transport.refuses?.(this.exchange)
    if (refusal !== undefined) return this.#leaveUnsaved(refusal)
    // An id that ended, or that somebody else has, is never used again.
    if (this.status !== 'absent') this.#id = undefined
    const { beforeCreate } = this
    this.beforeCreate = undefined
    return beforeCreate === undefined ? this.#store(only, 0) : andThen(this.#start(beforeCreate), () => this.#store(only, 0))
  }

  async #start(hooks: () => Awaitable<void>): Promise<void> {
    this.#starts = true
    try {
      await hooks()
    } finally {
      this.#starts = false
    }
  }

  /** Commits what changed and gives the visitor a new token in the same atomic step. */
  rotate(renewDeadline: boolean): Awaitable<CommitResult> {
    const token = { id: this.id, secret: this.core.settings.tokens.make().secret }
    const rotateTo = hashSecret(token.secret)
    return andThen(this.#applyChanges(undefined, { rotateTo, renewDeadline, secret: token.secret }, 0), (result) => {
      if (result === 'ok') this.#handOut(token, rotateTo)
      return result
    })
  }

  /** Ends the session for good. */
  end(because: EndReason): Awaitable<CommitResult> {
    const replaced = this.#replaced
    if (replaced !== undefined) return andThen(this.#endReplaced(replaced, because), () => {
      this.#id = replaced.id
      this.becomeBlank('ended')
      return 'ok'
    })
    // Whoever logs out must not be told that they are, while their token still works once the store is back.
    if (this.status === 'degraded') throw unread()
    const wasKnown = this.status === 'live' || this.status === 'gone'
    if (!wasKnown) {
      this.becomeBlank(this.status === 'superseded' ? this.status : 'absent')
      return 'ok'
    }
    return andThen(this.#endStored(this.id, because), () => {
      this.becomeBlank('ended')
      return 'ok'
    })
  }

  #endStored(id: SessionId, because: EndReason): Awaitable<void> {
    return andThen(this.store.end(id, because, this.core.now()), () => {
      // A token that never left needs no cookie to forget it.
      this.handout = this.#neverSent ? 'none' : 'clear'
      this.token = undefined
      this.endedBecause = endedBecause(because)
      this.core.onEnded(id)
      this.core.events.emit('destroy', { id, reason: because })
    })
  }

  // The old session lives until the commit, so that a request that fails leaves it as it was.
  #beginAnew(): void {
    const { copy, guard, isNew } = this
    const replaced = this.status === 'live' ? { id: this.id, copy, guard, isNew, deadline: this.#deadline, terms: this.#terms } : undefined
    this.endAtCommit = false
    if (replaced === undefined) return
    this.becomeBlank('absent')
    this.#replaced = replaced
  }

  #takeBack({ id, copy, guard, isNew, deadline, terms }: Replaced): void {
    this.becomeBlank('live')
    this.#id = id
    this.guard = guard
    this.isNew = isNew
    this.#copy = copy
    this.#deadline = deadline
    this.#terms = terms
  }

  #endReplaced({ id }: Replaced, because: EndReason): Awaitable<void> {
    return andThen(this.#endStored(id, because), () => { this.#replaced = undefined })
  }

  /** One compare-and-set of one key; tells whether it went through. */
  tryUpdate(key: EntryKey, value: unknown): Awaitable<CommitResult | 'conflict'> {
    const { copy } = this
    const { writes } = copy
    const text = copy.encode(key, value)
    const basis = copy.base[key] ?? null
    const own = this.#ownDeadline
    const changes: EntryChanges = { set: [[key, text]], remove: [], expect: [[key, basis]], writes }
    const patch = this.#patch(changes, {}, () => value)
    checkSize(copy.base, changes, this.core.settings.maxSessionBytes)
    return andThen(this.store.patch(this.id, patch), (result) => {
      const outcome = settledResult(result, patch)
      if (copy !== this.copy) return leftBehind(outcome)
      if (outcome.status === 'conflict') return this.#takeNewest(outcome.record, NO_CHANGES) ? 'conflict' : this.#becomeGone()
      if (outcome.status === 'gone') return this.#becomeGone()
      copy.adopt(key, value, { text, writes })
      this.#applied(patch, own)
      return 'ok'
    })
  }

  /** Removes one entry at once; false when it is not there any more, since another request was faster. */
  take(key: EntryKey, attempt = 0): Awaitable<boolean> {
    const { copy } = this
    const text = copy.base[key]
    if (this.status !== 'live' || text === undefined || attempt > MAX_ATTEMPTS) return false
    const changes: EntryChanges = { set: [], remove: [key], expect: [[key, text]], writes: copy.writes }
    const own = this.#ownDeadline
    const patch = this.#patch(changes, {})
    return andThen(this.store.patch(this.id, patch), (result) => {
      const outcome = settledResult(result, patch)
      if (copy !== this.copy) return leftBehind(outcome) === 'ok'
      if (outcome.status === 'conflict' && this.#takeNewest(outcome.record, NO_CHANGES)) return this.copy.base[key] === text && this.take(key, attempt + 1)
      if (outcome.status !== 'ok') return this.#becomeGone() === 'ok'
      copy.settle(changes)
      this.#applied(patch, own)
      return true
    })
  }

  // What most requests do: they read a little, and no touch is due.
  #isQuiet(): boolean {
    return !this.forced && this.#ownDeadline === undefined && this.copy.isUntouched && !isTouchDue(this, this.core.now(), this.core.settings.deadlines)
  }

  #applyChanges(only: EntryKey | undefined, identity: IdentityChange, attempt: number): Awaitable<CommitResult> {
    const { copy } = this
    const changes = this.#changes(identity.secret, only)
    const own = this.#ownDeadline
    const patch = this.#patch(changes, identity)
    if (isEmpty(patch)) return 'ok'
    if (changes.set.length > 0) checkSize(copy.base, changes, this.core.settings.maxSessionBytes)
    return andThen(this.store.patch(this.id, patch), (result) => {
      const outcome = settledResult(result, patch)
      if (copy !== this.copy) return leftBehind(outcome)
      if (outcome.status === 'gone') return this.#becomeGone()
      if (outcome.status === 'conflict') return this.#tryAgain(outcome.record, changes, only, identity, attempt)
      copy.settle(changes)
      this.#applied(patch, own)
      return 'ok'
    })
  }

  #tryAgain(newest: SessionRecord, changes: EntryChanges, only: EntryKey | undefined, identity: IdentityChange, attempt: number): Awaitable<CommitResult> {
    if (!this.#takeNewest(newest, changes)) return this.#becomeGone()
    if (attempt >= MAX_ATTEMPTS) throw contended()
    return this.#applyChanges(only, identity, attempt + 1)
  }

  /** False when the record belongs to another life of the same derived id. */
  #takeNewest(newest: SessionRecord, changes: EntryChanges): boolean {
    const incarnation = this.copy.base[INCARNATION]
    if (incarnation !== undefined && newest.entries[INCARNATION] !== incarnation) return false
    this.copy.rebase(newest.entries, changes)
    this.#takeHead(newest)
    return true
  }

  #takeHead(record: SessionRecord): void {
    this.createdAt = record.createdAt
    this.touchedAt = record.touchedAt
    this.#deadline = record.expiresAt
    this.nonce = record.nonce
    this.#terms = record.index
  }

  #patch(changes: EntryChanges, identity: IdentityChange, valueOf = (key: EntryKey): unknown => this.copy.read(key)): Patch {
    const { settings } = this.core
    return buildPatch({
      now: this.core.now(),
      nonce: this.core.nextNonce(),
      guard: this.guard,
      base: this.copy.base,
      changes,
      identity,
      head: this,
      ownDeadline: this.#ownDeadline,
      forced: this.forced,
      listedUnder: this.#terms,
      newTerms: indexedTerms(settings.index, changes, valueOf),
      deadlines: settings.deadlines,
    })
  }

  #applied(patch: Patch, own: number | 'policy' | undefined): void {
    const { events } = this.core
    const stores = patch.set !== undefined || patch.remove !== undefined
    // A commit that was forced counts as one although nothing in it changed.
    if (stores || this.forced) this.stored = true
    this.forced = false
    this.nonce = patch.nonce
    if (patch.touchedAt !== undefined) this.touchedAt = Math.max(this.touchedAt, patch.touchedAt)
    if (patch.index !== undefined) this.#terms = [...new Set([...this.#terms, ...patch.index])]
    if (patch.expiresAt !== undefined) {
      // Set while the store was at work, it is still to be stored.
      if (this.#ownDeadline === own) this.#ownDeadline = undefined
      this.#deadline = patch.deadline === 'replace' ? patch.expiresAt : Math.max(this.#deadline, patch.expiresAt)
      if (this.handout === 'none' && this.token !== undefined) this.handout = 'refresh'
    }
    if (stores && events.wants('commit')) events.emit('commit', { id: this.id })
    if (!stores && patch.touchedAt !== undefined && events.wants('touch')) events.emit('touch', { id: this.id })
  }

  #store(only: EntryKey | undefined, attempt: number): Awaitable<CommitResult> {
    const { bind } = this.core.settings
    if (bind !== undefined && this.exchange !== undefined) this.copy.write(BINDING, hashSecret(bind(this.exchange)))
    const { id } = this
    const { secret } = this.core.settings.tokens.make()
    // Encoded under the id that the record gets: a sealing codec binds the texts to it.
    const changes = this.#changes(secret, only, METADATA)
    const own = this.#ownDeadline
    const record = this.#newRecord(hashSecret(secret), changes)
    return andThen(this.store.create(id, record), (created) => {
      if (!created) {
        if (attempt === 3) throw idTaken()
        this.#id = undefined
        return this.#store(only, attempt + 1)
      }
      this.status = 'live'
      this.#endSignal?.follow(id)
      this.copy.settle(changes)
      if (this.#ownDeadline === own) this.#ownDeadline = undefined
      this.#takeHead(record)
      this.forced = false
      this.#neverSent = this.handout !== 'clear'
      this.#handOut({ id, secret }, record.tokenHash)
      this.stored = true
      this.core.onCreated()
      if (this.core.events.wants('create')) this.core.events.emit('create', { id })
      return 'ok'
    })
  }

  /** What changed; with a new secret also what hands the seal's keys over to it. */
  #changes(secret: string | undefined, ...which: Parameters<WorkingCopy['changes']>): EntryChanges {
    const { seal, copy } = this
    return seal === undefined || secret === undefined ? copy.changes(...which) : seal.renewed(secret, () => copy.changes(...which))
  }

  #newRecord(tokenHash: string, changes: EntryChanges): SessionRecord {
    const now = this.core.now()
    const entries = makeEntries()
    for (const [key, text] of changes.set) entries[key] = text
    checkSize(makeEntries(), changes, this.core.settings.maxSessionBytes)
    const own = typeof this.#ownDeadline === 'number' ? this.#ownDeadline : undefined
    const terms = indexedTerms(this.core.settings.index, changes, (key) => this.copy.read(key))
    return firstRecord(this.core, now, { expiresAt: own ?? deadlineAfterTouch(now, now, this.core.settings.deadlines), tokenHash, index: terms, entries })
  }

  #handOut(token: Token, tokenHash: string): void {
    this.guard = tokenHash
    // With a store that keeps nothing there is nothing to come back to.
    if (this.store.store.keeps === 'nothing') return
    this.token = tokenText(token)
    this.handout = 'new'
  }

  #becomeGone(): CommitResult {
    this.status = 'gone'
    // Ended, or given another token by another request: then the session goes on.
    if (this.#endSignal !== undefined) this.core.checkEnd(this.id)
    this.copy.discard()
    this.core.events.emit('gone', { id: this.id })
    return 'gone'
  }

  #dropChanges(): CommitResult {
    this.core.events.emit('gone', { ...(this.#id !== undefined && { id: this.#id }), reason: this.status })
    this.copy.discard()
    return 'gone'
  }

  #leaveUnsaved(refusal: string): CommitResult {
    this.core.events.emit('not-saved', { reason: refusal })
    this.copy.discard()
    return 'gone'
  }

  // What the working copy asks of its session.
  get codec(): Settings['codec'] { return this.seal ?? this.core.settings.codec }
  get validate(): Settings['validate'] { return this.core.settings.validate }
  get merge(): Settings['merge'] { return this.core.settings.merge }
  get outlivesRequests(): boolean { return this.exchange === undefined }
  now(): number { return this.core.now() }
  onUnreadable(key: EntryKey, error: unknown): void { this.core.events.emit('unreadable', { id: this.id, key, error }) }
  onConflict(key: EntryKey): void { this.core.events.emit('conflict', { id: this.id, key }) }
}

// While the store was at work the handler has left this session, by `data = null` and a write: its outcome says nothing of the next.
function leftBehind({ status }: PatchResult): CommitResult {
  return status === 'ok' ? 'ok' : 'gone'
}

interface Replaced {
  readonly id: SessionId
  readonly copy: WorkingCopy
  readonly guard: string | undefined
  readonly isNew: boolean
  readonly deadline: number
  readonly terms: readonly string[]
}

const NO_ENTRIES = makeEntries()
const NO_CHANGES: EntryChanges = { set: [], remove: [], expect: [], writes: 0 }
