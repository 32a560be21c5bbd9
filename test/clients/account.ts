import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { text } from 'node:stream/consumers'
import { nodeSession } from '../../src/adapters/node.ts'
import { createSessions, type Session, type Sessions } from '../../src/index.ts'
import { listen } from '../adapters/node-server.ts'

interface Data {
  visits: number
}

export interface Account {
  readonly origin: string
  readonly sessions: Sessions<Data>
  close(): Promise<void>
}

export interface AccountOptions {
  /** Serve https with these. */
  readonly certificate?: { readonly key: string; readonly cert: string }
  /** On the pages that show who is logged in. */
  readonly headers?: Readonly<Record<string, string>>
  /** At the end of those pages. */
  readonly script?: string
  /** What `/worker.js` is. */
  readonly worker?: string
}

/** An application with a login, for clients that are none of ours: `/` shows who one is and has the forms, `/me` says it as JSON, `/bye` comes after a logout. */
export async function startAccount({ certificate, headers = {}, script = '', worker = '' }: AccountOptions = {}): Promise<Account> {
  const sessions = createSessions<Data>({ sweepEvery: 'never' })
  const listener = nodeSession(sessions, async (request, response, session) => answer(request, response, session))
  const { origin, close } = await listen(certificate === undefined ? createServer(listener) : createSecureServer(certificate, listener))

  async function answer(request: IncomingMessage, response: ServerResponse, session: Session<Data>): Promise<void> {
    const redirect = (Location: string): void => void response.writeHead(303, { Location }).end()
    switch (`${request.method} ${request.url}`) {
      case 'GET /':
        response.writeHead(200, { 'Content-Type': 'text/html', ...headers })
        response.end(page(session.owner ?? 'visitor', session.get('visits') ?? 0) + script)
        return
      case 'GET /me':
        response.writeHead(200, { 'Content-Type': 'application/json', ...headers })
        response.end(JSON.stringify({ user: session.owner ?? 'visitor', visits: session.get('visits') ?? 0 }))
        return
      case 'GET /bye':
        return void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>Bye</p>')
      case 'GET /worker.js':
        return void response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(worker)
      case 'POST /visit':
        await session.update('visits', (visits = 0) => visits + 1)
        return redirect('/')
      case 'POST /login':
        await session.login(new URLSearchParams(await text(request)).get('user') ?? 'nobody')
        return redirect('/')
      case 'POST /logout':
        await session.logout()
        return redirect('/bye')
      default:
        response.writeHead(404).end()
    }
  }

  return {
    origin: certificate === undefined ? origin : origin.replace('http:', 'https:'),
    sessions,
    async close() {
      await close()
      await sessions.close()
    },
  }
}

function page(user: string, visits: number): string {
  return `<p>Hello ${user}, ${visits} visits</p>
<form action="/login" method="post"><input name="user"><button id="login">Log in</button></form>
<form action="/visit" method="post"><button id="visit">Visit</button></form>
<form action="/logout" method="post"><button id="logout">Log out</button></form>`
}
