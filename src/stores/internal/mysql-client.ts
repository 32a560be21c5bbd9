import { setTimeout as delay } from 'node:timers/promises'
import type { Awaitable } from '../../core/store.ts'
import { isSessionError } from '../../core/errors.ts'
import { errorField, sqlFailure, tooLate } from './sql-errors.ts'
import { wrong } from './sql-names.ts'
import { numberOf } from './sql-row.ts'

/** What a statement may be given for a parameter. */
export type MysqlValue = string | number | boolean | Date | Uint8Array | null

/** A connection of a pool of `mysql2/promise` or `mariadb`. */
export interface MysqlConnection {
  execute(sql: string, values?: MysqlValue[]): PromiseLike<unknown>
  query(sql: string): PromiseLike<unknown>
  beginTransaction(): PromiseLike<unknown>
  commit(): PromiseLike<unknown>
  rollback(): PromiseLike<unknown>
  release(): unknown
  destroy(): unknown
}

/** A pool of `mysql2/promise` or `mariadb`. */
export interface MysqlPool {
  getConnection(): PromiseLike<MysqlConnection>
}

/** A pool of `mysql2` with callbacks; its promise face is used. */
export interface MysqlCallbackPool {
  promise(): MysqlPool
}

/** What {@link mysqlStore} takes: a pool of `mysql2`, of `mysql2/promise` or of `mariadb`, or anything shaped like one of them. */
export type MysqlClient = MysqlPool | MysqlCallbackPool

interface Call {
  /** For messages: `patch`. */
  readonly doing: string
  readonly signal?: AbortSignal | undefined
}

/** One connection for as long as a step takes. */
export interface Session {
  /** Rows of a statement that changes nothing. */
  select(sql: string, values: MysqlValue[]): Promise<readonly unknown[]>
  /** How many rows a statement changed. */
  change(sql: string, values: MysqlValue[]): Promise<number>
  /** The same for a text that is another each time, which is not worth preparing. It must hold no text of a visitor. */
  changeOnce(sql: string): Promise<number>
  /** Runs a step in one transaction, which is undone when the step fails. */
  transaction<T>(step: (session: Session) => Promise<T>): Promise<T>
}

/** Runs a step, again when the server asks for that. Outside of a transaction each statement is one of its own. Rejects with `ERR_SESSION_STORE`. */
export type RunSteps = <T>(call: Call, step: (session: Session) => Promise<T>) => Promise<T>

const DATABASE = 'MySQL'

/** How to run statements on what was passed: checked now, a function asked at each statement. */
export function mysqlRunner(client: MysqlClient | (() => Awaitable<MysqlClient>)): RunSteps {
  const get = typeof client === 'function' ? asking(client) : checkedPool(client)
  return async (call, step) => {
    for (let tries = 1; ; tries += 1) {
      const connection = await acquire(get, call)
      const progress: Progress = { state: 'clean' }
      try {
        return await onConnection(connection, () => step(sessionOn(connection, progress)))
      } catch (error) {
        if (!isTransient(error) || tries === ATTEMPTS || call.signal?.aborted === true) throw failure(call, error, progress)
        await delay(Math.random() * Math.min(2 ** tries, 50))
      }
    }
  }
}

function checkedPool(client: unknown): () => MysqlPool {
  const pool = poolOf(client)
  if (pool === undefined) throw wrong('this is no pool of MySQL connections', 'Pass a pool of mysql2, mysql2/promise or mariadb, or a function that returns one; a single connection cannot keep two requests apart')
  return () => pool
}

function poolOf(client: unknown): MysqlPool | undefined {
  if (typeof client !== 'object' || client === null) return undefined
  // Asked first: mysql2's pool with callbacks has getConnection too, and it answers nothing.
  if (hasPromiseFace(client)) return client.promise()
  return isPool(client) ? client : undefined
}

function hasPromiseFace(client: object): client is MysqlCallbackPool {
  return typeof Reflect.get(client, 'promise') === 'function'
}

function isPool(client: object): client is MysqlPool {
  return typeof Reflect.get(client, 'getConnection') === 'function'
}

// Asked at each statement, so that an application can replace a pool that has gone bad.
function asking(make: () => Awaitable<MysqlClient>): () => Promise<MysqlPool> {
  const pools = new WeakMap<MysqlClient, MysqlPool>()
  return async () => {
    let client: MysqlClient
    try {
      client = await make()
    } catch (cause) {
      throw sqlFailure({ database: DATABASE, doing: 'getting the pool', outcome: 'none', advice: 'The function that should return it failed: see the cause.' }, cause)
    }
    // Kept, since mysql2 makes another promise face each time it is asked for one.
    const pool = pools.get(client) ?? checkedPool(client)()
    pools.set(client, pool)
    return pool
  }
}

