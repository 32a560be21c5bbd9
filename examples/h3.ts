// h3 2, which Nitro and Nuxt build on. Run it with `node examples/h3.ts`; it listens on PORT, 3000 by default.
import { H3, redirect, serve } from 'h3'
import { createSessions } from 'sojourn'
import { h3Session, type H3SessionContext } from 'sojourn/adapters/h3'

interface Data {
  visits: number
}

// Gives `event.context.session` its type, in the whole program.
declare module 'sojourn' {
  interface Register { data: Data }
}
declare module 'h3' {
  interface H3EventContext extends H3SessionContext {}
}

const sessions = createSessions<Data>()
const app = new H3()

app.use(h3Session(sessions))

app.get('/', ({ context: { session } }) => `Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)

app.post('/visit', async ({ context: { session } }) => {
  await session.update('visits', (visits = 0) => visits + 1)
  return redirect('/', 303)
})

app.post('/login', async ({ context: { session }, req }) => {
  // A real application checks a password here.
  await session.login(new URLSearchParams(await req.text()).get('user') ?? 'nobody')
  return redirect('/', 303)
})

app.post('/logout', async ({ context: { session } }) => {
  await session.logout()
  return redirect('/', 303)
})

const server = serve(app, { port: Number(process.env['PORT'] ?? 3000), hostname: '127.0.0.1', silent: true, gracefulShutdown: false })
await server.ready()
console.log(server.url?.replace(/\/$/, ''))

process.once('SIGTERM', () => {
  void server.close(true).then(() => sessions.close())
})
