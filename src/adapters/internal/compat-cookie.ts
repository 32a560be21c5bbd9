import { OWN_EXPIRY } from '../../core/internal/namespaces.ts'
import { lifeOf, type Session } from '../../core/session.ts'

/** `req.session.cookie` of express-session, as far as it means something here: the expiry of this session, and attributes of this response's cookie. */
export class CompatCookie {
  readonly #session: Session
  /** Asked for while nothing is stored: an expiry alone begins no session. */
  #pending: number | Date | undefined

  constructor(session: Session) {
    this.#session = session
  }

  /** Milliseconds until the browser forgets the cookie; null when that is when it closes. */
  get maxAge(): number | null {
    const { expires } = this
    return expires === null ? null : Math.max(0, expires.getTime() - lifeOf(this.#session).core.now())
  }

  set maxAge(milliseconds: number | null | undefined) {
    this.#expire(typeof milliseconds === 'number' ? milliseconds / 1000 : undefined)
  }

  get originalMaxAge(): number | null {
    return this.maxAge
  }

  set originalMaxAge(milliseconds: number | null | undefined) {
    this.maxAge = milliseconds
  }

  get expires(): Date | null {
    const life = lifeOf(this.#session)
    const lasts = life.transport.persistent === true || life.copy.read(OWN_EXPIRY) !== undefined
    return lasts && life.expiresAt > 0 ? new Date(life.expiresAt) : null
  }

  set expires(date: Date | false | null | undefined) {
    this.#expire(date instanceof Date ? date : undefined)
  }

  get path(): unknown { return this.#attribute('path') }
  set path(value: string) { this.#session.cookie.set({ path: value }) }
  get domain(): unknown { return this.#attribute('domain') }
  set domain(value: string) { this.#session.cookie.set({ domain: value }) }
  get secure(): unknown { return this.#attribute('secure') }
  set secure(value: boolean | 'auto') { this.#session.cookie.set({ secure: value }) }
  get httpOnly(): unknown { return this.#attribute('httpOnly') }
  set httpOnly(value: boolean) { this.#session.cookie.set({ httpOnly: value }) }
  get sameSite(): unknown { return this.#attribute('sameSite') }
  set sameSite(value: string) { this.#session.cookie.set({ sameSite: value }) }

  /** Something is stored now: what was asked for before is done. */
  begun(): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending !== undefined) this.#session.expire(pending)
  }

  #expire(when: number | Date | undefined): void {
    const session = this.#session
    if (session.isNew && !session.isChanged) this.#pending = when
    else session.expire(when)
  }

  #attribute(name: string): unknown {
    return lifeOf(this.#session).overrides?.[name]
  }
}
