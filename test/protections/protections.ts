/** One protection: what takes it out, and the test that must then fail. */
export interface Protection {
  /** The rows that it holds, of docs/security.md or of docs/faults.md. */
  readonly rows: readonly string[]
  /** The source that is changed, from the root of the repository. */
  readonly file: string
  /** Is there exactly once. */
  readonly search: string
  readonly replace: string
  /** The test's file. */
  readonly test: string
  /** The test's full name, its parts joined by ` > `. */
  readonly title: string
}

const CORE = 'src/core'
const IDENTITY = 'test/attacks/identity.test.ts'
const COOKIES = 'test/attacks/cookies.test.ts'
const COOKIE_TEST = 'src/transports/cookie.test.ts'
const SESSION_TEST = 'src/core/session.test.ts'
const SESSIONS_TEST = 'src/core/sessions.test.ts'
const REQUIREMENTS = 'src/security/internal/requirements.ts'
const POLICY_TEST = 'src/security/policy.test.ts'
const SEATS = 'src/security/internal/seats.ts'
const SEATS_TEST = 'src/security/seats.test.ts'
const FRESH_TEST = 'src/security/fresh.test.ts'
const SEAL_TEST = 'src/security/token-seal.test.ts'
const EVERYONE_TEST = 'src/security/everyone.test.ts'
const GUESSING = 'src/security/internal/guessing-sources.ts'
const GUESSING_TEST = 'src/security/guessing.test.ts'
const ATTRIBUTES = 'src/core/internal/cookie-attributes.ts'

