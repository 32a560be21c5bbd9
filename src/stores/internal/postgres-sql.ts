import type { Patch } from '../../core/patch.ts'
import { TOMBSTONE_AGE_MS, type EndReason, type SessionId, type SessionRecord } from '../../core/record.ts'
import type { SweepRequest } from '../../core/store.ts'
import { escapeText } from './escape.ts'
import type { PostgresValue, Statement } from './postgres-client.ts'
import type { SqlValue } from './sql-extra-columns.ts'
import { RECORD_COLUMNS, type SqlColumn, type SqlNames } from './sql-names.ts'
import { entriesText, entryPairs } from './sql-row.ts'

/** Extra columns and their values for one statement. */
export type Extra = readonly (readonly [string, SqlValue])[]

/** A statement being written: `bind` takes a value and answers its placeholder. */
interface Draft {
  readonly values: PostgresValue[]
  bind(value: PostgresValue): string
}

function draft(): Draft {
  const values: PostgresValue[] = []
  return { values, bind: (value) => `$${values.push(value)}` }
}

/** The SQL that makes the tables, one statement each. */
export function tableStatements({ sessions, terms, column, derived }: SqlNames): readonly string[] {
  const types: Readonly<Record<SqlColumn, string>> = {
    id: 'text COLLATE "C" PRIMARY KEY',
    version: 'bigint NOT NULL',
    createdAt: 'bigint NOT NULL',
    touchedAt: 'bigint NOT NULL',
    expiresAt: 'bigint NOT NULL',
    tokenHash: 'text COLLATE "C" NOT NULL',
    previousHash: 'text COLLATE "C"',
    rotatedAt: 'bigint',
    nonce: 'text COLLATE "C" NOT NULL',
    terms: 'text[] COLLATE "C" NOT NULL',
    entries: 'jsonb NOT NULL',
    endedBecause: 'text',
    endedAt: 'bigint',
  }
  const columns = (['id', ...RECORD_COLUMNS] as const).map((name) => `  ${column[name]} ${types[name]}`)
  return [
    // Room on each page lets most commits rewrite a row in place, without touching an index.
    `CREATE TABLE IF NOT EXISTS ${sessions} (\n${columns.join(',\n')}\n) WITH (fillfactor = 85)`,
    `CREATE INDEX IF NOT EXISTS ${derived('_expires_at_idx')} ON ${sessions} (${column.expiresAt})`,
    `CREATE TABLE IF NOT EXISTS ${terms} (\n  term text COLLATE "C",\n  id text COLLATE "C" REFERENCES ${sessions} (${column.id}) ON DELETE CASCADE,\n  PRIMARY KEY (term, id)\n)`,
    `CREATE INDEX IF NOT EXISTS ${derived('_terms_id_idx')} ON ${terms} (id)`,
  ]
}

/** Fails when a table or column is missing; reads nothing. */
export function checkStatements({ sessions, terms, column }: SqlNames): readonly Statement[] {
  return [
    { text: `SELECT ${['id' as const, ...RECORD_COLUMNS].map((name) => column[name]).join(', ')} FROM ${sessions} LIMIT 0`, values: [] },
    { text: `SELECT term, id FROM ${terms} LIMIT 0`, values: [] },
  ]
}

/** The columns of a record, in order, as text a driver cannot change; `from` is where they are read. */
function recordColumns(from: (column: SqlColumn) => string, entries = from('entries')): string {
  return RECORD_COLUMNS.map((name, at) => {
    if (name === 'terms') return `array_to_json(${from(name)})::text AS c${at}`
    return name === 'entries' ? `(${entries})::text AS c${at}` : `${from(name)} AS c${at}`
  }).join(', ')
}

export function readStatement({ sessions, column }: SqlNames, id: SessionId): Statement {
  return { text: `SELECT ${recordColumns((name) => column[name])} FROM ${sessions} WHERE ${column.id} = $1`, values: [id] }
}

