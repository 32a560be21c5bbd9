import type { CookieFacts } from '../../core/transport.ts'
import type { Facts } from './facts.ts'

/** OWASP ASVS 5.0 level 2, and the authenticator assurance levels of NIST SP 800-63B-4. */
export type Policy = 'asvs-l2' | 'nist-aal1' | 'nist-aal2' | 'nist-aal3'

export const POLICIES: readonly Policy[] = ['asvs-l2', 'nist-aal1', 'nist-aal2', 'nist-aal3']

/** What a standard asks for, and how these settings are judged by it. */
export interface Requirement {
  readonly id: string
  readonly text: string
  /** The policies that it belongs to. None: good advice, or of a level beyond. */
  readonly policies: readonly Policy[]
  /** `should`: one may deviate, with a reason. */
  readonly strength: 'must' | 'should'
  readonly judge: (facts: Facts) => Finding
}

export type Finding =
  /** Held by Sojourn, or by this setting. */
  | { readonly status: 'met'; readonly value: string }
  /** Not held by this setting. */
  | { readonly status: 'weaker'; readonly setting: string; readonly value: string; readonly pass: string }
  /** Up to the application; what Sojourn has for it. */
  | { readonly status: 'application'; readonly value: string }

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The longest times that a policy allows, milliseconds. */
export const LIMITS: Readonly<Record<Policy, { readonly idle?: number; readonly absolute?: number }>> = {
  'asvs-l2': {},
  'nist-aal1': { absolute: 30 * DAY },
  'nist-aal2': { idle: HOUR, absolute: DAY },
  'nist-aal3': { idle: 15 * MINUTE, absolute: 12 * HOUR },
}

const L2 = ['asvs-l2'] as const
const AAL1 = ['nist-aal1'] as const
const AAL2 = ['nist-aal2'] as const
const AAL3 = ['nist-aal3'] as const
const NIST = [...AAL1, ...AAL2, ...AAL3]

