import { isSessionError, SessionError } from '../core/errors.ts'
import { applyPatch, type Patch, type PatchResult } from '../core/patch.ts'
import { isLive, type SessionId, type SessionRecord } from '../core/record.ts'
import type { Awaitable, Store, SweepRequest } from '../core/store.ts'
import { errorNumber, mysqlRunner, type MysqlClient, type RunSteps, type Session } from './internal/mysql-client.ts'
import {
  asItIs, bytes, checkStatements, deleteStatement, endStatement, insertStatement, listStatement, PAGE, pageStatement, pastStatement, quoteName, readStatement, SETTINGS,
  sweepStatement, tableStatements, updateStatement, type Replacement,
} from './internal/mysql-sql.ts'
import { errorField, sqlFailure } from './internal/sql-errors.ts'
import { extraColumnsWriter, type ExtraColumns } from './internal/sql-extra-columns.ts'
import { RECORD_COLUMNS, sqlNames, wrong, type SqlDialect, type SqlNames, type SqlTableOptions } from './internal/sql-names.ts'
import { recordFromRow, textOf, valuesOf } from './internal/sql-row.ts'

export type { MysqlCallbackPool, MysqlClient, MysqlConnection, MysqlPool, MysqlValue } from './internal/mysql-client.ts'
export type { ExtraColumns, SessionChange, SqlValue } from './internal/sql-extra-columns.ts'
export type { SqlColumn, SqlTableOptions } from './internal/sql-names.ts'

export interface MysqlStoreOptions extends SqlTableOptions {
  /** Creates the tables when the store opens and they are missing. Defaults to false: an application's account often may not. */
  readonly createTable?: boolean
  /** Values for columns of your own, written in the same statement as the session. */
  readonly extraColumns?: ExtraColumns
}

export interface MysqlStore extends Store {
  /** Creates the tables and their indexes where they are missing. */
  createTable(): Promise<void>
}

const dialect: SqlDialect = {
  quote: quoteName,
  maxLength: 64,
  lengthOf: (name) => name.length,
  fold: (name) => name.toLowerCase(),
  taken: ['db_row_id', 'db_trx_id', 'db_roll_ptr', 'fts_doc_id'],
  // Names are kept in three bytes a character, and a space at the end would be cut off.
  refused: /[\u{10000}-\u{10FFFF}]| $/u,
}

/** The SQL that makes the tables, for a migration. Takes the same names as the store. */
export function mysqlTables(options: SqlTableOptions = {}): string {
  return tableStatements(sqlNames(options, dialect)).map((statement) => `${statement};\n`).join('\n')
}

/**
 * Keeps sessions in MariaDB 10.6 or MySQL 8, or later: one row each, one statement per read and two per commit. `client` is
 * a pool of `mysql2` or `mariadb`, or a function that returns the one to use, asked at each statement. Throws `ERR_SESSION_OPTION`
 * for options that cannot work.
 */
export function mysqlStore(client: MysqlClient | (() => Awaitable<MysqlClient>), options: MysqlStoreOptions = {}): MysqlStore {
  checkOptions(options)
  const names = sqlNames(options, dialect)
  const run = mysqlRunner(client)
  const extra = extraColumnsWriter(options.extraColumns, names)
  const createTable = (): Promise<void> => createTables(run, names)
  return {
    consistency: 'atomic',
    createTable,
    open: () => checkTables(run, names, options.createTable === true ? createTable : undefined),
    async read(id, { signal } = {}) {
      const row = await run({ doing: 'read', signal }, (session) => readRow(session, names, id))
      return row === undefined ? undefined : recordFromRow(row, asItIs)
    },
    create: (id, record) => create(run, names, { id, record, extra: extra.ofRecord(id, record) }),
    patch: (id, patch, { signal } = {}) => commit(run, names, { id, patch, extra: extra.ofPatch(id, patch) }, signal),
    async end(id, because, at) {
      const { sql, values } = endStatement(names, id, because, at)
      return (await run({ doing: 'end' }, (session) => session.change(sql, values))) > 0
    },
    find: (term) => pages(run, names, term),
    list: () => pages(run, names, undefined),
    sweep: (what, limit) => sweep(run, names, what, limit),
  }
}

const OPTIONS: readonly string[] = ['table', 'termsTable', 'schema', 'columns', 'createTable', 'extraColumns'] satisfies (keyof MysqlStoreOptions)[]

function checkOptions(options: MysqlStoreOptions): void {
  for (const name of Object.keys(options)) if (!OPTIONS.includes(name)) throw wrong(`it has no option ${JSON.stringify(name)}`, `Pass only these: ${OPTIONS.join(', ')}`)
}

async function readRow(session: Session, names: SqlNames, id: SessionId, { lock } = { lock: false }): Promise<readonly unknown[] | undefined> {
  const { sql, values } = readStatement(names, id, { lock })
  const [row] = await session.select(sql, values)
  return row === undefined ? undefined : valuesOf(row)
}

/** The record, or undefined for what is none. */
function parsed(row: readonly unknown[] | undefined): SessionRecord | undefined {
  try {
    return row === undefined ? undefined : recordFromRow(row, asItIs)
  } catch (error) {
    if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return undefined
    throw error
  }
}

interface Creation {
  readonly id: SessionId
  readonly record: SessionRecord
  readonly extra: Replacement['extra']
}

async function create(run: RunSteps, names: SqlNames, creation: Creation): Promise<boolean> {
  const call = { doing: 'create' }
  for (let tries = 1; ; tries += 1) {
    try {
      await run(call, (session) => insert(session, names, creation))
      return true
    } catch (error) {
      if (!isTaken(error) || tries === 5) throw error
    }
    if (!(await run(call, (session) => removeThePast(session, names, creation)))) return false
  }
}

