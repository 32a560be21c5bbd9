// node:http2 without a framework, here without TLS; with it, createSecureServer({ key, cert, allowHTTP1: true }, …) takes the same
// listener. Run it with `node examples/http2.ts`; it listens on PORT, 3000 by default.
import { createServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2'
import { text } from 'node:stream/consumers'
import { createSessions } from 'sojourn'
import { nodeSession } from 'sojourn/adapters/node'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()

const server = createServer(nodeSession(sessions, async (request: Http2ServerRequest, response: Http2ServerResponse, session) => {
  const redirect = (): void => {
    response.writeHead(303, { Location: '/' })
    response.end()
  }
  switch (`${request.method} ${request.url}`) {
    case 'GET /':
      response.end(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)
      return
    case 'POST /visit':
      await session.update('visits', (visits = 0) => visits + 1)
      return redirect()
    case 'POST /login':
      // A real application checks a password here.
      await session.login(new URLSearchParams(await text(request)).get('user') ?? 'nobody')
      return redirect()
    case 'POST /logout':
      await session.logout()
      return redirect()
    default:
      response.statusCode = 404
      response.end('Not found\n')
  }
}))

const connections = new Set<ServerHttp2Session>()
server.on('session', (connection) => {
  connections.add(connection)
  connection.once('close', () => connections.delete(connection))
})

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', () => {
  server.close(() => void sessions.close())
  for (const connection of connections) connection.close()
})
