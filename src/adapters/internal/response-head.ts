import type { Arguments, NodeResponse } from './node-types.ts'

/**
 * Puts the headers of `writeHead(status, reason?, headers?)` where `setHeader` keeps them, so that ours join them instead
 * of being overruled. The reason is not put on the response: HTTP/2 has none and warns.
 */
export function takeHead(response: NodeResponse, [status, ...rest]: Arguments): { readonly status: number; readonly reason: readonly string[] } {
  if (typeof status === 'number') response.statusCode = status
  const headers = rest.find((argument) => typeof argument === 'object' && argument !== null)
  if (Array.isArray(headers)) takeHeaderList(response, headers)
  else if (headers !== undefined) for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value)
  return { status: response.statusCode, reason: rest.slice(0, 1).filter((argument) => typeof argument === 'string') }
}

// Flat or in pairs. The list overrules what was set before, and may name a header several times.
function takeHeaderList(response: NodeResponse, list: readonly unknown[]): void {
  const pairs = Array.isArray(list[0]) ? list : Array.from({ length: list.length / 2 }, (_, at) => list.slice(at * 2, at * 2 + 2))
  const seen = new Set<string>()
  for (const pair of pairs) {
    const [name, value] = Array.isArray(pair) ? pair.map((one: unknown) => (Array.isArray(one) ? one.map(String) : String(one))) : []
    if (typeof name !== 'string' || value === undefined) continue
    if (seen.has(name.toLowerCase())) appendHeader(response, name, value)
    else response.setHeader(name, value)
    seen.add(name.toLowerCase())
  }
}

/** Adds one more header of this name. Not Node's appendHeader, which wrappers of responses lack. */
export function appendHeader(response: NodeResponse, name: string, value: string | readonly string[]): void {
  const present = response.getHeader(name)
  const before = present === undefined ? [] : Array.isArray(present) ? present : [String(present)]
  response.setHeader(name, before.length === 0 ? value : before.concat(value))
}

/** Whether a header (by its lower-case name) says something about the body, so that an error answered instead must lose it. */
export function describesBody(name: string): boolean {
  return DESCRIBES_BODY.test(name)
}

const DESCRIBES_BODY = /^(?:content-(?!security-policy)|etag$|last-modified$|location$|refresh$|transfer-encoding$|trailer$|cache-control$|expires$|accept-ranges$)/

/** Makes the head fit for an error: what describes the body goes, cookies and the like stay. */
export function forgetBody(response: NodeResponse): void {
  response.statusCode = 500
  // Own only over HTTP/1.1; HTTP/2 has no reason and warns when it is touched.
  if (Object.hasOwn(response, 'statusMessage')) Reflect.set(response, 'statusMessage', '')
  for (const name of response.getHeaderNames()) if (describesBody(name.toLowerCase())) response.removeHeader(name)
}
