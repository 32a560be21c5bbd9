import { createSecretKey, type KeyObject } from 'node:crypto'
import { SessionError } from '../core/errors.ts'
import { Attachment } from '../core/internal/attachment.ts'
import { ATTRIBUTES, checkedAttributes, checkKnown, checkName, cookieNamer, EXPIRED, isSecure, lifetimeOf, serialise, type Attributes, type CookieAttributes } from '../core/internal/cookie-attributes.ts'
import { cookieValues } from '../core/internal/cookie-values.ts'
import { OWNER } from '../core/internal/namespaces.ts'
import { late } from '../core/internal/refusals.ts'
import { checkedKeys, type KeyList } from '../core/keys.ts'
import { applyPatch } from '../core/patch.ts'
import { isLive, parseRecord, stringifyRecord, tombstone, type SessionRecord } from '../core/record.ts'
import type { Awaitable, ExchangeStore, Store } from '../core/store.ts'
import type { Exchange, TokenHandout, Transport } from '../core/transport.ts'
import { fits, join, pieceName, seal, split, unseal } from './internal/sealed-cookie.ts'

export type { Key, KeyList } from '../core/keys.ts'

export interface CookieStoreOptions extends CookieAttributes {
  /** The key that seals, then earlier ones that still open: 32 bytes each. A cookie that an earlier key opened is sealed anew. No default. */
  readonly keys: KeyList
  /** Defaults to that of the cookie transport: `__Host-sid` on https. A seal opens only under the name it was made for. */
  readonly name?: string
  /** The browser keeps the cookie until the session's deadline. Defaults to false. */
  readonly persistent?: boolean
  /** How many cookies a session may take, of 4 KB each. 1 to 3, since servers refuse headers of 16 KB. Defaults to 2. */
  readonly chunks?: number
  /** From when an owner's sessions count, milliseconds since the epoch: what began before is refused. The only way to end a session that the visitor keeps. */
  readonly revokedBefore?: (owner: string) => Awaitable<number | undefined>
}

/** Transport and store in one. */
export type CookieStore = ExchangeStore & { readonly transport: Transport }

/**
 * Keeps the whole session with the visitor, in sealed cookies: nothing on the server. What that cannot promise is on the
 * docs page: concurrent writes are lost (the last cookie wins), and a copied cookie outlives a logout unless `revokedBefore` says otherwise.
 */
export function cookieStore(options: CookieStoreOptions): CookieStore {
  const settings = settingsFrom(options)
  const jars = new Attachment('sojourn.jar', (value) => value instanceof Jar)
  const jarOf = (exchange: Exchange): Jar => {
    const present = jars.get(exchange)
    if (present !== undefined) return present
    const jar = new Jar(exchange, settings)
    jars.set(exchange, jar)
    return jar
  }
  return Object.assign((exchange: Exchange) => storeIn(exchange, jarOf(exchange), settings), { transport: transportOf(jarOf, settings) })
}

interface Settings {
  readonly name: string | undefined
  readonly keys: readonly [KeyObject, ...KeyObject[]]
  readonly attributes: Attributes
  readonly given: CookieAttributes
  readonly nameFor: (exchange: Exchange) => string
  readonly persistent: boolean
  readonly chunks: number
  readonly revokedBefore: CookieStoreOptions['revokedBefore']
}

function settingsFrom(options: CookieStoreOptions): Settings {
  checkKnown(options, [...ATTRIBUTES, 'keys', 'name', 'persistent', 'chunks', 'revokedBefore'])
  const { keys, name, persistent = false, chunks = 2, revokedBefore, ...given } = options
  const attributes = checkedAttributes(given)
  checkName(name, attributes)
  if (!Number.isInteger(chunks) || chunks < 1 || chunks > 3) throw new SessionError('ERR_SESSION_OPTION', `cookieStore cannot use ${String(chunks)} cookies for one session. Pass chunks from 1 to 3; keep larger sessions in another store.`)
  const nameOf = cookieNamer(name, attributes)
  // Once: a cipher that is given bytes makes a key object of them each time, which takes twice as long as the sealing.
  const [current, ...older] = checkedKeys(keys, 'cookieStore')
  return {
    name, keys: [createSecretKey(current), ...older.map((key) => createSecretKey(key))], attributes, given, persistent, chunks, revokedBefore,
    nameFor: (exchange) => nameOf(isSecure(attributes, exchange), exchange),
  }
}