function insert(session: Session, names: SqlNames, { id, record, extra }: Creation): Promise<unknown> {
  const row = insertStatement(names, id, record, extra)
  if (record.index.length === 0) return session.change(row.sql, row.values)
  return session.transaction(async () => {
    await session.change(row.sql, row.values)
    await addTerms(session, names, id, record.index)
  })
}

async function addTerms(session: Session, names: SqlNames, id: SessionId, added: readonly string[]): Promise<void> {
  const { sql, values } = listStatement(names, id, added)
  await session.change(sql, values)
}

function isTaken(error: unknown): boolean {
  return errorNumber(errorField(error, 'cause')) === 1062
}

const VERSION = RECORD_COLUMNS.indexOf('version')
const NONCE = RECORD_COLUMNS.indexOf('nonce')

/** Deletes what is past, ended or no record under the id. False when a live record is there. */
async function removeThePast(session: Session, names: SqlNames, { id, record }: Creation): Promise<boolean> {
  const row = await readRow(session, names, id)
  if (row === undefined) return true
  if (isLive(parsed(row), record.createdAt)) return false
  const { sql, values } = deleteStatement(names, id, { version: String(row[VERSION]), nonce: bytes(String(textOf(row[NONCE]))) })
  await session.change(sql, values)
  return true
}

interface Commit {
  readonly id: SessionId
  readonly patch: Patch
  readonly extra: Replacement['extra']
}

const WITHOUT_LOCK = 3

// The record is read, the patch applied to it here, and the result written only where that very record still is: the write
// is the atomic step. Where others keep winning, the row is locked, so that everyone has a turn.
async function commit(run: RunSteps, names: SqlNames, what: Commit, signal: AbortSignal | undefined): Promise<PatchResult> {
  const call = { doing: 'patch', signal }
  for (let tries = 0; tries < WITHOUT_LOCK; tries += 1) {
    const result = await run(call, (session) => attempt(session, names, what, { lock: false }))
    if (result !== undefined) return result
  }
  const result = await run(call, (session) => session.transaction(() => attempt(session, names, what, { lock: true })))
  if (result !== undefined) return result
  throw sqlFailure({ database: 'MySQL', doing: 'patch', outcome: 'none', advice: 'The row was locked and not written: look for a trigger on the table, or a table that is not InnoDB.' }, undefined)
}

/** Undefined when another was faster. */
async function attempt(session: Session, names: SqlNames, { id, patch, extra }: Commit, { lock }: { readonly lock: boolean }): Promise<PatchResult | undefined> {
  const before = parsed(await readRow(session, names, id, { lock }))
  const applied = applyPatch(before, patch)
  if (applied.status !== 'ok') return applied
  const { record: after } = applied
  const known = before === undefined || after === before
  if (!known && !(await replace(session, names, id, { before, after, extra }))) return undefined
  return { status: 'ok', version: after.version }
}

/** False when the record is no longer the one from before. */
function replace(session: Session, names: SqlNames, id: SessionId, replacement: Replacement): Promise<boolean> {
  const { before, after } = replacement
  const { sql, values } = updateStatement(names, id, replacement)
  const added = after.index.filter((term) => !before.index.includes(term))
  if (added.length === 0) return session.change(sql, values).then((changed) => changed > 0)
  // In one transaction, or the record could be live and not listed.
  return session.transaction(async () => {
    if ((await session.change(sql, values)) === 0) return false
    await addTerms(session, names, id, added)
    return true
  })
}

async function* pages(run: RunSteps, names: SqlNames, term: string | undefined): AsyncIterable<SessionId> {
  const call = { doing: term === undefined ? 'list' : 'find' }
  let after = ''
  for (;;) {
    const { sql, values } = pageStatement(names, term, after)
    const rows = await run(call, (session) => session.select(sql, values))
    for (const row of rows) {
      after = String(textOf(valuesOf(row)[0]))
      yield after
    }
    if (rows.length < PAGE) return
  }
}

async function sweep(run: RunSteps, names: SqlNames, what: SweepRequest, limit: number): Promise<number> {
  if (what.by !== undefined && what.by !== 'expires' && what.olderThan === undefined) throw new SessionError('ERR_SESSION_USAGE', `A sweep by ${what.by} needs olderThan. Pass milliseconds since the epoch.`)
  const past = pastStatement(names, what, limit)
  return run({ doing: 'sweep' }, async (session) => {
    const rows = await session.select(past.sql, [])
    const ids = rows.map((row) => bytes(String(textOf(valuesOf(row)[0]))))
    // By key: a DELETE that looked for what is past by itself would lock the rows between.
    return ids.length === 0 ? 0 : session.changeOnce(sweepStatement(names, ids, past.condition))
  })
}

async function checkTables(run: RunSteps, names: SqlNames, create: (() => Promise<void>) | undefined): Promise<void> {
  const call = { doing: 'open' }
  const check = (): Promise<void> => run(call, async (session) => {
    for (const sql of checkStatements(names)) await session.select(sql, [])
  })
  const [settings] = await run(call, (session) => session.select(SETTINGS, []))
  if (Number(valuesOf(settings)[0]) === 0) throw wrong('the connections of its pool have autocommit off, so nothing would ever be written', 'Leave autocommit on for this pool')
  try {
    await check()
  } catch (error) {
    if (create === undefined || errorNumber(errorField(error, 'cause')) !== 1146) throw error
    await create()
    await check()
  }
}

function createTables(run: RunSteps, names: SqlNames): Promise<void> {
  return run({ doing: 'createTable' }, async (session) => {
    for (const sql of tableStatements(names)) await session.changeOnce(sql)
  })
}