/** True for entries that are what we write: an object of strings. */
function readable(entries: string): string {
  return `jsonb_typeof(${entries}) = 'object' AND NOT jsonb_path_exists(${entries}, 'strict $.* ? (@.type() != "string")', '{}', true)`
}

/** A row when the record was made; none when a live one has the id. */
export function createStatement(names: SqlNames, id: SessionId, record: SessionRecord, extra: Extra): Statement {
  const { sessions, terms, column } = names
  const { values, bind } = draft()
  const newTerms = textArray(bind, record.index)
  const given: Readonly<Record<SqlColumn, string>> = {
    id: bind(id),
    version: bind(String(record.version)),
    createdAt: bind(String(record.createdAt)),
    touchedAt: bind(String(record.touchedAt)),
    expiresAt: bind(String(record.expiresAt)),
    tokenHash: bind(record.tokenHash),
    previousHash: bind(record.previous?.tokenHash ?? null),
    rotatedAt: bind(record.previous === undefined ? null : String(record.previous.rotatedAt)),
    nonce: bind(record.nonce),
    terms: newTerms,
    entries: `${bind(entriesText(entryPairs(record.entries), escapeText))}::text::jsonb`,
    endedBecause: bind(record.ended?.because ?? null),
    endedAt: bind(record.ended === undefined ? null : String(record.ended.at)),
  }
  const own = (['id', ...RECORD_COLUMNS] as const).map((name) => [column[name], given[name]] as const)
  const all = [...own, ...extra.map(([name, value]) => [quoteName(name), value === undefined ? 'DEFAULT' : bind(postgresValue(value))] as const)]
  // A record that is past, ended or no record at all is written over; its terms leave with it.
  const text = `WITH made AS (
  INSERT INTO ${sessions} AS past (${all.map(([name]) => name).join(', ')}) VALUES (${all.map(([, value]) => value).join(', ')})
  ON CONFLICT (${column.id}) DO UPDATE SET ${all.map(([name]) => `${name} = EXCLUDED.${name}`).join(', ')}
  WHERE past.${column.endedAt} IS NOT NULL OR past.${column.expiresAt} <= EXCLUDED.${column.createdAt} OR NOT (${readable(`past.${column.entries}`)})
  RETURNING ${column.id} AS id
), unlisted AS (
  DELETE FROM ${terms} AS old USING made WHERE old.id = made.id AND old.term <> ALL (${newTerms})
)${record.index.length === 0 ? '' : `, ${listing(terms, 'made', newTerms)}`}
SELECT id AS c0 FROM made`
  return { text, values }
}

/** Lists the record that `source` wrote, in the same step, so that a live record is never missing from the index. */
function listing(terms: string, source: string, added: string): string {
  return `listed AS (
  INSERT INTO ${terms} (term, id) SELECT added.term, ${source}.id FROM ${source}, unnest(${added}) AS added (term) ON CONFLICT DO NOTHING
)`
}

/**
 * One row unless the record is gone: the verdict, the version that was written, and the columns of the record as
 * it was found, the entries only where the verdict is `conflict`.
 *
 * The row is locked first and judged as it is then: in the newest version, whatever the statement's snapshot
 * shows. Reading the loser's record in a plain SELECT would answer the snapshot's, which is older than the patch that won.
 */
export function patchStatement(names: SqlNames, id: SessionId, patch: Patch, extra: Extra): Statement {
  const { sessions, terms, column } = names
  const { values, bind } = draft()
  const now = `${bind(String(patch.now))}::bigint`
  const addedTerms = patch.index === undefined || patch.index.length === 0 ? undefined : textArray(bind, patch.index)
  const found = (name: SqlColumn): string => `judged.${name.toLowerCase()}`
  const text = `WITH held AS MATERIALIZED (
  SELECT ${(['id', ...RECORD_COLUMNS] as const).map((name) => `${column[name]} AS ${name.toLowerCase()}`).join(', ')}
  FROM ${sessions} WHERE ${column.id} = ${bind(id)} AND ${column.endedAt} IS NULL AND ${column.expiresAt} > ${now} AND ${readable(column.entries)}
  FOR NO KEY UPDATE
), judged AS MATERIALIZED (
  SELECT held.*, ${verdict(patch, bind)} AS verdict FROM held
), written AS (
  UPDATE ${sessions} AS target SET ${changes(names, patch, { bind, now, addedTerms, extra }).join(', ')}
  FROM judged WHERE target.${column.id} = judged.id AND judged.verdict = 'new'
  RETURNING judged.id, target.${column.version} AS version
)${addedTerms === undefined ? '' : `, ${listing(terms, 'written', addedTerms)}`}
SELECT judged.verdict AS verdict, written.version AS written, ${recordColumns(found, `CASE WHEN judged.verdict = 'conflict' THEN ${found('entries')} END`)}
FROM judged LEFT JOIN written ON true`
  return { text, values }
}

