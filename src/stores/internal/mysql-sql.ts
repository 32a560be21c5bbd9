import { TOMBSTONE_AGE_MS, type EndReason, type SessionId, type SessionRecord } from '../../core/record.ts'
import type { SweepRequest } from '../../core/store.ts'
import type { MysqlValue } from './mysql-client.ts'
import type { SqlValue } from './sql-extra-columns.ts'
import { RECORD_COLUMNS, type RecordColumn, type SqlColumn, type SqlNames } from './sql-names.ts'
import { entriesText, entryPairs } from './sql-row.ts'

/** A text with one `?` for each value. */
export interface Statement {
  readonly sql: string
  readonly values: MysqlValue[]
}

type Extra = readonly (readonly [string, SqlValue])[]

/** The SQL that makes the tables, one statement each. */
export function tableStatements({ sessions, terms, column, derived }: SqlNames): readonly string[] {
  // Binary columns compare byte for byte; a collation would take `A` for `a`, or a trailing space for nothing.
  const types: Readonly<Record<SqlColumn, string>> = {
    id: 'VARBINARY(255) NOT NULL PRIMARY KEY',
    version: 'BIGINT NOT NULL',
    createdAt: 'BIGINT NOT NULL',
    touchedAt: 'BIGINT NOT NULL',
    expiresAt: 'BIGINT NOT NULL',
    tokenHash: 'VARBINARY(255) NOT NULL',
    previousHash: 'VARBINARY(255)',
    rotatedAt: 'BIGINT',
    nonce: 'VARBINARY(255) NOT NULL',
    terms: 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL',
    entries: 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL',
    endedBecause: 'VARBINARY(32)',
    endedAt: 'BIGINT',
  }
  const columns = (['id', ...RECORD_COLUMNS] as const).map((name) => `  ${column[name]} ${types[name]}`)
  return [
    `CREATE TABLE IF NOT EXISTS ${sessions} (\n${columns.join(',\n')},\n  KEY ${derived('_expires_at_idx')} (${column.expiresAt})\n) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`,
    `CREATE TABLE IF NOT EXISTS ${terms} (
  term VARBINARY(255) NOT NULL,
  id VARBINARY(255) NOT NULL,
  PRIMARY KEY (term, id),
  KEY ${derived('_terms_id_idx')} (id),
  FOREIGN KEY (id) REFERENCES ${sessions} (${column.id}) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`,
  ]
}

/** Fails when a table or column is missing; reads nothing. */
export function checkStatements({ sessions, terms, column }: SqlNames): readonly string[] {
  return [`SELECT ${(['id', ...RECORD_COLUMNS] as const).map((name) => column[name]).join(', ')} FROM ${sessions} LIMIT 0`, `SELECT term, id FROM ${terms} LIMIT 0`]
}

/** What the server is set to: autocommit (1 or 0) and the largest statement in bytes. */
export const SETTINGS = 'SELECT @@autocommit AS c0, @@max_allowed_packet AS c1'

/** The columns of a record, in order. With `lock` the row stays as it is until the transaction ends. */
export function readStatement({ sessions, column }: SqlNames, id: SessionId, { lock }: { readonly lock: boolean }): Statement {
  // Text as bytes: the connection's character set would change what it cannot hold.
  const columns = RECORD_COLUMNS.map((name, at) => `${name === 'terms' || name === 'entries' ? `CAST(${column[name]} AS BINARY)` : column[name]} AS c${at}`)
  return { sql: `SELECT ${columns.join(', ')} FROM ${sessions} WHERE ${column.id} = ?${lock ? ' FOR UPDATE' : ''}`, values: [bytes(id)] }
}

// Every text goes as bytes, for the same reason.
const VALUE: Readonly<Record<RecordColumn, (record: SessionRecord) => MysqlValue>> = {
  version: ({ version }) => String(version),
  createdAt: ({ createdAt }) => String(createdAt),
  touchedAt: ({ touchedAt }) => String(touchedAt),
  expiresAt: ({ expiresAt }) => String(expiresAt),
  tokenHash: ({ tokenHash }) => bytes(tokenHash),
  previousHash: ({ previous }) => (previous === undefined ? null : bytes(previous.tokenHash)),
  rotatedAt: ({ previous }) => (previous === undefined ? null : String(previous.rotatedAt)),
  nonce: ({ nonce }) => bytes(nonce),
  terms: ({ index }) => bytes(JSON.stringify(index)),
  // JSON writes NUL and lone surrogates as escapes, so the text holds nothing that MySQL would refuse.
  entries: ({ entries }) => bytes(entriesText(entryPairs(entries), asItIs)),
  endedBecause: ({ ended }) => (ended === undefined ? null : bytes(ended.because)),
  endedAt: ({ ended }) => (ended === undefined ? null : String(ended.at)),
}

// Which field of a record a column is made of: a field that is the same object needs no writing.
const FIELD: Readonly<Record<RecordColumn, keyof SessionRecord>> = {
  version: 'version',
  createdAt: 'createdAt',
  touchedAt: 'touchedAt',
  expiresAt: 'expiresAt',
  tokenHash: 'tokenHash',
  previousHash: 'previous',
  rotatedAt: 'previous',
  nonce: 'nonce',
  terms: 'index',
  entries: 'entries',
  endedBecause: 'ended',
  endedAt: 'ended',
}

