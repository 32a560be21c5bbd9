import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { decodeValue, encodeValue, type Codec, type CodecContext } from '../core/codec.ts'
import { SessionError } from '../core/errors.ts'
import { checkedKeys, type KeyList } from '../core/keys.ts'

const MARK = 's1.'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts each entry at rest with AES-256-GCM. The first key seals; every key opens, so a key is replaced by putting the new
 * one in front. A text is bound to its session and its key and opens nowhere else. Index terms and metadata of the record stay readable.
 */
export function sealingCodec(keys: KeyList): Codec {
  const [current, ...previous] = checkedKeys(keys, 'sealingCodec')
  return {
    encode: (value, context) => seal(encodeValue(value), current, context),
    decode(text, context) {
      for (const key of [current, ...previous]) {
        const plain = open(text, key, context)
        if (plain !== undefined) return decodeValue(plain)
      }
      throw new SessionError('ERR_SESSION_UNREADABLE', 'A sealed entry does not open with any of the keys. Keep the key that sealed it in the list until its sessions have ended.')
    },
    fingerprint: encodeValue,
  }
}

function seal(plain: string, key: Uint8Array, context: CodecContext): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(place(context))
  const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return MARK + sealed.toString('base64url')
}

function open(text: string, key: Uint8Array, context: CodecContext): string | undefined {
  if (!text.startsWith(MARK)) return undefined
  const bytes = Buffer.from(text.slice(MARK.length), 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(place(context))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return undefined
  }
}

function place({ id, key }: CodecContext): Buffer {
  return Buffer.from(`${id}\0${key}`)
}
