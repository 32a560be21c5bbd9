import { createSecretKey } from 'node:crypto'
import { decodeValue, encodeValue, type Codec, type CodecContext } from '../core/codec.ts'
import { SessionError } from '../core/errors.ts'
import { sealText, openText } from './internal/aes.ts'
import { checkedKeys, type KeyList } from '../core/keys.ts'

const MARK = 's1.'

/**
 * Encrypts each entry at rest with AES-256-GCM. The first key seals; every key opens, so a key is replaced by putting the new
 * one in front. A text is bound to its session and its key and opens nowhere else. Index terms and metadata of the record stay readable.
 */
export function sealingCodec(keys: KeyList): Codec {
  const [currentBytes, ...others] = checkedKeys(keys, 'sealingCodec')
  const [current, previous] = [createSecretKey(currentBytes), others.map((key) => createSecretKey(key))]
  return {
    encode: (value, context) => MARK + sealText(encodeValue(value), current, place(context)),
    decode(text, context) {
      for (const key of [current, ...previous]) {
        const plain = text.startsWith(MARK) ? openText(text.slice(MARK.length), key, place(context)) : undefined
        if (plain !== undefined) return decodeValue(plain)
      }
      throw new SessionError('ERR_SESSION_UNREADABLE', 'A sealed entry does not open with any of the keys. Keep the key that sealed it in the list until its sessions have ended.')
    },
    fingerprint: encodeValue,
  }
}

function place({ id, key }: CodecContext): string {
  return `${id}\0${key}`
}
