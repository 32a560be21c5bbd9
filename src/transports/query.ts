import { SessionError } from '../core/errors.ts'
import type { Exchange, Transport } from '../core/transport.ts'

export interface QueryOptions {
  /** The parameter's name. Defaults to `sid`. */
  readonly name?: string
  /** Looks into forms, too: the field of this name in an `application/x-www-form-urlencoded` POST, which goes before the parameter. The body has to be parsed before the session is opened. Defaults to false. */
  readonly form?: boolean
}

/**
 * The token in a query parameter: only for clients that keep neither cookies nor headers. Whoever sees the URL (history, logs, a
 * Referer) has the session, and whoever makes a visitor follow a link chooses theirs; so responses get `Referrer-Policy: no-referrer`,
 * and a login must follow before anything matters. Nothing is written into pages: add `session.token` to links yourself.
 */
export function queryTransport({ name = 'sid', form = false, ...others }: QueryOptions = {}): Transport {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw wrong(`there is no setting ${JSON.stringify(unknown.slice(0, 60))}`, 'The settings are name and form')
  if (typeof name !== 'string' || !/^[\w.~-]{1,100}$/.test(name)) throw wrong(`name is ${JSON.stringify(String(name).slice(0, 60))}`, 'Pass letters, digits, "-", "_" or "."')
  if (typeof form !== 'boolean') throw wrong(`form is ${JSON.stringify(form)}`, 'Pass true or false')
  return {
    exposesToken: true,
    readsBody: form,
    facts: { carrier: 'url' },
    nameFor: () => name,
    read(exchange) {
      const last = (form ? fieldOf(exchange, name) : undefined) ?? parameterOf(exchange, name)
      return last === undefined || last === '' ? [] : [last]
    },
    write() {},
    settle(exchange) {
      exchange.setResponseHeader('Referrer-Policy', 'no-referrer')
    },
  }
}

function parameterOf({ url }: Exchange, name: string): string | undefined {
  const question = url.indexOf('?')
  if (question === -1 || !url.includes(name, question)) return undefined
  return new URLSearchParams(url.slice(question + 1)).getAll(name).at(-1)
}

// Only of a form that was sent as one: JSON with such a key is the application's.
function fieldOf(exchange: Exchange, name: string): string | undefined {
  const { body } = exchange
  const type = exchange.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (exchange.method !== 'POST' || type !== 'application/x-www-form-urlencoded' || typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return undefined
  const value: unknown = Reflect.get(body, name)
  const last: unknown = Array.isArray(value) ? value.at(-1) : value
  return typeof last === 'string' ? last : undefined
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The settings of queryTransport are wrong: ${what}. ${instead}.`)
}
