// WebSockets with `ws`, beside pages on node:http: a socket belongs to a session, and a logout closes it. Run it with
// `node examples/sockets.ts`; it listens on PORT, 3000 by default.
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createSessions, type Session } from 'sojourn'
import { nodeSession } from 'sojourn/adapters/node'
import { WebSocketServer, type WebSocket } from 'ws'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()
const sockets = new WebSocketServer({ noServer: true })

const server = createServer(nodeSession(sessions, async (request, response, session) => {
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

// Browsers send cookies with a WebSocket from any site and leave the check to the server: only pages of this host may connect.
server.on('upgrade', (request, socket, head) => void (async () => {
  const session = await sessions.load(request)
  const isOurs = request.headers.origin === undefined || URL.parse(request.headers.origin)?.host === request.headers.host
  if (session?.owner === undefined || !isOurs) return void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  sockets.handleUpgrade(request, socket, head, (client) => talk(client, session))
})().catch(() => socket.destroy()))

function talk(client: WebSocket, session: Session<Data>): void {
  // 4401 is ours to choose (RFC 6455 7.4.2): the page learns that it has to log in.
  const close = (): void => client.close(4401, 'logged out')
  const visit = async (): Promise<void> => {
    const visits = await session.update('visits', (visits = 0) => visits + 1)
    if (visits === 'gone') close()
    else client.send(`${visits} visits`)
  }
  if (session.signal.aborted) return close()
  session.signal.addEventListener('abort', close)
  client.once('close', () => session.signal.removeEventListener('abort', close))
  client.on('message', () => void visit().catch(() => client.terminate()))
}

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', () => {
  for (const client of sockets.clients) client.terminate()
  server.close(() => void sessions.close())
  server.closeAllConnections()
})
