import type { SessionId } from '../../core/record.ts'
import type { Awaitable, StoreEvent } from '../../core/store.ts'
import { sqlFailure } from './sql-errors.ts'
import { wrong } from './sql-names.ts'

type OnNotification = (message: { readonly channel: string; readonly payload?: string | undefined }) => void
type OnError = (error: Error) => void

/** A connected Client of `pg` that is used for nothing else. */
export interface PostgresListeningClient {
  query(text: string): PromiseLike<unknown>
  on(event: 'notification', listener: OnNotification): unknown
  on(event: 'error', listener: OnError): unknown
  on(event: 'end', listener: () => void): unknown
  removeListener(event: 'notification', listener: OnNotification): unknown
  removeListener(event: 'error', listener: OnError): unknown
  removeListener(event: 'end', listener: () => void): unknown
  end(): PromiseLike<unknown>
}

/** The `sql` of postgres.js, which listens on a connection of its own. */
export interface PostgresJsListening {
  unsafe(text: string): unknown
  listen(channel: string, onNotify: (payload: string) => void, onListen?: () => void): PromiseLike<unknown>
}

export interface PgliteListening {
  readonly waitReady: unknown
  listen(channel: string, onNotify: (payload: string) => void): PromiseLike<unknown>
}

/** Where the store hears of ends: a Client of `pg` for this alone (or a function that connects one), the `sql` of postgres.js, or a PGlite. */
export type PostgresListener = PostgresJsListening | PgliteListening | PostgresListeningClient | (() => Awaitable<PostgresListeningClient>)

export interface WatchOptions {
  readonly listener: PostgresListener
  readonly channel: string
  /** Those of the ids whose sessions have not ended. */
  readonly stillThere: (ids: readonly SessionId[]) => Promise<readonly SessionId[]>
  readonly report: (event: StoreEvent) => void
}

export interface Watch {
  start(): Promise<void>
  stop(): Promise<void>
  watch(id: SessionId, onEnd: () => void): () => void
}

/** Watches ends through LISTEN. What ended while the connection was lost is told when it is back. */
export function postgresWatch(options: WatchOptions): Watch {
  const watchers = new Map<SessionId, Set<() => void>>()
  const tell = (id: SessionId): void => {
    const told = watchers.get(id)
    watchers.delete(id)
    for (const onEnd of told ?? []) onEnd()
  }
  const catchUp = async (): Promise<void> => {
    const ids = [...watchers.keys()]
    if (ids.length === 0) return
    const alive = new Set(await options.stillThere(ids))
    for (const id of ids) if (!alive.has(id)) tell(id)
  }
  const line = isListening(options.listener) ? lineOfDriver(options.listener, options, tell, catchUp) : lineOfClient(clientSource(options.listener), options, tell, catchUp)
  return {
    ...line,
    watch(id, onEnd) {
      const told = watchers.get(id) ?? new Set()
      watchers.set(id, told)
      // A function of its own, so that one callback may watch twice.
      const once = (): void => onEnd()
      told.add(once)
      return () => {
        told.delete(once)
        if (told.size === 0 && watchers.get(id) === told) watchers.delete(id)
      }
    },
  }
}

type Line = Pick<Watch, 'start' | 'stop'>

type Listening = PostgresJsListening | PgliteListening

function isListening(listener: PostgresListener): listener is Listening {
  return typeof Reflect.get(listener, 'listen') === 'function'
}

/** postgres.js connects again by itself, and says so; PGlite is never lost. */
function lineOfDriver(listener: Listening, { channel, report }: WatchOptions, tell: (id: string) => void, catchUp: () => Promise<void>): Line {
  let silence = async (): Promise<void> => undefined
  const onListen = (): void => void catchUp().catch((error: unknown) => report({ event: 'error', error }))
  return {
    async start() {
      await silence()
      // PGlite would take the third parameter for a transaction.
      silence = silenceOf(await ('unsafe' in listener ? listener.listen(channel, tell, onListen) : listener.listen(channel, tell)))
    },
    stop: () => silence(),
  }
}

// PGlite answers the function that ends it, postgres.js an object that has one.
function silenceOf(answer: unknown): () => Promise<void> {
  const end: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'unlisten') : answer
  return async () => {
    if (typeof end === 'function') await end()
  }
}

interface ClientSource {
  get(): Awaitable<PostgresListeningClient>
  /** A function makes a new client for us, so we may ask again, and close it. */
  readonly ours: boolean
}

function clientSource(listener: Exclude<PostgresListener, Listening>): ClientSource {
  if (typeof listener === 'function') return { get: listener, ours: true }
  const isPool = typeof Reflect.get(listener, 'totalCount') === 'number'
  if (isPool || typeof Reflect.get(listener, 'on') !== 'function') throw wrong('listen is no client that can listen', 'Pass a connected Client of pg that is used for nothing else, a function that connects one, the sql of postgres.js, or a PGlite')
  return { get: () => listener, ours: false }
}

const RETRY_MS = 1000

function lineOfClient({ get, ours }: ClientSource, { channel, report }: WatchOptions, tell: (id: string) => void, catchUp: () => Promise<void>): Line {
  let client: PostgresListeningClient | undefined
  let retry: NodeJS.Timeout | undefined
  let stopped = true

  const onNotification: OnNotification = (message) => {
    if (message.channel === channel && message.payload !== undefined) tell(message.payload)
  }
  const onError = (error: unknown): void => report({ event: 'error', error })
  const onEnd = (): void => {
    if (stopped) return
    const advice = ours ? 'The listening connection was lost and is made again.' : 'The listening connection was lost: pass a function as listen, so that it can be made again.'
    report({ event: 'error', error: sqlFailure({ database: 'PostgreSQL', doing: 'watch', outcome: 'none', advice }, undefined) })
    if (ours) again()
  }
  const again = (): void => {
    retry = setTimeout(() => void attach().then(catchUp).catch((error: unknown) => {
      onError(error)
      if (!stopped) again()
    }), RETRY_MS)
    retry.unref()
  }
  const attach = async (): Promise<void> => {
    const next = await get()
    next.on('error', onError)
    next.on('notification', onNotification)
    next.on('end', onEnd)
    client = next
    await next.query(`LISTEN "${channel}"`)
  }
  return {
    async start() {
      stopped = false
      await attach()
    },
    async stop() {
      stopped = true
      clearTimeout(retry)
      const last = client
      client = undefined
      if (last === undefined) return
      last.removeListener('notification', onNotification)
      last.removeListener('end', onEnd)
      if (ours) await last.end()
      else await last.query(`UNLISTEN "${channel}"`)
      last.removeListener('error', onError)
    },
  }
}
