// Fastify 5. Run it with `node examples/fastify.ts`; it listens on PORT, 3000 by default.
import { fastify } from 'fastify'
import { createSessions } from 'sojourn'
import { fastifySession } from 'sojourn/adapters/fastify'

interface Data {
  visits: number
}

// Gives `request.session` the type of the data, in the whole program.
declare module 'sojourn' {
  interface Register { data: Data }
}

const sessions = createSessions<Data>()
const app = fastify()

await app.register(fastifySession(sessions))
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async (_request: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)))

app.get('/', async ({ session }) => `Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)

app.post('/visit', async ({ session }, reply) => {
  await session.update('visits', (visits = 0) => visits + 1)
  return reply.redirect('/', 303)
})

app.post<{ Body: { user?: string } }>('/login', async ({ session, body }, reply) => {
  // A real application checks a password here.
  await session.login(body.user ?? 'nobody')
  return reply.redirect('/', 303)
})

app.post('/logout', async ({ session }, reply) => {
  await session.logout()
  return reply.redirect('/', 303)
})

app.addHook('onClose', () => sessions.close())
console.log(await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: '127.0.0.1' }))

process.once('SIGTERM', () => {
  app.server.closeAllConnections()
  void app.close()
})
