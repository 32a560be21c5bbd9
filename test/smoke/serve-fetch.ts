import { createSessions } from 'sojourn'
import { fetchSession } from 'sojourn/adapters/fetch'
import { cookieStore } from 'sojourn/stores/cookie'
import { act, routeOf, type Answer, type Data, type Managers } from './smoke.ts'

/** The managers that work on every runtime: in memory, and sealed in the cookie. */
export function everywhere(): Managers {
  return {
    memory: createSessions<Data>({ cookie: { name: 'memory' } }),
    sealed: createSessions<Data>({ store: cookieStore({ keys: [KEY], name: 'sealed' }) }),
  }
}

const KEY = 'c2VjcmV0cyBvZiB0aGUgcnVudGltZSB0ZXN0cyBrZXk='

/** The smoke for whatever speaks Fetch. */
export function serveFetch(managers: Managers): (request: Request) => Promise<Response> {
  const handlers = Object.entries(managers).map(([store, sessions]) => [store, fetchSession(sessions, async (request, session) => {
    return responseOf(await act(routeOf(request.url).action, session))
  }, { onError: (error) => new Response(String(error), { status: 500 }) })] as const)
  const byStore = new Map(handlers)
  return async (request) => {
    const handler = byStore.get(routeOf(request.url).store)
    return handler === undefined ? new Response('ready') : handler(request)
  }
}

function responseOf({ status, body }: Answer): Response {
  if (typeof body === 'string') return new Response(body, { status })
  const parts = body[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new Response(new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
  }), { status })
}
