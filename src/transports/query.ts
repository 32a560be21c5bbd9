import { SessionError } from '../core/errors.ts'
import type { Transport } from '../core/transport.ts'

export interface QueryOptions {
  /** The parameter's name. Defaults to `sid`. */
  readonly name?: string
}

/**
 * The token in a query parameter: only for clients that keep neither cookies nor headers. Whoever sees the URL (history, logs, a
 * Referer) has the session, and whoever makes a visitor follow a link chooses theirs; so responses get `Referrer-Policy: no-referrer`,
 * and a login must follow before anything matters. Nothing is written into pages: add `session.token` to links yourself.
 */
export function queryTransport({ name = 'sid', ...others }: QueryOptions = {}): Transport {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw wrong(`there is no setting ${JSON.stringify(unknown.slice(0, 60))}`, 'The only setting is name')
  if (typeof name !== 'string' || !/^[\w.~-]{1,100}$/.test(name)) throw wrong(`name is ${JSON.stringify(String(name).slice(0, 60))}`, 'Pass letters, digits, "-", "_" or "."')
  return {
    exposesToken: true,
    facts: { carrier: 'url' },
    nameFor: () => name,
    read(exchange) {
      const question = exchange.url.indexOf('?')
      if (question === -1 || !exchange.url.includes(name, question)) return []
      const last = new URLSearchParams(exchange.url.slice(question + 1)).getAll(name).at(-1)
      return last === undefined || last === '' ? [] : [last]
    },
    write() {},
    settle(exchange) {
      exchange.setResponseHeader('Referrer-Policy', 'no-referrer')
    },
  }
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The settings of queryTransport are wrong: ${what}. ${instead}.`)
}
