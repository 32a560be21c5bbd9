import { FLASH } from './internal/namespaces.ts'
import type { NamespaceAccess } from './namespace.ts'
import type { EntryKey } from './record.ts'

/**
 * Messages for the visitor's next page. Each is an entry of its own, so requests that run in parallel neither
 * lose a message nor, unnoticed, show it twice. A message is gone once the response that took it has committed.
 */
export class Flash {
  readonly #access: NamespaceAccess
  readonly #nonce: () => string

  constructor(access: NamespaceAccess, nonce: () => string) {
    this.#access = access
    this.#nonce = nonce
  }

  /** Leaves a message behind. Several under one key are all kept, in order. */
  set(key: string, message: unknown): void {
    this.#access.forWriting().write(`${FLASH}${this.#nonce()}:${key}`, message)
    this.#access.written()
  }

  /** The oldest message under the key, which is thereby taken away; undefined when there is none. */
  take(key: string): unknown {
    const [first] = this.#entryKeys(key)
    return first === undefined ? undefined : this.#take(first)
  }

  /** Every message under the key, oldest first; they are thereby taken away. */
  takeAll(key: string): unknown[] {
    return this.#entryKeys(key).map((entry) => this.#take(entry))
  }

  /** The oldest message under the key, which stays. */
  peek(key: string): unknown {
    const [first] = this.#entryKeys(key)
    return first === undefined ? undefined : this.#access.forReading().read(first)
  }

  /** The keys under which messages wait. */
  keys(): string[] {
    const keys = this.#access.forReading().keys(FLASH).toSorted()
    return [...new Set(keys.map((entry) => entry.slice(entry.indexOf(':', FLASH.length) + 1)))]
  }

  // The nonce begins with the time, so sorting gives the order in which messages were left.
  #entryKeys(key: string): EntryKey[] {
    const entries = this.#access.forReading().keys(FLASH)
    return entries.filter((entry) => entry.slice(entry.indexOf(':', FLASH.length) + 1) === key).toSorted()
  }

  #take(entry: EntryKey): unknown {
    const message = this.#access.forReading().read(entry)
    this.#access.forWriting().delete(entry)
    return message
  }
}
