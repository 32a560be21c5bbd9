import { SessionError } from '../core/errors.ts'
import { settingsOf, type Sessions } from '../core/sessions.ts'
import { factsOf, type Facts } from './internal/facts.ts'
import { REQUIREMENTS, type Policy, type Requirement } from './internal/requirements.ts'

/** One requirement of a standard, and what these sessions do about it. */
export interface AuditRow {
  /** Of the requirement, such as `ASVS 7.3.1`. */
  readonly id: string
  readonly requirement: string
  /** `should`: the standard recommends it. */
  readonly strength: 'must' | 'should'
  /** `met` by Sojourn or this configuration · `weaker` than asked for · `deviation` with a reason · `application`: up to you. */
  readonly status: 'met' | 'weaker' | 'deviation' | 'application'
  /** The setting, the method that serves it, or the reason of a deviation. Never a secret. */
  readonly value: string
}

export interface Audit {
  /** Undefined: every row of every standard. */
  readonly policy: Policy | undefined
  readonly rows: readonly AuditRow[]
  /** The same as a Markdown table. */
  readonly markdown: string
}

/** What the standards ask of sessions, row by row, and how these are configured. Defaults to the rows of their own policy, or to all. */
export function audit<Data extends object>(sessions: Sessions<Data>, { policy }: { readonly policy?: Policy } = {}): Audit {
  const settings = settingsOf(sessions)
  if (settings === undefined) throw new SessionError('ERR_SESSION_USAGE', 'audit was not given the sessions of an application. Pass what createSessions gave.')
  const facts = factsOf(settings)
  const wanted = policy ?? facts.options.policy
  const rows = REQUIREMENTS.filter(({ policies }) => wanted === undefined || policies.includes(wanted)).map((requirement) => rowFor(requirement, facts))
  return { policy: wanted, rows, markdown: markdownOf(rows) }
}

function rowFor(requirement: Requirement, facts: Facts): AuditRow {
  const { id, text, strength } = requirement
  const finding = requirement.judge(facts)
  const reason = facts.options.deviations?.[id]
  if (finding.status !== 'weaker') return { id, requirement: text, strength, status: finding.status, value: finding.value }
  if (reason !== undefined) return { id, requirement: text, strength, status: 'deviation', value: reason }
  return { id, requirement: text, strength, status: 'weaker', value: `${finding.setting} is ${finding.value}; pass ${finding.pass}` }
}

function markdownOf(rows: readonly AuditRow[]): string {
  const lines = rows.map(({ id, requirement, strength, status, value }) => `| ${[id, requirement, strength, status, value].map(cell).join(' | ')} |`)
  return ['| id | requirement | strength | status | here |', '|---|---|---|---|---|', ...lines, ''].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
}
