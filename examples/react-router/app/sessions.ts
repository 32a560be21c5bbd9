import { createContext, type MiddlewareFunction } from 'react-router'
import { createSessions, type Session } from 'sojourn'
import { fetchSession } from 'sojourn/adapters/fetch'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()

/** The visitor's session, in loaders and actions: `context.get(sessionContext)`. */
export const sessionContext = createContext<Session<Data>>()

/** Goes into the root route, so that every route has a session, and is committed before the response leaves. */
export const sessionMiddleware: MiddlewareFunction<Response> = ({ request, context }, next) => {
  const handle = fetchSession(sessions, (_request, session) => {
    context.set(sessionContext, session)
    return next()
  })
  return handle(request)
}
