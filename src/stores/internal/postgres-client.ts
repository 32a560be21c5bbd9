import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Awaitable } from '../../core/store.ts'
import { isSessionError } from '../../core/errors.ts'
import { errorField, neverConnected, sqlFailure, tooLate } from './sql-errors.ts'
import { wrong } from './sql-names.ts'

/** What a statement may be given for a parameter. */
export type PostgresValue = string | number | boolean | Date | null

/** Rows, bare or in the `rows` of a result. */
export type PostgresResult = { readonly rows: readonly unknown[] } | readonly unknown[]

/** A client of `pg`, PGlite, or whatever runs a statement with `$1` parameters. */
export interface PostgresQueryable {
  query(text: string, values?: PostgresValue[]): PromiseLike<PostgresResult>
}

/** A pool of `pg`. */
export interface PostgresPool extends PostgresQueryable {
  readonly totalCount: number
  connect(): PromiseLike<PostgresPooledClient>
}

export interface PostgresPooledClient extends PostgresQueryable {
  release(error?: Error | boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** The `sql` of postgres.js. */
export interface PostgresJs {
  unsafe(text: string, values?: PostgresValue[], options?: { prepare?: boolean }): PromiseLike<readonly unknown[]> & { cancel?(): unknown }
}

/** What {@link postgresStore} takes: `pg` Pool or Client, the `sql` of postgres.js, PGlite, or anything shaped like one of them. */
export type PostgresClient = PostgresQueryable | PostgresPool | PostgresJs

export interface Statement {
  readonly text: string
  readonly values: PostgresValue[]
}

interface Call {
  /** For messages: `patch`. */
  readonly doing: string
  readonly signal?: AbortSignal | undefined
}

/** Runs one statement; its rows. Rejects with `ERR_SESSION_STORE`. */
export type Run = (statement: Statement, call: Call) => Promise<readonly unknown[]>

type Send = (statement: Statement, call: Call) => PromiseLike<PostgresResult>

export interface RunOptions {
  readonly prepare: boolean | undefined
}

/** How to run statements on what was passed: checked now, a function asked at each statement. */
export function postgresRunner(client: PostgresClient | (() => Awaitable<PostgresClient>), options: RunOptions): { readonly run: Run; client(): Promise<PostgresClient> } {
  const get = typeof client === 'function' && !isPostgresJs(client) ? asking(client) : checkedClient(client)
  const senders = new WeakMap<PostgresClient, Send>()
  const senderFor = (current: PostgresClient): Send => {
    const send = senders.get(current) ?? sender(current, options)
    senders.set(current, send)
    return send
  }
  return {
    client: async () => get(),
    run: async (statement, call) => rowsOf(await persistently(async () => {
      const send = senderFor(await get())
      return send(statement, call)
    }, call)),
  }
}

function checkedClient(client: unknown): () => PostgresClient {
  if (!isClient(client)) throw wrong('this is no PostgreSQL client', 'Pass a Pool or Client of pg, the sql of postgres.js, a PGlite, or a function that returns one; an ORM’s own object has the client inside')
  return () => client
}

// Asked at each statement, so that an application can replace a client that has gone bad.
function asking(make: () => Awaitable<PostgresClient>): () => Promise<PostgresClient> {
  return async () => {
    let client: PostgresClient
    try {
      client = await make()
    } catch (cause) {
      throw sqlFailure({ database: DATABASE, doing: 'getting the client', outcome: 'none', advice: 'The function that should return it failed: see the cause.' }, cause)
    }
    return checkedClient(client)()
  }
}

function isClient(client: unknown): client is PostgresClient {
  if (client === null || (typeof client !== 'object' && typeof client !== 'function')) return false
  return isPostgresJs(client) || typeof Reflect.get(client, 'query') === 'function'
}

function isPostgresJs(client: object): client is PostgresJs {
  return typeof Reflect.get(client, 'unsafe') === 'function'
}

function isPool(client: PostgresQueryable): client is PostgresPool {
  return typeof Reflect.get(client, 'totalCount') === 'number' && typeof Reflect.get(client, 'connect') === 'function'
}

/** One connection that runs one statement after the other: a Client of pg, which has `connect`, or PGlite, which has `waitReady`. */
function isOneConnection(client: PostgresQueryable): boolean {
  return typeof Reflect.get(client, 'connect') === 'function' || 'waitReady' in client
}

function sender(client: PostgresClient, { prepare }: RunOptions): Send {
  if (isPostgresJs(client)) return (statement, call) => sendByPostgresJs(client, statement, call, prepare ?? true)
  const query = prepare === true ? queryByName : queryByText
  if (isPool(client)) return (statement, call) => sendOnPool(client, query, statement, call)
  const send: Send = (statement, call) => (checkTime(call), query(client, statement))
  return isOneConnection(client) ? inTurn(send) : send
}

function queryByText(client: PostgresQueryable, { text, values }: Statement): PromiseLike<PostgresResult> {
  return client.query(text, values)
}

interface NamedQueryable {
  query(statement: Statement & { readonly name: string }): PromiseLike<PostgresResult>
}

// PGlite takes the statement's text only; it runs in this process, where there is nothing to save.
function takesNames(client: PostgresQueryable | NamedQueryable): client is NamedQueryable {
  return !('waitReady' in client)
}

const names = new Map<string, string>()

// pg prepares what has a name. The texts are few: they differ by which parts a patch has, never by values.
function queryByName(client: PostgresQueryable, statement: Statement): PromiseLike<PostgresResult> {
  if (!takesNames(client)) return queryByText(client, statement)
  let name = names.get(statement.text)
  if (name === undefined) names.set(statement.text, (name = `sojourn_${createHash('sha256').update(statement.text).digest('hex').slice(0, 32)}`))
  return client.query({ name, ...statement })
}

// A pool's own query() would send the statement whenever a connection comes free, also long after the request gave up.
async function sendOnPool(pool: PostgresPool, query: typeof queryByText, statement: Statement, call: Call): Promise<PostgresResult> {
  let client: PostgresPooledClient
  try {
    client = await pool.connect()
  } catch (cause) {
    throw sqlFailure({ database: DATABASE, doing: call.doing, outcome: 'none' }, cause)
  }
  // A connection that breaks while we hold it must not end the process; the statement fails with the same error.
  client.on('error', ignore)
  let broken: Error | undefined
  try {
    checkTime(call)
    return await query(client, statement)
  } catch (error) {
    if (!isSessionError(error) && sqlState(error) === undefined) broken = error instanceof Error ? error : new Error(String(error))
    throw error
  } finally {
    client.release(broken)
    client.removeListener('error', ignore)
  }
}

async function sendByPostgresJs(sql: PostgresJs, { text, values }: Statement, call: Call, prepare: boolean): Promise<PostgresResult> {
  checkTime(call)
  const query = sql.unsafe(text, values, { prepare })
  const { signal } = call
  // A statement that still waits for a connection is withdrawn.
  const withdraw = (): void => void Promise.resolve(query.cancel?.()).catch(ignore)
  signal?.addEventListener('abort', withdraw, { once: true })
  try {
    return await query
  } finally {
    signal?.removeEventListener('abort', withdraw)
  }
}

/** Sends when the statement before has been answered, so that the time can be checked at the last moment. */
function inTurn(send: Send): Send {
  let last: Promise<unknown> = Promise.resolve()
  return (statement, call) => {
    const result = last.then(() => send(statement, call))
    last = result.catch(ignore)
    return result
  }
}

function checkTime({ doing, signal }: Call): void {
  if (signal?.aborted === true) throw tooLate(DATABASE, doing, signal)
}

const ATTEMPTS = 50

// Under REPEATABLE READ or SERIALIZABLE, and in a deadlock, the server undoes a statement and asks to send it again.
async function persistently<T>(attempt: () => Promise<T>, call: Call): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (isSessionError(error)) throw error
      const again = sqlState(error) === '40001' || sqlState(error) === '40P01'
      if (!again || tries === ATTEMPTS || call.signal?.aborted === true) throw postgresFailure(call.doing, error)
      await delay(Math.random() * Math.min(2 ** tries, 50))
    }
  }
}

