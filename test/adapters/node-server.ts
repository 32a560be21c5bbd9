import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Reply, RunningApp } from '../../src/testing/describe-adapter.ts'
import type { NodeResponseUnderTest } from '../../src/testing/describe-adapter.ts'

/** Lets a server of node:http or node:http2 listen on a free port of this machine. */
export async function listen(server: Server | Http2Server): Promise<RunningApp> {
  const http2Sessions = new Set<ServerHttp2Session>()
  server.on('session', (session: ServerHttp2Session) => { http2Sessions.add(session) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${portOf(server.address())}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const session of http2Sessions) session.destroy()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Answers on Node's own response, as plain Node code would. */
export async function answerOnNode(response: NodeResponseUnderTest, { status, headers, body, onNode }: Reply): Promise<void> {
  if (onNode !== undefined) return onNode(response)
  const byName = new Map<string, string[]>()
  for (const [name, value] of headers) byName.set(name, [...(byName.get(name) ?? []), value])
  for (const [name, values] of byName) response.setHeader(name, values.length === 1 ? values.join() : values)
  response.statusCode = status
  if (body === undefined) return void response.end()
  if (typeof body === 'string') return void response.end(body)
  for await (const chunk of body) if (!response.write(chunk)) await new Promise<void>((resolve) => { response.once('drain', resolve) })
  response.end()
}
