import { andThen } from '../../core/internal/awaitable.ts'
import type { Awaitable } from '../../core/store.ts'
import { isSamePage, withParameters } from '../../core/internal/parameters.ts'
import { savedRequest, type StoredRequest, type StoredReturn } from './stored.ts'
import type { Visit } from './visit.ts'

/**
 * Takes what a return has left for this URL, before the handler runs and in one atomic step: of two requests with the
 * same id, as of a reload, one arrives. Resolves to the name of the handler that is to run.
 */
export function arrive(visit: Visit, id: string): Awaitable<string | undefined> {
  const { host, kept, here } = visit
  const waiting = kept.waiting(id)
  if (waiting === undefined) return arriveSigned(visit, id)
  const request = waiting.from === undefined ? undefined : kept.request(waiting.from)
  if (waiting.from !== undefined && request === undefined) return visit.unknown()
  if (here === undefined || !isSamePage(here, waiting.at)) {
    const parent = request?.parent !== undefined && kept.request(request.parent) !== undefined ? request.parent : undefined
    visit.misplaced = withParameters(waiting.at, visit.ids(parent, id))
    return void host.emit({ reason: 'misplaced' })
  }
  return andThen(host.take(id), (taken) => (taken ? arriveAt(visit, waiting, request) : visit.unknown()))
}

function arriveAt(visit: Visit, { values = {}, messages = [] }: StoredReturn, request: StoredRequest | undefined): string | undefined {
  for (const [name, message] of messages) visit.messages.set(name, message)
  if (request !== undefined) visit.arrived = { ...savedRequest(request), values }
  return request?.handler
}

function arriveSigned(visit: Visit, id: string): undefined {
  const { here, host, signed } = visit
  if (here === undefined || !signed.takeReturn(id, here, host.now())) return visit.unknown()
  visit.arrived = { ...savedRequest({ url: here, method: 'GET' }), values: {} }
  return undefined
}
