import { SessionError } from '../../core/errors.ts'
import { checkedColumns, type SqlDialect } from './sql-names.ts'
import { numberIn, quoted, transaction, type SqliteHandle, type SqliteStatement } from './sqlite-database.ts'

const SCHEMA_VERSION = 1

/** Every statement the store runs, prepared once. Ids and terms in them are escaped texts. */
export interface Statements {
  readonly read: SqliteStatement
  readonly insert: SqliteStatement
  readonly setRecord: SqliteStatement
  readonly setRecordAndTimes: SqliteStatement
  readonly end: SqliteStatement
  readonly remove: SqliteStatement
  readonly addTerm: SqliteStatement
  readonly removeTerms: SqliteStatement
  readonly find: SqliteStatement
  readonly list: SqliteStatement
  readonly past: Readonly<Record<'expires' | 'touched' | 'created', SqliteStatement>>
}

/** What the table keeps of a record, by the names this package uses. */
export type SqliteColumn = 'id' | 'createdAt' | 'touchedAt' | 'expiresAt' | 'endedAt' | 'record'

const DEFAULT_COLUMNS: SqliteColumns = { id: 'id', createdAt: 'created_at', touchedAt: 'touched_at', expiresAt: 'expires_at', endedAt: 'ended_at', record: 'record' }

const dialect: SqlDialect = {
  // Not double quotes: SQLite takes what stands in them for a text where no such column is there.
  quote: (name) => `\`${name.replaceAll('`', '``')}\``,
  maxLength: 1000,
  lengthOf: (name) => name.length,
  fold: (name) => name.toLowerCase(),
  taken: [],
}

/** The columns of one store's table, by the names this package uses. Bare. */
export type SqliteColumns = Readonly<Record<SqliteColumn, string>>

/** Checks the names of the columns. Throws `ERR_SESSION_OPTION`. */
export function sqliteColumns(given: Readonly<Partial<Record<SqliteColumn, string>>> | undefined): SqliteColumns {
  return checkedColumns(DEFAULT_COLUMNS, given, dialect)
}

/** The tables of one store inside a database, quoted: any name will do, also a word of SQL. */
interface Tables {
  readonly sessions: string
  readonly terms: string
  readonly meta: string
  readonly column: SqliteColumns
}

/** Creates the tables where they are missing, and prepares the statements. Refuses tables that a newer version of this package made. */
export function prepareTables(handle: SqliteHandle, table: string, columns: SqliteColumns): Statements {
  const { quote } = dialect
  const column = { id: quote(columns.id), createdAt: quote(columns.createdAt), touchedAt: quote(columns.touchedAt), expiresAt: quote(columns.expiresAt), endedAt: quote(columns.endedAt), record: quote(columns.record) }
  const tables = { sessions: quoted(table), terms: quoted(`${table}_terms`), meta: quoted(`${table}_meta`), column }
  if (!isComplete(handle, table, tables)) createTables(handle, table, tables)
  return statementsFor(handle, tables)
}

function createTables(handle: SqliteHandle, table: string, tables: Tables): void {
  const { sessions, terms, meta, column } = tables
  let unless = ''
  const indexed = (name: 'createdAt' | 'touchedAt' | 'expiresAt'): string => `CREATE INDEX ${unless}${quoted(`${table}_by_${DEFAULT_COLUMNS[name]}`)} ON ${sessions} (${column[name]})`
  transaction(handle, () => {
    // Another process may have made them while this one waited for the lock.
    if (isComplete(handle, table, tables)) return
    // Where ours were here, and one of them was dropped, the others stay; a stranger's table is never taken for ours.
    if (schemaVersion(handle, table, tables) !== undefined) unless = 'IF NOT EXISTS '
    // A rowid table: records are too large for WITHOUT ROWID, which reads four times slower here. The terms are small.
    handle.exec(`
      CREATE TABLE ${unless}${sessions} (
        ${column.id} TEXT PRIMARY KEY NOT NULL,
        ${column.createdAt} INTEGER NOT NULL,
        ${column.touchedAt} INTEGER NOT NULL,
        ${column.expiresAt} INTEGER NOT NULL,
        ${column.endedAt} INTEGER,
        ${column.record} TEXT NOT NULL
      );
      ${indexed('createdAt')}; ${indexed('touchedAt')}; ${indexed('expiresAt')};
      CREATE TABLE ${unless}${terms} (term TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (term, id)) WITHOUT ROWID;
      CREATE INDEX ${unless}${quoted(`${table}_terms_by_id`)} ON ${terms} (id);
      CREATE TABLE ${unless}${meta} (schema_version INTEGER NOT NULL);
      INSERT INTO ${meta} SELECT ${SCHEMA_VERSION} WHERE NOT EXISTS (SELECT 1 FROM ${meta});
    `)
  })
}

