import { standardCodec, type Codec } from './codec.ts'
import type { ContinuationsExtension } from './continuations.ts'
import type { Deadlines } from './deadlines.ts'
import { parseDuration, parseTimeout } from './duration.ts'
import { SessionError } from './errors.ts'
import { guessingDetector, type GuessingDetector } from './internal/guessing.ts'
import { entryValidator, type DataSchema, type EntryValidator } from './schema.ts'
import type { SecurityExtension, SecurityHooks } from './security.ts'
import type { Session } from './session.ts'
import type { Awaitable, ExchangeStore, Store } from './store.ts'
import { customTokenFormat, defaultTokenFormat, systemRandom, type CustomTokenOptions, type RandomBytes, type TokenFormat } from './token.ts'
import type { Exchange, Transport } from './transport.ts'

/** Seconds, or text such as `"30 minutes"`. See docs/concepts.md for the grammar. */
export type Duration = number | string

/** What hooks are told beside the session. */
export interface HookContext {
  /** The framework's own request; undefined outside of requests. */
  readonly request: unknown
}

export type StartHook<Data extends object> = (session: Session<Data>, context: HookContext) => Awaitable<void>

export type AccessHook<Data extends object> = (session: Session<Data>, context: HookContext & { readonly stored: boolean }) => Awaitable<void>

/** Settles two requests that changed one key: the value both began with, the one that is stored now, and this request's. */
export type Merge<Value> = (base: Value | undefined, theirs: Value | undefined, mine: Value | undefined) => Value

export interface CoreOptions<Data extends object> extends CustomTokenOptions {
  /** Where records live. */
  readonly store: Store | ExchangeStore
  /** How the token travels; several are tried in order, and the first hands out new tokens. */
  readonly transport: Transport | readonly Transport[]
  /** Time without a request after which the session ends; up to 400 days, `"never"` for no limit. Defaults to 30 minutes. */
  readonly idleTimeout?: Duration
  /** Time after creation or login when the session ends whatever happens; up to 400 days, `"never"` for no limit. Defaults to 24 hours. */
  readonly absoluteTimeout?: Duration
  /** The idle deadline is moved at most this often, and it is added to the idle timeout. From 0. Defaults to a tenth of `idleTimeout`. */
  readonly touchAfter?: Duration
  /** Data keys by whose value sessions can be found. The owner always is one. */
  readonly index?: readonly (keyof Data & string)[]
  /** How to settle two requests that changed the same key. Without one the later wins, with event `conflict`. */
  readonly merge?: { readonly [Key in keyof Data]?: Merge<Data[Key]> }
  /** A Standard Schema of the data, or one per key. An entry that does not fit is dropped on load, with event `unreadable`. */
  readonly schema?: DataSchema<Data>
  /** Turns values into text and back. Defaults to JSON, with devalue for what JSON loses. */
  readonly codec?: Codec
  /** Saved requests that the visitor can return to: `continuations()` of `sojourn/continuations`. Without it `session.continuations` throws. */
  readonly continuations?: ContinuationsExtension<Data>
  /** Limits and checks beyond the defaults: `security()` of `sojourn/security`. */
  readonly security?: SecurityExtension
  /** The size limit of one session in bytes. From 1024. Defaults to 256 KiB, or what the store takes. */
  readonly maxSessionBytes?: number
  /** `eager` reads the session before the handler runs; with `lazy` the handler awaits `session.load()`. Defaults to `eager`. */
  readonly load?: 'eager' | 'lazy'
  /** What happens at a request whose changes came too late for its session. Defaults to `continue`, with event `gone`. */
  readonly onGone?: 'continue' | 'fail'
  /** What happens at a request when the store fails: an error response, or going on without a session. Defaults to `fail`. */
  readonly onStoreError?: 'fail' | 'degrade'
  /** When changes are stored: at the end of the request, at each write, or only by `session.commit()`. Defaults to `end`. */
  readonly commit?: 'end' | 'immediate' | 'manual'
  /** Whether the changes of a handler that threw are kept. Defaults to `discard`. */
  readonly onThrow?: 'discard' | 'keep'
  /** Called, in order, when a visitor's session is about to be stored for the first time; may set data. */
  readonly onStart?: StartHook<Data> | readonly StartHook<Data>[]
  /** Called at the end of every request, after the commit. */
  readonly onAccess?: AccessHook<Data>
  /** Ties a session to something of the request, such as its user agent: where that changes, the session ends (`endedBecause`: `bound-elsewhere`). A signal, not a protection. */
  readonly bind?: 'user-agent' | ((exchange: Exchange) => string)
  /** Whether changes are kept for a response; asked with its status. Defaults to every status below 500. */
  readonly commitWhen?: (status: number) => boolean
  /** Longest wait for one store call. Up to 60 seconds. Defaults to 2 seconds. */
  readonly storeTimeout?: Duration
  /** How often expired sessions are deleted, jittered; `"never"` to leave it to `sessions.sweep()`. Defaults to 5 minutes. */
  readonly sweepEvery?: Duration
  /** The clock: milliseconds since the epoch, of which the whole ones count. Defaults to `Date.now`. */
  readonly clock?: () => number
  /** The source of randomness. Defaults to the system's cryptographic generator. */
  readonly random?: RandomBytes
}

