// Hono 4, here on Node. Run it with `node examples/hono.ts`; it listens on PORT, 3000 by default.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createSessions } from 'sojourn'
import { honoSession, type HonoSessionVariables } from 'sojourn/adapters/hono'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()
const app = new Hono<{ Variables: HonoSessionVariables<Data> }>()

app.use(honoSession(sessions))

app.get('/', (context) => {
  const { session } = context.var
  return context.text(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)
})

app.post('/visit', async (context) => {
  await context.var.session.update('visits', (visits = 0) => visits + 1)
  return context.redirect('/', 303)
})

app.post('/login', async (context) => {
  const { user } = await context.req.parseBody()
  // A real application checks a password here.
  await context.var.session.login(typeof user === 'string' ? user : 'nobody')
  return context.redirect('/', 303)
})

app.post('/logout', async (context) => {
  await context.var.session.logout()
  return context.redirect('/', 303)
})

const server = serve({ fetch: app.fetch, port: Number(process.env['PORT'] ?? 3000), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`)
})

process.once('SIGTERM', () => {
  server.close(() => void sessions.close())
})
