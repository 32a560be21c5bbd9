import { fetchSession } from 'sojourn/adapters/fetch'
import { sessions } from '../sessions'

export const POST = fetchSession(sessions, async (_request, session) => {
  await session.update('visits', (visits = 0) => visits + 1)
  return new Response(null, { status: 303, headers: { Location: '/' } })
})