export const PROTECTIONS: readonly Protection[] = [
  // The policy and its limits
  { rows: ['ASVS 7.1.1'], file: 'src/security/internal/policy.ts', search: "typeof reason !== 'string' || reason.trim() === ''", replace: 'false', test: POLICY_TEST, title: 'a policy > can be deviated from where the standard recommends, with a reason' },
  { rows: ['ASVS 7.1.2'], file: REQUIREMENTS, search: 'if (maxConcurrent === undefined) return', replace: 'if (maxConcurrent === 0) return', test: POLICY_TEST, title: 'a policy > asvs-l2 wants a decision about sessions at once, of which no limit is one' },
  { rows: ['ASVS 7.1.2'], file: SEATS, search: "if (onLimit === 'refuse') return undefined", replace: "if (onLimit === 'refuse') return taken", test: SEATS_TEST, title: 'maxConcurrent > refuses one login too many, which changes nothing' },
  { rows: ['ASVS 7.1.2'], file: SEATS, search: 'if (id !== undefined) await this.#end(id)', replace: '', test: SEATS_TEST, title: 'maxConcurrent > ends the session that logged in first' },
  { rows: ['ASVS 7.1.2'], file: SEATS, search: 'if (claim === undefined) return undefined', replace: 'if (claim === undefined) return seats', test: SEATS_TEST, title: 'maxConcurrent > is not exceeded by a login that takes the seat of one that was held up' },
  { rows: ['ASVS 7.1.2'], file: SEATS, search: 'expect: [[SEATS, basis]], ', replace: '', test: SEATS_TEST, title: 'maxConcurrent > is never exceeded by logins at once, in a hundred orders of their steps (refuse)' },
  { rows: ['ASVS 7.1.3', 'ASVS 7.6.1'], file: `${CORE}/internal/build-patch.ts`, search: '  if (base[OWN_EXPIRY] !== undefined) return undefined\n', replace: '', test: SESSION_TEST, title: 'timeouts > give way to the session\'s own expiry, which a touch leaves alone' },
  { rows: ['NIST 5.2 end'], file: 'src/security/internal/expiry-limit.ts', search: 'if (at > latest)', replace: 'if (at < 0)', test: POLICY_TEST, title: 'a policy > holds for a session\'s own expiry, too' },

  // Tokens
  { rows: ['ASVS 7.2.1'], file: `${CORE}/internal/resolve.ts`, search: 'if (sameHash(record.tokenHash, tokenHash)) {', replace: 'if (record.tokenHash !== tokenHash || true) {', test: SESSIONS_TEST, title: 'a token > with the right id and a wrong secret opens nothing' },
  { rows: ['ASVS 7.2.2'], file: `${CORE}/token.ts`, search: 'secret: base64url(random(SECRET_BYTES)) }', replace: "secret: 'A'.repeat(43) }", test: SESSION_TEST, title: 'regenerate > keeps id and data and makes the old token worthless' },
  { rows: ['ASVS 7.2.3'], file: `${CORE}/token.ts`, search: 'token.secret.length < 22', replace: 'token.secret.length < 2', test: SESSIONS_TEST, title: 'a token > cannot be made weaker than 128 bits' },
  { rows: ['ASVS 7.2.3', 'NIST 5.1 secrets'], file: `${CORE}/token.ts`, search: 'const SECRET_BYTES = 32', replace: 'const SECRET_BYTES = 4', test: IDENTITY, title: 'session fixation > a token that the attacker invented is never adopted' },
  { rows: ['ASVS 7.2.4'], file: `${CORE}/internal/identity.ts`, search: '(await life.rotate(true))', replace: '(await life.commit())', test: IDENTITY, title: 'session fixation > a token that the attacker got for himself and planted is worthless once the victim has logged in' },
  { rows: ['ASVS 7.2.4'], file: `${CORE}/patch.ts`, search: '  if (patch.tokenHash !== undefined && patch.tokenHash !== record.tokenHash) return GONE\n', replace: '', test: IDENTITY, title: 'session fixation > a request of the attacker that was under way at the login writes nothing into what it made' },
  { rows: ['OWASP adoption'], file: `${CORE}/internal/life.ts`, search: 'this.#id ??= ', replace: "this.#id ??= this.exchange?.header('cookie')?.slice('__Host-sid='.length).slice(0, 22) ?? ", test: SESSIONS_TEST, title: 'a token > that we did not issue is never adopted' },
  { rows: ['OWASP exposure'], file: `${CORE}/internal/life.ts`, search: 'this.#newRecord(hashSecret(secret), changes)', replace: 'this.#newRecord(secret, changes)', test: SESSIONS_TEST, title: 'a token > is not in the store, nor in any event' },
  { rows: ['OWASP exposure'], file: 'src/transports/query.ts', search: "exchange.setResponseHeader('Referrer-Policy', 'no-referrer')", replace: '', test: 'src/transports/query.test.ts', title: 'the query transport > sends no cookie, keeps the URL out of the Referer, and gives the token for links' },
  { rows: ['NIST 5.3 monitoring'], file: GUESSING, search: 'return count === undefined ? told : { count, source }', replace: 'return told', test: GUESSING_TEST, title: 'guessing, by source > names the one who guesses, once in a minute, though the site is busy' },
  { rows: ['NIST 5.3 monitoring'], file: GUESSING, search: 'if (bySource.size > MAX_SOURCES) ', replace: 'if (bySource.size < 0) ', test: GUESSING_TEST, title: 'guessing, by source > keeps a thousand sources: one who comes back after that many others begins anew' },
  { rows: ['NIST 5.3 monitoring'], file: `${CORE}/internal/guessing.ts`, search: 'const SUSPICIOUS = 100', replace: 'const SUSPICIOUS = 1e9', test: IDENTITY, title: 'token guessing > tells event guessing once in a minute, from a hundred tokens on that fit nothing' },

  // Timeouts and ends
  { rows: ['ASVS 7.3.1', 'NIST 5.1.1 expiry'], file: `${CORE}/deadlines.ts`, search: 'Math.min(now + idle + touchAfter, startedAt + absolute, NEVER)', replace: 'Math.min(startedAt + absolute, NEVER)', test: SESSION_TEST, title: 'timeouts > end an idle session, never early, at most a touch interval late' },
  { rows: ['ASVS 7.3.1'], file: REQUIREMENTS, search: "timeout(facts, 'idle', Number.MAX_VALUE)", replace: "timeout(facts, 'idle', Infinity)", test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 7.3.1' },
  { rows: ['ASVS 7.3.2'], file: `${CORE}/deadlines.ts`, search: 'Math.min(now + idle + touchAfter, startedAt + absolute, NEVER)', replace: 'Math.min(now + idle + touchAfter, NEVER)', test: SESSION_TEST, title: 'login > begins the absolute timeout anew' },
  { rows: ['ASVS 7.3.2'], file: REQUIREMENTS, search: "'there is an absolute timeout', (facts) => timeout(facts, 'absolute', Number.MAX_VALUE)", replace: "'there is an absolute timeout', (facts) => timeout(facts, 'absolute', Infinity)", test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 7.3.2' },
  { rows: ['ASVS 7.4.1', 'NIST 5.2 end'], file: `${CORE}/patch.ts`, search: 'if (!isLive(record, patch.now)) return GONE', replace: 'if (record === undefined) return GONE', test: SESSION_TEST, title: 'an end > is not undone by a request that was under way' },
  { rows: ['ASVS 7.4.1'], file: REQUIREMENTS, search: "if (store.consistency === 'best-effort') return", replace: 'if (store.consistency === undefined && false) return', test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 7.4.1' },
  { rows: ['NIST 5.1.1 expiry', 'NIST 5.2 end'], file: `${CORE}/internal/resolve.ts`, search: 'if (!isLive(record, now)) return past(core, store, offer, record, fresh)\n', replace: '\n', test: 'src/stores/cookie.test.ts', title: 'a session in sealed cookies > ends by the server\'s clock, whatever the browser does' },
  { rows: ['ASVS 7.4.2'], file: `${CORE}/sessions.ts`, search: '    await writeWatermark(this, owner)\n', replace: '', test: SESSIONS_TEST, title: 'finding > ends a login that a revocation of all overtook' },
  { rows: ['ASVS 7.4.2'], file: REQUIREMENTS, search: 'store.find === undefined || store.list === undefined', replace: 'store.list === store.patch', test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 7.4.2' },
  { rows: ['ASVS 7.4.3'], file: `${CORE}/session.ts`, search: "(await this.regenerate()) === 'gone'", replace: "this.isNew", test: FRESH_TEST, title: 'session.revokeOthers > ends the owner\'s other sessions, and copies of this one' },
  { rows: ['ASVS 7.4.4', 'NIST 5.1 logout'], file: `${CORE}/internal/life.ts`, search: "this.handout = this.#neverSent ? 'none' : 'clear'", replace: "this.handout = 'none'", test: SESSION_TEST, title: 'an end > clears the cookie and lets a later write begin anew' },
  { rows: ['ASVS 7.4.5'], file: 'src/security/everyone.ts', search: '  await writeWatermark(core, EVERYBODY)\n', replace: '', test: EVERYONE_TEST, title: 'revokeEveryone > lets no login through that is under way' },
  { rows: ['ASVS 7.4.5'], file: `${CORE}/internal/resolve.ts`, search: 'core.settings.counts?.(record) === false', replace: 'record.version < 0', test: EVERYONE_TEST, title: 'epoch > is over for what began before it, and asks the store nothing' },
  { rows: ['ASVS 7.5.1'], file: 'src/security/fresh.ts', search: '- authenticatedAt > limit', replace: '- authenticatedAt < 0', test: FRESH_TEST, title: 'requireFresh > asks for an authentication that is not too long ago' },
  { rows: ['ASVS 7.5.2'], file: `${CORE}/sessions.ts`, search: 'id === except ? undefined : ', replace: '', test: SESSIONS_TEST, title: 'finding > lists an owner\'s devices, and ends all but one' },
  { rows: ['ASVS 7.5.3'], file: 'src/security/fresh.ts', search: '(session.assurance ?? 0) >= assurance', replace: 'true', test: FRESH_TEST, title: 'requireFresh > asks for the assurance, of which an unstated one has none' },
  { rows: ['ASVS 7.6.2'], file: `${CORE}/internal/life.ts`, search: "    if (!this.isChanged) return 'ok'\n", replace: '', test: SESSION_TEST, title: 'data > stores nothing and sends no cookie for a visitor who stored nothing' },
  { rows: ['NIST 5.1 assurance'], file: `${CORE}/internal/identity.ts`, search: 'if (assurance === undefined) life.copy.delete(ASSURANCE)', replace: 'if (assurance === undefined) return', test: FRESH_TEST, title: 'session.assurance > is what the login says, and gone with a login that says nothing' },
  { rows: ['NIST 5.1 assurance'], file: `${CORE}/internal/namespaces.ts`, search: "  [ASSURANCE, 'session.stepUp(assurance)'],\n", replace: '', test: FRESH_TEST, title: 'session.assurance > is set by no write of the application' },
  { rows: ['OWASP site data'], file: 'src/security/security.ts', search: 'if (exchange.secure === true) exchange.', replace: 'exchange.', test: EVERYONE_TEST, title: 'clearSiteData > tells the browser at a logout what to delete, on https only' },

  // Cookies
  { rows: ['ASVS 3.3.1'], file: ATTRIBUTES, search: "attributes.secure === 'auto' ? exchange.secure === true : attributes.secure", replace: 'attributes.secure === true', test: COOKIE_TEST, title: 'the cookie > is __Host- on https' },
  { rows: ['ASVS 3.3.1', 'NIST 5.1 transport'], file: REQUIREMENTS, search: 'if (secure !== true) return', replace: 'if (secure === false) return', test: POLICY_TEST, title: 'a policy > nist-aal1 holds NIST 5.1 transport' },
  { rows: ['NIST 5.1 transport'], file: 'src/transports/cookie.ts', search: '      if (attributes.secure !== true) return undefined\n', replace: '      return undefined\n', test: COOKIE_TEST, title: 'in a request > a cookie that cannot be sent leaves no session behind, and warns once' },
  { rows: ['ASVS 3.3.2', 'NIST 5.1.1 sites'], file: ATTRIBUTES, search: "if (value === undefined) return 'lax'", replace: "if (value === undefined) return 'none'", test: COOKIE_TEST, title: 'the cookie > is __Host- on https' },
  { rows: ['ASVS 3.3.2', 'NIST 5.1.1 sites'], file: REQUIREMENTS, search: "cookie.sameSite === 'none' && !cookie.partitioned", replace: 'cookie.partitioned', test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 3.3.2' },
  { rows: ['ASVS 3.3.3', 'NIST 5.1.1 name', 'NIST 5.1.1 scope'], file: ATTRIBUTES, search: "? '__Host-' : '__Secure-'", replace: "? '' : ''", test: COOKIE_TEST, title: 'the cookie > is __Host- on https' },
  { rows: ['ASVS 3.3.3', 'NIST 5.1.1 name'], file: REQUIREMENTS, search: "if (path !== '/') return", replace: "if (path === '') return", test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 3.3.3' },
  { rows: ['ASVS 3.3.4', 'NIST 5.1.1 scripts'], file: ATTRIBUTES, search: 'given.httpOnly ?? true', replace: 'given.httpOnly ?? false', test: COOKIE_TEST, title: 'the cookie > is __Host- on https' },
  { rows: ['ASVS 3.3.4', 'NIST 5.1.1 scripts'], file: REQUIREMENTS, search: '(cookie.httpOnly ? undefined :', replace: '(cookie.httpOnly !== undefined ? undefined :', test: POLICY_TEST, title: 'a policy > asvs-l2 holds ASVS 3.3.4' },
  { rows: ['ASVS 3.3.5'], file: 'src/stores/internal/sealed-cookie.ts', search: 'const COOKIE_BYTES = 4096', replace: 'const COOKIE_BYTES = 40960', test: 'src/stores/cookie.test.ts', title: 'a session in sealed cookies > takes a second cookie when it needs one, and clears it when it does not' },
  { rows: ['ASVS 3.5.1', 'ASVS 3.5.3'], file: `${CORE}/internal/cross-site.ts`, search: "if (site === 'same-origin' || site === 'none') return false", replace: 'if (site !== undefined) return false', test: 'src/adapters/cross-site.test.ts', title: 'crossSiteCheck > refuses another site' },
  { rows: ['NIST 5.1 persistence'], file: ATTRIBUTES, search: '(persistent || lasting ? expiresAt : undefined)', replace: 'expiresAt', test: COOKIE_TEST, title: 'the cookie > is __Host- on https' },
  { rows: ['NIST 5.1 persistence'], file: REQUIREMENTS, search: '(persistent ? {', replace: '(persistent === undefined ? {', test: POLICY_TEST, title: 'a policy > nist-aal1 holds NIST 5.1 persistence' },
  { rows: ['NIST 5.1.1 content'], file: 'src/stores/internal/sealed-cookie.ts', search: 'Buffer.concat([cipher.update(plain, \'utf8\'), cipher.final(), cipher.getAuthTag()])', replace: 'Buffer.from(plain)', test: 'src/stores/cookie.test.ts', title: 'a session in sealed cookies > lives through set, read, login and logout' },
  { rows: ['OWASP name'], file: ATTRIBUTES, search: "const DEFAULT_NAME = 'sid'", replace: "const DEFAULT_NAME = 'sojourn.sid'", test: COOKIE_TEST, title: 'the cookie > is __Host- on https' },
  { rows: ['OWASP caching'], file: `${CORE}/internal/finish.ts`, search: "if (mayBeShared(exchange, life.core.now())) exchange.", replace: "if (status < 0) exchange.", test: SESSIONS_TEST, title: 'a publicly cacheable response > becomes private when it must carry the cookie of a login' },
  { rows: ['OWASP binding'], file: `${CORE}/internal/life.ts`, search: 'bound === hashSecret(bind(this.exchange))', replace: 'bound !== 0', test: 'src/core/hooks.test.ts', title: 'bind > ends a session that comes from elsewhere, and says so' },
  { rows: ['OWASP logging'], file: `${CORE}/events.ts`, search: 'if (published?.hasSubscribers) published.publish(event)', replace: '', test: SESSIONS_TEST, title: 'observation > publishes events on diagnostics channels and survives a listener that throws' },
  { rows: ['RFC 6265bis lifetime'], file: ATTRIBUTES, search: 'const LONGEST_SECONDS = 400 * 86_400', replace: 'const LONGEST_SECONDS = 4000 * 86_400', test: COOKIE_TEST, title: 'the cookie > lasts 400 days at most' },
  { rows: ['RFC 6265bis duplicates'], file: `${CORE}/internal/open.ts`, search: 'const MAX_OFFERS = 4', replace: 'const MAX_OFFERS = 1', test: COOKIES, title: 'cookie tossing > of a token that fits nothing does not hide the visitor’s own, before or behind it' },
  { rows: ['RFC 6265bis removal'], file: 'src/transports/cookie.ts', search: "serialise(nameFor(exchange), handout.token ?? '', effective,", replace: "serialise(nameFor(exchange), handout.token ?? '', handout.token === undefined ? checkedAttributes({}) : effective,", test: COOKIE_TEST, title: 'the cookie > is cleared with the attributes it was set with' },
  { rows: ['RFC 6265bis prefixes'], file: ATTRIBUTES, search: "if (isHost && (attributes.path !== '/' || attributes.domain !== undefined)) throw", replace: "if (isHost && attributes.path === '') throw", test: COOKIE_TEST, title: 'the cookie > refuses __Host- with a domain' },

  // At rest
  { rows: ['At rest'], file: 'src/security/internal/token-seal.ts', search: 'keys === undefined ? plain', replace: 'keys !== undefined ? plain', test: SEAL_TEST, title: 'entries sealed with the token > cannot be read from the store, though indexed values and metadata can' },
  { rows: ['At rest'], file: 'src/security/internal/token-seal.ts', search: 'return [made, ', replace: 'return keys ?? [made, ', test: SEAL_TEST, title: 'entries sealed with the token > that were written after a rotation do not open for the old token, whatever its holder kept' },
  { rows: ['At rest'], file: 'src/security/internal/token-seal.ts', search: 'key === current || ', replace: '', test: SEAL_TEST, title: 'entries sealed with the token > that another request stores during a rotation are not lost' },
  { rows: ['At rest'], file: 'src/security/sealing-codec.ts', search: 'sealText(encodeValue(value), current, place(context))', replace: 'encodeValue(value)', test: SESSIONS_TEST, title: 'what is stored > can be sealed, and a mere reader of a sealed value rolls nothing back' },

  // NIST's limits
  { rows: ['NIST 5.2 AAL1 overall'], file: REQUIREMENTS, search: "timeout(facts, 'absolute', 30 * DAY)", replace: "timeout(facts, 'absolute', 300 * DAY)", test: POLICY_TEST, title: 'a policy > nist-aal1 holds NIST 5.2 AAL1 overall' },
  { rows: ['NIST 5.2 AAL2 limit'], file: REQUIREMENTS, search: "'there is an overall timeout', (facts) => timeout(facts, 'absolute', Number.MAX_VALUE)", replace: "'there is an overall timeout', (facts) => timeout(facts, 'absolute', Infinity)", test: POLICY_TEST, title: 'a policy > nist-aal2 holds NIST 5.2 AAL2 limit' },
  { rows: ['NIST 5.2 AAL2 overall'], file: REQUIREMENTS, search: "timeout(facts, 'absolute', DAY)", replace: "timeout(facts, 'absolute', 2 * DAY)", test: POLICY_TEST, title: 'a policy > nist-aal2 holds NIST 5.2 AAL2 overall' },
  { rows: ['NIST 5.2 AAL2 inactivity'], file: REQUIREMENTS, search: 'deadlines.idle + deadlines.touchAfter', replace: 'deadlines.idle', test: POLICY_TEST, title: 'a policy > nist-aal2 holds NIST 5.2 AAL2 inactivity' },
  { rows: ['NIST 5.2 AAL3 overall'], file: REQUIREMENTS, search: "timeout(facts, 'absolute', 12 * HOUR)", replace: "timeout(facts, 'absolute', 24 * HOUR)", test: POLICY_TEST, title: 'a policy > nist-aal3 holds NIST 5.2 AAL3 overall' },
  { rows: ['NIST 5.2 AAL3 inactivity'], file: REQUIREMENTS, search: "timeout(facts, 'idle', 15 * MINUTE)", replace: "timeout(facts, 'idle', 60 * MINUTE)", test: POLICY_TEST, title: 'a policy > nist-aal3 holds NIST 5.2 AAL3 inactivity' },
]
