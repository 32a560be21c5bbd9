import { SessionError } from '../../core/errors.ts'
import type { Facts } from './facts.ts'
import { REQUIREMENTS, type Requirement } from './requirements.ts'

/** Throws `ERR_SESSION_OPTION` for the first requirement of the policy that the settings do not meet. */
export function enforce(facts: Facts): void {
  const { policy, deviations = {} } = facts.options
  checkDeviations(facts)
  if (policy === undefined) return
  for (const requirement of REQUIREMENTS) {
    if (!requirement.policies.includes(policy) || Object.hasOwn(deviations, requirement.id)) continue
    const finding = requirement.judge(facts)
    if (finding.status === 'weaker') throw wrong(`the policy ${policy} refuses ${finding.setting}, which is ${finding.value}: ${requirement.id} asks for this: ${requirement.text}`, `Pass ${finding.pass}`)
  }
}

function checkDeviations({ options: { deviations = {} } }: Facts): void {
  for (const [id, reason] of Object.entries(deviations)) {
    const requirement = REQUIREMENTS.find((one) => one.id === id)
    if (requirement === undefined) throw wrong(`deviations names ${JSON.stringify(id.slice(0, 60))}, which is no requirement`, 'Pass the id of one, as docs/security.md has it')
    if (!mayDeviate(requirement)) throw wrong(`deviations names ${id}, which its standard demands`, 'Meet it, or take another policy')
    if (typeof reason !== 'string' || reason.trim() === '') throw wrong(`the deviation from ${id} has no reason`, 'Pass the reason as text: ASVS 5.0 7.1.1 wants it written down')
  }
}

function mayDeviate({ strength }: Requirement): boolean {
  return strength === 'should'
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The settings of security are wrong: ${what}. ${instead}.`)
}