function isComplete(handle: SqliteHandle, table: string, tables: Tables): boolean {
  if (schemaVersion(handle, table, tables) === undefined) return false
  const there = handle.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (? COLLATE NOCASE, ? COLLATE NOCASE)")
  return there.all(table, `${table}_terms`).length === 2
}

/** The version of the tables that are there; undefined when there are none. */
function schemaVersion(handle: SqliteHandle, table: string, { meta }: Tables): number | undefined {
  const found = handle.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE").all(`${table}_meta`)
  if (found.length === 0) return undefined
  const version = numberIn(handle.prepare(`SELECT schema_version FROM ${meta}`).all()[0], 'schema_version')
  if (version === SCHEMA_VERSION) return version
  const whose = version !== undefined && version > SCHEMA_VERSION ? 'were made by a newer version of Sojourn' : 'are not what Sojourn made'
  throw new SessionError(
    'ERR_SESSION_STORE',
    `The session tables ${table} in the SQLite database ${whose} (schema ${version ?? 'unknown'}, this version knows ${SCHEMA_VERSION}). Upgrade sojourn, or pass another table name; nothing was changed.`,
    { outcome: 'none' },
  )
}

function statementsFor(handle: SqliteHandle, { sessions, terms, column }: Tables): Statements {
  const { id, createdAt, touchedAt, expiresAt, endedAt, record } = column
  const past = (condition: string, by: string): SqliteStatement => handle.prepare(`SELECT ${id} AS id FROM ${sessions} WHERE ${condition} ORDER BY ${by} LIMIT ?`)
  return {
    read: handle.prepare(`SELECT ${record} AS record FROM ${sessions} WHERE ${id} = ?`),
    insert: handle.prepare(`INSERT OR REPLACE INTO ${sessions} (${id}, ${createdAt}, ${touchedAt}, ${expiresAt}, ${endedAt}, ${record}) VALUES (?, ?, ?, ?, ?, ?)`),
    setRecord: handle.prepare(`UPDATE ${sessions} SET ${record} = ? WHERE ${id} = ?`),
    setRecordAndTimes: handle.prepare(`UPDATE ${sessions} SET ${record} = ?, ${touchedAt} = ?, ${expiresAt} = ? WHERE ${id} = ?`),
    end: handle.prepare(`UPDATE ${sessions} SET ${record} = ?, ${expiresAt} = ?, ${endedAt} = ? WHERE ${id} = ?`),
    remove: handle.prepare(`DELETE FROM ${sessions} WHERE ${id} = ?`),
    addTerm: handle.prepare(`INSERT OR IGNORE INTO ${terms} (term, id) VALUES (?, ?)`),
    removeTerms: handle.prepare(`DELETE FROM ${terms} WHERE id = ?`),
    find: handle.prepare(`SELECT id FROM ${terms} WHERE term = ? AND id > ? ORDER BY id LIMIT ?`),
    list: handle.prepare(`SELECT ${id} AS id FROM ${sessions} WHERE ${id} > ? AND ${endedAt} IS NULL ORDER BY ${id} LIMIT ?`),
    past: {
      expires: past(`${expiresAt} <= ?`, expiresAt),
      touched: past(`${touchedAt} < ?`, touchedAt),
      created: past(`${createdAt} < ?`, createdAt),
    },
  }
}
