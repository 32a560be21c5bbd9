// iron-session, as its documentation says.
import { createServer } from 'node:http'
import { getIronSession } from 'iron-session'
import { answer, tellPort } from '../scorecard/routes.ts'

const options = { password: 'complex_password_at_least_32_characters_long', cookieName: 'session', cookieOptions: { secure: false } }

function visit(session) {
  return {
    async login(owner) {
      session.user = owner
      await session.save()
    },
    logout: () => session.destroy(),
    async write(key, value) {
      session[key] = value
      await session.save()
    },
    owner: () => session.user,
    data: () => Object.fromEntries(Object.entries(session).filter(([key, value]) => key !== 'user' && typeof value !== 'function')),
  }
}

const server = createServer(async (request, response) => {
  const session = await getIronSession(request, response, options)
  response.end(await answer(request.url, visit(session)))
}).listen(0, '127.0.0.1', () => tellPort(server.address()))
