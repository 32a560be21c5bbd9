// Whatever speaks Fetch: the same `handle` goes to Bun.serve({ fetch: handle }), Deno.serve(handle) and Workers. Here it is
// served on Node. Run it with `node examples/fetch.ts`; it listens on PORT, 3000 by default.
import { serve } from '@hono/node-server'
import { createSessions } from 'sojourn'
import { fetchSession } from 'sojourn/adapters/fetch'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()

const handle = fetchSession(sessions, async (request, session) => {
  const url = new URL(request.url)
  const home = Response.redirect(new URL('/', url), 303)
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /':
      return new Response(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)
    case 'POST /visit':
      await session.update('visits', (visits = 0) => visits + 1)
      return home
    case 'POST /login':
      // A real application checks a password here.
      await session.login(new URLSearchParams(await request.text()).get('user') ?? 'nobody')
      return home
    case 'POST /logout':
      await session.logout()
      return home
    default:
      return new Response('Not found\n', { status: 404 })
  }
})

const server = serve({ fetch: handle, port: Number(process.env['PORT'] ?? 3000), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`)
})

process.once('SIGTERM', () => {
  server.close(() => void sessions.close())
})
