import type { Awaitable } from '../core/store.ts'
import { CookieJar, type StoredCookie } from './internal/cookie-jar.ts'

export type { StoredCookie } from './internal/cookie-jar.ts'

/** Answers a request: the global `fetch`, or an application's own. */
export type FetchFunction = (request: Request) => Awaitable<Response>

export interface BrowserOptions {
  /** The clock by which cookies expire: milliseconds since the epoch. Defaults to `Date.now`. */
  readonly clock?: () => number
  /** Where paths begin when `browser` was given a function. Defaults to `http://localhost`. */
  readonly origin?: string
}

export interface TabRequest {
  /** Defaults to `GET`. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | URLSearchParams
  /** Follow redirects, as a person's click would. Defaults to false. */
  readonly follow?: boolean
}

/** A response, read to its end. */
export interface Page {
  /** Where it came from, after redirects. */
  readonly url: string
  readonly status: number
  readonly headers: Headers
  /** Each `Set-Cookie` header of this response, also those that a browser drops. */
  readonly setCookies: readonly string[]
  readonly text: string
  /** The body as JSON. Throws when it is none. */
  json(): unknown
}

/** A window of the browser. All share its cookies. */
export interface Tab {
  /** The page that the tab shows, from which relative addresses are resolved. */
  readonly url: string
  get(path: string, options?: Omit<TabRequest, 'method' | 'body'>): Promise<Page>
  /** Sends a form (an object of fields, or `URLSearchParams`), or text as it is. */
  post(path: string, body?: Readonly<Record<string, string>> | URLSearchParams | string, options?: Omit<TabRequest, 'method' | 'body'>): Promise<Page>
  request(path: string, options?: TabRequest): Promise<Page>
}

/** One visitor: tabs that share a cookie jar. */
export interface Browser {
  tab(): Tab
  /** The cookies that it keeps. */
  readonly cookies: readonly StoredCookie[]
  /** The `Cookie` header that it would send; undefined when there is none. */
  cookieHeader(path?: string): string | undefined
  /** Takes `Set-Cookie` headers as if a response to `path` had carried them. Tells how many were kept. */
  receive(setCookies: Iterable<string>, path?: string): number
  /** Closes and opens the browser: cookies without an expiry are gone. */
  restart(): void
  /** Forgets every cookie. */
  clear(): void
}

const MAX_REDIRECTS = 20

/**
 * A browser for tests. It keeps and sends cookies as RFC 6265bis says (`Path`, `Domain`, `Secure`, expiry, prefixes,
 * `Partitioned`); a `Secure` cookie needs https, also on localhost. Follows redirects only when asked.
 */
export function browser(from: string | URL | FetchFunction, { clock = Date.now, origin = 'http://localhost' }: BrowserOptions = {}): Browser {
  const base = typeof from === 'function' ? origin : String(from)
  const answer = typeof from === 'function' ? from : (request: Request) => fetch(request)
  const jar = new CookieJar(clock)
  const at = (path: string): URL => new URL(path, base)
  return {
    tab: () => openTab(jar, answer, base),
    get cookies() { return jar.all() },
    cookieHeader: (path = '/') => jar.header(at(path)),
    receive: (setCookies, path = '/') => [...setCookies].filter((header) => jar.receive(header, at(path))).length,
    restart: () => jar.forgetSessionCookies(),
    clear: () => jar.clear(),
  }
}

function openTab(jar: CookieJar, answer: FetchFunction, base: string): Tab {
  let current = new URL(base)
  const request = async (path: string, { follow = false, ...first }: TabRequest = {}): Promise<Page> => {
    let url = new URL(path, current)
    let options: TabRequest = first
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const page = await visit(jar, answer, url, options)
      current = url
      const location = follow && page.status >= 300 && page.status < 400 ? page.headers.get('location') : null
      if (location === null) return page
      options = redirected(options, page.status)
      url = new URL(location, url)
    }
    throw new Error(`More than ${MAX_REDIRECTS} redirects, the last to ${url.href}. Look for two pages that lead to each other.`)
  }
  return {
    get url() { return current.href },
    get: (path, options) => request(path, options),
    post: (path, body, options) => request(path, { ...options, method: 'POST', ...(body !== undefined && { body: isFields(body) ? new URLSearchParams(body) : body }) }),
    request,
  }
}

async function visit(jar: CookieJar, answer: FetchFunction, url: URL, { method = 'GET', headers = {}, body }: TabRequest): Promise<Page> {
  const cookie = jar.header(url)
  const response = await answer(new Request(url, {
    method, redirect: 'manual',
    headers: { ...(cookie !== undefined && { cookie }), ...headers },
    ...(body !== undefined && { body }),
  }))
  const setCookies = response.headers.getSetCookie()
  for (const header of setCookies) jar.receive(header, url)
  const text = await response.text()
  return { url: url.href, status: response.status, headers: response.headers, setCookies, text, json: (): unknown => JSON.parse(text) }
}

// Fetch, HTTP-redirect fetch, step 12: a POST becomes a GET at 301 and 302, everything but GET and HEAD at 303.
function redirected(options: TabRequest, status: number): TabRequest {
  const { method = 'GET', headers = {} } = options
  const becomesGet = status === 303 ? method !== 'GET' && method !== 'HEAD' : (status === 301 || status === 302) && method === 'POST'
  return becomesGet ? { method: 'GET', headers } : options
}

function isFields(body: Readonly<Record<string, string>> | URLSearchParams | string): body is Readonly<Record<string, string>> {
  return typeof body === 'object' && !(body instanceof URLSearchParams)
}
