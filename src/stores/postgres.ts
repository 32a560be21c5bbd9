import { createHash } from 'node:crypto'
import { isSessionError, SessionError } from '../core/errors.ts'
import type { PatchResult } from '../core/patch.ts'
import { unreadable, type SessionId } from '../core/record.ts'
import type { Awaitable, Store, StoreEvent, SweepRequest } from '../core/store.ts'
import { unescapeText } from './internal/escape.ts'
import { postgresRunner, sqlState, type PostgresClient, type Run } from './internal/postgres-client.ts'
import { checkStatements, createStatement, endStatement, PAGE, pageStatement, patchStatement, quoteName, readStatement, stillThereStatement, sweepStatement, tableStatements } from './internal/postgres-sql.ts'
import { postgresWatch, type PostgresListener } from './internal/postgres-watch.ts'
import { errorField, sqlFailure } from './internal/sql-errors.ts'
import { extraColumnsWriter, type ExtraColumns } from './internal/sql-extra-columns.ts'
import { sqlNames, wrong, type SqlDialect, type SqlNames, type SqlTableOptions } from './internal/sql-names.ts'
import { numberOf, recordFromRow, valuesOf } from './internal/sql-row.ts'

export type { PostgresClient, PostgresJs, PostgresPool, PostgresPooledClient, PostgresQueryable, PostgresResult, PostgresValue } from './internal/postgres-client.ts'
export type { PgliteListening, PostgresJsListening, PostgresListener, PostgresListeningClient } from './internal/postgres-watch.ts'
export type { ExtraColumns, SessionChange, SqlValue } from './internal/sql-extra-columns.ts'
export type { SqlColumn, SqlTableOptions } from './internal/sql-names.ts'

export interface PostgresStoreOptions extends SqlTableOptions {
  /** Creates the tables when the store opens and they are missing. Defaults to false: an application's account often may not. */
  readonly createTable?: boolean
  /** Values for columns of your own, written in the same statement as the session. */
  readonly extraColumns?: ExtraColumns
  /** Prepares statements by name, which is faster and does not work through PgBouncer before 1.21. Defaults to false with `pg`, and to what `sql` was made with in postgres.js. */
  readonly prepare?: boolean
  /**
   * Where this process hears of sessions that end in another: a Client of `pg` for this alone or a function that connects one,
   * the `sql` of postgres.js, or a PGlite; not through PgBouncer. Then the store offers `watch`, and `end` costs a NOTIFY. Defaults to none.
   */
  readonly listen?: PostgresListener
}

export interface PostgresStore extends Store {
  /** Creates the tables and their indexes where they are missing. */
  createTable(): Promise<void>
}

const dialect: SqlDialect = {
  quote: quoteName,
  maxLength: 63,
  lengthOf: (name) => Buffer.byteLength(name),
  fold: (name) => name,
  taken: ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'],
}

/** The SQL that makes the tables, for a migration. Takes the same names as the store. */
export function postgresTables(options: SqlTableOptions = {}): string {
  return tableStatements(sqlNames(options, dialect)).map((statement) => `${statement};\n`).join('\n')
}

/**
 * Keeps sessions in PostgreSQL 12 or later: one row each, one statement per read and per commit. `client` is a Pool
 * or Client of `pg`, the `sql` of postgres.js, a PGlite, or a function that returns the one to use, asked at each statement.
 * Throws `ERR_SESSION_OPTION` for options that cannot work.
 */
export function postgresStore(client: PostgresClient | (() => Awaitable<PostgresClient>), options: PostgresStoreOptions = {}): PostgresStore {
  checkOptions(options)
  const names = sqlNames(options, dialect)
  const runner = postgresRunner(client, { prepare: options.prepare })
  const { run } = runner
  const extra = extraColumnsWriter(options.extraColumns, names)
  const background = watchForErrors(runner.client)
  const channel = options.listen === undefined ? undefined : channelOf(names)
  const watching = options.listen === undefined || channel === undefined ? undefined : postgresWatch({
    listener: options.listen,
    channel,
    report: background.report,
    stillThere: async (ids) => (await run(stillThereStatement(names, ids), { doing: 'watch' })).map((row) => String(valuesOf(row)[0])),
  })
  const createTable = (): Promise<void> => createTables(run, names)
  return {
    consistency: 'atomic',
    createTable,
    async open() {
      await background.start()
      await checkTables(run, names, options.createTable === true ? createTable : undefined)
      await watching?.start()
    },
    async close() {
      background.stop()
      await watching?.stop()
    },
    observe: background.observe,
    ...(watching !== undefined && { watch: watching.watch }),
    async read(id, { signal } = {}) {
      const [row] = await run(readStatement(names, id), { doing: 'read', signal })
      return row === undefined ? undefined : recordFromRow(valuesOf(row), unescapeText)
    },
    async create(id, record) {
      const rows = await run(createStatement(names, id, record, extra.ofRecord(id, record)), { doing: 'create' })
      return rows.length > 0
    },
    async patch(id, patch, { signal } = {}) {
      const [row] = await run(patchStatement(names, id, patch, extra.ofPatch(id, patch)), { doing: 'patch', signal })
      return row === undefined ? { status: 'gone' } : patchResult(valuesOf(row))
    },
    async end(id, because, at) {
      const rows = await run(endStatement(names, id, because, at, channel), { doing: 'end' })
      return rows.length > 0
    },
    find: (term) => pages(run, names, term),
    list: () => pages(run, names, undefined),
    async sweep(what, limit) {
      const [row] = await run(sweepStatement(names, checkedSweep(what), limit), { doing: 'sweep' })
      return Number(valuesOf(row)[0])
    },
  }
}

