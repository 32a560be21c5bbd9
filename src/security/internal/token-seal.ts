import { hkdfSync, randomBytes } from 'node:crypto'
import { decodeValue, encodeValue, type Codec, type CodecContext } from '../../core/codec.ts'
import { SessionError } from '../../core/errors.ts'
import { splitEntryText } from '../../core/internal/entry-text.ts'
import type { Life } from '../../core/internal/life.ts'
import { DATA, METADATA, SEAL } from '../../core/internal/namespaces.ts'
import type { EntryChanges } from '../../core/internal/working-copy.ts'
import type { Settings } from '../../core/options.ts'
import type { Entries } from '../../core/record.ts'
import type { Seal } from '../../core/security.ts'
import { openText, sealText } from './aes.ts'

/** What a session's entries are sealed with; each rotation adds one. */
interface Key {
  /** Names the key in the texts that it sealed. */
  readonly number: number
  readonly bytes: Buffer
}

/** The keys of a session, the one in use first. */
type Keys = readonly [Key, ...Key[]]

const MARK = 't1.'

/**
 * Entries sealed with random keys of the session, and these with a key that HKDF (RFC 5869) derives from the token's secret. The store
 * has only the secret's hash, so what it holds opens for nobody but the visitor. A rotation seals the list of keys anew, in its own atomic
 * step, with a new key in front: no entry has to be written again, so none that another request writes meanwhile can be missed, and
 * what is written later does not open for the old token, whoever kept it.
 */
export function sealedWithToken({ codec, index }: Settings): Pick<Settings, 'codec' | 'sealFor'> {
  const isPlain = (key: string): boolean => key.startsWith(DATA) && index.has(key.slice(DATA.length))
  return {
    sealFor: (life) => new TokenSeal(life, codec, isPlain),
    // Met only where there is no token at all.
    codec: { encode: closed, decode: closed },
  }
}

class TokenSeal implements Seal {
  readonly #life: Life
  readonly #codec: Codec
  readonly #isPlain: (key: string) => boolean
  /** The latest list, opened, and the text that it was sealed as. */
  #opened: { readonly text: string; readonly keys: Keys } | undefined
  /** Of a record that is being made. */
  #first: Keys | undefined

  constructor(life: Life, codec: Codec, isPlain: (key: string) => boolean) {
    this.#life = life
    this.#codec = codec
    this.#isPlain = isPlain
  }

  get isClosed(): boolean {
    return this.#life.copy.base[SEAL] !== undefined && this.#keys() === undefined
  }

  encode(value: unknown, context: CodecContext): string {
    const plain = this.#codec.encode(value, context)
    if (this.#isPlain(context.key)) return plain
    if (this.isClosed) return closed()
    const keys = this.#keys() ?? this.#first
    // Nothing is stored yet, so this is only to see whether it can be kept; or the session is from before the option.
    return keys === undefined ? plain : `${MARK}${keys[0].number}.${sealText(plain, keys[0].bytes, place(context, keys[0].number))}`
  }

  decode(text: string, context: CodecContext): unknown {
    if (this.#isPlain(context.key) || !text.startsWith(MARK)) return this.#codec.decode(text, context)
    if (this.isClosed) return closed()
    const number = keyNumber(text)
    const key = this.#keys()?.find((one) => one.number === number)
    const plain = key === undefined ? undefined : openText(text.slice(text.indexOf('.', MARK.length) + 1), key.bytes, place(context, number))
    if (plain === undefined) throw new SessionError('ERR_SESSION_UNREADABLE', 'A sealed entry does not open. It is treated as absent.')
    return this.#codec.decode(plain, context)
  }

  fingerprint(value: unknown): string {
    return this.#codec.fingerprint?.(value) ?? this.#codec.encode(value, { id: '', key: '' })
  }

  renewed(secret: string, changes: () => EntryChanges): EntryChanges {
    if (this.isClosed) return closed()
    const { id, copy } = this.#life
    const keys = successors(this.#keys(), copy.base)
    const text = encodeValue(sealText(JSON.stringify(keys.map(({ number, bytes }) => [number, bytes.toString('base64url')])), wrappingKey(secret, id), id))
    // A record that has keys is changed with these: the new list counts only once it is stored.
    this.#first = this.#keys() === undefined ? keys : undefined
    try {
      const { set, ...others } = changes()
      this.#opened = { text, keys }
      return { ...others, set: [...set, [SEAL, text]] }
    } finally {
      this.#first = undefined
    }
  }

  /** The keys of the stored record; undefined where there are none, or the token is not here. */
  #keys(): Keys | undefined {
    const { copy, id, token, core } = this.#life
    const text = copy.base[SEAL]
    if (text === undefined) return undefined
    if (this.#opened?.text === text) return this.#opened.keys
    const secret = token === undefined ? undefined : core.settings.tokens.parse(token)?.secret
    const keys = secret === undefined ? undefined : keysFrom(text, wrappingKey(secret, id), id)
    if (keys !== undefined) this.#opened = { text, keys }
    return keys
  }
}

/** A new key in front; of the others the one in use, with which somebody may be writing just now, and those that entries need. */
function successors(keys: Keys | undefined, base: Entries): Keys {
  const [current] = keys ?? []
  const made = { number: (current?.number ?? 0) + 1, bytes: randomBytes(32) }
  const needed = new Set(Object.keys(base).filter((key) => !key.startsWith(METADATA)).map((key) => keyNumber(splitEntryText(base[key] ?? '').text)))
  return [made, ...(keys ?? []).filter((key) => key === current || needed.has(key.number))]
}

function keyNumber(text: string): number {
  return text.startsWith(MARK) ? Number.parseInt(text.slice(MARK.length), 10) : 0
}

function wrappingKey(secret: string, id: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, id, 'sojourn seal token', 32))
}

function keysFrom(text: string, wrapping: Uint8Array, id: string): Keys | undefined {
  const sealedList = decodeValue(text)
  const list = typeof sealedList === 'string' ? openText(sealedList, wrapping, id) : undefined
  if (list === undefined) return undefined
  const value: unknown = JSON.parse(list)
  const [first, ...others] = Array.isArray(value) ? value.flatMap(keyFrom) : []
  return first === undefined ? undefined : [first, ...others]
}

function keyFrom(value: unknown): Key[] {
  if (!Array.isArray(value)) return []
  const [number, text]: unknown[] = value
  return typeof number === 'number' && typeof text === 'string' ? [{ number, bytes: Buffer.from(text, 'base64url') }] : []
}

function place({ id, key }: CodecContext, number: number): string {
  return `${number}\0${id}\0${key}`
}

function closed(): never {
  throw new SessionError('ERR_SESSION_UNSUPPORTED', 'The data of this session is sealed with its visitor\'s token, and the token is not here. Load the session by its token, or keep what others must read under a key of the option index.')
}
