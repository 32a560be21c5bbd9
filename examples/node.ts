// node:http without a framework. Run it with `node examples/node.ts`; it listens on PORT, 3000 by default.
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createSessions } from 'sojourn'
import { nodeSession } from 'sojourn/adapters/node'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()

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

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', () => {
  server.close(() => void sessions.close())
  server.closeAllConnections()
})
