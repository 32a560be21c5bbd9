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
  /** Names of single columns of the table of sessions. Defaults to the same words in snake_case, such as `expires_at`. */
  readonly columns?: Readonly<Partial<Record<SqlColumn, string>>>
}

/** The names as they go into a statement: quoted, and qualified where a schema is given. */
export interface SqlNames {
  readonly sessions: string
  readonly terms: string
  readonly column: Readonly<Record<SqlColumn, string>>
  /** A name made from the table's own, such as that of an index, quoted. */
  derived(suffix: string): string
}

export interface SqlDialect {
  quote(name: string): string
  /** The longest name the database takes, and its unit. */
  readonly maxLength: number
  lengthOf(name: string): number
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

// Room for the longest suffix that is added to the table's name: `_expires_at_idx`.
const SUFFIX_LENGTH = 15

/** Checks the names and quotes them. Throws `ERR_SESSION_OPTION` for one that the database cannot hold. */
export function sqlNames(options: SqlTableOptions, dialect: SqlDialect): SqlNames {
  const { table = 'sojourn_sessions', termsTable = `${table}_terms`, schema } = options
  checkName(table, 'table', dialect, dialect.maxLength - SUFFIX_LENGTH)
  checkName(termsTable, 'termsTable', dialect)
  if (schema !== undefined) checkName(schema, 'schema', dialect)
  if (table === termsTable) throw wrong('table and termsTable are one name', 'Give the two tables different names')
  const qualified = (name: string): string => (schema === undefined ? dialect.quote(name) : `${dialect.quote(schema)}.${dialect.quote(name)}`)
  return {
    sessions: qualified(table),
    terms: qualified(termsTable),
    column: quotedColumns(options.columns ?? {}, dialect),
    derived: (suffix) => dialect.quote(`${table}${suffix}`),
  }
}

function quotedColumns(given: Readonly<Partial<Record<SqlColumn, string>>>, dialect: SqlDialect): Record<SqlColumn, string> {
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(DEFAULT_COLUMNS, key)) throw wrong(`columns has no ${JSON.stringify(key)}`, `Name columns by these words: ${Object.keys(DEFAULT_COLUMNS).join(', ')}`)
  }
  const names = { ...DEFAULT_COLUMNS, ...given }
  const seen = new Set<string>()
  for (const name of Object.values(names)) {
    checkName(name, 'columns', dialect)
    if (seen.has(name)) throw wrong(`two columns are called ${JSON.stringify(name)}`, 'Give each column a name of its own')
    seen.add(name)
  }
  const quoted = { ...names }
  for (const column of ['id', ...RECORD_COLUMNS] as const) quoted[column] = dialect.quote(names[column])
  return quoted
}

function checkName(name: unknown, option: string, { maxLength, lengthOf }: SqlDialect, limit = maxLength): asserts name is string {
  if (typeof name !== 'string' || name === '' || name.includes('\0')) throw wrong(`${option} holds a name that is empty or no text`, 'Pass the bare name without quotes')
  if (lengthOf(name) > limit) throw wrong(`the name in ${option} is too long`, `Pass a name of at most ${limit} characters`)
}

/** The error for a wrong option: what is wrong, and what to pass instead. */
export function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The SQL store cannot be made: ${what}. ${instead}.`)
}
