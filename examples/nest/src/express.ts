// NestJS on Express. Run it with `npm start`; it listens on PORT, 3000 by default.
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { expressSession } from 'sojourn/adapters/express'
import { App, sessions } from './app.ts'

const app = await NestFactory.create<NestExpressApplication>(App, { logger: ['error', 'warn'], forceCloseConnections: true })
app.use(expressSession(sessions))
await app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
console.log(await app.getUrl())

process.once('SIGTERM', () => {
  void app.close().then(() => sessions.close())
})
