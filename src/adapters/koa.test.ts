import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import Koa from 'koa'
import { describe, expect, it } from 'vitest'
import { listen } from '../../test/adapters/node-server.ts'
import { onSite } from '../../test/adapters/on-site.ts'
import { createSessions } from '../index.ts'
import type { Session } from '../core/session.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { koaSession, type KoaSessionContext } from './koa.ts'

function application({ sessions, second, answer, late }: AdapterFixture) {
  const app = new Koa<Koa.DefaultState, KoaSessionContext & { second: Session }>()
  app.silent = true
  app.use(koaSession(sessions, { late })).use(koaSession(second, { as: 'second' }))
  app.use(async (context) => {
    const { status, headers, body, onNode } = await answer({ method: context.method, url: context.url, session: context.session, second: context.second, text: () => text(context.req) })
    if (onNode !== undefined) {
      context.respond = false
      context.status = 200
      return onNode(context.res)
    }
    context.status = status
    context.body = typeof body === 'string' ? body : body === undefined ? null : Readable.from(body)
    context.status = status
    for (const [name, value] of headers) if (name === 'set-cookie') context.append(name, value); else context.set(name, value)
  })
  return app.callback()
}

describeAdapter({ describe, it }, 'koa', (fixture) => listen(createServer(application(fixture))))

it('gives nobody the token of another visitor whose request threw the same error', async () => {
  const forbidden = Object.assign(new Error('forbidden'), { status: 403 })
  const app = new Koa<Koa.DefaultState, KoaSessionContext>()
  app.silent = true
  app.use(koaSession(createSessions({ sweepEvery: 'never' }))).use(async ({ path, session }) => {
    if (path === '/login') await session.login('ann')
    throw forbidden
  })
  const site = await listen(createServer(app.callback()))
  try {
    const [mine, yours] = [await fetch(new URL('/login', site.origin)), await fetch(site.origin)]
    expect([mine.status, mine.headers.getSetCookie().length]).toEqual([403, 1])
    expect([yours.status, yours.headers.getSetCookie()]).toEqual([403, []])
  } finally {
    await site.close()
  }
})

it('commits once, and without an error, when a handler writes on ctx.res and is done before the store', async () => {
  const errors: unknown[] = []
  await onSite(({ sessions }) => {
    const app = new Koa<Koa.DefaultState, KoaSessionContext>()
    app.on('error', (error) => errors.push(error))
    app.use(koaSession(sessions)).use((context) => {
      context.respond = false
      context.status = 200
      context.session.set('color', 'red')
      context.res.end('page')
    })
    return listen(createServer(app.callback()))
  }, async ({ ask, store }) => {
    expect((await ask('/')).body).toBe('page')
    expect(store.calls.map(({ method }) => method)).toEqual(['create'])
  })()
  expect(errors).toEqual([])
})
