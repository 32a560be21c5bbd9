import { isSessionError, SessionError } from '../core/errors.ts'
import { applyPatch, GONE, type Patch, type PatchResult } from '../core/patch.ts'
import { NEVER, TOMBSTONE_AGE_MS, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { Awaitable, PatchOptions, ReadOptions, Store, SweepRequest } from '../core/store.ts'
import { escapeText } from './internal/escape.ts'
import { RedisCaller, untilAborted, type Answer, type RunOptions } from './internal/redis-caller.ts'
import { failed, linkTo, whenReady, type RedisClient, type RedisLink } from './internal/redis-client.ts'
import { listenForEnds, type EndsListener, type RedisSubscriber } from './internal/redis-ends.ts'
import { NearRecords } from './internal/redis-near.ts'
import { deadlineFromHead, entryField, fieldsOf, headLine, millisecondsToKeep, recordFromReply, replyText } from './internal/redis-record.ts'
import { CREATE, END, INDEX, PATCH, PATCH_TRACKED, SWEEP, UNINDEX, type RedisScript } from './internal/redis-scripts.ts'
import { checkServer } from './internal/redis-server.ts'

export type { RedisClient } from './internal/redis-client.ts'
export type { RedisSubscriber } from './internal/redis-ends.ts'

/** Settings of {@link redisStore}. */
export interface RedisStoreOptions {
  /** What every key begins with. `sojourn:` by default. */
  readonly prefix?: string
  /**
   * What `open` does with a server whose `maxmemory-policy` may evict keys, and with them sessions that are in
   * use and terms of the index: `refuse` (the default) or `accept`.
   */
  readonly eviction?: 'refuse' | 'accept'
  /**
   * Replicas that must have a write before it counts, by WAIT; 0 by default. With fewer the write fails with
   * `ERR_SESSION_STORE`, `outcome: 'unknown'`.
   */
  readonly minReplicas?: number
  /** Seconds to wait for them. 1 by default. */
  readonly replicaTimeout?: number
  /**
   * Sessions that were read lately are kept in this process, as long as the ttl of the client-side cache of a single
   * node-redis client says, a second at most. One that ends elsewhere may seem live for that long. Off by default.
   */
  readonly nearCache?: boolean
  /** A connection of its own, of the same package as the client, on which to hear of ends elsewhere. Without it there is no `watch`. */
  readonly watch?: RedisSubscriber
}

/**
 * Keeps sessions in Redis or Valkey, from version 6.2, through a connected client of node-redis or ioredis: one
 * server, Sentinel or Cluster. Throws `ERR_SESSION_OPTION` for a client or a setting that cannot keep the promises.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): Store {
  return new RedisStore(linkTo(client), checked(options))
}

type Settings = Required<Omit<RedisStoreOptions, 'watch'>> & Pick<RedisStoreOptions, 'watch'>

function checked(options: RedisStoreOptions): Settings {
  const { prefix = 'sojourn:', eviction = 'refuse', minReplicas = 0, replicaTimeout = 1, nearCache = false, watch } = options
  if (typeof prefix !== 'string' || prefix === '' || !prefix.isWellFormed()) throw option('prefix', 'a text that is not empty')
  if (eviction !== 'refuse' && eviction !== 'accept') throw option('eviction', "'refuse' or 'accept'")
  if (!Number.isInteger(minReplicas) || minReplicas < 0) throw option('minReplicas', 'a whole number from 0')
  if (!(replicaTimeout > 0 && replicaTimeout <= 60)) throw option('replicaTimeout', 'seconds, more than 0 and at most 60')
  return { prefix, eviction, minReplicas, replicaTimeout, nearCache, ...(watch !== undefined && { watch }) }
}

function option(name: string, what: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The option ${name} of redisStore is not usable. Pass ${what}.`)
}

/** Milliseconds that a term of the index stays after its deadline: more than any two clocks differ. */
const INDEX_STAY_MS = 86_400_000

/** Milliseconds a near cache may keep an answer, and the answers it keeps where the client sets no limit. */
const NEAR_TTL_MS = 1000
const NEAR_ENTRIES = 10_000

/** Milliseconds in which `open` connects and looks at the servers. Requests wait for it. */
const OPEN_MS = 2000

/** Keys a server looks at in one step of SCAN. */
const SCAN_COUNT = 1000

// One sweep of what has expired ends after some steps of SCAN, or after some time. Redis deletes nearly all of
// that by itself, so the rest can wait for the next sweep.
const SCAN_STEPS_PER_SWEEP = 16
const SWEEP_MS = 1000

/** Records that are looked at together in a sweep. */
const SWEEP_AT_ONCE = 100

class RedisStore implements Store {
  readonly readsInOneStep = true
  readonly #link: RedisLink
  readonly #caller: RedisCaller
  readonly #settings: Settings
  readonly #near: NearRecords | undefined
  readonly #ends: EndsListener | undefined
  readonly watch?: (id: SessionId, onEnd: () => void) => () => void
  #pass: Pass | undefined

  constructor(link: RedisLink, settings: Settings) {
    this.#link = link
    this.#settings = settings
    this.#caller = new RedisCaller(link, settings)
    this.#near = settings.nearCache ? nearRecordsOf(link) : undefined
    this.#near?.open()
    if (settings.watch === undefined) return
    const ends = listenForEnds(settings.watch, this.#channel(), async (id) => isOver(await this.read(id, { fresh: true })))
    this.#ends = ends
    this.watch = (id, onEnd) => ends.watch(id, onEnd)
  }

  async open(): Promise<void> {
    const signal = AbortSignal.timeout(OPEN_MS)
    try {
      await untilAborted(this.#prepare(signal), signal)
    } catch (error) {
      throw failed(error, this.#link, 'none')
    }
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    await whenReady(this.#link, signal)
    for (const send of await this.#link.primaries()) await checkServer(send, this.#settings.eviction)
    this.#near?.open()
    await this.#ends?.open()
  }

  async close(): Promise<void> {
    this.#pass = undefined
    this.#near?.close()
    await this.#ends?.close()
  }

  read(id: SessionId, options: ReadOptions = {}): Awaitable<SessionRecord | undefined> {
    const key = this.#recordKey(id)
    const near = this.#near
    if (near === undefined) return this.#fetch(key, options)
    const kept = options.fresh === true ? undefined : near.get(key)
    return kept ?? near.load(key, () => this.#fetch(key, options))
  }

  async #fetch(key: string, { signal }: ReadOptions): Promise<SessionRecord | undefined> {
    return recordFromReply(await this.#caller.read(key, ['HGETALL', key], signal))
  }

  #change(script: RedisScript, key: string, args: readonly string[]): Promise<Answer> {
    const send = (): Promise<Answer> => this.#caller.run(script, key, args)
    return this.#near === undefined ? send() : this.#near.write(key, send)
  }

  #patch(id: SessionId, patch: Patch, options: RunOptions): Promise<Answer> {
    const [key, args] = [this.#recordKey(id), patchArguments(patch)]
    if (this.#near === undefined) return this.#caller.run(PATCH, key, args, options)
    return this.#near.write(key, () => this.#caller.run(PATCH_TRACKED, key, args, options), (known, answer) => recordAfter(known, patch, answer))
  }

  async create(id: SessionId, record: SessionRecord): Promise<boolean> {
    await this.#list(id, record.index, { score: record.expiresAt, now: record.createdAt, onFailure: 'none' })
    const keep = millisecondsToKeep(record.expiresAt, Math.max(record.createdAt, record.touchedAt))
    const args = [String(record.createdAt), keep, headLine(record.nonce), headLine(record.tokenHash), String(record.expiresAt), ...fieldsOf(record)]
    const [status, least] = await this.#change(CREATE, this.#recordKey(id), args)
    if (status !== 'ok') return false
    if (least !== undefined) await this.#listAgain(id, record.index, { score: Number(least), now: record.createdAt })
    return true
  }

  async patch(id: SessionId, patch: Patch, { signal }: PatchOptions = {}): Promise<PatchResult> {
    const { index = [], now } = patch
    try {
      const score = index.length === 0 ? NEVER : await this.#listAhead(id, patch, signal)
      if (score === undefined) return GONE
      const [status, detail, expiresAt] = await this.#patch(id, patch, { signal })
      if (status === 'conflict') return conflict(detail)
      if (status !== 'ok') return GONE
      // Another request moved the deadline further than this one knew, perhaps without this one's terms.
      if (Number(expiresAt) > score) await this.#listAgain(id, index, { score: Number(expiresAt), now, signal })
      return { status: 'ok', version: Number(detail) }
    } catch (error) {
      if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return GONE
      throw error
    }
  }

  async end(id: SessionId, because: EndReason, at: number): Promise<boolean> {
    const args = [because, String(at), String(at + TOMBSTONE_AGE_MS), String(TOMBSTONE_AGE_MS), this.#channel(), id]
    const [status, ...listed] = await this.#change(END, this.#recordKey(id), args)
    if (status !== 'ok') return false
    await this.#unlist(id, listed)
    return true
  }

  async *find(term: string): AsyncGenerator<SessionId> {
    const key = this.#indexKey(term)
    const seen = new Set<SessionId>()
    for (let cursor = '0'; ; ) {
      // ZSCAN, not ZRANGE: a member that leaves meanwhile would move others out of sight.
      const page = pageOf(await this.#caller.send(key, ['ZSCAN', key, cursor, 'COUNT', '500']))
      for (let at = 0; at < page.items.length; at += 2) {
        const id = page.items[at] ?? ''
        if (!seen.has(id)) yield id
        seen.add(id)
      }
      cursor = page.next
      if (cursor === '0') return
    }
  }

  /** May name a record twice while Redis resizes its table. */
  async *list(): AsyncGenerator<SessionId> {
    for await (const keys of this.#scan()) {
      const ended = await Promise.all(keys.map((key) => this.#caller.send(key, ['HEXISTS', key, '!x'])))
      for (const [at, key] of keys.entries()) if (Number(ended[at]) === 0) yield this.#idOf(key)
    }
  }

  /**
   * Continues its pass over the keys where the last sweep of the same kind stopped. A sweep of what has expired
   * looks at some 16,000 keys at most, since Redis deletes a record a minute after its deadline by itself; one by
   * age looks at all. Terms leave with their record.
   */
  async sweep({ now, by = 'expires', olderThan = 0 }: SweepRequest, limit: number): Promise<number> {
    const bound = by === 'expires' ? now : olderThan
    const pass = this.#passOf(by === 'expires' ? by : `${by} ${bound}`)
    let stepsLeft = by === 'expires' ? SCAN_STEPS_PER_SWEEP : Infinity
    const stopAt = performance.now() + (by === 'expires' ? SWEEP_MS : Infinity)
    let swept = 0
    while (swept < limit && performance.now() < stopAt) {
      if (pass.keys.length === 0) {
        if (stepsLeft === 0 || !(await this.#nextStep(pass))) return swept
        stepsLeft -= 1
      }
      const some = pass.keys.splice(0, Math.min(SWEEP_AT_ONCE, limit - swept))
      const gone = await Promise.all(some.map((key) => this.#sweepOne(key, by, bound)))
      swept += gone.filter(Boolean).length
    }
    return swept
  }

  #passOf(name: string): Pass {
    if (this.#pass?.name !== name) this.#pass = { name, keys: [], pages: this.#scan() }
    return this.#pass
  }

  async #nextStep(pass: Pass): Promise<boolean> {
    try {
      const { done, value } = await pass.pages.next()
      if (done === true) this.#pass = undefined
      else pass.keys.push(...value)
      return done !== true
    } catch (error) {
      this.#pass = undefined
      throw error
    }
  }

  async #sweepOne(key: string, by: string, bound: number): Promise<boolean> {
    const [status, ...listed] = await this.#change(SWEEP, key, [by, String(bound)])
    if (status === 'ok') await this.#unlist(this.#idOf(key), listed)
    return status === 'ok'
  }

  /** Lists the id under a patch's terms and tells their score: the deadline that it sets, or the record's. Undefined when that is gone. */
  async #listAhead(id: SessionId, { index = [], expiresAt, now }: Patch, signal: AbortSignal | undefined): Promise<number | undefined> {
    const key = this.#recordKey(id)
    const score = expiresAt ?? deadlineFromHead(await this.#caller.send(key, ['HGET', key, '!'], signal))
    if (score !== undefined) await this.#list(id, index, { score, now, signal, onFailure: 'none' })
    return score
  }

  // The index goes first: a record that is live but not listed could not be revoked.
  async #list(id: SessionId, terms: readonly string[], { score, now, ...how }: Listing): Promise<void> {
    const args = [id, String(score), String(now), String(INDEX_STAY_MS), String(NEVER)]
    await Promise.all(terms.map((term) => this.#caller.run(INDEX, this.#indexKey(term), args, how)))
  }

  /** Behind a change that has been made: whatever fails here, that stays. */
  async #listAgain(id: SessionId, terms: readonly string[], listing: Listing): Promise<void> {
    try {
      await this.#list(id, terms, listing)
    } catch (cause) {
      throw new SessionError('ERR_SESSION_STORE', 'A change was made in Redis, but not listed in its index, so that the session may be missed there. Look at the cause; read the session again before you repeat anything.', { cause, outcome: 'unknown' })
    }
  }

  // The record is gone, so what fails here leaves a term that names nothing, until its score is long past.
  async #unlist(id: SessionId, [score, ...terms]: readonly unknown[]): Promise<void> {
    await Promise.allSettled(terms.map((term) => this.#caller.run(UNINDEX, this.#indexKey(replyText(term)), [id, replyText(score)])))
  }

  /** Every record's key, a page for each step of SCAN, from each primary. */
  async *#scan(): AsyncGenerator<readonly string[]> {
    const match = `${this.#recordKey('').replaceAll(/[*?[\]\\^]/g, String.raw`\$&`)}*`
    for (const send of await this.#caller.ask('', () => this.#link.primaries())) {
      for (let cursor = '0'; ; ) {
        const from = cursor
        const page = pageOf(await this.#caller.ask('', () => send(['SCAN', from, 'MATCH', match, 'COUNT', String(SCAN_COUNT), 'TYPE', 'hash'])))
        yield page.items
        cursor = page.next
        if (cursor === '0') break
      }
    }
  }

  #recordKey(id: SessionId): string {
    return `${this.#settings.prefix}session:${id}`
  }

  #idOf(recordKey: string): SessionId {
    return recordKey.slice(this.#recordKey('').length)
  }

  #indexKey(term: string): string {
    return `${this.#settings.prefix}index:${term}`
  }

  #channel(): string {
    return `${this.#settings.prefix}ended`
  }
}

/** A walk over every record's key that may take several sweeps. */
interface Pass {
  readonly name: string
  /** Found and not looked at yet. */
  readonly keys: string[]
  readonly pages: AsyncGenerator<readonly string[]>
}

interface Listing extends RunOptions {
  readonly score: number
  readonly now: number
}

function pageOf(reply: unknown): { readonly next: string; readonly items: readonly string[] } {
  const [next, items]: readonly unknown[] = Array.isArray(reply) ? reply : []
  return { next: replyText(next), items: Array.isArray(items) ? items.map(replyText) : [] }
}

function patchArguments(patch: Patch): string[] {
  const { now, expiresAt, expect = [], set = [], remove = [], index = [] } = patch
  const args = [
    String(now), headLine(patch.nonce), optional(patch.tokenHash), optional(patch.rotateTo), String(patch.touchedAt ?? ''), String(expiresAt ?? ''),
    patch.deadline ?? '', expiresAt === undefined ? '' : millisecondsToKeep(expiresAt, now),
    String(expect.length), String(set.length), String(remove.length), String(index.length),
  ]
  for (const [key, text] of expect) args.push(entryField(key), text === null ? '' : `=${escapeText(text)}`)
  for (const [key, text] of set) args.push(entryField(key), escapeText(text))
  for (const key of remove) args.push(entryField(key))
  args.push(...index)
  return args
}

/** What the script has made of a record, if this was the one that it found. Any answer but ok has no version. */
function recordAfter(known: SessionRecord, patch: Patch, [, version]: Answer): SessionRecord | undefined {
  const applied = applyPatch(known, patch)
  return applied.status === 'ok' && applied.record !== known && applied.record.version === Number(version) ? applied.record : undefined
}

/** Tells an absent text from an empty one. */
function optional(text: string | undefined): string {
  return text === undefined ? '' : `=${headLine(text)}`
}

function conflict(reply: unknown): PatchResult {
  const record = recordFromReply(reply)
  return record === undefined ? GONE : { status: 'conflict', record }
}

function isOver(record: SessionRecord | undefined): boolean {
  return record === undefined || record.ended !== undefined
}

function nearRecordsOf({ near }: RedisLink): NearRecords {
  if (near === undefined) {
    throw option('nearCache', 'true only with a single client of node-redis that was made with { RESP: 3, clientSideCache: { ttl: 1000, maxEntries: 10000 } }')
  }
  const { client, cache, ttl, maxEntries } = near
  if (typeof ttl === 'number' && ttl > 0 && ttl <= NEAR_TTL_MS) return new NearRecords({ client, cache, ttl, maxEntries: Number(maxEntries) || NEAR_ENTRIES })
  throw new SessionError(
    'ERR_SESSION_OPTION',
    'The clientSideCache of the Redis client may keep an answer for more than a second, and so a session that has ended. Give it a ttl from 1 to 1000 milliseconds.',
  )
}
