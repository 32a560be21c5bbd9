// NestJS on Fastify. Run it with `npm run start:fastify`; it listens on PORT, 3000 by default.
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { fastifySession } from 'sojourn/adapters/fastify'
import { App, sessions } from './app.ts'

const adapter = new FastifyAdapter({ forceCloseConnections: true })
const app = await NestFactory.create<NestFastifyApplication>(App, adapter, { logger: ['error', 'warn'] })
await app.register(fastifySession(sessions))
await app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
console.log(await app.getUrl())

process.once('SIGTERM', () => {
  void app.close().then(() => sessions.close())
})
