// Deno.serve. Run it with `deno run --allow-net --allow-env examples/deno.ts`; it listens on PORT, 3000 by default.
import { createSessions } from 'sojourn'
import { fetchSession } from 'sojourn/adapters/fetch'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()
const redirect = (): Response => new Response(null, { status: 303, headers: { Location: '/' } })

const handle = fetchSession(sessions, async (request, session) => {
  switch (`${request.method} ${new URL(request.url).pathname}`) {
    case 'GET /':
      return new Response(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)
    case 'POST /visit':
      await session.update('visits', (visits = 0) => visits + 1)
      return redirect()
    case 'POST /login':
      // A real application checks a password here.
      await session.login(new URLSearchParams(await request.text()).get('user') ?? 'nobody')
      return redirect()
    case 'POST /logout':
      await session.logout()
      return redirect()
    default:
      return new Response('Not found\n', { status: 404 })
  }
})

const server = Deno.serve({
  port: Number(Deno.env.get('PORT') ?? 3000),
  hostname: '127.0.0.1',
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, (request) => handle(request))

const stop = (): void => {
  Deno.removeSignalListener('SIGTERM', stop)
  void server.shutdown().then(() => sessions.close())
}
Deno.addSignalListener('SIGTERM', stop)
