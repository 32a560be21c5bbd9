import type { Fields, FieldSource } from '../../core/continuations.ts'
import { SessionError } from '../../core/errors.ts'
import { isFromElsewhere } from '../../core/internal/cross-site.ts'
import { keptFields } from './fields.ts'
import { filterParameters, queryOf } from '../../core/internal/parameters.ts'
import type { StoredRequest } from './stored.ts'
import type { Visit } from './visit.ts'

/** The request as it can be kept, or why it cannot be kept whole. */
export function thisRequest(visit: Visit, given: FieldSource | undefined): StoredRequest | undefined {
  const { exchange } = visit.host
  if (exchange === undefined) throw new SessionError('ERR_SESSION_USAGE', 'There is no request to save: this session was loaded outside of one. Keep an address with session.continuations.add({ url }).')
  if (visit.arrived !== undefined) return restoredRequest(visit, given)
  if (visit.here === undefined) return void visit.host.emit({ reason: 'unsafe-target' })
  const { may } = visit.settings
  const url = filterParameters(visit.here, may)
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method
  if (isFromElsewhere(exchange)) {
    visit.host.emit({ reason: 'cross-site' })
    return { url, method: 'GET' }
  }
  const { fields, omitted } = keptFields(given ?? (method === 'GET' ? undefined : exchange.body), may)
  return compact({ url, method, fields: withoutId(fields, visit, given), omitted: [...Object.keys(queryOf(visit.here)).filter((name) => !may(name)), ...omitted] })
}

/** An address and nothing else: what a request shrinks to that is too large. */
export function addressOnly({ url, parent, collapse, messages }: StoredRequest): StoredRequest {
  return { url, method: 'GET', ...(parent !== undefined && { parent }), ...(collapse !== undefined && { collapse }), ...(messages !== undefined && { messages }) }
}

/** Nothing but an address: it needs no session. */
export function isPlain({ method, fields, values }: StoredRequest): boolean {
  return method === 'GET' && fields === undefined && values === undefined
}

// The visitor has come back to a saved request: what is saved anew is that request, with what it was given meanwhile.
function restoredRequest({ arrived, settings }: Visit, given: FieldSource | undefined): StoredRequest | undefined {
  if (arrived === undefined) return undefined
  const { url, method, values } = arrived
  const { fields, omitted } = given === undefined ? arrived : keptFields(given, settings.may)
  return { ...compact({ url, method, fields, omitted }), ...(Object.keys(values).length > 0 && { values }) }
}

function compact({ url, method, fields, omitted }: Required<Pick<StoredRequest, 'url' | 'method' | 'fields' | 'omitted'>>): StoredRequest {
  return { url, method, ...(Object.keys(fields).length > 0 && { fields }), ...(omitted.length > 0 && { omitted }) }
}

// The hidden field of a form is not the page's own.
function withoutId(fields: Fields, visit: Visit, given: FieldSource | undefined): Fields {
  const id = visit.find(visit.named(given))?.id
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => name !== visit.settings.current || value !== id))
}
