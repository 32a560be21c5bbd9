import { setTimeout as delay } from 'node:timers/promises'
import { SessionError } from '../../core/errors.ts'
import type { Emitter, NearLink } from './redis-near.ts'
import { keySlot } from './redis-slot.ts'

/** A client that `createClient` of `redis` (node-redis 5 or 6) made, connected. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(args: string[], options?: NodeRedisSendOptions): Promise<unknown>
  multi(): { addCommand(args: string[]): unknown; execAsPipeline(): Promise<unknown> }
  on: Emitter['on']
  off: Emitter['off']
  readonly clientSideCache?: Emitter | undefined
}

/** A client that `createCluster` of `redis` (node-redis 5 or 6) made, connected. */
export interface NodeRedisCluster {
  readonly isOpen: boolean
  readonly isReady?: boolean
  readonly slots: readonly { readonly master: { readonly client?: { readonly isReady: boolean } | undefined } }[]
  readonly masters: readonly object[]
  nodeClient(node: object): Promise<Pick<NodeRedisClient, 'sendCommand'>>
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[], options?: NodeRedisSendOptions): Promise<unknown>
  multi(routing?: string): { addCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[]): unknown; execAsPipeline(): Promise<unknown> }
}

/** A client that `createSentinel` of `redis` (node-redis 5 or 6) made, connected. */
export interface NodeRedisSentinel {
  readonly isOpen: boolean
  readonly isReady: boolean
  getMasterNode(): unknown
  sendCommand(isReadonly: boolean | undefined, args: string[], options?: NodeRedisSendOptions): Promise<unknown>
  multi(): { addCommand(isReadonly: boolean | undefined, args: string[]): unknown; execAsPipeline(): Promise<unknown> }
}

interface NodeRedisSendOptions {
  readonly abortSignal?: AbortSignal
  /** Milliseconds; 0 for none. */
  readonly timeout?: number
  /** What a reply of a kind becomes, by the byte that names the kind in RESP3: `%`, 37, is a map. */
  readonly typeMapping?: { readonly 37: ArrayConstructor }
}

/** A `Redis` of ioredis 5 or 6, for one server or behind Sentinels. */
export interface IoRedisClient {
  readonly status: string
  readonly options: { readonly keyPrefix?: unknown; readonly readOnly?: unknown; readonly role?: unknown; readonly autoResendUnfulfilledCommands?: unknown }
  call(command: string, args: string[]): Promise<unknown>
  pipeline(commands: string[][]): { exec(): Promise<unknown> }
  on(event: 'close', listener: () => void): unknown
}

/** A `Cluster` of ioredis 5 or 6. */
export interface IoRedisCluster {
  readonly status: string
  readonly options: { readonly keyPrefix?: unknown; readonly scaleReads?: unknown }
  nodes(role: 'master'): readonly Pick<IoRedisClient, 'call'>[]
  call(command: string, args: string[]): Promise<unknown>
  pipeline(commands: string[][]): { exec(): Promise<unknown> }
}

/** The clients that {@link redisStore} takes. */
export type RedisClient = NodeRedisClient | NodeRedisCluster | NodeRedisSentinel | IoRedisClient | IoRedisCluster

/** Sends a command without a key to one server. */
export type SendToNode = (args: string[]) => Promise<unknown>

/** What the store needs of a client, whichever it is. Replies are the client's own; errors are passed on. */
export interface RedisLink {
  /** The client sends a command again whose answer did not come, so an error does not tell that nothing happened. */
  readonly resends: boolean
  /** The classes of its errors that say that a command was never written to the socket. */
  readonly unsent: ReadonlySet<string>
  /** The server of this key can be reached, as far as the client knows. */
  isReady(key: string): boolean
  /** The client connects or has connected. */
  isStarted(): boolean
  /** Sends a command about one key to the primary that has it. */
  send(key: string, args: string[], signal?: AbortSignal): Promise<unknown>
  /** Sends a command and, behind it on the same connection, WAIT. Resolves to both replies. */
  sendAndWait(key: string, args: string[], wait: string[]): Promise<readonly unknown[]>
  /** How to reach each primary. */
  primaries(): Promise<readonly SendToNode[]>
  /** For a client that hears of changes to what it has read, with the `ttl` and `maxEntries` of its own cache, whatever they are. */
  readonly near?: Pick<NearLink, 'client' | 'cache'> & { readonly ttl: unknown; readonly maxEntries: unknown }
}

