import { setTimeout as delay } from 'node:timers/promises'
import { SessionError, isSessionError } from '../core/errors.ts'
import { applyPatch, GONE, type Patch, type PatchResult } from '../core/patch.ts'
import { isLive, stringifyRecord, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { PatchOptions, ReadOptions, Store } from '../core/store.ts'
import { queueOf } from './internal/keyed-queue.ts'
import { commandsOf, type CallbackClient, type Commands, type NodeClient, type PromisingClient } from './internal/memcached-clients.ts'
import { readableIn, recordIn, stopIfAborted, tombstoneOf } from './internal/stored-text.ts'
import { timeToLive } from './internal/time-to-live.ts'

/** A client of the package memcache-client (recommended), memcached, or memcache (with memcached 1.6 or newer). */
export type MemcachedClient = PromisingClient | CallbackClient | NodeClient

export interface MemcachedStoreOptions {
  /** What every key begins with: printable ASCII without spaces, at most 120 characters. Defaults to `sojourn:`. */
  readonly prefix?: string
  /** The largest record in bytes. Defaults to 1,000,000, which fits the server's own limit of 1 MiB; raise it together with the server's `-I`. */
  readonly maxBytes?: number
}

/**
 * Keeps sessions in memcached. Every change is a compare-and-set, so no write is lost and no end undone, from any number of processes.
 * A cache forgets, though: a session can be evicted when memory is short, and all are gone after a restart of the server. Throws `ERR_SESSION_OPTION`.
 */
export function memcachedStore(client: MemcachedClient, options: MemcachedStoreOptions = {}): Store {
  const { prefix = 'sojourn:', maxBytes = 1_000_000 } = options
  if (typeof prefix !== 'string' || !/^[!-~]{0,120}$/.test(prefix)) throw new SessionError('ERR_SESSION_OPTION', 'The prefix of memcachedStore must be at most 120 printable ASCII characters without a space. Pass for example { prefix: "sessions:" }.')
  if (!Number.isInteger(maxBytes) || maxBytes < 1024) throw new SessionError('ERR_SESSION_OPTION', 'maxBytes of memcachedStore must be a whole number of bytes, 1024 at least. Pass the limit of the server, less some 48,000 for its own use.')
  return new Memcached(client, commandsOf(client), prefix, maxBytes)
}

class Memcached implements Store {
  readonly maxBytes: number
  readonly #commands: Commands
  readonly #prefix: string
  // Within this process changes of one session take turns, so that only other processes can make a compare-and-set fail.
  readonly #oneAtATime

  constructor(client: object, commands: Commands, prefix: string, maxBytes: number) {
    this.maxBytes = maxBytes
    this.#commands = commands
    this.#prefix = prefix
    this.#oneAtATime = queueOf(client)
  }

  async read(id: SessionId, options?: ReadOptions): Promise<SessionRecord | undefined> {
    stopIfAborted(options?.signal)
    const found = await this.#gets(this.#key(id))
    return found === undefined ? undefined : recordIn(found.text)
  }

  create(id: SessionId, record: SessionRecord): Promise<boolean> {
    const text = this.#text(record)
    const lifetime = lifetimeOf(timeToLive(record.expiresAt, record.createdAt))
    return this.#change(id, async (key, found) => {
      if (found === undefined) return (await this.#add(key, text, lifetime)) ? true : undefined
      if (isLive(readableIn(found.text), record.createdAt)) return false
      return (await this.#cas(key, text, found.token, lifetime)) ? true : undefined
    })
  }

  patch(id: SessionId, patch: Patch, { signal }: PatchOptions = {}): Promise<PatchResult> {
    return this.#change<PatchResult>(id, async (key, found) => {
      // Never add here: it would succeed after an end whose tombstone has left, and bring the session back.
      if (found === undefined) return GONE
      const current = readableIn(found.text)
      const applied = applyPatch(current, patch)
      if (applied.status !== 'ok') return applied
      const done = { status: 'ok', version: applied.record.version } as const
      if (applied.record === current) return done
      stopIfAborted(signal)
      const stored = await this.#cas(key, this.#text(applied.record), found.token, lifetimeOf(timeToLive(applied.record.expiresAt, patch.now)))
      return stored ? done : undefined
    }, signal)
  }

  end(id: SessionId, because: EndReason, at: number): Promise<boolean> {
    return this.#change(id, async (key, found) => {
      if (found === undefined) return false
      const current = readableIn(found.text)
      if (current?.ended !== undefined) return false
      const grave = tombstoneOf(current, because, at)
      return (await this.#cas(key, stringifyRecord(grave), found.token, lifetimeOf(timeToLive(grave.expiresAt, at)))) ? true : undefined
    })
  }

  /** Reads and tries to change, until an attempt answers something other than undefined: nobody else wrote in between. */
  #change<T>(id: SessionId, attempt: (key: string, found: Found | undefined) => Promise<T | undefined>, signal?: AbortSignal): Promise<T> {
    const key = this.#key(id)
    return this.#oneAtATime(key, async () => {
      for (let tries = 0; tries < ATTEMPTS; tries += 1) {
        stopIfAborted(signal)
        const result = await attempt(key, await this.#gets(key))
        if (result !== undefined) return result
        await delay(Math.random() * Math.min(2 ** tries, LONGEST_PAUSE_MS))
      }
      throw new SessionError('ERR_SESSION_STORE', `Other processes changed the session at each of ${ATTEMPTS} attempts. Nothing was changed; try again later.`, { outcome: 'none' })
    })
  }

  #key(id: SessionId): string {
    const key = this.#prefix + id
    // The text protocol ends a command at a line break and a key at a space, so such an id could carry commands.
    if (/^[!-~]{1,250}$/.test(key)) return key
    throw new SessionError('ERR_SESSION_USAGE', 'memcached takes keys of at most 250 printable ASCII characters without a space. Use ids as Sojourn makes them.')
  }

  #text(record: SessionRecord): string {
    const text = stringifyRecord(record)
    const bytes = Buffer.byteLength(text)
    if (bytes <= this.maxBytes) return text
    throw new SessionError('ERR_SESSION_TOO_LARGE', `The session would have ${bytes} bytes as memcached keeps it, and ${this.maxBytes} are allowed. Keep less in it, or raise maxBytes and the server’s own limit.`)
  }

  #gets(key: string): Promise<Found | undefined> {
    return failing('none', () => this.#commands.gets(key))
  }

  #add(key: string, text: string, lifetime: number): Promise<boolean> {
    return failing('unknown', () => this.#commands.add(key, text, lifetime))
  }

  #cas(key: string, text: string, token: string, lifetime: number): Promise<boolean> {
    return failing('unknown', () => this.#commands.cas(key, text, token, lifetime))
  }
}

interface Found {
  readonly text: unknown
  readonly token: string
}

const ATTEMPTS = 60
const LONGEST_PAUSE_MS = 32

/** memcached takes a larger number of seconds for an instant, counted since 1970. */
const LONGEST_COUNT = 30 * 86_400
/** A server's clock may differ from ours by this much before it drops the living. Only instants depend on it. */
const CLOCK_MARGIN = 86_400
const LAST_INSTANT = 2 ** 31 - 1

/** How memcached is told a time to live. 0 is for ever. */
function lifetimeOf(ms: number): number {
  const seconds = Math.ceil(ms / 1000)
  if (seconds <= LONGEST_COUNT) return seconds
  const instant = Math.ceil(Date.now() / 1000) + seconds + CLOCK_MARGIN
  return instant > LAST_INSTANT ? 0 : instant
}

async function failing<T>(outcome: 'none' | 'unknown', command: () => Promise<T>): Promise<T> {
  try {
    return await command()
  } catch (cause) {
    if (isSessionError(cause)) throw cause
    throw new SessionError('ERR_SESSION_STORE', 'memcached did not answer as it should. The client’s own error is the cause.', { cause, outcome })
  }
}
