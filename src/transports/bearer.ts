import { SessionError } from '../core/errors.ts'
import type { Transport } from '../core/transport.ts'

export interface BearerOptions {
  /** The request header that carries the token. Defaults to `Authorization`, with the scheme `Bearer`; any other header carries the token alone. */
  readonly header?: string
  /** The response header that hands out a new token, once. Defaults to `Session-Token`. */
  readonly responseHeader?: string
}

/**
 * The token in a header, for clients that are no browsers. A new token is handed out once, in a response header (or with
 * `session.token` in the body); the client keeps it. Browsers send no such header on their own, so other sites cannot make them.
 */
export function bearerTransport({ header = 'Authorization', responseHeader = 'Session-Token', ...others }: BearerOptions = {}): Transport {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw wrong(`there is no setting ${JSON.stringify(unknown.slice(0, 60))}`, 'The settings are header and responseHeader')
  for (const name of [header, responseHeader]) {
    // RFC 9110 5.1: a field name is a token.
    if (typeof name !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/.test(name)) throw wrong(`${JSON.stringify(String(name).slice(0, 60))} is not the name of a header`, 'Pass a name such as "X-Session"')
  }
  const name = header.toLowerCase()
  return {
    vary: header,
    facts: { carrier: 'header' },
    nameFor: () => header,
    read(exchange) {
      const value = exchange.header(name)
      if (value === undefined) return NONE
      const token = name === 'authorization' ? bearerToken(value) : value.trim()
      return token === undefined || token === '' ? NONE : [token]
    },
    write(exchange, { token, isNew }) {
      if (token !== undefined && isNew) exchange.setResponseHeader(responseHeader, token)
    },
  }
}

const NONE: readonly string[] = []

/** RFC 6750 2.1; the scheme is case-insensitive (RFC 9110 11.1). Other schemes are somebody else's. */
function bearerToken(value: string): string | undefined {
  return value.slice(0, 7).toLowerCase() === 'bearer ' ? value.slice(7).trim() : undefined
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The settings of bearerTransport are wrong: ${what}. ${instead}.`)
}
