import { makeId, systemRandom } from '../../core/token.ts'
import { localTarget } from '../target.ts'
import type { Signer } from '../../core/internal/signer.ts'

// Beyond it a URL gets too long for what is between; the address is then kept in a session.
const MAX_TEXT = 2000
const MAX_REMEMBERED = 10_000

const SAVED = 'saved'
const RETURN = 'return'

/** Addresses of visitors of whom nothing is stored. They travel in the URL, signed, with the time at which they end. */
export class SignedAddresses {
  readonly #signer: Signer
  readonly #maxAgeMs: number
  /** The returns that were taken, with the time at which each would have ended anyway. */
  readonly #taken = new Map<string, number>()

  constructor(signer: Signer, maxAgeMs: number) {
    this.#signer = signer
    this.#maxAgeMs = maxAgeMs
  }

  /** The text for a chain of addresses, the innermost first; undefined when it would be too long. */
  sign(urls: readonly string[], now: number): string | undefined {
    const text = this.#signer.sign(SAVED, JSON.stringify([now + this.#maxAgeMs, makeId(systemRandom), ...urls]))
    return text.length <= MAX_TEXT ? text : undefined
  }

  /** The addresses in a text of ours that has not ended; undefined for any other text. */
  open(text: string, now: number): readonly [string, ...string[]] | undefined {
    const payload = this.#signer.open(SAVED, text)
    if (payload === undefined) return undefined
    const [endsAt, , ...urls]: readonly unknown[] = parseList(payload)
    const [first, ...outer] = urls.map(localTarget).filter((url) => url !== undefined)
    return typeof endsAt === 'number' && endsAt > now && first !== undefined ? [first, ...outer] : undefined
  }

  /** The id of a return to an address. */
  signReturn(url: string, now: number): string {
    return this.#signer.sign(purposeOf(url), JSON.stringify([now + this.#maxAgeMs, makeId(systemRandom)]))
  }

  /** True once for the id of a return to this address: as far as this process knows, since nothing is stored. */
  takeReturn(text: string, url: string, now: number): boolean {
    const payload = this.#signer.open(purposeOf(url), text)
    if (payload === undefined) return false
    const [endsAt, nonce] = parseList(payload)
    if (typeof endsAt !== 'number' || typeof nonce !== 'string' || endsAt <= now || this.#taken.has(nonce)) return false
    this.#remember(nonce, endsAt)
    return true
  }

  #remember(nonce: string, endsAt: number): void {
    this.#taken.set(nonce, endsAt)
    const [oldest] = this.#taken.keys()
    if (oldest !== undefined && this.#taken.size > MAX_REMEMBERED) this.#taken.delete(oldest)
  }
}

// The id of a return fits one address only, so that it says nothing of its own.
function purposeOf(url: string): string {
  return `${RETURN}\0${url}`
}

function parseList(payload: string): readonly unknown[] {
  const list: unknown = JSON.parse(payload)
  return Array.isArray(list) ? list : []
}
