import type { Life } from './internal/life.ts'
import { late } from './internal/refusals.ts'

/** The cookie (or header) that carries the token on this response. */
export class SessionCookie {
  readonly #life: Life

  constructor(life: Life) {
    this.#life = life
  }

  /** Settings for this response only, such as `{ path, domain, secure, sameSite, maxAge, expires, partitioned }`; the cookie is then sent if there is a session. Throws `ERR_SESSION_OPTION` for settings that cannot work. */
  set(overrides: Readonly<Record<string, unknown>>): void {
    const life = this.#life
    if (life.exchange?.headSent === true) throw late('change the cookie')
    const merged = { ...life.overrides, ...overrides }
    life.transport.checkOverrides?.(merged, life.exchange)
    life.overrides = merged
    this.send()
  }

  /** Sends the cookie with this response although nothing about it changed. */
  send(): void {
    if (this.#life.handout === 'none' || this.#life.handout === 'refresh') this.#life.handout = 'send'
  }

  /** The name under which the token travels. */
  get name(): string | undefined {
    const { exchange, transport } = this.#life
    return exchange === undefined ? undefined : transport.nameFor?.(exchange)
  }
}
