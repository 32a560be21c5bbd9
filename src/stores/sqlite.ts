import { resolve } from 'node:path'
import { SessionError } from '../core/errors.ts'
import { applyPatch, GONE, type Patch, type PatchResult } from '../core/patch.ts'
import { isLive, stringifyRecord, tombstone, unreadable, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { Awaitable, PatchOptions, ReadOptions, Store, SweepRequest } from '../core/store.ts'
import { BusyQueue } from './internal/busy-queue.ts'
import { escapeText, unescapeText } from './internal/escape.ts'
import { isBusy, isHandle, openFile, storeFailed, textIn, transaction, withoutWaiting, type SqliteHandle, type SqliteStatement } from './internal/sqlite-database.ts'
import { ParsedRecords } from './internal/parsed-records.ts'
import { prepareTables, sqliteColumns, type SqliteColumn, type SqliteColumns, type Statements } from './internal/sqlite-schema.ts'

export type { SqliteColumn, SqliteHandle, SqliteStatement }

export interface SqliteStoreOptions {
  /** The table of the records; two more tables begin with its name. Any text, also a word of SQL. Defaults to `sojourn_sessions`. */
  readonly table?: string
  /** Names of single columns of that table, such as `{ id: 'where', record: 'set' }`. Defaults to the same words in snake_case, such as `expires_at`. */
  readonly columns?: Readonly<Partial<Record<SqliteColumn, string>>>
  /**
   * What an acknowledged write survives: `process` a crash or kill of any process, `power` also the loss of power,
   * at the price of one disk flush per commit. Defaults to `process`. Only for a database that the store opens.
   */
  readonly durability?: 'process' | 'power'
}

/** What {@link sqliteStore} gives: a store with every capability that needs no messages between processes. */
export type SqliteStore = Store & Required<Pick<Store, 'find' | 'list' | 'sweep' | 'open' | 'close'>>

/**
 * Keeps sessions in an SQLite database: the embedded default for one machine, shared by all its processes.
 * Takes the path of a file, `:memory:`, or an open database (better-sqlite3, libsql, `node:sqlite`, `bun:sqlite`).
 * A file is opened by `open` or the first call, and created where it is missing. Throws `ERR_SESSION_OPTION`.
 */
export function sqliteStore(location: string | SqliteHandle, options: SqliteStoreOptions = {}): SqliteStore {
  return new Sqlite(settingsFrom(location, options))
}

interface Settings {
  readonly location: string | SqliteHandle
  readonly table: string
  readonly columns: SqliteColumns
  readonly durability: 'process' | 'power'
}

/** An open database with its tables. */
interface Database extends Statements {
  readonly parsed: ParsedRecords
  /** Runs work that only reads. */
  reading<T>(work: () => T): T
  /** Runs work in one write transaction. */
  writing<T>(work: () => T): T
  close(): void
}

const PAGE = 500
// What one transaction of a sweep deletes: a few milliseconds, after which others have their turn.
const SWEEP_BATCH = 100
// Kibibytes, negative as the pragma wants it. SQLite's own 2 MB hold the pages of hardly 2,000 sessions.
const CACHE = -16_000

class Sqlite implements SqliteStore {
  readonly #settings: Settings
  // Readers do not stand behind writers: in WAL mode a writer does not block them.
  readonly #reads = new BusyQueue(isBusy)
  readonly #writes = new BusyQueue(isBusy)
  #database: Database | undefined
  #closed = false

  constructor(settings: Settings) {
    this.#settings = settings
  }

  open(): Awaitable<void> {
    return then<void>(this.#connected(), () => undefined)
  }

  close(): void {
    this.#closed = true
    this.#reads.close(closed())
    this.#writes.close(closed())
    this.#database?.close()
    this.#database = undefined
  }

  read(id: SessionId, options?: ReadOptions): Awaitable<SessionRecord | undefined> {
    return this.#reading((database) => {
      const key = escapeText(id)
      const rows = database.read.all(key)
      return rows.length === 0 ? undefined : parseRow(database, key, rows[0])
    }, options?.signal)
  }

  create(id: SessionId, record: SessionRecord): Awaitable<boolean> {
    return this.#writing((database) => {
      const key = escapeText(id)
      if (isLive(readable(database, key), record.createdAt)) return false
      database.removeTerms.run(key)
      database.insert.run(key, record.createdAt, record.touchedAt, record.expiresAt, record.ended?.at ?? null, stringifyRecord(record))
      addTerms(database, key, record.index)
      return true
    })
  }

  patch(id: SessionId, patch: Patch, options?: PatchOptions): Awaitable<PatchResult> {
    return this.#writing((database) => {
      const key = escapeText(id)
      const current = readable(database, key)
      if (current === undefined) return GONE
      const applied = applyPatch(current, patch)
      if (applied.status !== 'ok') return applied
      if (applied.record !== current) update(database, key, current, applied.record)
      return { status: 'ok', version: applied.record.version }
    }, options?.signal)
  }

  end(id: SessionId, because: EndReason, at: number): Awaitable<boolean> {
    return this.#writing((database) => {
      const key = escapeText(id)
      const rows = database.read.all(key)
      if (rows.length === 0) return false
      const current = readable(database, key, rows)
      if (current?.ended !== undefined) return false
      // What cannot be read may be a live record to a newer version of this package, so it goes altogether.
      if (current === undefined) database.remove.run(key)
      else database.end.run(...ended(current, because, at), key)
      database.removeTerms.run(key)
      return true
    })
  }

  find(term: string): AsyncIterable<SessionId> {
    return this.#pages((database, after) => database.find.all(escapeText(term), after, PAGE))
  }

  list(): AsyncIterable<SessionId> {
    return this.#pages((database, after) => database.list.all(after, PAGE))
  }

  async sweep(what: SweepRequest, limit: number): Promise<number> {
    const { by = 'expires' } = what
    const before = by === 'expires' ? what.now : what.olderThan
    if (before === undefined) throw new SessionError('ERR_SESSION_USAGE', `A sweep by ${by} was asked for without olderThan. Pass olderThan in milliseconds since the epoch.`)
    let deleted = 0
    while (deleted < limit) {
      const batch = Math.min(SWEEP_BATCH, limit - deleted)
      const count = await this.#writing((database) => removeAll(database, database.past[by].all(before, batch)))
      deleted += count
      if (count < batch) break
      await nextTurn()
    }
    return deleted
  }

  // Each page is a statement of its own: a transaction held open between pages would keep the log from being emptied.
  async *#pages(page: (database: Database, after: string) => readonly unknown[]): AsyncGenerator<SessionId, void, undefined> {
    let after = ''
    for (;;) {
      const rows = await this.#reading((database) => page(database, after))
      for (const row of rows) {
        after = keyOf(row)
        yield unescapeText(after)
      }
      if (rows.length < PAGE) return
    }
  }

  #reading<T>(work: (database: Database) => T, signal?: AbortSignal): Awaitable<T> {
    return then(this.#connected(signal), (database) => this.#reads.run(() => wrapped(() => database.reading(() => work(database))), signal))
  }

  #writing<T>(work: (database: Database) => T, signal?: AbortSignal): Awaitable<T> {
    return then(this.#connected(signal), (database) => this.#writes.run(() => wrapped(() => database.writing(() => work(database))), signal))
  }

  // Calls that come while another one waits to open the file wait behind it, and find it open.
  #connected(signal?: AbortSignal): Database | Promise<Database> {
    if (this.#closed) throw closed()
    return this.#database ?? this.#writes.run(() => wrapped(() => (this.#database ??= openDatabase(this.#settings))), signal)
  }
}

