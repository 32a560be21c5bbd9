import { SessionError } from '../core/errors.ts'
import type { Sessions } from '../core/sessions.ts'
import { CookieJar } from './internal/cookie-jar.ts'
import { TestExchange } from './exchange.ts'

export interface LoginForTestOptions {
  /** Where the application listens: the cookie's name and scope depend on it. Defaults to `http://localhost`. */
  readonly url?: string | URL
}

/** A session for an application's test. */
export interface TestLogin {
  /** The `Cookie` header of the visitor's requests. */
  readonly cookie: string
  /** The same as headers, ready for `fetch`, supertest's `set` and the like. */
  readonly headers: { readonly cookie: string }
  /** The `Set-Cookie` headers that a real login would have sent: for `browser(…).receive(…)`. */
  readonly setCookies: readonly string[]
  readonly id: string
}

/**
 * Makes a real session with this owner and data, as if the visitor had logged in, and gives the cookie that belongs to
 * it: `await fetch(url, { headers: (await login(sessions, 'ada', { cart: [] })).headers })`. Rejects with
 * `ERR_SESSION_UNSUPPORTED` when the sessions do not travel in a cookie.
 */
export async function login<Data extends object>(sessions: Sessions<Data>, owner: string, data: Partial<Data> = {}, { url = 'http://localhost' }: LoginForTestOptions = {}): Promise<TestLogin> {
  const target = new URL(url)
  const exchange = new TestExchange({ method: 'POST', url: target.pathname, secure: target.protocol === 'https:', port: Number(target.port) || (target.protocol === 'https:' ? 443 : 80) })
  const session = await sessions.open(exchange)
  session.data = data
  await session.login(owner)
  await sessions.finish(session)
  const jar = new CookieJar(Date.now)
  for (const header of exchange.setCookies) jar.receive(header, target)
  const cookie = jar.header(target)
  if (cookie === undefined) throw new SessionError('ERR_SESSION_UNSUPPORTED', `A browser would send no session cookie to ${target.href}. Pass the url at which the application listens; sessions that do not travel in a cookie are made with sessions.create().`)
  return { cookie, headers: { cookie }, setCookies: exchange.setCookies, id: session.id }
}
