import { SessionError } from '../../core/errors.ts'
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

/** The tables of one store inside a database, quoted: any name will do, also a word of SQL. */
interface Tables {
  readonly sessions: string
  readonly terms: string
  readonly meta: string
}

/** Creates the tables where they are missing, and prepares the statements. Refuses tables that a newer version of this package made. */
export function prepareTables(handle: SqliteHandle, table: string): Statements {
  const tables = { sessions: quoted(table), terms: quoted(`${table}_terms`), meta: quoted(`${table}_meta`) }
  if (schemaVersion(handle, table, tables) === undefined) createTables(handle, table, tables)
  return statementsFor(handle, tables)
}

function createTables(handle: SqliteHandle, table: string, tables: Tables): void {
  const { sessions, terms, meta } = tables
  const indexed = (column: string): string => `CREATE INDEX ${quoted(`${table}_by_${column}`)} ON ${sessions} (${column})`
  transaction(handle, () => {
    // Another process may have made them while this one waited for the lock.
    if (schemaVersion(handle, table, tables) !== undefined) return
    // A rowid table: records are too large for WITHOUT ROWID, which reads four times slower here. The terms are small.
    handle.exec(`
      CREATE TABLE ${sessions} (
        id         TEXT PRIMARY KEY NOT NULL,
        created_at INTEGER NOT NULL,
        touched_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended_at   INTEGER,
        record     TEXT NOT NULL
      );
      ${indexed('created_at')}; ${indexed('touched_at')}; ${indexed('expires_at')};
      CREATE TABLE ${terms} (term TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (term, id)) WITHOUT ROWID;
      CREATE INDEX ${quoted(`${table}_terms_by_id`)} ON ${terms} (id);
      CREATE TABLE ${meta} (schema_version INTEGER NOT NULL);
      INSERT INTO ${meta} VALUES (${SCHEMA_VERSION});
    `)
  })
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

function statementsFor(handle: SqliteHandle, { sessions, terms }: Tables): Statements {
  const past = (condition: string, column: string): SqliteStatement => handle.prepare(`SELECT id FROM ${sessions} WHERE ${condition} ORDER BY ${column} LIMIT ?`)
  return {
    read: handle.prepare(`SELECT record FROM ${sessions} WHERE id = ?`),
    insert: handle.prepare(`INSERT OR REPLACE INTO ${sessions} (id, created_at, touched_at, expires_at, ended_at, record) VALUES (?, ?, ?, ?, ?, ?)`),
    setRecord: handle.prepare(`UPDATE ${sessions} SET record = ? WHERE id = ?`),
    setRecordAndTimes: handle.prepare(`UPDATE ${sessions} SET record = ?, touched_at = ?, expires_at = ? WHERE id = ?`),
    end: handle.prepare(`UPDATE ${sessions} SET record = ?, expires_at = ?, ended_at = ? WHERE id = ?`),
    remove: handle.prepare(`DELETE FROM ${sessions} WHERE id = ?`),
    addTerm: handle.prepare(`INSERT OR IGNORE INTO ${terms} (term, id) VALUES (?, ?)`),
    removeTerms: handle.prepare(`DELETE FROM ${terms} WHERE id = ?`),
    find: handle.prepare(`SELECT id FROM ${terms} WHERE term = ? AND id > ? ORDER BY id LIMIT ?`),
    list: handle.prepare(`SELECT id FROM ${sessions} WHERE id > ? AND ended_at IS NULL ORDER BY id LIMIT ?`),
    past: {
      expires: past('expires_at <= ?', 'expires_at'),
      touched: past('touched_at < ?', 'touched_at'),
      created: past('created_at < ?', 'created_at'),
    },
  }
}
