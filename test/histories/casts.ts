import type { Plan } from './client.ts'
import type { Cast } from './play.ts'

const read: Plan = { name: 'read' }
const update: Plan = { name: 'update' }
const write: Plan = { name: 'write', key: 'one', looks: false }
const rewrite: Plan = { name: 'write', key: 'one', looks: true }
const login: Plan = { name: 'login', owner: 'ada' }

/** Two clients who do three things each, in two tabs of two browsers that began with one token. */
function two(one: readonly [Plan, Plan, Plan], other: readonly [Plan, Plan, Plan], before: readonly Plan[] = [write]): Cast {
  return { touchAfter: 60, before, clients: [{ plans: one, jar: 0, manager: 0 }, { plans: other, jar: 1, manager: 1 }] }
}

/** Played in every order by each test run: together each kind of deed, beside what it could disturb. */
export const casts: Readonly<Record<string, Cast>> = {
  'two who write the same': two([rewrite, read, write], [rewrite, { name: 'delete', key: 'one' }, read]),
  'two who count': two([update, read, read], [update, write, read]),
  'a logout beside writes': two([{ name: 'logout' }, write, read], [update, rewrite, read], [login, write]),
  'a rotation beside a rotation': two([{ name: 'regenerate' }, write, read], [rewrite, { name: 'regenerate' }, read]),
  'messages that both take': two([{ name: 'take' }, { name: 'leave' }, read], [{ name: 'take' }, read, read], [{ name: 'leave' }]),
  'an expiry beside a login': two([{ name: 'expire', minutes: 10 }, { name: 'advance', minutes: 11 }, read], [login, read, { name: 'sweep' }]),
  'a revocation and a sweep beside writes': two([{ name: 'revoke' }, { name: 'sweep' }, read], [update, rewrite, read], [login]),
  'a revocation of all beside a login': two([{ name: 'revokeAll', owner: 'ada' }, read, { name: 'sweep' }], [login, read, { name: 'sweep' }]),
}

/** Played in every order by `npm run histories`: they take longer. */
export const longCasts: Readonly<Record<string, Cast>> = {
  'two who change the same': two([rewrite, update, read], [rewrite, update, read]),
  'a login beside writes': two([login, update, read], [rewrite, { name: 'delete', key: 'one' }, update]),
  'a login beside a login of another': two([login, read, write], [{ name: 'login', owner: 'bob' }, read, write], [{ name: 'login', owner: 'eve' }]),
}