function transportOf(jarOf: (exchange: Exchange) => Jar, { name, attributes, given, nameFor, persistent }: Settings): Transport {
  const lasts = persistent || attributes.maxAge !== undefined || attributes.expires !== undefined
  return {
    persistent: lasts,
    facts: { ...attributes, carrier: 'cookie', name, persistent: lasts },
    vary: 'Cookie',
    nameFor,
    read: (exchange) => jarOf(exchange).offers,
    refuses: (exchange) => (attributes.secure === true && exchange.secure === false ? 'a secure cookie cannot be sent over plain http' : undefined),
    checkOverrides(overrides, exchange) {
      checkKnown(overrides, ATTRIBUTES)
      checkName(exchange === undefined ? undefined : nameFor(exchange), checkedAttributes({ ...given, ...overrides }))
    },
    write: (exchange, handout) => jarOf(exchange).hand(handout),
    settle: (exchange) => jarOf(exchange).settle(),
  }
}

function storeIn(exchange: Exchange, jar: Jar, { revokedBefore, chunks }: Settings): Store {
  // Nothing is kept but what the response carries: what comes after its head would be lost, and must not be acknowledged.
  const checkInTime = (): void => { if (exchange.headSent) throw late('change a session that the visitor keeps') }
  const allowed = (record: SessionRecord, before: number | undefined): SessionRecord =>
    before !== undefined && record.createdAt <= before && startedAt(record) <= before ? tombstone(record, 'revoked', before) : record
  return {
    consistency: 'client',
    // What a cookie holds of 4096 bytes, before it is sealed and written as base64.
    maxBytes: chunks * 3000,
    read(id) {
      const { record } = jar
      if (record === undefined || jar.id !== id) return undefined
      const owner = ownerOf(record)
      if (revokedBefore === undefined || owner === undefined) return record
      const before = revokedBefore(owner)
      return typeof before === 'object' ? before.then((at) => allowed(record, at)) : allowed(record, before)
    },
    create(id, record) {
      if (jar.id === id && isLive(jar.record, record.createdAt)) return false
      jar.keep(id, record)
      return true
    },
    patch(id, patch) {
      const applied = applyPatch(jar.id === id ? jar.record : undefined, patch)
      if (applied.status !== 'ok') return applied
      // That somebody was here may be lost.
      if (patch.set !== undefined || patch.remove !== undefined || patch.rotateTo !== undefined) checkInTime()
      jar.keep(id, applied.record)
      return { status: 'ok', version: applied.record.version }
    },
    end(id, because) {
      if (jar.id !== id || jar.record === undefined) return false
      // What has expired says so itself. To clear its cookie, or to seal it anew, could cost a newer one, of a login that this request overlapped.
      if (because.startsWith('expired')) {
        jar.leave()
        return false
      }
      checkInTime()
      jar.empty()
      return true
    },
  }
}

function ownerOf(record: SessionRecord): string | undefined {
  const text = record.entries[OWNER]
  return text === undefined ? undefined : parsedText(text)
}

function parsedText(json: string): string | undefined {
  const value: unknown = JSON.parse(json)
  return typeof value === 'string' ? value : undefined
}

function startedAt(record: SessionRecord): number {
  const at = Number(record.entries['m:authenticatedAt'] ?? Number.NaN)
  return Number.isFinite(at) ? at : record.createdAt
}

/** The cookies of one exchange: what the request brought, and what the response takes back. */
class Jar {
  readonly #exchange: Exchange
  readonly #settings: Settings
  readonly #name: string
  /** What the request offered as a token: ours, or something that is none, so that the core can tell. */
  readonly offers: readonly string[]
  id: string | undefined
  record: SessionRecord | undefined
  /** The record as it is sealed. */
  #text = ''
  #secret = ''
  #changed = false
  #handout: TokenHandout | undefined

  constructor(exchange: Exchange, settings: Settings) {
    this.#exchange = exchange
    this.#settings = settings
    this.#name = settings.nameFor(exchange)
    this.offers = this.#open()
  }

