import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Of `count.nonce.`: one digit, and 16 characters of base64url. */
const HEAD_LENGTH = 19
/** RFC 6265bis 5.6: browsers drop a cookie whose name and value have more octets than this together. */
const COOKIE_BYTES = 4096

/** A sealed text: AES-256-GCM, bound to a name. */
export interface Sealed {
  /** Of the seal; each piece carries it, so that pieces of two seals are never put together. */
  readonly nonce: string
  readonly text: string
}

export function seal(plain: string, key: KeyObject, boundTo: string): Sealed {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(boundTo))
  const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return { nonce: nonce.toString('base64url'), text: sealed.toString('base64url') }
}

/** The text, or undefined when the key, the name or any bit is another. Never throws. */
export function unseal({ nonce, text }: Sealed, key: KeyObject, boundTo: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url')
  const iv = Buffer.from(nonce, 'base64url')
  if (bytes.length < TAG_BYTES || iv.length !== NONCE_BYTES || !isWhole(text, bytes)) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(boundTo))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const plain = decipher.update(bytes.subarray(0, -TAG_BYTES))
    decipher.final()
    return plain.toString()
  } catch {
    return undefined
  }
}

// What is no base64url is skipped by the decoder, and `+` and `/` are taken for `-` and `_`: such a text is not what was
// sealed, though it would open. A regular expression over all of it takes longer.
function isWhole(text: string, bytes: Uint8Array): boolean {
  return text.length % 4 !== 1 && bytes.length === Math.floor((text.length * 3) / 4) && !text.includes('+') && !text.includes('/')
}

export function pieceName(name: string, at: number): string {
  return at === 0 ? name : `${name}.${at}`
}

/** Whether a plain text of so many bytes fits, sealed, into `most` cookies. */
export function fits(bytes: number, name: string, most: number): boolean {
  return Math.ceil(((bytes + TAG_BYTES) * 4) / 3) <= roomIn(name) * most
}

/** The characters of a seal that one cookie takes. */
function roomIn(name: string): number {
  return COOKIE_BYTES - name.length - 2 - HEAD_LENGTH
}

/** The values of the cookies that hold a seal: `count.nonce.part`. Undefined when they would be more than `most`. */
export function split({ nonce, text }: Sealed, name: string, most: number): string[] | undefined {
  const room = roomIn(name)
  const count = Math.max(1, Math.ceil(text.length / room))
  if (count > most) return undefined
  return Array.from({ length: count }, (_, at) => `${count}.${nonce}.${text.slice(at * room, (at + 1) * room)}`)
}

/** The seal in the pieces that a request brought; undefined when one is missing or belongs to another. */
export function join(pieces: (at: number) => string | undefined, most: number): Sealed | undefined {
  const first = pieces(0) ?? ''
  const head = first.slice(0, HEAD_LENGTH)
  const count = Number(head[0])
  if (!(count >= 1 && count <= most) || head[1] !== '.' || head[HEAD_LENGTH - 1] !== '.') return undefined
  let text = first.slice(HEAD_LENGTH)
  for (let at = 1; at < count; at += 1) {
    const piece = pieces(at)
    if (piece === undefined || !piece.startsWith(head)) return undefined
    text += piece.slice(HEAD_LENGTH)
  }
  return { nonce: head.slice(2, -1), text }
}