/** What becomes of a patch to a live record, in the order in which `applyPatch` decides. */
function verdict({ nonce, tokenHash, expect = [] }: Patch, bind: Draft['bind']): string {
  const { present, absent } = expectations(expect)
  const cases = [`WHEN nonce = ${bind(nonce)} THEN 'known'`]
  if (tokenHash !== undefined) cases.push(`WHEN tokenhash <> ${bind(tokenHash)} THEN 'gone'`)
  if (present.length > 0) cases.push(`WHEN NOT entries @> ${bind(entriesText(present, escapeText))}::text::jsonb THEN 'conflict'`)
  if (absent.length > 0) cases.push(`WHEN entries ?| ${textArray(bind, absent)} THEN 'conflict'`)
  return `CASE ${cases.join(' ')} ELSE 'new' END`
}

function expectations(expect: NonNullable<Patch['expect']>): { readonly present: readonly (readonly [string, string])[]; readonly absent: readonly string[] } {
  const present = new Map<string, string>()
  const absent: string[] = []
  for (const [key, text] of expect) {
    // One key expected to hold two texts can never be: such a key is expected to be there and not to be there.
    if (text === null || (present.has(key) && present.get(key) !== text)) absent.push(key)
    else present.set(key, text)
  }
  return { present: [...present], absent }
}

interface Change {
  readonly bind: Draft['bind']
  readonly now: string
  readonly addedTerms: string | undefined
  readonly extra: Extra
}

// Only what the patch changes: a touch must not write large entries anew.
function changes({ column }: SqlNames, patch: Patch, { bind, now, addedTerms, extra }: Change): readonly string[] {
  const { rotateTo, set = [], remove = [], touchedAt, expiresAt } = patch
  const list = [`${column.version} = judged.version + 1`, `${column.nonce} = ${bind(patch.nonce)}`]
  if (touchedAt !== undefined) list.push(`${column.touchedAt} = greatest(judged.touchedat, ${bind(String(touchedAt))}::bigint)`)
  if (expiresAt !== undefined) {
    const given = `${bind(String(expiresAt))}::bigint`
    list.push(`${column.expiresAt} = ${patch.deadline === 'replace' ? given : `greatest(judged.expiresat, ${given})`}`)
  }
  if (rotateTo !== undefined) list.push(`${column.tokenHash} = ${bind(rotateTo)}`, `${column.previousHash} = judged.tokenhash`, `${column.rotatedAt} = ${now}`)
  if (addedTerms !== undefined) list.push(`${column.terms} = judged.terms || ARRAY(SELECT added.term FROM unnest(${addedTerms}) AS added (term) WHERE added.term <> ALL (judged.terms))`)
  if (set.length > 0 || remove.length > 0) {
    const merged = set.length === 0 ? 'judged.entries' : `judged.entries || ${bind(entriesText(set, escapeText))}::text::jsonb`
    list.push(`${column.entries} = ${remove.length === 0 ? merged : `(${merged}) - ${textArray(bind, remove)}`}`)
  }
  for (const [name, value] of extra) if (value !== undefined) list.push(`${quoteName(name)} = ${bind(postgresValue(value))}`)
  return list
}

