import type { Arrived } from '../core/continuations.ts'

/** The part of a request of Node, connect or Express that is restored. */
export interface RestorableRequest {
  method?: string | undefined
  url?: string | undefined
  body?: unknown
}

/**
 * Makes a request of Node, connect or Express the saved one again: method, url and body. Call it before the routes, so
 * that the route of the saved request handles it. Headers and connection stay those of the request that is running.
 */
export function restoreRequest(request: RestorableRequest, { method, url, fields }: Arrived): void {
  request.method = method
  request.url = url
  if (method !== 'GET') request.body = structuredClone({ ...fields })
}

/**
 * The saved request as a Fetch request, for a router's own `fetch`: its method, url and fields; headers and signal are those
 * of the request that is running. Fields that are text are sent as a form does, others as JSON.
 */
export function restoredRequest(request: Request, { method, url, fields }: Arrived): Request {
  const headers = new Headers(request.headers)
  for (const name of ['content-length', 'content-type', 'content-encoding', 'transfer-encoding']) headers.delete(name)
  const body = method === 'GET' ? undefined : (asForm(fields) ?? JSON.stringify(fields))
  if (typeof body === 'string') headers.set('content-type', 'application/json')
  return new Request(new URL(url, request.url), { method, headers, signal: request.signal, ...(body !== undefined && { body }) })
}

function asForm(fields: Arrived['fields']): URLSearchParams | undefined {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one !== 'string') return undefined
      form.append(name, one)
    }
  }
  return form
}