/** The checklist. Each has a row in docs/security.md, with the test that shows it. */
export const REQUIREMENTS: readonly Requirement[] = [
  must('ASVS 7.1.1', L2, 'the timeouts are documented, with the reasons for deviations', application('audit(sessions) prints them')),
  must('ASVS 7.1.2', L2, 'it is decided how many sessions an account may have at once', concurrency),
  must('ASVS 7.1.3', L2, 'the lifetimes of federated systems are coordinated and documented', application('session.expire(when), sessions.revokeAll(owner)')),
  must('ASVS 7.2.1', L2, 'tokens are verified on the server', built('the record is read for every request')),
  must('ASVS 7.2.2', L2, 'tokens are made anew for each session', built('no token can be configured')),
  must('ASVS 7.2.3', L2, 'tokens are unique, random, of 128 bits at least', built('128 + 256 bits; a format of your own has 128 at least')),
  must('ASVS 7.2.4', L2, 'a new token at each authentication, and the old one ends', built('login and stepUp rotate')),
  must('ASVS 7.3.1', L2, 'there is an inactivity timeout', (facts) => timeout(facts, 'idle', Number.MAX_VALUE)),
  must('ASVS 7.3.2', L2, 'there is an absolute timeout', (facts) => timeout(facts, 'absolute', Number.MAX_VALUE)),
  must('ASVS 7.4.1', L2, 'after a logout or a timeout the session is of no further use', finality),
  must('ASVS 7.4.2', L2, 'all sessions end when an account is disabled or deleted', revocation),
  must('ASVS 7.4.3', L2, 'all other sessions can be ended after a change of credentials', revocation),
  must('ASVS 7.4.4', L2, 'every page that needs a login shows a way to log out', application('session.logout()')),
  must('ASVS 7.4.5', L2, 'administrators can end the sessions of one user, or of all', revocation),
  must('ASVS 7.5.1', L2, 'a full authentication comes before a change of sensitive account data', application('requireFresh(session, { within })')),
  must('ASVS 7.5.2', L2, 'users see their sessions and can end each', application('sessions.findByOwner(owner), sessions.revoke(id)')),
  must('ASVS 7.5.3', [], 'a further factor comes before highly sensitive operations (level 3)', application('requireFresh(session, { within, assurance: 2 })')),
  must('ASVS 7.6.1', L2, 'sessions of a relying party and its provider end as documented', application('session.expire(when), sessions.revokeAll(owner)')),
  must('ASVS 7.6.2', L2, 'a session is made only after an explicit action of the user', application('session.login(owner), in a handler of your own')),
  must('ASVS 3.3.1', L2, 'cookies are Secure, and named __Host- or __Secure-', secureCookie),
  should('ASVS 3.3.2', L2, 'SameSite is set by purpose', sameSite),
  must('ASVS 3.3.3', L2, 'cookies are named __Host- unless they are shared on purpose', hostCookie),
  must('ASVS 3.3.4', L2, 'the token is HttpOnly and travels in Set-Cookie only', httpOnly),
  must('ASVS 3.3.5', [], 'name and value of a cookie have 4096 bytes at most (level 3)', built('67 bytes and the name; cookieStore measures')),
  must('ASVS 3.5.1', L2, 'requests of other sites are recognised', built('every adapter refuses their changes, unless crossSite is "allow"')),
  must('ASVS 3.5.3', L2, 'what is sensitive is done by methods other than GET and HEAD', application('your routes; the check of other sites looks at every other method')),
  must('NIST 5.1 secrets', NIST, 'session secrets are random, of 64 bits at least', built('256 bits')),
  must('NIST 5.1 transport', NIST, 'session secrets never travel unprotected', secureCookie),
  must('NIST 5.1 logout', NIST, 'a logout is at hand, and erases the secret', application('session.logout() ends the record and clears the cookie')),
  should('NIST 5.1 persistence', NIST, 'session secrets do not outlast a restart of the device', persistence),
  must('NIST 5.1 assurance', NIST, 'the assurance is never higher than that of the authentication', built('set by login and stepUp alone')),
  must('NIST 5.1 requests', NIST, 'POST and PUT carry a value bound to the session', application('a token of yours in session.set, compared in the handler')),
  must('NIST 5.1.1 scope', NIST, 'cookies reach as few hosts and paths as possible', scope),
  should('NIST 5.1.1 scripts', NIST, 'cookies are HttpOnly', httpOnly),
  must('NIST 5.1.1 expiry', NIST, 'nobody relies on the expiry of a cookie', built('deadlines are in the record, and judged by the server')),
  should('NIST 5.1.1 name', NIST, 'cookies are named __Host-, with Path=/', hostCookie),
  should('NIST 5.1.1 sites', NIST, 'cookies have SameSite', sameSite),
  must('NIST 5.1.1 content', NIST, 'cookies hold no personal data in clear text', built('a token, or a sealed record')),
  must('NIST 5.2 end', NIST, 'a session ends at either limit', finality),
  should('NIST 5.2 AAL1 overall', AAL1, 'the overall timeout is 30 days at most', (facts) => timeout(facts, 'absolute', 30 * DAY)),
  must('NIST 5.2 AAL2 limit', AAL2, 'there is an overall timeout', (facts) => timeout(facts, 'absolute', Number.MAX_VALUE)),
  should('NIST 5.2 AAL2 overall', AAL2, 'the overall timeout is 24 hours at most', (facts) => timeout(facts, 'absolute', DAY)),
  should('NIST 5.2 AAL2 inactivity', AAL2, 'the inactivity timeout is 1 hour at most', (facts) => timeout(facts, 'idle', HOUR)),
  must('NIST 5.2 AAL3 overall', AAL3, 'the overall timeout is 12 hours at most', (facts) => timeout(facts, 'absolute', 12 * HOUR)),
  should('NIST 5.2 AAL3 inactivity', AAL3, 'the inactivity timeout is 15 minutes at most', (facts) => timeout(facts, 'idle', 15 * MINUTE)),
  must('NIST 5.3 monitoring', [], 'sessions may be watched for signs of theft', application('the events guessing, unknown-token, superseded, duplicate-token; the option bind')),
  should('OWASP name', [], 'the cookie has a name that tells nothing', built('sid')),
  should('OWASP adoption', [], 'a token that was not issued is never adopted', built('event unknown-token')),
  should('OWASP exposure', [...L2, ...NIST], 'the token is neither in URLs nor in logs', notInUrls),
  should('OWASP caching', [], 'a response with a token is not cached', built('Cache-Control: no-store')),
  should('OWASP site data', [], 'a logout tells the browser to delete its data', siteData),
  should('At rest', [], 'a copy of the store tells nothing of the data', atRest),
  should('OWASP binding', [], 'a change of the user agent may be a sign of theft', application('bind: "user-agent"')),
  should('OWASP logging', [], 'creation, renewal, logout and timeout are logged', application('sessions.on(event), or node:diagnostics_channel')),
  should('RFC 6265bis lifetime', [], 'no cookie lasts longer than 400 days', built('Max-Age is cut')),
  should('RFC 6265bis duplicates', [], 'of several cookies of one name none can hide another', built('four are tried; event duplicate-token')),
  should('RFC 6265bis removal', [], 'a cookie is removed with the attributes it was set with', built('one function writes both')),
  should('RFC 6265bis prefixes', [], 'combinations that browsers refuse throw', built('ERR_SESSION_OPTION at construction')),
]

