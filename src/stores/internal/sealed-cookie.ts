import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
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
  if (bytes.length < TAG_BYTES || iv.length !== NONCE_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(boundTo))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return undefined
  }
}

export function pieceName(name: string, at: number): string {
  return at === 0 ? name : `${name}.${at}`
}

/** The values of the cookies that hold a seal: `count.nonce.part`. Undefined when they would be more than `most`. */
export function split({ nonce, text }: Sealed, name: string, most: number): string[] | undefined {
  const room = COOKIE_BYTES - name.length - 2 - `0.${nonce}.`.length
  const count = Math.max(1, Math.ceil(text.length / room))
  if (count > most) return undefined
  return Array.from({ length: count }, (_, at) => `${count}.${nonce}.${text.slice(at * room, (at + 1) * room)}`)
}

/** The seal in the pieces that a request brought; undefined when one is missing or belongs to another. */
export function join(pieces: (at: number) => string | undefined, most: number): Sealed | undefined {
  const first = /^([1-9])\.([\w-]{16})\.([\w-]*)$/.exec(pieces(0) ?? '')
  const count = Number(first?.[1] ?? 0)
  const [, , nonce = '', begin = ''] = first ?? []
  if (count === 0 || count > most) return undefined
  let text = begin
  for (let at = 1; at < count; at += 1) {
    const piece = pieces(at)
    const head = `${count}.${nonce}.`
    if (piece === undefined || !piece.startsWith(head)) return undefined
    text += piece.slice(head.length)
  }
  return { nonce, text }
}
