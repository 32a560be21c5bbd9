import { Readable } from 'node:stream'
import fastify, { type FastifyInstance } from 'fastify'
import { describe, it } from 'vitest'
import { Session } from '../core/session.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { fastifySession } from './fastify.ts'

async function application({ sessions, second, answer }: AdapterFixture): Promise<FastifyInstance> {
  const app = fastify({ forceCloseConnections: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  await app.register(fastifySession(sessions))
  await app.register(fastifySession(second, { as: 'second' }))
  app.all('/*', async (request, reply) => {
    const other: unknown = Reflect.get(request, 'second')
    const { status, headers, body } = await answer({
      method: request.method, url: request.url, session: request.session, ...(other instanceof Session && { second: other }), text: async () => String(request.body ?? ''),
    })
    reply.code(status)
    for (const [name, value] of headers) reply.header(name, value)
    return reply.send(body === undefined || typeof body === 'string' ? body : Readable.from(body))
  })
  return app
}

describeAdapter({ describe, it }, 'fastify', async (fixture) => {
  const app = await application(fixture)
  return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
}, { lacks: ['node-response'] })
