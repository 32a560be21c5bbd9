import { createSessions } from '../../src/index.ts'
import { audit, type AuditRow } from '../../src/security/index.ts'
import { PROTECTIONS } from './protections.ts'

/** The table of docs/security.md: each requirement, what holds it by default, and the tests that fail without it. */
export function securityTable(): string {
  const rows = audit(createSessions({ sweepEvery: 'never' })).rows.map((row) => `| ${[row.id, row.requirement, byDefault(row), testsOf(row.id)].map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`)
  return ['| | what is asked for | default or option | the test that fails without it |', '|---|---|---|---|', ...rows].join('\n')
}

function byDefault({ status, value }: AuditRow): string {
  if (status === 'met') return value
  return status === 'application' ? `*the application's*: ${value}` : `*option*: ${value}`
}

function testsOf(id: string): string {
  const tests = PROTECTIONS.filter(({ rows }) => rows.includes(id)).map(({ test, title }) => `\`${test}\`: ${title}`)
  return tests.length === 0 ? '–' : [...new Set(tests)].join('<br>')
}
