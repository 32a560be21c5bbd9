// The smoke on Node, over node:http.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createSessions, type Session } from 'sojourn'
import { nodeSession } from 'sojourn/adapters/node'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { importAll } from './import-all.ts'
import { everywhere } from './serve-fetch.ts'
import { act, routeOf, type Data, type Managers } from './smoke.ts'

const managers: Managers = { ...everywhere(), sqlite: createSessions<Data>({ store: sqliteStore('sessions.db'), cookie: { name: 'sqlite' } }) }

async function answer(request: IncomingMessage, response: ServerResponse, session: Session<Data>): Promise<void> {
  const { status, body } = await act(routeOf(request.url ?? '/').action, session)
  response.statusCode = status
  if (typeof body === 'string') return void response.end(body)
  await pipeline(Readable.from(body), response)
}

const listeners = new Map(Object.entries(managers).map(([store, sessions]) => [store, nodeSession<Data>(sessions, answer, { onError: () => {} })]))
const server = createServer((request, response) => {
  const listener = listeners.get(routeOf(request.url ?? '/').store)
  if (listener === undefined) response.end('ready')
  else listener(request, response)
})

await importAll()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
// Nothing but the server keeps the process: no timer of a session does.
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
