import { parseSetCookie, type SetCookie } from 'cookie'
import type { Session } from '../core/session.ts'
import type { Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import type { Exchange } from '../core/transport.ts'

/** The part of what Next's `cookies()` gives that is used here. Version 16; 15 has the same. */
export interface NextCookies {
  getAll(): readonly { readonly name: string; readonly value: string }[]
  set(name: string, value: string, attributes: Omit<SetCookie, 'name' | 'value'>): unknown
}

/** `next/headers`, or what of it is used here. */
export interface NextHeaders {
  readonly cookies: () => Promise<NextCookies>
  readonly headers: () => Promise<{ get(name: string): string | null }>
}

/** Sessions in the App Router, for one manager. */
export interface NextSession<Data extends object> {
  /**
   * The visitor's session, for Server Components. Next has sent the head by then, as far as cookies go: reading and `await session.commit()` work,
   * beginning a session throws `ERR_SESSION_LATE`. Reading keeps the session from timing out. Rejects when the store fails.
   */
  readSession(): Promise<Session<Data>>
  /**
   * Runs this with the visitor's session, for Server Functions (also called server actions). Resolves to what it gives once the commit is acknowledged and the cookie is set.
   * Next's `redirect()` and `notFound()` inside are answers like any other; after another error nothing is committed.
   */
  withSession<Result>(run: (session: Session<Data>) => Awaitable<Result>): Promise<Result>
}

/**
 * Sessions for Next's App Router: `nextSession(sessions, { cookies, headers })`, with both from `next/headers`. For route
 * handlers use `fetchSession` of `sojourn/adapters/fetch`.
 */
export function nextSession<Data extends object>(sessions: Sessions<Data>, from: NextHeaders): NextSession<Data> {
  return {
    async readSession() {
      const session = await sessions.open(await exchangeOf(from, { method: 'GET', headSent: true }))
      await sessions.finish(session)
      return session
    },
    async withSession(run) {
      const session = await sessions.open(await exchangeOf(from, { method: 'POST', headSent: false }))
      try {
        const result = await run(session)
        await sessions.finish(session)
        return result
      } catch (error) {
        await finishAfter(error, sessions, session)
        throw error
      }
    },
  }
}

async function finishAfter<Data extends object>(error: unknown, sessions: Sessions<Data>, session: Session<Data>): Promise<void> {
  const status = answeredBy(error)
  try {
    if (status !== undefined) return await sessions.finish(session, { status })
  } catch (failure) {
    await sessions.finish(session, { failed: true })
    throw failure
  }
  return sessions.finish(session, { failed: true })
}

async function exchangeOf({ cookies, headers }: NextHeaders, { method, headSent }: Pick<Exchange, 'method' | 'headSent'>): Promise<Exchange> {
  const [jar, head] = await Promise.all([cookies(), headers()])
  return {
    method,
    url: '/',
    // Next itself believes this header, and sets it where no proxy has.
    secure: head.get('x-forwarded-proto')?.split(',')[0]?.trim() === 'https',
    port: undefined,
    // Not the header, which says what the browser sent: a page that is rendered after an action sees what the action has set.
    header: (name) => (name === 'cookie' ? cookieHeader(jar) : head.get(name) ?? undefined),
    responseHeader: () => undefined,
    // What depends on cookies is never cached by Next and is sent with no-store.
    setResponseHeader() {},
    appendResponseHeader(name, value) {
      if (name === 'Set-Cookie') setCookie(jar, value)
    },
    headSent,
    request: head,
  }
}

function cookieHeader(jar: NextCookies): string {
  return jar.getAll().map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ')
}

function setCookie(jar: NextCookies, header: string): void {
  const { name, value = '', ...attributes } = parseSetCookie(header)
  jar.set(name, value, attributes)
}

// redirect(), notFound() and their like throw: `NEXT_REDIRECT;replace;/;307;`, `NEXT_HTTP_ERROR_FALLBACK;404`. The status is the
// last part; before it is an address, which may hold anything.
function answeredBy(error: unknown): number | undefined {
  const digest = error instanceof Error && 'digest' in error ? error.digest : undefined
  if (typeof digest !== 'string' || !digest.startsWith('NEXT_')) return undefined
  return Number(/;(\d{3});?$/.exec(digest)?.[1] ?? 303)
}
