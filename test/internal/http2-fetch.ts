import { connect, type IncomingHttpHeaders } from 'node:http2'
import { text } from 'node:stream/consumers'
import type { FetchFunction } from '../../src/testing/browser.ts'

/** Asks over HTTP/2, which the global `fetch` does not speak, on one connection. */
export function http2Fetch(origin: string): { readonly fetch: FetchFunction; close(): void } {
  const connection = connect(origin)
  return {
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const body = await request.text()
      const stream = connection.request({ ...Object.fromEntries(request.headers), ':method': request.method, ':path': pathname + search }, { endStream: body === '' })
      if (body !== '') stream.end(body)
      const head = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
        stream.once('response', resolve)
        stream.once('error', reject)
      })
      return new Response(await text(stream), { status: Number(head[':status']), headers: headersOf(head) })
    },
    close: () => connection.close(),
  }
}

function headersOf(head: IncomingHttpHeaders): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(head)) {
    if (name.startsWith(':') || value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  }
  return headers
}
