import { SessionError } from './errors.ts'
import type { EntryKey } from './record.ts'
import type { WorkingCopy } from './internal/working-copy.ts'

/** How a namespace reaches the entries of its session. */
export interface NamespaceAccess {
  forReading(): WorkingCopy
  forWriting(): WorkingCopy
  /** Told after each write. */
  written(): void
}

export interface SetOptions {
  /** When this key ends, in milliseconds since the epoch. Defaults to the end of the session. */
  readonly expiresAt?: number
}

/** The entries of one namespace. Any text is a key; keys of different namespaces never meet. */
export class Namespace {
  readonly #access: NamespaceAccess
  readonly #prefix: string
  readonly #guarded: ReadonlyMap<EntryKey, string> | undefined

  constructor(access: NamespaceAccess, prefix: string, guarded?: ReadonlyMap<EntryKey, string>) {
    this.#access = access
    this.#prefix = prefix
    this.#guarded = guarded
  }

  /** The value, or undefined when absent. The same object at every call in this request; a change inside it is noticed. */
  get(key: string): unknown {
    return this.#access.forReading().read(this.#prefix + key)
  }

  has(key: string): boolean {
    return this.#access.forReading().has(this.#prefix + key)
  }

  /** Keeps the value and returns it. Throws `ERR_SESSION_VALUE`, naming the path, for what cannot be kept. */
  set<Value>(key: string, value: Value, { expiresAt }: SetOptions = {}): Value {
    this.#access.forWriting().write(this.#key(key), value, expiresAt)
    this.#access.written()
    return value
  }

  /** No error when the key is absent. */
  delete(key: string): void {
    this.#access.forWriting().delete(this.#key(key))
    this.#access.written()
  }

  keys(): string[] {
    const prefix = this.#prefix
    return this.#access.forReading().keys(prefix).map((key) => key.slice(prefix.length))
  }

  entries(): [string, unknown][] {
    return this.keys().map((key) => [key, this.get(key)])
  }

  /** A plain object of all keys and values. The values are the session's own. */
  toObject(): Record<string, unknown> {
    return Object.fromEntries(this.entries())
  }

  /** Deletes every key that this request knows of. */
  clear(): void {
    for (const key of this.keys()) if (this.#guarded?.has(this.#prefix + key) !== true) this.delete(key)
  }

  #key(key: string): EntryKey {
    if (typeof key !== 'string') throw new SessionError('ERR_SESSION_USAGE', `A session key must be text, not ${typeof key}. Pass a string.`)
    const full = this.#prefix + key
    const keeper = this.#guarded?.get(full)
    if (keeper !== undefined) throw new SessionError('ERR_SESSION_USAGE', `The metadata ${JSON.stringify(key)} belongs to the session itself. Change it through ${keeper}.`)
    return full
  }
}
