import { SessionError } from './errors.ts'

/** A key of 32 bytes: the bytes, or their hex, base64 or base64url text. */
export type Key = Uint8Array | string

/** The key in use, then earlier ones that still open what they sealed. */
export type KeyList = readonly [Key, ...Key[]]

/** The keys as bytes. Throws `ERR_SESSION_OPTION` for an empty list and for keys of another length. */
export function checkedKeys(keys: KeyList, what: string): readonly [Uint8Array, ...Uint8Array[]] {
  const [current, ...previous] = Array.isArray(keys) ? keys : []
  if (current === undefined) throw new SessionError('ERR_SESSION_OPTION', `${what} was given no key. Pass a list of keys of 32 bytes, such as [process.env.SESSION_KEY]; make one with: openssl rand -base64 32.`)
  return [keyBytes(current, what), ...previous.map((key) => keyBytes(key, what))]
}

function keyBytes(key: Key, what: string): Uint8Array {
  const bytes = typeof key === 'string' ? Buffer.from(key, /^[0-9a-f]{64}$/i.test(key) ? 'hex' : 'base64') : key
  if (bytes instanceof Uint8Array && bytes.length === 32) return bytes
  throw new SessionError('ERR_SESSION_OPTION', `${what} was given a key that has not 32 bytes. Make one with: openssl rand -base64 32.`)
}
