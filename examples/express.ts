// Express 5; Express 4 works the same. Run it with `node examples/express.ts`; it listens on PORT, 3000 by default.
import express from 'express'
import { createSessions } from 'sojourn'
import { expressSession } from 'sojourn/adapters/express'

interface Data {
  visits: number
}

// Gives `request.session` the type of the data, in the whole program.
declare module 'sojourn' {
  interface Register { data: Data }
}

const sessions = createSessions<Data>()
const app = express()

app.use(expressSession(sessions))
app.use(express.urlencoded())

app.get('/', ({ session }, response) => {
  response.type('text').send(`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`)
})

app.post('/visit', async ({ session }, response) => {
  await session.update('visits', (visits = 0) => visits + 1)
  response.redirect(303, '/')
})

app.post('/login', async ({ session, body }, response) => {
  // A real application checks a password here.
  await session.login(String(body.user ?? 'nobody'))
  response.redirect(303, '/')
})

app.post('/logout', async ({ session }, response) => {
  await session.logout()
  response.redirect(303, '/')
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', () => {
  server.close(() => void sessions.close())
  server.closeAllConnections()
})