function then<Result>(database: Database | Promise<Database>, next: (database: Database) => Result | Promise<Result>): Result | Promise<Result> {
  return database instanceof Promise ? database.then(next) : next(database)
}

/** What the driver throws becomes ours, except that a busy file is left for the queue to see. */
function wrapped<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw isBusy(error) ? error : storeFailed(error, 'none')
  }
}

/** The stored record; undefined when there is none, or none that can be read. */
function readable(database: Database, key: string, rows = database.read.all(key)): SessionRecord | undefined {
  try {
    return rows.length === 0 ? undefined : parseRow(database, key, rows[0])
  } catch {
    return undefined
  }
}

function parseRow({ parsed }: Database, key: string, row: unknown): SessionRecord {
  const text = textIn(row, 'record')
  if (text === undefined) throw unreadable('its column is not text')
  return parsed.parse(key, text)
}

function keyOf(row: unknown): string {
  const key = textIn(row, 'id')
  if (key === undefined) throw unreadable('its id is not text')
  return key
}

function update(database: Database, key: string, before: SessionRecord, after: SessionRecord): void {
  const text = stringifyRecord(after)
  // SQLite rewrites an index whenever its column is named, changed or not.
  const sameTimes = before.touchedAt === after.touchedAt && before.expiresAt === after.expiresAt
  if (sameTimes) database.setRecord.run(text, key)
  else database.setRecordAndTimes.run(text, after.touchedAt, after.expiresAt, key)
  database.parsed.remember(key, text, after)
  if (before.index !== after.index) addTerms(database, key, after.index)
}