const OPTIONS: readonly string[] = ['table', 'termsTable', 'schema', 'columns', 'createTable', 'extraColumns', 'prepare', 'listen'] satisfies (keyof PostgresStoreOptions)[]

function checkOptions(options: PostgresStoreOptions): void {
  for (const name of Object.keys(options)) if (!OPTIONS.includes(name)) throw wrong(`it has no option ${JSON.stringify(name)}`, `Pass only these: ${OPTIONS.join(', ')}`)
}

function checkedSweep(what: SweepRequest): SweepRequest {
  if (what.by !== undefined && what.by !== 'expires' && what.olderThan === undefined) throw new SessionError('ERR_SESSION_USAGE', `A sweep by ${what.by} needs olderThan. Pass milliseconds since the epoch.`)
  return what
}

function patchResult([verdict, written, ...columns]: readonly unknown[]): PatchResult {
  if (verdict === 'gone') return { status: 'gone' }
  if (verdict === 'conflict') return conflict(columns)
  const version = numberOf(verdict === 'known' ? columns[0] : written)
  if (typeof version === 'number') return { status: 'ok', version }
  throw sqlFailure({ database: 'PostgreSQL', doing: 'patch', outcome: 'none', advice: 'The row was found and not written: look for a trigger or a policy on the table.' }, unreadable('nothing was written'))
}

function conflict(columns: readonly unknown[]): PatchResult {
  try {
    return { status: 'conflict', record: recordFromRow(columns, unescapeText) }
  } catch (error) {
    if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return { status: 'gone' }
    throw error
  }
}

async function* pages(run: Run, names: SqlNames, term: string | undefined): AsyncIterable<SessionId> {
  let after = ''
  for (;;) {
    const rows = await run(pageStatement(names, term, after), { doing: term === undefined ? 'list' : 'find' })
    for (const row of rows) {
      after = String(valuesOf(row)[0])
      yield after
    }
    if (rows.length < PAGE) return
  }
}

async function checkTables(run: Run, names: SqlNames, create: (() => Promise<void>) | undefined): Promise<void> {
  const call = { doing: 'open' }
  try {
    for (const statement of checkStatements(names)) await run(statement, call)
  } catch (error) {
    if (create === undefined || sqlState(errorField(error, 'cause')) !== '42P01') throw error
    await create()
    for (const statement of checkStatements(names)) await run(statement, call)
  }
}

// Two processes that create one table at once: IF NOT EXISTS does not keep the second from failing, trying again does.
const CREATED_MEANWHILE: readonly (string | undefined)[] = ['23505', '42P07', '42710', 'XX000']

async function createTables(run: Run, names: SqlNames): Promise<void> {
  for (const text of tableStatements(names)) {
    for (let tries = 1; ; tries += 1) {
      try {
        await run({ text, values: [] }, { doing: 'createTable' })
        break
      } catch (error) {
        if (tries === 5 || !CREATED_MEANWHILE.includes(sqlState(errorField(error, 'cause')))) throw error
      }
    }
  }
}

/** An idle connection that breaks makes `pg` emit an error, and one that nobody listens for ends the process. */
function watchForErrors(client: () => Promise<PostgresClient>): { start(): Promise<void>; stop(): void; observe(to: (event: StoreEvent) => void): void; report(event: StoreEvent): void } {
  let tell: ((event: StoreEvent) => void) | undefined
  let stop = (): void => undefined
  const report = (event: StoreEvent): void => tell?.(event)
  const listener = (error: unknown): void => report({ event: 'error', error })
  return {
    report,
    observe: (to) => void (tell = to),
    stop: () => stop(),
    async start() {
      stop()
      const emitter: unknown = await client()
      if (!isEmitter(emitter)) return
      emitter.on('error', listener)
      stop = () => void emitter.removeListener('error', listener)
    },
  }
}

// One channel for each table, in the 63 bytes that a name may have.
function channelOf({ sessions }: SqlNames): string {
  return `sojourn_${createHash('sha256').update(sessions).digest('hex').slice(0, 32)}`
}

interface Emitter {
  on(event: 'error', listener: (error: unknown) => void): unknown
  removeListener(event: 'error', listener: (error: unknown) => void): unknown
}

function isEmitter(client: unknown): client is Emitter {
  return typeof client === 'object' && client !== null && typeof Reflect.get(client, 'on') === 'function' && typeof Reflect.get(client, 'removeListener') === 'function'
}
