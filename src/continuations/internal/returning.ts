import type { ReturnOptions } from '../../core/continuations.ts'
import { SessionError } from '../../core/errors.ts'
import { pairsOf } from './fields.ts'
import { mappedValues, type Offered } from './mapping.ts'
import { queryOf, withParameters } from '../../core/internal/parameters.ts'
import { keepSigned } from './saving.ts'
import type { StoredRequest, StoredReturn } from './stored.ts'
import type { Found, Visit } from './visit.ts'

/** Resolves to the URL that leads back, with an id that is good for once. */
export async function returnFrom(visit: Visit, { fallback, values = {}, fields, id }: ReturnOptions): Promise<string> {
  const otherwise = fallback === undefined ? visit.settings.fallback : visit.target(fallback, 'The fallback of return')
  await visit.host.load()
  const found = visit.find(id ?? visit.named(fields))
  if (found === undefined) return leaveFor(visit, otherwise, undefined, values)
  const stored = found.kind === 'stored' ? found.id : toBeStored(visit, found, values)
  const request = stored === undefined ? undefined : visit.kept.request(stored)
  if (stored !== undefined && request !== undefined) return returnTo(visit, { id: stored, request, messages: visit.messages }, { values, arguments: argumentsOf(visit, fields) })
  return found.kind === 'signed' ? returnToSigned(visit, found.urls) : leaveFor(visit, otherwise, undefined, values)
}

/** The URL of a page of this site, with an id under which the messages wait for it. */
export function leaveFor(visit: Visit, target: string, current: string | undefined, values: Offered['values']): string {
  const id = leave(visit, { at: target.split('#', 1)[0] ?? '', values, messages: [...visit.messages] })
  return withParameters(target, visit.ids(current, id))
}

interface Frame {
  readonly id: string
  readonly request: StoredRequest
  /** Those saved in the frames it was reached through, then this request's. */
  readonly messages: ReadonlyMap<string, unknown>
}

function returnTo(visit: Visit, { id, request, messages }: Frame, offered: Offered): string {
  const { kept } = visit
  const values = { ...request.values, ...mappedValues(request.map, offered) }
  // The saved ones come first, and stay as they were.
  const merged = new Map([...(request.messages ?? []), ...[...messages].filter(([name]) => !request.messages?.some(([saved]) => saved === name))])
  const parent = request.parent !== undefined && kept.holdsRequest(request.parent) ? request.parent : undefined
  const outer = parent === undefined ? undefined : kept.request(parent)
  if (request.collapse === true && parent !== undefined && outer !== undefined) return returnTo(visit, { id: parent, request: outer, messages: merged }, { ...offered, values })
  if (visit.host.state !== 'closed') kept.use(id)
  const returned = leave(visit, { from: id, at: request.url, values, messages: [...merged] })
  return withParameters(request.url, visit.ids(parent, returned))
}

function returnToSigned(visit: Visit, [url, ...outer]: readonly [string, ...string[]]): string {
  const now = visit.host.now()
  const parent = outer.length === 0 ? undefined : visit.signed.sign(outer, now)
  return withParameters(url, visit.ids(parent, visit.signed.signReturn(url, now)))
}

/** Keeps what waits at a URL; undefined when there is nothing to wait, or nowhere to keep it. */
function leave({ host, kept }: Visit, { from, at, values = {}, messages = [] }: StoredReturn): string | undefined {
  if (from === undefined && messages.length === 0 && Object.keys(values).length === 0) return undefined
  if (host.state === 'closed') return void host.emit({ reason: 'not-kept' })
  const waiting: StoredReturn = { at, ...(from !== undefined && { from }), ...(Object.keys(values).length > 0 && { values }), ...(messages.length > 0 && { messages }) }
  if (!kept.fits(waiting)) throw new SessionError('ERR_SESSION_TOO_LARGE', `The values and messages that are to be handed over take more than ${Math.floor(kept.maxBytes / 2)} bytes. Hand over less: an id instead of what it names.`)
  return kept.add(waiting)
}

// Signed addresses go into the session when there is one, or when something has to wait for the visitor.
function toBeStored(visit: Visit, found: Extract<Found, { kind: 'signed' }>, values: Offered['values']): string | undefined {
  const needed = visit.host.state === 'stored' || visit.messages.size > 0 || Object.keys(values).length > 0
  return needed ? keepSigned(visit, found) : undefined
}

function argumentsOf({ here, host, settings }: Visit, fields: ReturnOptions['fields']): Offered['arguments'] {
  const pairs = [...pairsOf(queryOf(here ?? '')), ...pairsOf(fields ?? host.exchange?.body)]
  return pairs.filter(([name]) => name !== settings.current && name !== settings.returned)
}
