import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { createGzip, gunzipSync, gzipSync } from 'node:zlib'
import fastify from 'fastify'
import { H3, toNodeHandler } from 'h3'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { fastifySession } from '../../src/adapters/fastify.ts'
import { h3Session, type H3SessionEvent } from '../../src/adapters/h3.ts'
import { koaSession, type KoaSessionContext } from '../../src/adapters/koa.ts'
import { Session } from '../../src/index.ts'
import { assertFailed, assertSessionCookie } from '../../src/testing/adapter-cases/trial.ts'
import type { AdapterFixture, RunningApp } from '../../src/testing/describe-adapter.ts'
import { listen } from './node-server.ts'
import { onSite } from './on-site.ts'

const LONG = 'lorem ipsum '.repeat(10_000)

/** What a compression makes of a body: text at once, a stream as it comes. */
function gzipped(body: unknown): unknown {
  if (typeof body === 'string') return gzipSync(body)
  return body instanceof Readable ? body.pipe(createGzip()) : body
}

type Start = (fixture: AdapterFixture, isBefore: boolean) => Promise<RunningApp>

const frameworks: readonly (readonly [name: string, start: Start])[] = [
  ['koa', ({ sessions }, isBefore) => {
    const app = new Koa<Koa.DefaultState, KoaSessionContext>()
    app.silent = true
    const compress = async (context: Koa.Context, next: () => Promise<unknown>): Promise<void> => {
      await next()
      context.body = gzipped(context.body)
      context.set('Content-Encoding', 'gzip')
    }
    if (isBefore) app.use(compress)
    app.use(koaSession(sessions))
    if (!isBefore) app.use(compress)
    app.use((context) => {
      if (context.path === '/-quiet') return void (context.body = 'quiet')
      context.session.set('color', 'red')
      context.body = context.path === '/page' ? LONG : Readable.from([LONG, LONG])
    })
    return listen(createServer(app.callback()))
  }],
  ['fastify', async ({ sessions }, isBefore) => {
    const app = fastify({ forceCloseConnections: true })
    const compress = async (): Promise<void> => {
      app.addHook('onSend', async (_request, reply, payload) => {
        if (reply.statusCode >= 400) return payload
        reply.header('content-encoding', 'gzip').removeHeader('content-length')
        return gzipped(payload)
      })
    }
    if (isBefore) await compress()
    await app.register(fastifySession(sessions))
    if (!isBefore) await compress()
    app.get('/-quiet', async () => 'quiet')
    app.get('/:kind', async ({ session, url }, reply) => {
      session.set('color', 'red')
      return reply.send(url === '/page' ? LONG : Readable.from([LONG, LONG]))
    })
    return { origin: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
  }],
  ['h3', ({ sessions }, isBefore) => {
    const app = new H3({ silent: true })
    const compress = async (_event: H3SessionEvent, next: () => unknown): Promise<unknown> => {
      const answer = await next()
      if (!(answer instanceof Response) || answer.body === null) return answer
      const { status, headers } = answer
      return new Response(answer.body.pipeThrough(new CompressionStream('gzip')), { status, headers: [...headers, ['content-encoding', 'gzip']] })
    }
    if (isBefore) app.use(compress)
    app.use(h3Session(sessions))
    if (!isBefore) app.use(compress)
    app.get('/-quiet', () => 'quiet')
    app.get('/**', ({ context: { session }, url }: H3SessionEvent) => {
      if (session instanceof Session) session.set('color', 'red')
      return new Response(url.pathname === '/page' ? LONG : Readable.toWeb(Readable.from([Buffer.from(LONG), Buffer.from(LONG)])))
    })
    return listen(createServer(toNodeHandler(app)))
  }],
]

describe.each(frameworks)('%s', (_name, start) => {
  describe.each([['before', true], ['after', false]])('with a compression mounted %s the session', (_where, isBefore) => {
    const site = (fixture: AdapterFixture): Promise<RunningApp> => start(fixture, isBefore)

    it.each([['/page', LONG], ['/stream', LONG + LONG]])('compresses %s and holds it until the commit', (path, expected) => onSite(site, async ({ send, store, quiet }) => {
      const held = store.hold('create')
      const sent = send(path)
      await held.reached
      await quiet()
      expect(sent.hasArrived).toBe(false)
      held.release()
      const answer = await sent.answer
      assertSessionCookie(answer)
      expect(gunzipSync(answer.bytes).toString()).toBe(expected)
    })())

    it.each(['/page', '/stream'])('answers a failed commit at %s', (path) => onSite(site, async ({ ask, store }) => {
      store.fail('create')
      const answer = await ask(path)
      assertFailed(answer)
      expect(answer.setCookies).toEqual([])
    })())
  })
})
