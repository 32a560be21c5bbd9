// Bun.serve. Run it with `bun examples/bun.ts`; it listens on PORT, 3000 by default.
import { createSessions } from 'sojourn'
import { fetchSession } from 'sojourn/adapters/fetch'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()
const redirect = (): Response => new Response(null, { status: 303, headers: { Location: '/' } })

const server = Bun.serve({
  port: Number(process.env['PORT'] ?? 3000),
  hostname: '127.0.0.1',
  routes: {
    '/': fetchSession(sessions, (_request, session) => new Response(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)),
    '/visit': {
      POST: fetchSession(sessions, async (_request, session) => {
        await session.update('visits', (visits = 0) => visits + 1)
        return redirect()
      }),
    },
    '/login': {
      POST: fetchSession(sessions, async (request, session) => {
        // A real application checks a password here.
        await session.login(new URLSearchParams(await request.text()).get('user') ?? 'nobody')
        return redirect()
      }),
    },
    '/logout': {
      POST: fetchSession(sessions, async (_request, session) => {
        await session.logout()
        return redirect()
      }),
    },
  },
  fetch: () => new Response('Not found\n', { status: 404 }),
})
console.log(server.url.origin)

process.once('SIGTERM', () => {
  void server.stop(true).then(() => sessions.close())
})
