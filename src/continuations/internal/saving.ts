import type { SaveOptions } from '../../core/continuations.ts'
import { SessionError } from '../../core/errors.ts'
import { derivedId } from '../../core/token.ts'
import { withParameters } from '../../core/internal/parameters.ts'
import type { StoredRequest } from './stored.ts'
import { addressOnly, isPlain, thisRequest } from './this-request.ts'
import type { Found, Visit } from './visit.ts'

/** Keeps this request and resolves to the URL to redirect to. */
export async function save(visit: Visit, options: SaveOptions): Promise<string> {
  const to = visit.target(options.to, 'The target of save')
  checkHandler(visit, options.handler)
  await visit.host.load()
  const current = visit.find(visit.named(options.fields))
  const request = thisRequest(visit, options.fields)
  const id = request === undefined ? undefined : keepWithin(visit, request, current, options)
  // What cannot be kept is left out: the visitor will return to where they would have from here.
  return withParameters(to, visit.ids(id ?? current?.id))
}

function keepWithin(visit: Visit, request: StoredRequest, current: Found | undefined, { map, handler, collapse = false }: SaveOptions): string | undefined {
  const { messages } = visit
  if (isPlain(request) && map === undefined && handler === undefined && messages.size === 0 && current?.kind !== 'stored' && visit.host.state !== 'stored') {
    const outer = current?.urls ?? []
    const signed = visit.signed.sign(collapse && outer.length > 0 ? outer : [request.url, ...outer], visit.host.now())
    if (signed !== undefined) return signed
  }
  const parent = current?.kind === 'signed' ? keepSigned(visit, current) : current?.id
  return keep(visit, {
    ...request,
    ...(parent !== undefined && { parent, ...(collapse && { collapse }) }),
    ...(map !== undefined && { map }),
    ...(handler !== undefined && { handler }),
    ...(messages.size > 0 && { messages: [...messages] }),
  })
}

function keep({ host, kept }: Visit, request: StoredRequest): string | undefined {
  if (host.state === 'closed') return void host.emit({ reason: 'not-kept' })
  if (kept.fits(request)) return kept.add(request)
  host.emit({ reason: 'too-large' })
  const reduced = addressOnly(request)
  return kept.fits(reduced) ? kept.add(reduced) : undefined
}

/** Keeps a chain of signed addresses in the session, now that there is one. The same text always gets the same ids. */
export function keepSigned({ host, kept }: Visit, { id: text, urls }: { readonly id: string; readonly urls: readonly string[] }): string | undefined {
  let parent: string | undefined
  for (const [at, url] of [...urls.entries()].toReversed()) {
    const id = derivedId('continuation', `${at}\0${text}`)
    const request: StoredRequest = { url, method: 'GET', ...(parent !== undefined && { parent }) }
    if (host.state === 'closed' || !kept.fits(request)) return undefined
    if (!kept.has(id)) kept.set(id, request)
    parent = id
  }
  return parent
}

function checkHandler({ settings }: Visit, handler: string | undefined): void {
  if (handler === undefined || settings.handlers.has(handler)) return
  throw new SessionError('ERR_SESSION_USAGE', `There is no handler ${JSON.stringify(handler.slice(0, 60))} to run at the return. Pass its name and function to continuations({ handlers }).`)
}
