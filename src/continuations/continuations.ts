import type { Continuations, ContinuationsExtension } from '../core/continuations.ts'
import { andThen } from '../core/internal/awaitable.ts'
import { lifeOf } from '../core/session.ts'
import { Host } from './internal/host.ts'
import { parameterOf } from '../core/internal/parameters.ts'
import { RequestContinuations } from './internal/request-continuations.ts'
import { settingsFrom, type ContinuationsOptions } from './internal/settings.ts'
import { SignedAddresses } from './internal/signed-addresses.ts'
import { Visit } from './internal/visit.ts'

/**
 * Saved requests that a visitor can return to: `createSessions({ continuations: continuations() })` gives every session
 * `session.continuations`. Throws `ERR_SESSION_OPTION` for options that cannot work.
 */
export function continuations<Data extends object = Record<string, unknown>>(options: ContinuationsOptions<Data> = {}): ContinuationsExtension<Data> {
  const settings = settingsFrom(options)
  const signed = new SignedAddresses(settings.signer, settings.maxAgeMs)
  return {
    open: (session) => new RequestContinuations(new Visit(new Host(lifeOf(session), () => session.load()), settings, signed)),
    arrive(session, exchange) {
      const id = exchange.method === 'GET' ? parameterOf(exchange.url, settings.returned) : undefined
      const own: Continuations | undefined = id === undefined ? undefined : session.continuations
      if (id === undefined || !(own instanceof RequestContinuations)) return undefined
      return andThen(own.arrive(id), (name) => {
        if (name === undefined || own.arrived === undefined) return undefined
        const handler = options.handlers !== undefined && Object.hasOwn(options.handlers, name) ? options.handlers[name] : undefined
        if (handler !== undefined) return handler(own.arrived, session)
        return lifeOf(session).core.events.emit('continuation', { id: session.id, reason: 'unknown-handler' })
      })
    },
  }
}
