import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { text } from 'node:stream/consumers'
import { describe, it } from 'vitest'
import { answerOnNode, listen } from '../../test/adapters/node-server.ts'
import type { Session } from '../core/session.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { nodeSession } from './node.ts'

const quiet = { onError: () => {} }

type NodeRequest = IncomingMessage | Http2ServerRequest
type NodeResponse = ServerResponse | Http2ServerResponse

async function respond(request: NodeRequest, response: NodeResponse, { answer }: AdapterFixture, session: Session, second: Session): Promise<void> {
  const { method = 'GET', url = '/' } = request
  await answerOnNode(response, await answer({ method, url, session, second, text: () => text(request) }))
}

/** A listener within a listener: one for each manager. */
function asListener(fixture: AdapterFixture): (request: NodeRequest, response: NodeResponse) => void {
  return nodeSession(fixture.sessions, (request: NodeRequest, response: NodeResponse, session: Session) => {
    nodeSession(fixture.second, (request: NodeRequest, response: NodeResponse, second: Session) => respond(request, response, fixture, session, second), quiet)(request, response)
  }, quiet)
}

/** Connect's kind of middleware, one after the other, and an end that answers errors. */
function asMiddleware({ sessions, second, answer }: AdapterFixture): (request: NodeRequest, response: NodeResponse) => void {
  const [first, other] = [nodeSession(sessions), nodeSession(second, { as: 'second' })]
  return (request, response) => {
    const failed = (): void => {
      response.statusCode = 500
      response.end('Internal Server Error')
    }
    first(request, response, (error) => {
      if (error !== undefined) return failed()
      other(request, response, (error) => {
        if (error !== undefined) return failed()
        const { method = 'GET', url = '/' } = request
        answer({ method, url, session: first.of(request), second: other.of(request), text: () => text(request) })
          .then((reply) => answerOnNode(response, reply)).catch(failed)
      })
    })
  }
}

describeAdapter({ describe, it }, 'node, as a listener, over HTTP/1.1', (fixture) => listen(createServer(asListener(fixture))))
describeAdapter({ describe, it }, 'node, as a listener, over HTTP/2', (fixture) => listen(createHttp2Server(asListener(fixture))), { http2: true })
describeAdapter({ describe, it }, 'node, as middleware, over HTTP/1.1', (fixture) => listen(createServer(asMiddleware(fixture))))
describeAdapter({ describe, it }, 'node, as middleware, over HTTP/2', (fixture) => listen(createHttp2Server(asMiddleware(fixture))), { http2: true })
