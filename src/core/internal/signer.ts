import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { checkedKeys, type KeyList } from '../keys.ts'

/** Marks a text of ours, so that no other is ever checked. */
const MARK = '~'
const MAX_LENGTH = 16_384

type Keys = readonly [Uint8Array, ...Uint8Array[]]

/** Signs what travels in a URL where nothing is stored (HMAC-SHA-256). The first key signs; every key opens. */
export class Signer {
  #keys: Keys | undefined

  /** `what` is what an error calls it; `use` separates its keys from those of every other use. Without keys, one is drawn that lives as long as the process. */
  constructor(given: KeyList | undefined, what: string, use: string) {
    if (given === undefined) return
    // A key that seals cookies as well must not be the same bytes here.
    const derived = (key: Uint8Array): Uint8Array => new Uint8Array(hkdfSync('sha256', key, '', use, 32))
    const [current, ...previous] = checkedKeys(given, what)
    this.#keys = [derived(current), ...previous.map(derived)]
  }

  /** `purpose` keeps a text from being used for something else. */
  sign(purpose: string, payload: string): string {
    const body = Buffer.from(payload).toString('base64url')
    return `${MARK}${body}.${this.#mac(this.#all()[0], purpose, payload).toString('base64url')}`
  }

  /** The payload of a text that we signed for this purpose; undefined for any other text. Never throws. */
  open(purpose: string, text: string): string | undefined {
    const dot = text.lastIndexOf('.')
    if (!text.startsWith(MARK) || dot === -1 || text.length > MAX_LENGTH) return undefined
    const payload = Buffer.from(text.slice(1, dot), 'base64url').toString()
    const mac = Buffer.from(text.slice(dot + 1), 'base64url')
    return this.#all().some((key) => isSame(mac, this.#mac(key, purpose, payload))) ? payload : undefined
  }

  // Drawn late, since Workers allow no randomness at module scope.
  #all(): Keys {
    this.#keys ??= [randomBytes(32)]
    return this.#keys
  }

  #mac(key: Uint8Array, purpose: string, payload: string): Buffer {
    return createHmac('sha256', key).update(`${purpose}\0${payload}`).digest()
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