function addTerms(database: Database, key: string, terms: readonly string[]): void {
  for (const term of terms) database.addTerm.run(escapeText(term), key)
}

function ended(record: SessionRecord, because: EndReason, at: number): [string, number, number] {
  const rest = tombstone(record, because, at)
  return [stringifyRecord(rest), rest.expiresAt, at]
}

function removeAll(database: Database, rows: readonly unknown[]): number {
  for (const row of rows) {
    const key = keyOf(row)
    database.removeTerms.run(key)
    database.remove.run(key)
  }
  return rows.length
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function openDatabase({ location, table, columns, durability }: Settings): Database {
  const prepare = (handle: SqliteHandle): Statements => prepareTables(handle, table, columns)
  if (typeof location !== 'string') return shareDatabase(location, prepare)
  const handle = openFile(location)
  try {
    handle.exec(`PRAGMA busy_timeout = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}; PRAGMA cache_size = ${CACHE}`)
    return { ...prepare(handle), parsed: new ParsedRecords(), reading: (work) => work(), writing: (work) => transaction(handle, work), close: () => handle.close() }
  } catch (error) {
    handle.close()
    throw error
  }
}

/** Works on a handle that stays the application's: its pragmas are as before after every call. */
function shareDatabase(handle: SqliteHandle, prepare: (handle: SqliteHandle) => Statements): Database {
  const timeout = handle.prepare('PRAGMA busy_timeout')
  const patiently = <T>(work: () => T): T => withoutWaiting(handle, timeout, work)
  const isLog = textIn(handle.prepare('PRAGMA journal_mode').all()[0], 'journal_mode') === 'wal'
  return {
    ...patiently(() => prepare(handle)),
    parsed: new ParsedRecords(),
    reading: isLog ? (work) => work() : patiently,
    writing: (work) => patiently(() => transaction(handle, work)),
    close: () => undefined,
  }
}

function settingsFrom(location: string | SqliteHandle, options: SqliteStoreOptions): Settings {
  if (typeof options !== 'object' || options === null) throw wrong('the options are not an object', 'Pass an object such as { table: "sessions" }')
  for (const name of Object.keys(options)) {
    if (name !== 'table' && name !== 'columns' && name !== 'durability') throw wrong(`there is no option ${JSON.stringify(name.slice(0, 60))}`, 'The options are table, columns and durability')
  }
  const { table = 'sojourn_sessions', durability = 'process' } = options
  if (typeof table !== 'string' || table === '' || table.includes('\0') || /^sqlite_/i.test(table)) throw wrong('table is not a name that SQLite takes', 'Pass a name such as "sessions", not beginning with "sqlite_"')
  if (durability !== 'process' && durability !== 'power') throw wrong('durability is neither "process" nor "power"', 'Pass "process" to survive crashes of the application, "power" to survive loss of power too')
  if (typeof location !== 'string' && options.durability !== undefined) throw wrong('durability was given together with an open database', 'Set PRAGMA synchronous on that database, or pass a path')
  return { location: checkedLocation(location), table, columns: sqliteColumns(options.columns), durability }
}

function checkedLocation(location: string | SqliteHandle): string | SqliteHandle {
  if (typeof location === 'string' && location !== '' && !location.includes('\0') && !location.startsWith('file:')) {
    return location === ':memory:' ? location : resolve(location)
  }
  if (isHandle(location)) return location
  throw wrong('the location is neither a path nor an open database', 'Pass a path such as "sessions.db" (not a file: URL), ":memory:", or a database that has the methods exec and prepare')
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `sqliteStore was called wrongly: ${what}. ${instead}.`)
}

function closed(): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The SQLite store was called after it had been closed; nothing was changed. Make a new one with sqliteStore.', { outcome: 'none' })
}
