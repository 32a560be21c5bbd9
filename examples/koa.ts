// Koa 3; Koa 2 works the same. Run it with `node examples/koa.ts`; it listens on PORT, 3000 by default.
import { text } from 'node:stream/consumers'
import Koa from 'koa'
import { createSessions } from 'sojourn'
import { koaSession, type KoaSessionContext } from 'sojourn/adapters/koa'

interface Data {
  visits: number
}

const sessions = createSessions<Data>()
const app = new Koa<Koa.DefaultState, KoaSessionContext<Data>>()

app.use(koaSession(sessions))

app.use(async (ctx) => {
  const { session } = ctx
  const goHome = (): void => {
    ctx.redirect('/')
    ctx.status = 303
  }
  switch (`${ctx.method} ${ctx.path}`) {
    case 'GET /':
      ctx.body = `Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`
      return
    case 'POST /visit':
      await session.update('visits', (visits = 0) => visits + 1)
      return goHome()
    case 'POST /login':
      // A real application checks a password here.
      await session.login(new URLSearchParams(await text(ctx.req)).get('user') ?? 'nobody')
      return goHome()
    case 'POST /logout':
      await session.logout()
      return goHome()
  }
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`http://127.0.0.1:${address.port}`)
})

process.once('SIGTERM', () => {
  server.close(() => void sessions.close())
  server.closeAllConnections()
})