/** The hooks, apart from the settings, since they know the data's type. */
export interface Hooks<Data extends object> {
  readonly onStart: readonly StartHook<Data>[]
  readonly onAccess: AccessHook<Data> | undefined
  readonly continuations: ContinuationsExtension<Data> | undefined
}

export function hooksFrom<Data extends object>({ onStart = [], onAccess, continuations }: CoreOptions<Data>): Hooks<Data> {
  const starts = typeof onStart === 'function' ? [onStart] : onStart
  for (const hook of starts) checkedFunction(hook, 'onStart')
  return { onStart: starts, onAccess: checkedFunction(onAccess, 'onAccess'), continuations }
}

/** Options after every check, with every default filled in. */
export interface Settings extends SecurityHooks {
  readonly store: Store | ExchangeStore
  readonly transports: readonly [Transport, ...Transport[]]
  readonly deadlines: Deadlines
  readonly index: ReadonlySet<string>
  readonly merge: ReadonlyMap<string, Merge<unknown>>
  readonly validate: EntryValidator | undefined
  readonly codec: Codec
  readonly continuations: Pick<ContinuationsExtension<object>, 'open'> | undefined
  readonly maxSessionBytes: number
  readonly lazy: boolean
  readonly onGone: 'continue' | 'fail'
  readonly onStoreError: 'fail' | 'degrade'
  readonly commit: 'end' | 'immediate' | 'manual'
  readonly onThrow: 'discard' | 'keep'
  readonly guessing: GuessingDetector
  readonly bind: ((exchange: Exchange) => string) | undefined
  readonly commitWhen: (status: number) => boolean
  readonly storeTimeoutMs: number
  /** Undefined: no timer. */
  readonly sweepEveryMs: number | undefined
  readonly clock: () => number
  readonly random: RandomBytes
  readonly tokens: TokenFormat
}

const KNOWN_OPTIONS: readonly string[] = [
  'store', 'transport', 'idleTimeout', 'absoluteTimeout', 'touchAfter', 'index', 'merge', 'schema', 'codec', 'continuations', 'security', 'maxSessionBytes', 'load', 'onGone',
  'onStoreError', 'commit', 'onThrow', 'onStart', 'onAccess', 'bind', 'commitWhen', 'storeTimeout', 'sweepEvery', 'clock', 'random', 'generateToken', 'validateToken',
] satisfies (keyof CoreOptions<object>)[]