// The pool's own execute() would send the statement whenever a connection comes free, also long after the request gave up.
async function acquire(get: () => Awaitable<MysqlPool>, { doing, signal }: Call): Promise<MysqlConnection> {
  let connection: MysqlConnection | undefined
  try {
    connection = await (await get()).getConnection()
  } catch (cause) {
    throw isSessionError(cause) ? cause : sqlFailure({ database: DATABASE, doing, outcome: 'none' }, cause)
  }
  if (typeof connection?.execute !== 'function') throw wrong('the pool’s getConnection() gives no connection with execute()', 'Pass the pool of mysql2/promise, or of import mariadb from "mariadb"')
  if (signal?.aborted !== true) return connection
  release(connection)
  throw tooLate(DATABASE, doing, signal)
}

async function onConnection<T>(connection: MysqlConnection, step: () => Promise<T>): Promise<T> {
  try {
    const result = await step()
    release(connection)
    return result
  } catch (error) {
    // An error that is not the server's may leave an answer outstanding, which the next user would take for his.
    if (!isSessionError(error) && (errorNumber(error) === undefined || errorNumber(error) === TOO_LARGE || connectionEnded(error))) connection.destroy()
    else release(connection)
    throw error
  }
}

function release(connection: MysqlConnection): void {
  void Promise.resolve(connection.release()).catch(() => connection.destroy())
}

/** What can have happened on the server: nothing; a statement of its own that was sent; nothing yet that would stay; a COMMIT. */
interface Progress {
  state: 'clean' | 'sent' | 'open' | 'committing'
}

function sessionOn(connection: MysqlConnection, progress: Progress): Session {
  const changed = async (answer: PromiseLike<unknown>): Promise<number> => {
    if (progress.state === 'clean') progress.state = 'sent'
    const { changed } = answerFrom(await answer)
    if (progress.state === 'sent') progress.state = 'clean'
    return changed
  }
  const session: Session = {
    select: async (sql, values) => answerFrom(await connection.execute(sql, values)).rows,
    change: (sql, values) => changed(connection.execute(sql, values)),
    changeOnce: (sql) => changed(connection.query(sql)),
    transaction: (step) => (progress.state === 'open' ? step(session) : inTransaction(connection, progress, () => step(session))),
  }
  return session
}

async function inTransaction<T>(connection: MysqlConnection, progress: Progress, step: () => Promise<T>): Promise<T> {
  progress.state = 'open'
  let result: T
  try {
    await connection.beginTransaction()
    result = await step()
  } catch (error) {
    // Whatever becomes of the connection, what was not committed is undone.
    await Promise.resolve(connection.rollback()).catch(() => connection.destroy())
    throw error
  }
  progress.state = 'committing'
  await connection.commit()
  progress.state = 'clean'
  return result
}

/** What a statement answered. */
interface Answer {
  readonly rows: readonly unknown[]
  readonly changed: number
}

/** Both drivers in one shape: mysql2 answers `[rows or header, fields]`, mariadb the rows or the header. */
function answerFrom(result: unknown): Answer {
  const body: unknown = Array.isArray(result) && isMysql2(result) ? result[0] : result
  if (Array.isArray(body)) return { rows: body, changed: 0 }
  return { rows: [], changed: Number(numberOf(errorField(body, 'affectedRows')) ?? 0) }
}

// mysql2's second part is a list of columns, or undefined; a row of mariadb is neither when rows are objects. Its list of rows carries `meta`.
function isMysql2(result: readonly unknown[]): boolean {
  return !('meta' in result) && result.length === 2 && (Array.isArray(result[0]) || typeof errorField(result[0], 'affectedRows') === 'number')
}

const ATTEMPTS = 50

/** A deadlock, in Galera a conflict with another node, or a row that changed after MariaDB's snapshot: nothing was done. */
function isTransient(error: unknown): boolean {
  return errorNumber(error) === 1213 || errorNumber(error) === 1020
}

/** `errno` of an error that came from the server. */
export function errorNumber(error: unknown): number | undefined {
  const number = errorField(error, 'errno')
  // The drivers' own errors have numbers from 45000 (mariadb) or below zero (the system's).
  return typeof number === 'number' && number >= 1000 && number < 45_000 && typeof errorField(error, 'sqlState') === 'string' ? number : undefined
}

// Shutting down, killed, lost: the server may have committed before it said so.
const ENDED: readonly (number | undefined)[] = [1053, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1317, 1927, 2006, 2013, 3169, 4031]

// The server refuses the statement, and closes the connection after it.
const TOO_LARGE = 1153

function connectionEnded(error: unknown): boolean {
  return ENDED.includes(errorNumber(error))
}

function failure({ doing }: Call, error: unknown, { state }: Progress): Error {
  if (isSessionError(error)) return error
  // An error from the server undoes its statement, but for a COMMIT, and where the connection ended.
  const undone = state === 'clean' || state === 'open' || (state === 'sent' && errorNumber(error) !== undefined && !connectionEnded(error))
  return sqlFailure({ database: DATABASE, doing, outcome: undone ? 'none' : 'unknown', ...adviceFor(error) }, error)
}

function adviceFor(error: unknown): { readonly advice?: string } {
  const number = errorNumber(error)
  if (number === 1146 || number === 1054) return { advice: 'A table or column is missing: call store.createTable(), run the SQL of mysqlTables(), or correct the names in the options.' }
  return number === TOO_LARGE ? { advice: 'The session is larger than max_allowed_packet: raise it on the server, or keep less in the session.' } : {}
}