function must(id: string, policies: readonly Policy[], text: string, judge: Requirement['judge']): Requirement {
  return { id, text, policies, strength: 'must', judge }
}

function should(id: string, policies: readonly Policy[], text: string, judge: Requirement['judge']): Requirement {
  return { id, text, policies, strength: 'should', judge }
}

function built(value: string): Requirement['judge'] {
  return () => ({ status: 'met', value })
}

function application(value: string): Requirement['judge'] {
  return () => ({ status: 'application', value })
}

function timeout({ settings: { deadlines } }: Facts, kind: 'idle' | 'absolute', limit: number): Finding {
  // The touch interval is added to the idle deadline, so it counts.
  const longest = kind === 'idle' ? deadlines.idle + deadlines.touchAfter : deadlines.absolute
  const value = inWords(longest)
  if (longest <= limit) return { status: 'met', value: `${kind}Timeout: ${value}` }
  const setting = kind === 'idle' && Number.isFinite(deadlines.idle) ? 'idleTimeout with touchAfter' : `${kind}Timeout`
  const most = limit === Number.MAX_VALUE ? DEFAULTS[kind] : kind === 'idle' ? Math.floor(limit / 1.1 / MINUTE) * MINUTE : limit
  return { status: 'weaker', setting, value, pass: `${kind}Timeout: "${inWords(most)}"` }
}

const DEFAULTS = { idle: 30 * MINUTE, absolute: DAY } as const

function inWords(ms: number): string {
  if (!Number.isFinite(ms)) return 'never'
  const [unit, size] = ms >= 2 * DAY && ms % DAY === 0 ? ['days', DAY] as const : ms >= 2 * HOUR && ms % HOUR === 0 ? ['hours', HOUR] as const : ms % MINUTE === 0 ? ['minutes', MINUTE] as const : ['seconds', 1000] as const
  return `${ms / size} ${unit}`
}

function concurrency({ options: { maxConcurrent, onLimit = 'end-oldest' } }: Facts): Finding {
  if (maxConcurrent === undefined) return { status: 'weaker', setting: 'maxConcurrent', value: 'not given', pass: 'maxConcurrent: 5, or Infinity for no limit, to security()' }
  return { status: 'met', value: maxConcurrent === Infinity ? 'no limit, on purpose' : `${maxConcurrent}, then ${onLimit}` }
}

function finality({ settings: { store } }: Facts): Finding {
  if (typeof store === 'function') return { status: 'weaker', setting: 'store', value: 'kept by the visitor, so that a copied cookie outlives a logout', pass: 'a store on the server, such as sqliteStore("sessions.db")' }
  if (store.consistency === 'best-effort') return { status: 'weaker', setting: 'store', value: 'best-effort, so that two processes can undo a logout', pass: 'an atomic store, such as sqliteStore("sessions.db")' }
  return { status: 'met', value: 'every commit is to a record that lives' }
}

