import { SessionError } from '../../core/errors.ts'

/** What the table keeps of a record, by the names this package uses. */
export type SqlColumn =
  | 'id'
  | 'version'
  | 'createdAt'
  | 'touchedAt'
  | 'expiresAt'
  | 'tokenHash'
  | 'previousHash'
  | 'rotatedAt'
  | 'nonce'
  | 'terms'
  | 'entries'
  | 'endedBecause'
  | 'endedAt'

/** How the tables are called. Every name is quoted, so any name the database can hold will do. */
export interface SqlTableOptions {
  /** The table of sessions. Defaults to `sojourn_sessions`. */
  readonly table?: string
  /** The table that lists sessions under their index terms. Defaults to the name of `table` and `_terms`. */
  readonly termsTable?: string
  /** The schema (PostgreSQL) or database (MySQL) of both tables. Defaults to the connection's own. It must exist. */
  readonly schema?: string
  /** Names of single columns of the table of sessions, such as `{ id: 'where', entries: 'set' }`. Defaults to the same words in snake_case, such as `expires_at`. */
  readonly columns?: Readonly<Partial<Record<SqlColumn, string>>>
}

/** The names as they go into a statement: quoted, and qualified where a schema is given. */
export interface SqlNames {
  readonly sessions: string
  readonly terms: string
  readonly column: Readonly<Record<SqlColumn, string>>
  /** True for the bare name of a column of ours: nothing else may write to it. */
  isOurs(name: string): boolean
  /** A name made from the table's own, such as that of an index, quoted. */
  derived(suffix: string): string
}

export interface SqlDialect {
  quote(name: string): string
  /** The longest name the database takes, and its unit. */
  readonly maxLength: number
  lengthOf(name: string): number
  /** Two names that this makes equal are one column to the database. */
  fold(name: string): string
  /** Folded names that the database keeps for columns of its own. */
  readonly taken: readonly string[]
  /** What no name may hold there, beside NUL and lone surrogates. */
  readonly refused?: RegExp
}

const DEFAULT_COLUMNS: Readonly<Record<SqlColumn, string>> = {
  id: 'id',
  version: 'version',
  createdAt: 'created_at',
  touchedAt: 'touched_at',
  expiresAt: 'expires_at',
  tokenHash: 'token_hash',
  previousHash: 'previous_hash',
  rotatedAt: 'rotated_at',
  nonce: 'nonce',
  terms: 'terms',
  entries: 'entries',
  endedBecause: 'ended_because',
  endedAt: 'ended_at',
}

/** The columns of a record in the order in which every statement of ours reads and writes them. */
export const RECORD_COLUMNS = ['version', 'createdAt', 'touchedAt', 'expiresAt', 'tokenHash', 'previousHash', 'rotatedAt', 'nonce', 'terms', 'entries', 'endedBecause', 'endedAt'] as const satisfies readonly SqlColumn[]

export type RecordColumn = (typeof RECORD_COLUMNS)[number]

// Room for the longest suffix that is added to the table's name: `_expires_at_idx`.
const SUFFIX_LENGTH = 15

/** Checks the names and quotes them. Throws `ERR_SESSION_OPTION` for one that the database cannot hold. */
export function sqlNames(options: SqlTableOptions, dialect: SqlDialect): SqlNames {
  const { table = 'sojourn_sessions', termsTable = `${table}_terms`, schema } = options
  checkName(table, 'table', dialect, dialect.maxLength - SUFFIX_LENGTH)
  checkName(termsTable, 'termsTable', dialect)
  if (schema !== undefined) checkName(schema, 'schema', dialect)
  const columns = checkedColumns(DEFAULT_COLUMNS, options.columns, dialect)
  const ours = new Set(Object.values(columns).map((name) => dialect.fold(name)))
  if (table === termsTable) throw wrong('table and termsTable are one name', 'Give the two tables different names')
  const qualified = (name: string): string => (schema === undefined ? dialect.quote(name) : `${dialect.quote(schema)}.${dialect.quote(name)}`)
  return {
    sessions: qualified(table),
    terms: qualified(termsTable),
    column: quotedColumns(columns, dialect),
    isOurs: (name) => ours.has(dialect.fold(name)),
    derived: (suffix) => dialect.quote(`${table}${suffix}`),
  }
}

/** The names of the columns, bare. Throws `ERR_SESSION_OPTION` for a column that there is not, and for names that the database cannot tell apart. */
export function checkedColumns<Column extends string>(defaults: Readonly<Record<Column, string>>, given: Readonly<Partial<Record<Column, string>>> | undefined, dialect: SqlDialect): Readonly<Record<Column, string>> {
  if (given !== undefined && (typeof given !== 'object' || given === null)) throw wrong('columns is no object', "Pass an object such as { id: 'sid' }")
  for (const key of Object.keys(given ?? {})) {
    if (!Object.hasOwn(defaults, key)) throw wrong(`columns has no ${JSON.stringify(key)}`, `Name columns by these words: ${Object.keys(defaults).join(', ')}`)
  }
  const names: Readonly<Record<Column, string>> = { ...defaults, ...given }
  const seen = new Set(dialect.taken)
  for (const name of Object.values<string>(names)) {
    checkName(name, 'columns', dialect)
    if (seen.has(dialect.fold(name))) throw wrong(`${JSON.stringify(name)} in columns is the name of another column`, 'Give each column a name of its own')
    seen.add(dialect.fold(name))
  }
  return names
}

function quotedColumns(names: Readonly<Record<SqlColumn, string>>, { quote }: SqlDialect): Readonly<Record<SqlColumn, string>> {
  const quoted = { ...names }
  for (const column of ['id', ...RECORD_COLUMNS] as const) quoted[column] = quote(names[column])
  return quoted
}

function checkName(name: unknown, option: string, { maxLength, lengthOf, refused }: SqlDialect, limit = maxLength): asserts name is string {
  if (typeof name !== 'string' || name === '') throw wrong(`${option} holds a name that is empty or no text`, 'Pass the bare name without quotes')
  if (name.includes('\0') || !name.isWellFormed() || refused?.test(name) === true) throw wrong(`${option} holds a name that the database cannot hold`, 'Pass a name of ordinary characters')
  if (lengthOf(name) > limit) throw wrong(`the name in ${option} is too long`, `Pass a name of at most ${limit} characters`)
}

/** The error for a wrong option: what is wrong, and what to pass instead. */
export function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The SQL store cannot be made: ${what}. ${instead}.`)
}