/** Checks every option and fills in every default. Throws `ERR_SESSION_OPTION`, saying what to pass instead. */
export function settingsFrom<Data extends object>(options: CoreOptions<Data>): Settings {
  checkKnown(options)
  const random = options.random ?? systemRandom
  const settings: Settings = {
    store: checkedStore(options.store),
    transports: checkedTransports(options.transport),
    deadlines: deadlinesFrom(options),
    index: new Set(checkedList(options.index, 'index')),
    merge: mergesFrom(options.merge),
    validate: options.schema === undefined ? undefined : entryValidator(options.schema),
    codec: checkedCodec(options.codec),
    continuations: checkedExtension(options.continuations),
    maxSessionBytes: checkedSize(options),
    lazy: oneOf(options.load, ['eager', 'lazy'], 'load') === 'lazy',
    onGone: oneOf(options.onGone, ['continue', 'fail'], 'onGone'),
    onStoreError: oneOf(options.onStoreError, ['fail', 'degrade'], 'onStoreError'),
    commit: oneOf(options.commit, ['end', 'immediate', 'manual'], 'commit'),
    onThrow: oneOf(options.onThrow, ['discard', 'keep'], 'onThrow'),
    guessing: guessingDetector(),
    bind: options.bind === 'user-agent' ? (exchange) => exchange.header('user-agent') ?? '' : checkedFunction(options.bind, 'bind'),
    commitWhen: checkedFunction(options.commitWhen, 'commitWhen') ?? ((status) => status < 500),
    storeTimeoutMs: storeTimeoutFrom(options.storeTimeout ?? 2),
    sweepEveryMs: sweepEveryFrom(options.sweepEvery ?? 300),
    clock: clockFrom(options.clock),
    random: checkedFunction(options.random, 'random') ?? systemRandom,
    tokens: options.generateToken === undefined && options.validateToken === undefined ? defaultTokenFormat(random) : customTokenFormat(options, random),
  }
  const { security } = options
  if (security === undefined) return settings
  if (typeof security.apply !== 'function') throw wrong('security is not what security() makes', 'Pass security: security({ … }), of sojourn/security')
  return security.apply(settings)
}

const DAY = 86_400
const MAX_TIMEOUT = 400 * DAY

function deadlinesFrom<Data extends object>(options: CoreOptions<Data>): Deadlines {
  const idle = timeoutOrNever(options.idleTimeout ?? 1800, 'idleTimeout')
  const absolute = timeoutOrNever(options.absoluteTimeout ?? DAY, 'absoluteTimeout')
  if (idle > absolute && idle !== Infinity) throw wrong('idleTimeout is longer than absoluteTimeout', 'Raise absoluteTimeout, or lower idleTimeout')
  const touchAfter = options.touchAfter === undefined ? Math.min(idle, absolute, MAX_TIMEOUT) / 10 : parseTimeout(options.touchAfter, 'touchAfter', { min: 0, max: MAX_TIMEOUT })
  if (touchAfter > idle) throw wrong('touchAfter is longer than idleTimeout', 'Pass a fraction of idleTimeout, such as a tenth')
  return { idle: Math.round(idle * 1000), absolute: Math.round(absolute * 1000), touchAfter: Math.floor(touchAfter * 1000) }
}

function timeoutOrNever(value: Duration, what: string): number {
  if (parseDuration(value, what) === Infinity) return Infinity
  return parseTimeout(value, what, { min: 1, max: MAX_TIMEOUT })
}

function storeTimeoutFrom(value: Duration): number {
  return parseTimeout(value, 'storeTimeout', { min: 0.001, max: 60 }) * 1000
}

function sweepEveryFrom(value: Duration): number | undefined {
  if (parseDuration(value, 'sweepEvery') === Infinity) return undefined
  return parseTimeout(value, 'sweepEvery', { min: 1, max: 20 * DAY }) * 1000
}

function checkKnown(options: object): void {
  if (typeof options !== 'object' || options === null) throw wrong('createSessions was not given an object', 'Pass an object of options')
  for (const name of Object.keys(options)) {
    if (!KNOWN_OPTIONS.includes(name)) throw wrong(`there is no option ${JSON.stringify(name.slice(0, 60))}`, `The options are ${KNOWN_OPTIONS.join(', ')} and cookie`)
  }
}