function revocation({ settings: { store } }: Facts): Finding {
  if (typeof store === 'function' || store.find === undefined || store.list === undefined) return { status: 'weaker', setting: 'store', value: 'one that cannot find the sessions of an owner', pass: 'one that keeps an index: memory, sqlite, file, redis, postgres or mysql' }
  return { status: 'met', value: 'sessions.revokeAll(owner), session.revokeOthers(), revokeEveryone(sessions)' }
}

function cookies({ settings: { transports } }: Facts): readonly CookieFacts[] {
  return transports.flatMap(({ facts }) => (facts?.carrier === 'cookie' ? [facts] : []))
}

function eachCookie(facts: Facts, met: string, fault: (cookie: CookieFacts) => { readonly setting: string; readonly value: string; readonly pass: string } | undefined): Finding {
  const faults = cookies(facts).map(fault)
  const first = faults.find((one) => one !== undefined)
  if (first !== undefined) return { status: 'weaker', ...first }
  if (facts.settings.transports.some((transport) => transport.facts === undefined)) return { status: 'application', value: 'a transport of your own' }
  return { status: 'met', value: faults.length === 0 ? 'no cookie' : met }
}

function secureCookie(facts: Facts): Finding {
  return eachCookie(facts, 'Secure, with a prefix', ({ secure, name }) => {
    if (secure !== true) return { setting: 'cookie.secure', value: JSON.stringify(secure), pass: 'cookie: { secure: true }' }
    return name === undefined || /^__(?:Host|Secure)-/i.test(name) ? undefined : { setting: 'cookie.name', value: JSON.stringify(name), pass: 'no name, or one that begins with __Host- or __Secure-' }
  })
}

function hostCookie(facts: Facts): Finding {
  return eachCookie(facts, 'named __Host-, or shared on purpose', ({ name, domain, path }) => {
    // A domain is given to share the cookie: that is a purpose.
    if (domain !== undefined) return undefined
    if (path !== '/') return { setting: 'cookie.path', value: JSON.stringify(path) ?? 'left out', pass: 'no path' }
    return name === undefined || /^__Host-/i.test(name) ? undefined : { setting: 'cookie.name', value: JSON.stringify(name), pass: 'no name, or one that begins with __Host-' }
  })
}

function httpOnly(facts: Facts): Finding {
  return eachCookie(facts, 'HttpOnly', (cookie) => (cookie.httpOnly ? undefined : { setting: 'cookie.httpOnly', value: 'false', pass: 'no httpOnly' }))
}

function sameSite(facts: Facts): Finding {
  return eachCookie(facts, cookies(facts).map((cookie) => `SameSite=${cookie.sameSite}`).join(', '), (cookie) => (
    cookie.sameSite === 'none' && !cookie.partitioned ? { setting: 'cookie.sameSite', value: '"none"', pass: 'no sameSite, or partitioned: true for embedded pages, or a deviation with its reason' } : undefined
  ))
}

function persistence(facts: Facts): Finding {
  return eachCookie(facts, 'kept while the browser is open', ({ persistent }) => (persistent ? { setting: 'cookie.persistent', value: 'a lasting cookie', pass: 'no persistent, maxAge or expires' } : undefined))
}

function scope(facts: Facts): Finding {
  const shared = cookies(facts).find(({ domain }) => domain !== undefined)
  return shared === undefined ? { status: 'met', value: 'the host that set it' } : { status: 'application', value: `shared by ${shared.domain} and its subdomains: say why` }
}

function notInUrls({ settings: { transports } }: Facts): Finding {
  if (transports.some(({ facts }) => facts?.carrier === 'url')) return { status: 'weaker', setting: 'transport', value: 'queryTransport', pass: 'cookieTransport() or bearerTransport()' }
  return { status: 'met', value: 'no API gives a token after it was handed out; none is in errors and events' }
}

function atRest({ options: { seal } }: Facts): Finding {
  if (seal === 'token') return { status: 'met', value: 'sealed with the token' }
  return { status: 'application', value: 'seal: "token" of security(), or codec: sealingCodec(keys)' }
}

function siteData({ options: { clearSiteData } }: Facts): Finding {
  if (clearSiteData === undefined) return { status: 'application', value: 'clearSiteData: true of security()' }
  return { status: 'met', value: clearSiteData === true ? 'cache, cookies, storage' : clearSiteData.join(', ') }
}