export function insertStatement({ sessions, column }: SqlNames, id: SessionId, record: SessionRecord, extra: Extra): Statement {
  const all = [[column.id, bytes(id)] as const, ...RECORD_COLUMNS.map((name) => [column[name], VALUE[name](record)] as const), ...given(extra)]
  return { sql: `INSERT INTO ${sessions} (${all.map(([name]) => name).join(', ')}) VALUES (${all.map(() => '?').join(', ')})`, values: all.map(([, value]) => value) }
}

/** One step from a record to the next. */
export interface Replacement {
  readonly before: SessionRecord
  readonly after: SessionRecord
  readonly extra: Extra
}

/** Writes a record over the one it was made from, if that is still there: one row, or none. */
export function updateStatement({ sessions, column }: SqlNames, id: SessionId, { before, after, extra }: Replacement): Statement {
  const changed = RECORD_COLUMNS.filter((name) => after[FIELD[name]] !== before[FIELD[name]])
  const all = [...changed.map((name) => [column[name], VALUE[name](after)] as const), ...given(extra)]
  return {
    sql: `UPDATE ${sessions} SET ${all.map(([name]) => `${name} = ?`).join(', ')} WHERE ${exactly(column)}`,
    values: [...all.map(([, value]) => value), bytes(id), String(before.version), bytes(before.nonce)],
  }
}

/** Deletes the row under the id if its version and nonce are still these. Its terms leave with it. */
export function deleteStatement({ sessions, column }: SqlNames, id: SessionId, { version, nonce }: { readonly version: string; readonly nonce: Buffer }): Statement {
  return { sql: `DELETE FROM ${sessions} WHERE ${exactly(column)}`, values: [bytes(id), version, nonce] }
}

// A version alone is not enough: an id that was swept and made anew begins again at 1. The nonce is never the same twice.
function exactly(column: SqlNames['column']): string {
  return `${column.id} = ? AND ${column.version} = CAST(? AS SIGNED) AND ${column.nonce} = ?`
}

/** Lists a record under terms. Its row must be there. */
export function listStatement({ terms }: SqlNames, id: SessionId, added: readonly string[]): Statement {
  // A term that is listed already is no error; ignoring errors altogether would ignore a missing session too.
  return { sql: `INSERT INTO ${terms} (term, id) VALUES ${added.map(() => '(?, ?)').join(', ')} ON DUPLICATE KEY UPDATE term = term`, values: added.flatMap((term) => [bytes(term), bytes(id)]) }
}

/** One row when there was something to end. The rows of its terms stay until the sweep, and `find` does not show them. */
export function endStatement({ sessions, column }: SqlNames, id: SessionId, because: EndReason, at: number): Statement {
  const sql = `UPDATE ${sessions} SET ${column.version} = ${column.version} + 1, ${column.endedBecause} = ?, ${column.endedAt} = ?, ${column.expiresAt} = ?,
  ${column.terms} = '[]', ${column.entries} = '{}'
WHERE ${column.id} = ? AND ${column.endedAt} IS NULL`
  return { sql, values: [bytes(because), String(at), String(at + TOMBSTONE_AGE_MS), bytes(id)] }
}

/** Ids that `find` and `list` fetch at a time. */
export const PAGE = 1000

/** A page of ids after `after` under a term, or of all that have not ended. Shorter than {@link PAGE} means the last. */
export function pageStatement({ sessions, terms, column }: SqlNames, term: string | undefined, after: string): Statement {
  if (term === undefined) return { sql: `SELECT ${column.id} AS c0 FROM ${sessions} WHERE ${column.id} > ? AND ${column.endedAt} IS NULL ORDER BY ${column.id} LIMIT ${PAGE}`, values: [bytes(after)] }
  const sql = `SELECT hit.id AS c0 FROM ${terms} AS hit JOIN ${sessions} AS record ON record.${column.id} = hit.id WHERE hit.term = ? AND hit.id > ? AND record.${column.endedAt} IS NULL ORDER BY hit.id LIMIT ${PAGE}`
  return { sql, values: [bytes(term), bytes(after)] }
}

/** What is past, and a condition that says so of each row again when it is deleted. */
export function pastStatement({ sessions, column }: SqlNames, { now, by = 'expires', olderThan = 0 }: SweepRequest, limit: number): { readonly sql: string; readonly condition: string } {
  // What is past by our clock must be past by the server's too, or a process whose clock is fast would delete the living.
  const time = (ms: number): string => `LEAST(${Math.trunc(ms)}, UNIX_TIMESTAMP() * 1000)`
  const condition = { expires: `${column.expiresAt} <= ${time(now)}`, touched: `${column.touchedAt} < ${time(olderThan)}`, created: `${column.createdAt} < ${time(olderThan)}` }[by]
  return { sql: `SELECT ${column.id} AS c0 FROM ${sessions} WHERE ${condition}${by === 'expires' ? ` ORDER BY ${column.expiresAt}` : ''} LIMIT ${Math.trunc(limit)}`, condition }
}

/** Deletes those of the ids that are still past. */
export function sweepStatement({ sessions, column }: SqlNames, ids: readonly Buffer[], condition: string): string {
  return `DELETE FROM ${sessions} WHERE ${column.id} IN (${ids.map((id) => `x'${id.toString('hex')}'`).join(', ')}) AND ${condition}`
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

export function bytes(text: string): Buffer {
  return Buffer.from(text)
}

export function asItIs(text: string): string {
  return text
}

function given(extra: Extra): readonly (readonly [string, MysqlValue])[] {
  return extra.flatMap(([name, value]) => (value === undefined ? [] : [[quoteName(name), typeof value === 'bigint' ? String(value) : value] as const]))
}