/** Tells the kinds of client apart by what they can do. Throws `ERR_SESSION_OPTION` for anything else. */
export function linkTo(client: RedisClient): RedisLink {
  // From JavaScript anything can be passed.
  const given: unknown = client
  if (typeof given !== 'object' || given === null) throw notAClient()
  refuseKeyPrefix(given)
  if ('call' in client) return 'nodes' in client ? ioRedisCluster(client) : ioRedis(client)
  if (!('sendCommand' in client) || 'totalClients' in client) throw notAClient()
  if ('nodeClient' in client) return nodeRedisCluster(client)
  if ('getMasterNode' in client) return nodeRedisSentinel(client)
  if (!('isReady' in client)) throw notAClient()
  return nodeRedis(client)
}

function notAClient(): SessionError {
  return new SessionError(
    'ERR_SESSION_OPTION',
    'redisStore was not given a client that it knows. Pass what createClient, createCluster or createSentinel of the npm package redis (5 or 6) answers, or a Redis or Cluster of ioredis (5 or 6).',
  )
}

// node-redis adds its prefix to typed commands only, ioredis to all; keys that SCAN answers have it in either.
function refuseKeyPrefix(client: object): void {
  const options: unknown = Reflect.get(client, 'options')
  const own = '_keyPrefix' in client ? client._keyPrefix : undefined
  const prefix = typeof options === 'object' && options !== null && 'keyPrefix' in options ? options.keyPrefix : own
  if (prefix === undefined || prefix === null || prefix === '') return
  throw new SessionError('ERR_SESSION_OPTION', 'The Redis client has a keyPrefix, which would make two prefixes of one. Pass a client without keyPrefix and give redisStore the prefix.')
}

// A write that is still queued when its signal fires is dropped, so a client that has reconnected replays no
// old one. The client's own limit for each command would be a second signal, and a costly one; so would an object of each hash.
function sendOptions(signal?: AbortSignal): NodeRedisSendOptions {
  return signal === undefined ? SEND_OPTIONS : { ...SEND_OPTIONS, abortSignal: signal }
}

const SEND_OPTIONS: NodeRedisSendOptions = { timeout: 0, typeMapping: { 37: Array } }

// By class: the reason of an abort signal has the name AbortError as well, and says nothing about what was sent.
const UNSENT_BY_NODE_REDIS: ReadonlySet<string> = new Set(['AbortError', 'ClientClosedError', 'ClientOfflineError'])

/** ioredis has an AbortError, too, which says that a command was sent. */
const UNSENT_BY_IOREDIS: ReadonlySet<string> = new Set()

function nodeRedis(client: NodeRedisClient): RedisLink {
  const cache = client.clientSideCache
  return {
    resends: false,
    unsent: UNSENT_BY_NODE_REDIS,
    isReady: () => client.isReady,
    isStarted: () => client.isOpen,
    send: (_key, args, signal) => client.sendCommand(args, sendOptions(signal)),
    sendAndWait: async (_key, args, wait) => {
      const batch = client.multi()
      batch.addCommand(args)
      batch.addCommand(wait)
      return listOf(await batch.execAsPipeline())
    },
    primaries: async () => [(args) => client.sendCommand(args)],
    ...(cache !== undefined && { near: { client, cache, ttl: Reflect.get(cache, 'ttl'), maxEntries: Reflect.get(cache, 'maxEntries') } }),
  }
}

// Every command is sent as one that writes, so reads go to the primary too, whatever `useReplicas` says.
const WRITES = false

