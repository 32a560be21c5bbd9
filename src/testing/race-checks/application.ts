import { browser, type Browser, type Page } from '../browser.ts'
import type { RaceRoutes } from '../races.ts'
import type { Gate, Gates } from './gates.ts'

/** What the application says of a visitor. */
export interface Identity {
  /** Undefined: nobody is logged in. */
  readonly owner: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** The application under test, as one or several processes that share their sessions. */
export class Application {
  readonly origins: readonly string[]
  readonly routes: RaceRoutes
  readonly patienceMs: number
  /** How many requests make a crowd. */
  readonly crowd: number
  /** Its store holds what it is about to save. */
  readonly holdsSaves: boolean
  readonly #gates: Gates

  constructor({ origins, routes, patienceMs, crowd, holdsSaves, gates }: Pick<Application, 'origins' | 'routes' | 'patienceMs' | 'crowd' | 'holdsSaves'> & { readonly gates: Gates }) {
    this.origins = origins
    this.routes = routes
    this.patienceMs = patienceMs
    this.crowd = crowd
    this.holdsSaves = holdsSaves
    this.#gates = gates
  }

  gate(): Gate {
    return this.#gates.make()
  }

  visitor(): Visitor {
    return new Visitor(this)
  }

  /** Waits, but not for ever: an application that locks its sessions answers one request only after the other. False when it was in vain. */
  async patiently(promise: Promise<unknown>): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<false>((resolve) => { timer = setTimeout(() => resolve(false), this.patienceMs) })
    const done = await Promise.race([promise.then(() => true), late])
    clearTimeout(timer)
    return done
  }

  /** Resolves when the application has answered others: what it wanted to send before has arrived. */
  async settled(): Promise<void> {
    for (let round = 0; round < 3; round += 1) await this.visitor().who()
  }
}

/** Somebody with a browser. The number of a tab also chooses the process. */
export class Visitor {
  readonly browser: Browser
  readonly #app: Application

  constructor(app: Application) {
    this.#app = app
    this.browser = browser(app.origins[0] ?? '')
  }

  /** The cookies as they are sent now; empty when there is none. */
  get cookie(): string {
    return this.browser.cookieHeader() ?? ''
  }

  login(owner: string, tab = 0): Promise<Page> {
    return this.#post('login', { as: owner }, tab)
  }

  logout(tab = 0): Promise<Page> {
    return this.#post('logout', {}, tab)
  }

  write(key: string, value: string, tab = 0): Promise<Page> {
    return this.#post('write', { key, value }, tab)
  }

  /** Writes a value whose saving the store holds until the gate opens. */
  writeHeld(key: string, gate: Gate, tab = 0): Promise<Page> {
    return this.write(key, heldValue(gate), tab)
  }

  slow(key: string, value: string, gate: Gate, tab = 0): Promise<Page> {
    return this.#post('slow', { key, value, gate: gate.url }, tab)
  }

  /** As the browser sees it now, or under a cookie of earlier. */
  async who(cookie?: string): Promise<Identity> {
    const visitor = cookie === undefined ? this : new Visitor(this.#app)
    const page = await visitor.browser.tab().get(this.#address('who', {}, 0), { headers: headersFor(cookie) })
    return identityFrom(page, this.#app.routes.who)
  }

  /** A write of which the head is told as soon as it comes. */
  async writeForHead(key: string, value: string): Promise<Response> {
    const response = await fetch(this.#address('write', { key, value }, 0), { method: 'POST', headers: headersFor(this.cookie) })
    this.browser.receive(response.headers.getSetCookie())
    return response
  }

  #post(route: keyof RaceRoutes, query: Readonly<Record<string, string>>, tab: number): Promise<Page> {
    const page = this.browser.tab().post(this.#address(route, query, tab), undefined, { headers: headersFor() })
    // Awaited when the gate is open; one that fails earlier is no unhandled rejection.
    page.catch(() => {})
    return page
  }

  #address(route: keyof RaceRoutes, query: Readonly<Record<string, string>>, tab: number): string {
    const { origins, routes } = this.#app
    const url = new URL(routes[route], origins[tab % origins.length])
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url.href
  }
}

// A connection for each: one that was kept could be closed by the server at the moment it is used again.
function headersFor(cookie = ''): Record<string, string> {
  return { connection: 'close', ...(cookie !== '' && { cookie }) }
}

/** The value by which the store knows where to wait. */
export function heldValue(gate: Gate): string {
  return `hold ${gate.url}`
}

function identityFrom({ text, status }: Page, route: string): Identity {
  try {
    const answer: unknown = JSON.parse(text)
    if (status === 200 && isObject(answer) && isObject(answer['data'])) {
      const { owner, data } = answer
      return { owner: typeof owner === 'string' ? owner : undefined, data }
    }
  } catch {
    // Reported below, like every other wrong answer.
  }
  throw new Error(`GET ${route} answered ${status} ${JSON.stringify(text.slice(0, 80))}. Let it answer 200 and {"owner": text or null, "data": {…}}, as docs/scorecard.md says.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
