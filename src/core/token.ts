import * as crypto from 'node:crypto'
import { SessionError } from './errors.ts'
import type { SessionId } from './record.ts'

/** What the visitor carries, in its two parts. On the wire it is `id.secret`. */
export interface Token {
  /** Public: the store's key. */
  readonly id: SessionId
  /** Never stored and never logged; the record keeps its SHA-256. */
  readonly secret: string
}

/** `size` random bytes from a cryptographic source. */
export type RandomBytes = (size: number) => Uint8Array

/** Makes and recognises tokens. The default makes 128 + 256 random bits, base64url. */
export interface TokenFormat {
  make(): Token
  /** The token in a text that a visitor sent; undefined when we cannot have made it. Never throws. */
  parse(text: string): Token | undefined
}

const ID_BYTES = 16
const SECRET_BYTES = 32
const NOT_BASE64URL = /[^\w-]/
/** 16 and 32 bytes in base64url. */
const TOKEN = /^[\w-]{22}\.[\w-]{43}$/

/** ASVS 5.0 7.2.3 asks for 128 bits at least; the secret has 256. */
export function defaultTokenFormat(random: RandomBytes): TokenFormat {
  return {
    make: () => ({ id: makeId(random), secret: base64url(random(SECRET_BYTES)) }),
    parse: parseToken,
  }
}

export function systemRandom(size: number): Uint8Array {
  return crypto.randomBytes(size)
}

export function makeId(random: RandomBytes): SessionId {
  return base64url(random(ID_BYTES))
}

function parseToken(text: string): Token | undefined {
  // Outside of requests the text can be of a message that a visitor sent, and anything.
  if (typeof text !== 'string' || !TOKEN.test(text)) return undefined
  return { id: text.slice(0, 22), secret: text.slice(23) }
}

/** True for a text with the form of an id. Anything else never reaches a store. */
export function isId(text: unknown): text is SessionId {
  return typeof text === 'string' && text.length >= 8 && text.length <= 128 && !NOT_BASE64URL.test(text)
}

export interface CustomTokenOptions {
  /** Makes a token: an id of 8 to 128 base64url characters, a secret of at least 22. Defaults to 128 + 256 random bits. */
  readonly generateToken?: () => Token
  /** The token in a text that a visitor sent; undefined when it has not your format. Defaults to splitting at the first dot. */
  readonly validateToken?: (text: string) => Token | undefined
}

/** A format of the application's own. What it makes is checked, so that it cannot fall below 128 bits by mistake. */
export function customTokenFormat({ generateToken, validateToken }: CustomTokenOptions, random: RandomBytes): TokenFormat {
  const standard = defaultTokenFormat(random)
  return {
    make: () => checkedToken(generateToken === undefined ? standard.make() : generateToken()),
    parse(text) {
      if (typeof text !== 'string' || text.length > 1024) return undefined
      const token = validateToken === undefined ? splitToken(text) : validateToken(text)
      // Destructured from a text that a visitor sent, the parts can be undefined whatever their type says.
      return isId(token?.id) && typeof token?.secret === 'string' ? token : undefined
    },
  }
}

function splitToken(text: string): Token | undefined {
  const dot = text.indexOf('.')
  if (dot < 1) return undefined
  const secret = text.slice(dot + 1)
  return secret.length === 0 || NOT_BASE64URL.test(secret) ? undefined : { id: text.slice(0, dot), secret }
}

function checkedToken(token: Token): Token {
  if (!isId(token.id)) throw new SessionError('ERR_SESSION_OPTION', 'generateToken gave an id that is not 8 to 128 characters of base64url. Give 16 random bytes in base64url.')
  if (token.secret.length < 22 || NOT_BASE64URL.test(token.secret)) throw new SessionError('ERR_SESSION_OPTION', 'generateToken gave a secret that is shorter than 22 base64url characters (128 bits). Give 16 random bytes or more.')
  return token
}

export function tokenText(token: Token): string {
  return `${token.id}.${token.secret}`
}

/** SHA-256, base64url. A fast hash is enough: the secret has 256 random bits, so there is nothing to guess. */
export const hashSecret: (secret: string) => string = hasher()

function hasher(): (secret: string) => string {
  // The one-shot function (Node 21.7, Deno, Bun) costs half of createHash.
  if (typeof crypto.hash === 'function') return (secret) => crypto.hash('sha256', secret, 'base64url')
  return (secret) => crypto.createHash('sha256').update(secret).digest('base64url')
}

const encoder = new TextEncoder()
const [left, right] = [new Uint8Array(64), new Uint8Array(64)]

/** Compares two hashes of equal length in a time that does not tell where they differ. Both have 64 characters at most. */
export function sameHash(a: string, b: string): boolean {
  if (a.length !== b.length || a.length > left.length) return false
  // Bytes are compared many times faster than the characters of a text that was just made.
  const { written } = encoder.encodeInto(a, left)
  if (written !== encoder.encodeInto(b, right).written) return false
  let difference = 0
  for (let at = 0; at < written; at += 1) difference |= (left[at] ?? 0) ^ (right[at] ?? 0)
  return difference === 0
}

/** An id that follows from a purpose and a text, for records that several processes must agree on. */
export function derivedId(purpose: string, text: string): SessionId {
  return crypto.createHash('sha256').update(`${purpose}\0${text}`).digest().subarray(0, ID_BYTES).toString('base64url')
}

/** A term of the index: SHA-256 of key, NUL and encoded value. */
export function indexTerm(key: string, encoded: string): string {
  return crypto.createHash('sha256').update(`${key}\0${encoded}`).digest('base64url')
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}