function nodeRedisCluster(client: NodeRedisCluster): RedisLink {
  return {
    resends: false,
    unsent: UNSENT_BY_NODE_REDIS,
    // A node whose connection was never needed so far has no client yet.
    isReady: (key) => client.isOpen && client.isReady !== false && client.slots[keySlot(key)]?.master.client?.isReady !== false,
    isStarted: () => client.isOpen,
    send: (key, args, signal) => client.sendCommand(key, WRITES, args, sendOptions(signal)),
    sendAndWait: async (key, args, wait) => {
      const batch = client.multi(key)
      batch.addCommand(key, WRITES, args)
      batch.addCommand(key, WRITES, wait)
      return listOf(await batch.execAsPipeline())
    },
    primaries: async () => {
      const nodes = await Promise.all(client.masters.map((node) => client.nodeClient(node)))
      return nodes.map((node) => (args: string[]) => node.sendCommand(args))
    },
  }
}

function nodeRedisSentinel(client: NodeRedisSentinel): RedisLink {
  return {
    // When the connection breaks it looks for the new primary and sends the command there.
    resends: true,
    unsent: UNSENT_BY_NODE_REDIS,
    isReady: () => client.isReady,
    isStarted: () => client.isOpen,
    send: (_key, args, signal) => client.sendCommand(WRITES, args, sendOptions(signal)),
    sendAndWait: async (_key, args, wait) => {
      const batch = client.multi()
      batch.addCommand(WRITES, args)
      batch.addCommand(WRITES, wait)
      return listOf(await batch.execAsPipeline())
    },
    primaries: async () => [(args) => client.sendCommand(WRITES, args)],
  }
}

function ioRedis(client: IoRedisClient): RedisLink {
  const { readOnly, role, autoResendUnfulfilledCommands } = client.options
  if (readOnly === true || role === 'slave') throw replicaReads(readOnly === true ? 'readOnly: true' : "role: 'slave'")
  const resends = autoResendUnfulfilledCommands !== false
  const settled = resends ? undefined : settleOnClose(client)
  return {
    resends,
    unsent: UNSENT_BY_IOREDIS,
    isReady: () => client.status === 'ready',
    isStarted: () => isStarted(client.status),
    send: (_key, args) => settled?.(call(client, args)) ?? call(client, args),
    sendAndWait: (_key, args, wait) => settled?.(callBoth(client, args, wait)) ?? callBoth(client, args, wait),
    primaries: async () => [(args) => call(client, args)],
  }
}

/** Makes calls reject when the connection ends: told not to resend, ioredis up to 6.0.0 forgets the command and never settles its promise. */
function settleOnClose(client: IoRedisClient): <T>(call: Promise<T>) => Promise<T> {
  const waiting = new Set<(error: Error) => void>()
  client.on('close', () => {
    for (const reject of waiting) reject(new Error('Connection is closed.'))
  })
  return (call) =>
    new Promise((resolve, reject) => {
      waiting.add(reject)
      call.then(resolve, reject).finally(() => waiting.delete(reject))
    })
}

function ioRedisCluster(client: IoRedisCluster): RedisLink {
  const { scaleReads = 'master' } = client.options
  if (scaleReads !== 'master') throw replicaReads('scaleReads')
  return {
    // It tries again when a node cannot be reached.
    resends: true,
    unsent: UNSENT_BY_IOREDIS,
    isReady: () => client.status === 'ready',
    isStarted: () => isStarted(client.status),
    send: (_key, args) => call(client, args),
    sendAndWait: (_key, args, wait) => callBoth(client, args, wait),
    primaries: async () => client.nodes('master').map((node) => (args: string[]) => call(node, args)),
  }
}

function isStarted(status: string): boolean {
  return status !== 'wait' && status !== 'end'
}

async function call(client: Pick<IoRedisClient, 'call'>, [command = '', ...args]: string[]): Promise<unknown> {
  return client.call(command, args)
}

