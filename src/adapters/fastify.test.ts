import { Readable } from 'node:stream'
import fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import { onSite } from '../../test/adapters/on-site.ts'
import { Session } from '../core/session.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { fastifySession } from './fastify.ts'

async function application({ sessions, second, answer, late }: AdapterFixture): Promise<FastifyInstance> {
  const app = fastify({ forceCloseConnections: true })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  await app.register(fastifySession(sessions, { late }))
  await app.register(fastifySession(second, { as: 'second' }))
  app.all('/*', async (request, reply) => {
    const other: unknown = Reflect.get(request, 'second')
    const { status, headers, body, onNode } = await answer({
      method: request.method, url: request.url, session: request.session, ...(other instanceof Session && { second: other }), text: async () => String(request.body ?? ''),
    })
    if (onNode !== undefined) {
      reply.hijack()
      return onNode(reply.raw)
    }
    reply.code(status)
    for (const [name, value] of headers) reply.header(name, value)
    return reply.send(body === undefined || typeof body === 'string' ? body : Readable.from(body))
  })
  return app
}

describeAdapter({ describe, it }, 'fastify', async (fixture) => {
  const app = await application(fixture)
  return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
})

it('commits at the end of the body of a route that asks for it', onSite(async ({ sessions }) => {
  const app = fastify({ forceCloseConnections: true })
  await app.register(fastifySession(sessions))
  app.get('/begin', async ({ session }) => { session.set('color', 'red') })
  app.get('/look', async ({ session }) => String(session.get('color')))
  app.get('/late', { config: { lateSession: true } }, async ({ session }, reply) => reply.send(Readable.from((async function* () {
    yield 'first'
    await new Promise(setImmediate)
    session.set('color', 'late')
  })())))
  return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
}, async ({ visitor }) => {
  const tab = visitor().tab()
  await tab.get('/begin')
  await tab.get('/late')
  expect((await tab.get('/look')).text).toBe('late')
}))
