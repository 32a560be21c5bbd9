import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { isSessionError, SessionError } from '../../core/errors.ts'

/** A prepared statement, as far as the store uses one. */
export interface SqliteStatement {
  all(...parameters: (string | number | null)[]): readonly unknown[]
  run(...parameters: (string | number | null)[]): unknown
}

/** An open database: better-sqlite3's, libsql's, `node:sqlite`'s and `bun:sqlite`'s fit. */
export interface SqliteHandle {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

/** A database that this package opened, and closes. */
interface OwnHandle extends SqliteHandle {
  close(): unknown
}

/**
 * Opens the file with the runtime's own SQLite, and makes it and its folders where they are missing, for this
 * user only. Fails with `ERR_SESSION_STORE`, naming the folder, where that is not possible.
 */
export function openFile(path: string): OwnHandle {
  if (path !== ':memory:') createFile(path)
  const Database = driver()
  try {
    const handle: unknown = Reflect.construct(Database, [path])
    if (isOwnHandle(handle)) return handle
  } catch (cause) {
    throw new SessionError('ERR_SESSION_STORE', `The SQLite database ${path} cannot be opened. Check that it is a file which this user may read and write.`, { cause, outcome: 'none' })
  }
  throw unsupported()
}

function createFile(path: string): void {
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    touchNew(path)
  } catch (cause) {
    throw new SessionError('ERR_SESSION_STORE', `The SQLite database ${path} cannot be created in the folder ${folder}. Make that folder one which this user may write to, or pass another path.`, { cause, outcome: 'none' })
  }
}

// A file that is there already is not opened here: closing any descriptor of a database that is in use would
// drop the locks that this process holds on it (sqlite.org/howtocorrupt.html, 2.2).
function touchNew(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (textIn(error, 'code') !== 'EEXIST') throw error
  }
}

/** The constructor that the runtime brings. Loaded when the first database opens, so that importing the store needs no SQLite. */
function driver(): Function {
  const isBun = process.versions['bun'] !== undefined
  const module: object | undefined = process.getBuiltinModule?.(isBun ? 'bun:sqlite' : 'node:sqlite')
  const constructor: unknown = module === undefined ? undefined : Reflect.get(module, isBun ? 'Database' : 'DatabaseSync')
  if (typeof constructor !== 'function') throw unsupported()
  return constructor
}

function unsupported(): SessionError {
  return new SessionError('ERR_SESSION_UNSUPPORTED', 'This runtime has no SQLite that sqliteStore knows. Run Node 22.13 or later, Bun or Deno 2.2, or pass an open better-sqlite3 database instead of a path.')
}

export function isHandle(value: unknown): value is SqliteHandle {
  return typeof value === 'object' && value !== null && hasMethod(value, 'exec') && hasMethod(value, 'prepare')
}

function isOwnHandle(value: unknown): value is OwnHandle {
  return isHandle(value) && hasMethod(value, 'close')
}

function hasMethod(value: object, name: string): boolean {
  return typeof Reflect.get(value, name) === 'function'
}

/**
 * Runs the work in one write transaction. Whatever fails is rolled back: a busy file is the driver's error,
 * to be tried again; the rest is `ERR_SESSION_STORE` with the driver's error as its cause.
 */
export function transaction<T>(handle: SqliteHandle, work: () => T): T {
  handle.exec('BEGIN IMMEDIATE')
  let committing = false
  try {
    const result = work()
    committing = true
    handle.exec('COMMIT')
    return result
  } catch (error) {
    rollBack(handle)
    // A disk that is full leaves no complete commit behind. After any other failure of a commit a restart
    // of the machine may find it complete in the log, although every connection now sees the old state.
    throw committing && !isBusy(error) && !isResult(error, FULL) ? storeFailed(error, 'unknown') : error
  }
}

function rollBack(handle: SqliteHandle): void {
  try {
    handle.exec('ROLLBACK')
  } catch {
    // SQLite has rolled back by itself, as it does when the disk fails; there is no transaction any more.
  }
}

/**
 * Runs the work on a handle that belongs to the application, with its busy timeout (better-sqlite3's is five
 * seconds) set to nothing meanwhile: waiting inside SQLite freezes the event loop.
 */
export function withoutWaiting<T>(handle: SqliteHandle, timeout: SqliteStatement, work: () => T): T {
  const before = numberIn(timeout.all()[0], 'timeout')
  if (before === undefined || before === 0) return work()
  handle.exec('PRAGMA busy_timeout = 0')
  try {
    return work()
  } finally {
    handle.exec(`PRAGMA busy_timeout = ${before}`)
  }
}

interface ResultCode {
  readonly name: string
  readonly code: number
  readonly message: string
}

const BUSY: ResultCode = { name: 'SQLITE_BUSY', code: 5, message: 'database is locked' }
const LOCKED: ResultCode = { name: 'SQLITE_LOCKED', code: 6, message: 'database table is locked' }
const FULL: ResultCode = { name: 'SQLITE_FULL', code: 13, message: 'database or disk is full' }

/** True when the file is held by somebody else and the same call may succeed a moment later. */
export function isBusy(error: unknown): boolean {
  if (isSessionError(error) || !(error instanceof Error)) return false
  if (isResult(error, BUSY) || isResult(error, LOCKED)) return true
  // The application has a transaction open on the handle it shares with us. We take our turn after it.
  return error.message.includes('cannot start a transaction within a transaction')
}

function isResult(error: unknown, { name, code, message }: ResultCode): boolean {
  if (!(error instanceof Error)) return false
  // The extended result codes have the primary one in their lowest byte, or at the start of their name.
  for (const field of ['errcode', 'rawCode', 'errno']) {
    const value: unknown = Reflect.get(error, field)
    if (typeof value === 'number') return (value & 0xff) === code
  }
  const named = textIn(error, 'code')
  if (named?.startsWith('SQLITE_')) return named.startsWith(name)
  // Deno's exec gives SQLite's message and no code.
  return error.message.startsWith(message)
}

/** An error of the driver as one of ours. Errors that are ours already stay as they are. */
export function storeFailed(cause: unknown, outcome: 'none' | 'unknown'): SessionError {
  if (isSessionError(cause)) return cause
  const consequence = outcome === 'none' ? 'nothing was changed' : 'the last change may or may not be stored'
  return new SessionError('ERR_SESSION_STORE', `SQLite failed, and ${consequence}. The cause says why; check the disk and the database file.`, { cause, outcome })
}

export function numberIn(row: unknown, column: string): number | undefined {
  const value = valueIn(row, column)
  return typeof value === 'bigint' ? Number(value) : typeof value === 'number' ? value : undefined
}

export function textIn(row: unknown, column: string): string | undefined {
  const value = valueIn(row, column)
  return typeof value === 'string' ? value : undefined
}

function valueIn(row: unknown, column: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, column) : undefined
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
