// Cloudflare Workers, with the compatibility flag `nodejs_compat`. Every isolate has a memory of its own, so the session travels
// in a sealed cookie; SESSION_KEY is a secret of the Worker: `openssl rand -base64 32 | wrangler secret put SESSION_KEY`.
import { createSessions, type Sessions } from 'sojourn'
import { fetchSession } from 'sojourn/adapters/fetch'
import { cookieStore } from 'sojourn/stores/cookie'

interface Data {
  visits: number
}

interface Env {
  readonly SESSION_KEY: string
}

const redirect = (): Response => new Response(null, { status: 303, headers: { Location: '/' } })

function handlerOf(sessions: Sessions<Data>): (request: Request) => Promise<Response> {
  return fetchSession(sessions, async (request, session) => {
    switch (`${request.method} ${new URL(request.url).pathname}`) {
      case 'GET /':
        return new Response(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)
      case 'POST /visit':
        session.set('visits', (session.get('visits') ?? 0) + 1)
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
}

// A Worker is given its secrets with the first request.
let handle: ((request: Request) => Promise<Response>) | undefined

// oxlint-disable-next-line import/no-default-export -- what Workers ask of a module
export default {
  fetch(request: Request, { SESSION_KEY }: Env): Promise<Response> {
    handle ??= handlerOf(createSessions({ store: cookieStore({ keys: [SESSION_KEY] }) }))
    return handle(request)
  },
}
