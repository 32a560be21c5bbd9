import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Reply, RunningApp } from '../../src/testing/describe-adapter.ts'
import { listen } from './node-server.ts'

/** Serves a Fetch handler from node:http. What it throws becomes a plain 500. */
export function serveFetch(handle: (request: Request) => Promise<Response>): Promise<RunningApp> {
  return listen(createServer((incoming, outgoing) => void serve(handle, incoming, outgoing)))
}

async function serve(handle: (request: Request) => Promise<Response>, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  try {
    const { status, headers, body } = await handle(requestFrom(incoming))
    outgoing.writeHead(status, [...headers].flat())
    if (body === null) outgoing.end()
    // Not the stream of the web itself, which a visitor who leaves does not cancel while a chunk is awaited.
    else await pipeline(Readable.fromWeb(body), outgoing)
  } catch {
    if (!outgoing.headersSent) outgoing.writeHead(500)
    outgoing.end()
  }
}

function requestFrom(incoming: IncomingMessage): Request {
  const { method = 'GET', url = '/', headers } = incoming
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return new Request(`http://${headers.host}${url}`, { method, headers: pairs, ...(hasBody && { body: Readable.toWeb(incoming), duplex: 'half' }) })
}

const WITHOUT_BODY: readonly number[] = [204, 205, 304]

/** A reply as a Fetch response. */
export function responseFrom({ status, headers, body }: Reply): Response {
  const stream = body === undefined || typeof body === 'string' ? body : Readable.toWeb(Readable.from(encoded(body)))
  return new Response(WITHOUT_BODY.includes(status) ? null : stream, { status, headers: headers.map(([name, value]): [string, string] => [name, value]) })
}

async function* encoded(chunks: AsyncIterable<string>): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder()
  for await (const chunk of chunks) yield encoder.encode(chunk)
}