  keep(id: string, record: SessionRecord): void {
    const text = stringifyRecord(record)
    const { chunks } = this.#settings
    // Measured with a secret of full length, before anything is replaced: the old cookie stays untouched.
    if (!fits(Buffer.byteLength(text) + id.length + Math.max(this.#secret.length, SECRET_LENGTH) + 2, this.#name, chunks)) throw tooLarge(record, chunks)
    this.id = id
    this.record = record
    this.#text = text
    this.#changed = true
  }

  empty(): void {
    this.record = undefined
    this.#changed = true
  }

  /** The cookie stays as it came. */
  leave(): void {
    this.#changed = false
  }

  hand(handout: TokenHandout): void {
    this.#handout = handout
    this.#changed = true
    if (handout.token !== undefined) this.#secret = handout.token.slice(handout.token.indexOf('.') + 1)
  }

  settle(): void {
    if (!this.#changed) return
    const { attributes, given, persistent } = this.#settings
    const effective = this.#handout?.overrides === undefined ? attributes : checkedAttributes({ ...given, ...this.#handout.overrides })
    const pieces = this.record === undefined || this.id === undefined ? [] : this.#sealed(this.id, this.record)
    const lifetime = lifetimeOf(effective, this.#times(), persistent)
    const secure = isSecure(effective, this.#exchange)
    pieces.forEach((value, at) => {
      const name = pieceName(this.#name, at)
      // The value goes in between: it has nothing to escape, and `serialise` would look at every character.
      const line = serialise(name, '', effective, lifetime, secure)
      this.#send(`${name}=${value}${line.slice(name.length + 1)}`)
    })
    for (const at of this.#leftovers(pieces.length)) this.#send(serialise(pieceName(this.#name, at), '', effective, EXPIRED, secure))
    this.#exchange.setResponseHeader('Cache-Control', 'no-store')
  }

  #times(): TokenHandout {
    if (this.#handout !== undefined) return this.#handout
    const { record } = this
    return { token: undefined, now: record?.touchedAt ?? 0, expiresAt: record?.expiresAt ?? 0, lasting: record?.entries['m:expires'] !== undefined, isNew: false, overrides: undefined }
  }

  // Only what is there: a piece of an older seal would be taken for one of this.
  #leftovers(from: number): number[] {
    const header = this.#exchange.header('cookie') ?? ''
    if (from > 0 && !header.includes(`${this.#name}.`)) return []
    return [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((at) => at >= from && this.#value(at) !== undefined)
  }

  #send(cookie: string): void {
    this.#exchange.appendResponseHeader('Set-Cookie', cookie)
  }

  #value(at: number): string | undefined {
    return cookieValues(this.#exchange.header('cookie') ?? '', pieceName(this.#name, at))[0]
  }

  #sealed(id: string, record: SessionRecord): string[] {
    const { keys, chunks } = this.#settings
    const pieces = split(seal(`${id}.${this.#secret}\n${this.#text}`, keys[0], this.#name), this.#name, chunks)
    if (pieces === undefined) throw tooLarge(record, chunks)
    return pieces
  }

  #open(): readonly string[] {
    const first = this.#value(0)
    if (first === undefined) return []
    const sealed = join((at) => (at === 0 ? first : this.#value(at)), this.#settings.chunks)
    const [current, ...previous] = this.#settings.keys
    for (const key of [current, ...previous]) {
      const plain = sealed === undefined ? undefined : unseal(sealed, key, this.#name)
      if (plain === undefined) continue
      if (!this.#take(plain)) return UNREADABLE
      // Sealed with an earlier key: sealed anew with the current one.
      this.#changed = key !== current
      return [`${this.id}.${this.#secret}`]
    }
    return UNREADABLE
  }

  #take(plain: string): boolean {
    const line = plain.indexOf('\n')
    const dot = plain.indexOf('.')
    const text = plain.slice(line + 1)
    try {
      this.record = parseRecord(text)
    } catch {
      return false
    }
    this.#text = text
    this.id = plain.slice(0, dot)
    this.#secret = plain.slice(dot + 1, line)
    return true
  }
}

/** Of a token's secret in base64url, unless the application makes its own. */
const SECRET_LENGTH = 43

// No token has this form, so the core reports it and begins anew.
const UNREADABLE: readonly string[] = ['unreadable']

function tooLarge({ entries }: SessionRecord, chunks: number): SessionError {
  const sizes = Object.keys(entries).map((key) => ({ key, size: Buffer.byteLength(entries[key] ?? '') })).toSorted((a, b) => b.size - a.size)
  const biggest = sizes.slice(0, 3).map(({ key, size }) => `${JSON.stringify(key.slice(key.indexOf(':') + 1, 80))} (${size} bytes)`)
  return new SessionError('ERR_SESSION_TOO_LARGE', `The session does not fit into ${chunks} ${chunks === 1 ? 'cookie' : 'cookies'} of 4096 bytes; the biggest keys are ${biggest.join(', ')}. Keep less in it, raise chunks (to 3 at most), or choose a store on the server.`)
}