async function callBoth(client: Pick<IoRedisClient, 'pipeline'>, args: string[], wait: string[]): Promise<readonly unknown[]> {
  const replies = listOf(await client.pipeline([['call', ...args], ['call', ...wait]]).exec())
  return replies.map((reply) => {
    const [error, value] = listOf(reply)
    if (error instanceof Error) throw error
    return value
  })
}

function replicaReads(option: string): SessionError {
  return new SessionError(
    'ERR_SESSION_OPTION',
    `The Redis client reads from replicas (${option}), where a session that has ended may still be live. Pass redisStore a client that reads from the primary.`,
  )
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Waits until the client has connected or the signal fires. Rejects with `ERR_SESSION_STORE` when it was never asked to, or is too slow. */
export async function whenReady(link: RedisLink, signal: AbortSignal): Promise<void> {
  while (!link.isReady('')) {
    if (!link.isStarted()) throw new SessionError('ERR_SESSION_STORE', 'The Redis client was not told to connect. Await its connect() before the sessions are opened.', { outcome: 'none' })
    if (signal.aborted) throw notConnected()
    await delay(20)
  }
}

/** The error for a call while the client has no connection. */
export function notConnected(): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The Redis client is not connected, so nothing was sent. Calls succeed again once it has reconnected; check that the server runs and can be reached.', { outcome: 'none' })
}

// Answers that Redis gives before a command has changed anything: to any, also to a WAIT behind one that has been done, and to those with a key, or that write.
const REFUSALS_OF_ANY = new Set(['BUSY', 'LOADING', 'MASTERDOWN', 'NOAUTH', 'NOPERM', 'WRONGPASS'])
const REFUSALS_OF_WRITES = new Set(['ASK', 'CLUSTERDOWN', 'CROSSSLOT', 'MISCONF', 'MOVED', 'NOREPLICAS', 'NOSCRIPT', 'OOM', 'READONLY', 'TRYAGAIN'])

/** Says of a command that the store itself did not pass it on. */
export class UnsentError extends Error {}

/** Whether an error of two commands, of which the second is WAIT, can be that of WAIT alone. */
export function canBeOfWait(cause: unknown): boolean {
  const code = replyCode(cause)
  return code !== undefined && !REFUSALS_OF_WRITES.has(code)
}

/**
 * The error for a call that failed; `worst` is what a failure can mean for the record. Its cause is the
 * driver's, without the command, which holds what was to be stored.
 */
export function failed(cause: unknown, link: RedisLink, worst: 'none' | 'unknown'): SessionError {
  if (cause instanceof SessionError) return cause
  const code = replyCode(cause)
  // A client that sends by itself again says of its last attempt only that it did nothing.
  const isUnsent = cause instanceof UnsentError || (cause instanceof Error && link.unsent.has(cause.constructor.name))
  const refused = !link.resends && (isUnsent || (code !== undefined && (REFUSALS_OF_ANY.has(code) || REFUSALS_OF_WRITES.has(code))))
  const none = worst === 'none' || refused
  if (typeof cause === 'object' && cause !== null) Reflect.deleteProperty(cause, 'command')
  const what = code ?? kindOf(cause)
  const message = none
    ? `Redis did not do what it was asked (${what}); nothing was changed. Check the server and the connection to it.`
    : `Redis did not confirm a change (${what}); it may have been made or not. Read the session again before you repeat anything.`
  return new SessionError('ERR_SESSION_STORE', message, { cause, outcome: none ? 'none' : 'unknown' })
}

// The clients' own errors all have the name "Error"; those of the platform all have one class.
function kindOf(cause: unknown): string {
  if (cause instanceof DOMException) return cause.name
  return cause instanceof Error ? cause.constructor.name : 'unknown error'
}

/** The word in capitals with which Redis begins an error: `READONLY`, `WRONGTYPE`. Undefined for an error of the client's own. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return /^-?([A-Z]{3,})(?: |$)/.exec(error.message)?.[1]
}