const DATABASE = 'PostgreSQL'

const MISSING = 'A table or column is missing: call store.createTable(), run the SQL of postgresTables(), or correct the names in the options.'

// What only looks has changed nothing, however it ended.
const LOOKS: ReadonlySet<string> = new Set(['find', 'list', 'open', 'read', 'watch'])

function postgresFailure(doing: string, error: unknown): Error {
  const state = sqlState(error)
  const outcome = LOOKS.has(doing) || certainlyUndone(error) ? 'none' : 'unknown'
  if (state === '42P01' || state === '42703') return sqlFailure({ database: DATABASE, doing, outcome, advice: MISSING }, error)
  return sqlFailure({ database: DATABASE, doing, outcome }, error)
}

// The classes are digits but for these four; EPIPE, an error of the socket, has five letters too.
const SQLSTATE = /^(?:\d[\dA-Z]|F0|HV|P0|XX)[\dA-Z]{3}$/

/** The SQLSTATE of an error that came from the server. */
export function sqlState(error: unknown): string | undefined {
  const code = errorField(error, 'code')
  return typeof code === 'string' && SQLSTATE.test(code) ? code : undefined
}

// An error from the server undoes its statement. Not certain where the connection or the server itself ended
// (classes 08, 57P, 58, XX), except that a server which is starting or full (57P03, 53300) has refused the connection.
function certainlyUndone(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined) return neverConnected(error)
  return state === '57P03' || !/^(?:08|57P|58|XX|40003)/.test(state)
}

function rowsOf(result: PostgresResult): readonly unknown[] {
  return 'rows' in result ? result.rows : result
}

function ignore(): void {}
