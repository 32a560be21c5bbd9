import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type SessionsOptions } from '../index.ts'
import { cookieStore } from '../stores/cookie.ts'
import { memoryStore } from '../stores/memory.ts'
import { nullStore } from '../stores/null.ts'
import { movableClock } from '../testing/clock.ts'
import { bearerTransport } from '../transports/bearer.ts'
import { queryTransport } from '../transports/query.ts'
import { audit, security, type Policy, type SecurityOptions } from './index.ts'

type Options = SessionsOptions<Record<string, unknown>>

const secure = { cookie: { secure: true } } as const

function under(policy: Policy, options: Options = {}, more: SecurityOptions = {}) {
  return createSessions({ ...secure, sweepEvery: 'never', ...options, security: security({ policy, maxConcurrent: 5, ...more }) })
}

describe('a policy', () => {
  it.each<[Policy, Options]>([
    ['asvs-l2', {}], ['nist-aal1', {}], ['nist-aal2', {}], ['nist-aal3', { idleTimeout: '13 minutes', absoluteTimeout: '12 hours' }],
  ])('%s takes settings that meet it', (policy, options) => {
    expect(audit(under(policy, options)).rows.filter(({ status }) => status === 'weaker')).toEqual([])
  })

  it.each<[Policy, string, Options, string]>([
    ['asvs-l2', 'ASVS 7.3.1', { idleTimeout: 'never', absoluteTimeout: 'never' }, 'idleTimeout: "30 minutes"'],
    ['asvs-l2', 'ASVS 7.3.2', { absoluteTimeout: 'never' }, 'absoluteTimeout: "24 hours"'],
    ['asvs-l2', 'ASVS 7.4.1', { store: { ...storeMethods(), consistency: 'best-effort' } }, 'sqliteStore'],
    ['asvs-l2', 'ASVS 7.4.2', { store: storeMethods() }, 'sqlite'],
    ['asvs-l2', 'ASVS 3.3.1', { cookie: {} }, 'cookie: { secure: true }'],
    ['asvs-l2', 'ASVS 3.3.1', { cookie: { secure: true, name: 'id' } }, '__Host-'],
    ['asvs-l2', 'ASVS 3.3.2', { cookie: { secure: true, sameSite: 'none' } }, 'partitioned: true'],
    ['asvs-l2', 'ASVS 3.3.3', { cookie: { secure: true, path: '/app' } }, 'no path'],
    ['asvs-l2', 'ASVS 3.3.4', { cookie: { secure: true, httpOnly: false } }, 'no httpOnly'],
    ['nist-aal1', 'NIST 5.2 AAL1 overall', { absoluteTimeout: '31 days' }, 'absoluteTimeout: "30 days"'],
    ['nist-aal1', 'NIST 5.1 persistence', { cookie: { secure: true, persistent: true } }, 'no persistent'],
    ['nist-aal1', 'NIST 5.1 transport', { cookie: { secure: 'auto' } }, 'cookie: { secure: true }'],
    ['nist-aal2', 'NIST 5.2 AAL2 limit', { absoluteTimeout: 'never' }, 'absoluteTimeout: "24 hours"'],
    ['nist-aal2', 'NIST 5.2 AAL2 overall', { absoluteTimeout: '25 hours' }, 'absoluteTimeout: "24 hours"'],
    ['nist-aal2', 'NIST 5.2 AAL2 inactivity', { idleTimeout: '1 hour' }, 'idleTimeout: "54 minutes"'],
    ['nist-aal3', 'NIST 5.2 AAL3 overall', { idleTimeout: '10 minutes', absoluteTimeout: '13 hours' }, 'absoluteTimeout: "12 hours"'],
    ['nist-aal3', 'NIST 5.2 AAL3 inactivity', { idleTimeout: '15 minutes', absoluteTimeout: '12 hours' }, 'idleTimeout: "13 minutes"'],
  ])('%s holds %s', (policy, id, options, pass) => {
    let error: unknown
    try {
      under(policy, options)
    } catch (caught) {
      error = caught
    }
    expect(error).toMatchObject({ code: 'ERR_SESSION_OPTION' })
    expect(String(error)).toContain(id)
    expect(String(error)).toContain(pass)
  })

  it('asvs-l2 wants a decision about sessions at once, of which no limit is one', () => {
    expect(() => createSessions({ ...secure, security: security({ policy: 'asvs-l2' }) })).toThrow(/maxConcurrent, which is not given: ASVS 7\.1\.2/)
    expect(under('asvs-l2', {}, { maxConcurrent: Infinity }).onStart).toEqual([])
  })

  it('asvs-l2 refuses sessions that the visitor keeps', () => {
    const store = cookieStore({ keys: ['a'.repeat(64)], secure: true })
    expect(() => createSessions({ store, security: security({ policy: 'asvs-l2', maxConcurrent: Infinity }) })).toThrow(/ASVS 7\.4\.1/)
    expect(() => createSessions({ store, security: security({ maxConcurrent: 1 }) })).toThrow(/maxConcurrent cannot be held/)
  })

  it.each<Policy>(['asvs-l2', 'nist-aal1'])('%s refuses a token in the URL', (policy) => {
    expect(() => createSessions({ transport: queryTransport(), security: security({ policy, maxConcurrent: 5 }) })).toThrow(/OWASP exposure/)
  })

  it('has nothing to say about the cookie of those who use none', () => {
    const sessions = createSessions({ transport: bearerTransport(), sweepEvery: 'never', security: security({ policy: 'nist-aal2' }) })
    expect(audit(sessions).rows.find(({ id }) => id === 'NIST 5.1 transport')).toMatchObject({ status: 'met', value: 'no cookie' })
  })

  it('cannot be met by a transport that says nothing of itself', () => {
    const sessions = createSessions({ transport: { read: () => [], write: () => undefined }, sweepEvery: 'never', security: security({ policy: 'nist-aal2' }) })
    expect(audit(sessions).rows.find(({ id }) => id === 'NIST 5.1 transport')).toMatchObject({ status: 'application' })
  })

  it('can be deviated from where the standard recommends, with a reason', () => {
    const sessions = under('nist-aal2', { idleTimeout: '2 hours' }, { deviations: { 'NIST 5.2 AAL2 inactivity': 'surgeons cannot type during an operation' } })
    expect(audit(sessions).rows.find(({ id }) => id === 'NIST 5.2 AAL2 inactivity')).toMatchObject({ status: 'deviation', value: 'surgeons cannot type during an operation' })
    for (const deviations of [{ 'NIST 5.2 AAL3 overall': 'we like it' }, { nonsense: 'x' }, { 'NIST 5.2 AAL2 inactivity': ' ' }]) {
      expect(() => under('nist-aal3', {}, { deviations })).toThrow(/deviation/)
    }
  })

  it('holds for a session\'s own expiry, too', async () => {
    const clock = movableClock(1_700_000_000_000)
    const sessions = under('nist-aal2', { clock })
    const customer = new Visitor(sessions)
    await customer.visit((session) => session.login('ann'))
    for (const late of ['never', '61 minutes', new Date(clock() + 2 * 3_600_000)]) {
      await customer.visit((session) => expect(() => session.expire(late)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' })))
    }
    await customer.visit((session) => session.expire('59 minutes'))
    const visitor = new Visitor(under('asvs-l2', { clock }))
    await visitor.visit((session) => {
      expect(() => session.expire('never')).toThrow(/asvs-l2/)
      session.expire('90 days')
    })
  })

  it.each<[string, unknown]>([['policy', 'asvs-l4'], ['onLimit', 'ask'], ['polcy', 'asvs-l2']])('cannot have %s %s', (name, value) => {
    expect(() => Reflect.apply(security, undefined, [{ [name]: value }])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })

  it('is not taken for one when its options are passed without security()', () => {
    expect(() => Reflect.apply(createSessions, undefined, [{ security: { policy: 'asvs-l2' } }])).toThrow(/sojourn\/security/)
  })
})

describe('audit', () => {
  it('has every row for sessions without a policy, and says what the defaults do not do', () => {
    const { rows, policy } = audit(createSessions({ sweepEvery: 'never' }))
    expect(policy).toBeUndefined()
    expect(rows.length).toBeGreaterThan(45)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    expect(rows.filter(({ status }) => status === 'weaker').map(({ id }) => id)).toEqual([
      'ASVS 7.1.2', 'ASVS 3.3.1', 'NIST 5.1 transport', 'NIST 5.2 AAL3 overall', 'NIST 5.2 AAL3 inactivity',
    ])
  })

  it('can be asked by another policy', () => {
    const { rows, policy } = audit(under('asvs-l2'), { policy: 'nist-aal3' })
    expect(policy).toBe('nist-aal3')
    expect(rows.filter(({ id }) => id.startsWith('ASVS'))).toEqual([])
  })

  it('is a Markdown table', () => {
    const { markdown, rows } = audit(under('asvs-l2'))
    const lines = markdown.trimEnd().split('\n')
    expect(lines).toHaveLength(rows.length + 2)
    expect(lines.every((line) => line.startsWith('| ') || line.startsWith('|-'))).toBe(true)
    expect(new Set(lines.map((line) => line.replaceAll('\\|', '').split('|').length))).toEqual(new Set([7]))
  })

  it('wants the sessions that createSessions gave', () => {
    expect(() => Reflect.apply(audit, undefined, [{}])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE' }))
  })

  it('takes a store that keeps nothing', () => {
    expect(audit(createSessions({ store: nullStore(), sweepEvery: 'never' })).rows.length).toBeGreaterThan(45)
  })
})

/** A store that can do the least. */
function storeMethods() {
  const store = memoryStore()
  return {
    read: store.read.bind(store), create: store.create.bind(store), patch: store.patch.bind(store), end: store.end.bind(store),
  }
}