// Not every store can keep a fraction, such as performance.timeOrigin + performance.now() has.
function clockFrom(clock: CoreOptions<object>['clock']): () => number {
  const given = checkedFunction(clock, 'clock')
  return given === undefined ? Date.now : () => Math.floor(given())
}

function checkedStore(store: Store | ExchangeStore): Store | ExchangeStore {
  if (typeof store === 'function') return store
  for (const method of ['read', 'create', 'patch', 'end'] as const) {
    if (typeof store?.[method] !== 'function') throw wrong(`store has no method ${method}`, 'Pass a store such as memoryStore() or sqliteStore("sessions.db"); wrap one of express-session with expressStore(store)')
  }
  return store
}

function checkedTransports(transport: Transport | readonly Transport[]): readonly [Transport, ...Transport[]] {
  const [first, ...others] = [transport].flat()
  if (first === undefined) throw wrong('transport is an empty list', 'Pass one, such as cookieTransport()')
  for (const one of [first, ...others]) {
    if (typeof one?.read !== 'function' || typeof one.write !== 'function') throw wrong('transport has no methods read and write', 'Pass cookieTransport(), bearerTransport() or queryTransport()')
  }
  return [first, ...others]
}

function checkedList(list: readonly string[] | undefined, what: string): readonly string[] {
  if (list === undefined) return []
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string')) throw wrong(`${what} is not a list of data keys`, `Pass a list such as ${what}: ['userId']`)
  return list
}

function mergesFrom<Data extends object>(merge: CoreOptions<Data>['merge']): ReadonlyMap<string, Merge<unknown>> {
  const merges = new Map<string, Merge<unknown>>()
  for (const [key, settle] of Object.entries(merge ?? {})) {
    if (typeof settle !== 'function') throw wrong(`merge.${key} is not a function`, 'Pass (base, theirs, mine) => value')
    merges.set(key, (base, theirs, mine): unknown => settle(base, theirs, mine))
  }
  return merges
}

function checkedCodec(codec: Codec | undefined): Codec {
  if (codec === undefined) return standardCodec
  if (typeof codec.encode !== 'function' || typeof codec.decode !== 'function') throw wrong('codec has no methods encode and decode', 'Pass { encode(value), decode(text) }, or sealingCodec(keys) of sojourn/security')
  return codec
}

function checkedExtension<Data extends object>(extension: ContinuationsExtension<Data> | undefined): Settings['continuations'] {
  if (extension !== undefined && typeof extension.open !== 'function') throw wrong('continuations is not what continuations() makes', 'Pass continuations: continuations(), of sojourn/continuations')
  return extension
}

function checkedSize<Data extends object>({ maxSessionBytes, store }: CoreOptions<Data>): number {
  const limit = typeof store === 'function' ? Infinity : store.maxBytes ?? Infinity
  if (maxSessionBytes === undefined) return Math.min(256 * 1024, limit)
  if (!Number.isInteger(maxSessionBytes) || maxSessionBytes < 1024) throw wrong('maxSessionBytes is not a whole number of bytes from 1024', 'Pass a number such as 64 * 1024')
  return Math.min(maxSessionBytes, limit)
}

function oneOf<Choice extends string>(value: Choice | undefined, choices: readonly [Choice, ...Choice[]], what: string): Choice {
  if (value === undefined) return choices[0]
  if (!choices.includes(value)) throw wrong(`${what} is ${JSON.stringify(value)}`, `Pass ${choices.map((choice) => `"${choice}"`).join(' or ')}`)
  return value
}

function checkedFunction<F>(value: F | undefined, what: string): F | undefined {
  if (value !== undefined && typeof value !== 'function') throw wrong(`${what} is not a function`, 'Pass a function')
  return value
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The options of createSessions are wrong: ${what}. ${instead}.`)
}