/** A row when there was something to end. `channel` is told its id. */
export function endStatement({ sessions, terms, column }: SqlNames, id: SessionId, because: EndReason, at: number, channel: string | undefined): Statement {
  const values: PostgresValue[] = [id, because, String(at), String(at + TOMBSTONE_AGE_MS)]
  if (channel !== undefined) values.push(channel)
  const text = `WITH ended AS (
  UPDATE ${sessions} SET ${column.version} = ${column.version} + 1, ${column.endedBecause} = $2, ${column.endedAt} = $3::bigint, ${column.expiresAt} = $4::bigint, ${column.terms} = '{}', ${column.entries} = '{}'
  WHERE ${column.id} = $1 AND ${column.endedAt} IS NULL
  RETURNING ${column.id} AS id
), unlisted AS (
  DELETE FROM ${terms} AS old USING ended WHERE old.id = ended.id
)
SELECT ${channel === undefined ? '1' : 'pg_notify($5, id)'} AS c0 FROM ended`
  return { text, values }
}

/** Ids that `find` and `list` fetch at a time. */
export const PAGE = 1000

/** A page of ids after `after` under a term, or of all that have not ended. Shorter than {@link PAGE} means the last. */
export function pageStatement({ sessions, terms, column }: SqlNames, term: string | undefined, after: string): Statement {
  if (term === undefined) return { text: `SELECT ${column.id} AS c0 FROM ${sessions} WHERE ${column.id} > $1 AND ${column.endedAt} IS NULL ORDER BY ${column.id} LIMIT ${PAGE}`, values: [after] }
  // The record itself has the last word: a row of an ended record may stay until the sweep.
  const text = `SELECT hit.id AS c0 FROM ${terms} AS hit JOIN ${sessions} AS record ON record.${column.id} = hit.id
WHERE hit.term = $1 AND hit.id > $2 AND record.${column.endedAt} IS NULL AND hit.term = ANY (record.${column.terms}) ORDER BY hit.id LIMIT ${PAGE}`
  return { text, values: [escapeText(term), after] }
}

/** Those of the ids whose sessions have not ended. */
export function stillThereStatement({ sessions, column }: SqlNames, ids: readonly SessionId[]): Statement {
  const { values, bind } = draft()
  return { text: `SELECT ${column.id} AS c0 FROM ${sessions} WHERE ${column.id} = ANY (${textArray(bind, ids)}) AND ${column.endedAt} IS NULL`, values }
}

/** One row: how many records were deleted. Rows that another statement holds are left for the next sweep. */
export function sweepStatement({ sessions, column }: SqlNames, { now, by = 'expires', olderThan = 0 }: SweepRequest, limit: number): Statement {
  // What is past by our clock must be past by the server's too, or a process whose clock is fast would delete the living.
  const serverClock = '(extract(epoch FROM now()) * 1000)::bigint'
  const past = {
    expires: `${column.expiresAt} <= least($1::bigint, ${serverClock}) ORDER BY ${column.expiresAt}`,
    touched: `${column.touchedAt} < least($1::bigint, ${serverClock})`,
    created: `${column.createdAt} < least($1::bigint, ${serverClock})`,
  }[by]
  const text = `WITH past AS MATERIALIZED (
  SELECT ${column.id} AS id FROM ${sessions} WHERE ${past} LIMIT $2::bigint FOR UPDATE SKIP LOCKED
), swept AS (
  DELETE FROM ${sessions} AS record USING past WHERE record.${column.id} = past.id RETURNING 1
)
SELECT count(*) AS c0 FROM swept`
  return { text, values: [String(by === 'expires' ? now : olderThan), String(limit)] }
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

// postgres.js takes no bigint.
function postgresValue(value: NonNullable<SqlValue> | null): PostgresValue {
  return typeof value === 'bigint' ? String(value) : value
}

// As JSON, since drivers differ in how they pass an array.
function textArray(bind: Draft['bind'], texts: readonly string[]): string {
  return `ARRAY(SELECT jsonb_array_elements_text(${bind(JSON.stringify([...new Set(texts)].map(escapeText)))}::text::jsonb))`
}
