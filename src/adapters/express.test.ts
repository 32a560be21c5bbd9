import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { gunzipSync } from 'node:zlib'
import compression from 'compression'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import express4 from 'express4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen } from '../../test/adapters/node-server.ts'
import { onSite } from '../../test/adapters/on-site.ts'
import { SessionError } from '../core/errors.ts'
import { assertFailed, assertNoSessionCookie, assertSessionCookie, Latch } from '../testing/adapter-cases/trial.ts'
import { describeAdapter, type AdapterFixture, type Reply, type RunningApp } from '../testing/describe-adapter.ts'
import { expressSession } from './express.ts'

function application(app: Express, { sessions, second, answer, late }: AdapterFixture): Express {
  // Not to print the errors that the cases ask for.
  app.set('env', 'test')
  const other = expressSession(second, { as: 'second' })
  app.use(expressSession(sessions, { late }), other)
  app.use((request, response, next) => {
    answer({ method: request.method, url: request.originalUrl, session: request.session, second: other.of(request), text: () => text(request) })
      .then((reply) => respond(request, response, reply)).catch(next)
  })
  return app
}

async function respond(request: Request, response: Response, { status, headers, body, onNode }: Reply): Promise<void> {
  if (onNode !== undefined) return onNode(response)
  response.status(status)
  for (const [name, value] of headers) response.append(name, value)
  const location = response.get('location')
  if (location !== undefined) response.redirect(status, location)
  else if (typeof body === 'string') response.send(body)
  else if (body === undefined || request.method === 'HEAD') response.end()
  else await pipeline(Readable.from(body), response)
}

describeAdapter({ describe, it }, 'express 5', (fixture) => listen(createServer(application(express(), fixture))))
describeAdapter({ describe, it }, 'express 4', (fixture) => listen(createServer(application(express4(), fixture))))

// Its types claim `request.session` for themselves.
const otherSession = createRequire(import.meta.url)('express-session')

const LONG = 'lorem ipsum '.repeat(10_000)

describe.each([['express 5', express], ['express 4', express4]])('%s', (_name, makeApp) => {
  /** An application that stores something at every request but `/-quiet`. */
  const storing = (routes: (app: Express) => void, before?: (app: Express) => void) => ({ sessions }: AdapterFixture): Promise<RunningApp> => {
    const app = makeApp().set('env', 'test')
    before?.(app)
    app.use(expressSession(sessions))
    app.get('/-quiet', (_request, response) => void response.end())
    app.use((request, _response, next) => { request.session.set('color', 'red'); next() })
    routes(app)
    return listen(createServer(app))
  }
  const errorHandlers: readonly (readonly [when: string, answer: (error: Error, request: Request, response: Response, next: NextFunction) => void])[] = [
    ['at once', (error, _request, response, _next) => void response.status(503).json({ oops: error.name })],
    ['later', (error, _request, response, _next) => { setImmediate(() => response.status(503).json({ oops: error.name })) }],
    ['after a promise', async (error, _request, response, _next) => { await new Promise(setImmediate); response.status(503).json({ oops: error.name }) }],
    ['piece by piece', (error, _request, response, _next) => { response.status(503).write('{"oops":'); setImmediate(() => response.end(JSON.stringify(error.name).concat('}'))) }],
  ]
  const handlers: readonly (readonly [name: string, handle: (request: Request, response: Response) => void])[] = [
    ['sends a page', (_request, response) => void response.send('apple')],
    ['redirects', (_request, response) => response.redirect('/apple')],
    ['writes and goes on writing', async (_request, response) => {
      response.write('apple')
      for (let n = 0; n < 5; n += 1) {
        await new Promise(setImmediate)
        response.write('pear')
      }
      response.end('plum')
    }],
    ['writes without waiting', (_request, response) => { response.write('apple'); response.end('plum') }],
    ['pipes', (_request, response) => { Readable.from(['apple', 'pear']).pipe(response) }],
  ]

  describe.each(handlers)('hands a failed commit to the error handler when the handler %s', (_what, handle) => {
    for (const answersAtOnce of [false, true]) {
      it.each(errorHandlers)(`which answers %s${answersAtOnce ? ', with a store that answers at once' : ''}`, (_when, answer) => onSite(storing((app) => app.get('/', handle).use(answer)), async ({ ask, store }) => {
        store.fail('create')
        const { status, body, setCookies, header } = await ask('/')
        expect({ status, body, setCookies }).toEqual({ status: 503, body: '{"oops":"SessionError"}', setCookies: [] })
        expect(header('location')).toBeUndefined()
      }, { answersAtOnce })())
    }
  })

  it('answers with 500 when the error handler says nothing else', onSite(storing((app) => {
    app.get('/', (_request, response) => void response.status(201).send('apple'))
    app.use((_error: Error, _request: Request, response: Response, _next: NextFunction) => void response.send('plum'))
  }), async ({ ask, store }) => {
    store.fail('create')
    const { status, body } = await ask('/')
    expect([status, body]).toEqual([500, 'plum'])
  }))

  it('lets an error be answered from anywhere once the handler has come to its end', async () => {
    const elsewhere = new EventEmitter()
    await onSite(storing((app) => {
      app.get('/', async (_request, response) => {
        response.write('apple')
        await new Promise(setImmediate)
        response.end('pear')
        elsewhere.emit('answer')
      })
      app.use((_error: Error, _request: Request, response: Response, _next: NextFunction) => { elsewhere.once('answer', () => response.status(503).send('plum')) })
    }), async ({ ask, store }) => {
      store.fail('create')
      const { status, body } = await ask('/')
      expect([status, body]).toEqual([503, 'plum'])
    }, { answersAtOnce: true })()
  })

  it('lets Express answer a failed commit where there is no error handler, also before the request has come to its end', onSite(storing((app) => app.post('/', (_request, response) => { response.write('apple'); response.end('pear') })), async ({ ask, store }) => {
    store.fail('create')
    const answer = await ask('/', { method: 'POST', body: LONG })
    assertFailed(answer)
    expect(answer.body).not.toMatch(/apple|pear/)
  }, { answersAtOnce: true }))

  it('hands the error of a session that cannot be read to the error handler', onSite(storing((app) => app.use(...errorHandlers.slice(0, 1).map(([, answer]) => answer))), async ({ visitor, ask, store }) => {
    const someone = visitor()
    someone.receive([`sid=${'A'.repeat(22)}.${'A'.repeat(43)}`])
    store.fail('read')
    expect((await ask('/', { visitor: someone })).status).toBe(503)
  }))

  it('stores what was set before nobody answered', onSite(storing(() => {}), async ({ ask, store }) => {
    const answer = await ask('/nowhere')
    expect(answer.status).toBe(404)
    assertSessionCookie(answer)
    expect(await store.size()).toBe(1)
  }))

  it('destroys the source of a pipeline whose response was dropped', async () => {
    const closed = new Latch()
    const source = new Readable({ read() { this.push('apple'.repeat(10_000)) }, destroy(_error, done) { closed.open(); done(null) } })
    await onSite(storing((app) => app.get('/', (_request, response) => { pipeline(source, response).catch(() => {}) })), async ({ ask, store }) => {
      store.fail('create')
      const answer = await ask('/')
      assertFailed(answer)
      expect(answer.body).not.toContain('apple')
      await closed.opened
    })()
    expect(source.destroyed).toBe(true)
  })

  it('cuts the connection when a stream fails after the head has left', onSite(storing((app) => app.get('/', (_request, response) => {
    Readable.from((async function* () { yield 'apple'; throw new Error('The source is broken.') })()).on('error', () => response.destroy()).pipe(response)
  })), async ({ ask }) => {
    await expect(ask('/')).rejects.toThrow()
  }))

  describe.each([
    ['before the session', (app: Express) => { app.use(compression({ threshold: 0 })) }, () => {}],
    ['after the session', () => {}, (app: Express) => { app.use(compression({ threshold: 0 })) }],
  ])('with compression %s', (_where, before, after) => {
    const request = { headers: { 'accept-encoding': 'gzip' } }
    const app = storing((app) => {
      after(app)
      app.get('/page', (_request, response) => void response.send(LONG))
      app.get('/empty', (_request, response) => void response.status(204).end())
      app.get('/pipe', (_request, response) => { Readable.from([LONG, LONG]).pipe(response.type('text')) })
      app.get('/write', async (_request, response) => {
        response.type('text')
        for (const part of [LONG, LONG]) if (!response.write(part)) await new Promise<void>((resolve) => { response.once('drain', resolve) })
        response.end()
      })
    }, before)

    it.each([['/page', LONG], ['/pipe', LONG + LONG], ['/write', LONG + LONG]])('compresses %s and holds it until the commit', (path, text) => onSite(app, async ({ send, store, quiet }) => {
      const held = store.hold('create')
      const sent = send(path, request)
      await held.reached
      await quiet()
      expect(sent.hasArrived).toBe(false)
      held.release()
      const answer = await sent.answer
      assertSessionCookie(answer)
      expect(answer.header('content-encoding')).toBe('gzip')
      expect(gunzipSync(answer.bytes).toString() === text).toBe(true)
    })())

    it('sends what has no body', onSite(app, async ({ ask }) => assertSessionCookie(await ask('/empty', request))))

    it.each(['/page', '/pipe', '/write'])('answers a failed commit at %s', (path) => onSite(app, async ({ ask, store }) => {
      store.fail('create')
      const answer = await ask(path, request)
      assertFailed(answer)
      assertNoSessionCookie(answer)
      const text = answer.header('content-encoding') === 'gzip' ? gunzipSync(answer.bytes).toString() : answer.body
      expect(text).toContain('Error')
      expect(text).not.toContain('lorem')
    })())

    it('lets events through one by one', async () => {
      const latch = new Latch()
      await onSite(storing((app) => {
        after(app)
        app.get('/', async (_request, response) => {
          response.type('text/event-stream').flushHeaders()
          response.write('data: 1\n\n')
          response.flush()
          await latch.wait()
          response.end('data: 2\n\n')
        })
      }, before), async ({ send }) => {
        const sent = send('/')
        await sent.contains('data: 1')
        latch.open()
        const answer = await sent.answer
        assertSessionCookie(answer)
        expect(answer.body).toBe('data: 1\n\ndata: 2\n\n')
      })()
    })
  })

  describe('with files', () => {
    let folder = ''
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'sojourn-express-'))
      writeFileSync(join(folder, 'long.txt'), LONG)
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    const app = storing((app) => app.get('/file', (_request, response, next) => response.sendFile(join(folder, 'long.txt'), (error) => { if (error) next(error) })))

    it('sends a file with the cookie, whole, in part or not at all', onSite(app, async ({ ask }) => {
      const whole = await ask('/file')
      assertSessionCookie(whole)
      expect(whole.body === LONG).toBe(true)
      // Express writes `public, max-age=0`, and a cache may keep what that stands on.
      expect(whole.header('cache-control')).toBe('no-store')
      const part = await ask('/file', { headers: { range: 'bytes=6-10' } })
      assertSessionCookie(part)
      expect([part.status, part.body]).toEqual([206, 'ipsum'])
      const none = await ask('/file', { headers: { 'if-none-match': whole.header('etag') ?? '' } })
      assertSessionCookie(none)
      expect([none.status, none.body]).toEqual([304, ''])
    }))

    it('sends nothing of a file when the commit fails', onSite(app, async ({ ask, store }) => {
      store.fail('create')
      const answer = await ask('/file')
      assertFailed(answer)
      expect(answer.body).not.toContain('lorem')
      for (const name of ['etag', 'last-modified', 'accept-ranges']) expect(answer.header(name)).toBeUndefined()
    }))
  })

  describe('behind a proxy', () => {
    const headers = { 'x-forwarded-proto': 'https' }

    it('sends a secure cookie when Express trusts it', onSite(storing((app) => app.set('trust proxy', 1)), async ({ ask }) => {
      expect((await ask('/', { headers })).setCookies).toEqual([expect.stringMatching(/^__Host-sid=.*; Secure/)])
      expect((await ask('/')).setCookies).toEqual([expect.stringMatching(/^sid=(?!.*Secure)/)])
    }))

    it('sends a plain cookie, and warns, when it does not', async () => {
      const warned = new Promise<Error>((resolve) => { process.once('warning', resolve) })
      await onSite(storing(() => {}), async ({ ask }) => {
        expect((await ask('/', { headers })).setCookies).toEqual([expect.stringMatching(/^sid=(?!.*Secure)/)])
      })()
      expect((await warned).message).toContain('app.set("trust proxy", 1)')
    })
  })

  it('commits at the end of the body where it is mounted again for a route, with late', onSite(({ sessions }) => {
    const app = makeApp().set('env', 'test')
    const write = (request: Request, response: Response): void => {
      response.write('first')
      setImmediate(() => { request.session.set('color', 'late'); response.end() })
    }
    app.use(expressSession(sessions)).use((request, _response, next) => { if (request.session.isNew) request.session.set('color', 'red'); next() })
    app.get('/late', expressSession(sessions, { late: true }), write).get('/usual', write)
    app.get('/look', (request, response) => void response.end(request.session.get('color')))
    return listen(createServer(app))
  }, async ({ visitor }) => {
    const tab = visitor().tab()
    for (const [path, color] of [['/usual', 'red'], ['/late', 'late']] as const) {
      await tab.get('/look')
      await tab.get(path)
      expect((await tab.get('/look')).text).toBe(color)
    }
  }))

  it('begins no session when it is mounted after the head has left', onSite(({ sessions }) => {
    const app = makeApp().set('env', 'test')
    app.use((_request, response, next) => { response.write('apple'); next() }, expressSession(sessions), (request, response) => {
      try {
        request.session.set('color', 'red')
      } catch (error) {
        response.end(error instanceof SessionError ? error.code : 'another error')
      }
    })
    return listen(createServer(app))
  }, async ({ ask, store }) => {
    expect((await ask('/')).body).toBe('appleERR_SESSION_LATE')
    expect(store.count()).toBe(0)
  }))

  it('makes one session when it is mounted twice', onSite(({ sessions }) => {
    const app = makeApp()
    app.use(expressSession(sessions))
    app.use('/twice', expressSession(sessions), (request, response) => { request.session.set('color', 'red'); response.end() })
    return listen(createServer(app))
  }, async ({ ask, store }) => {
    assertSessionCookie(await ask('/twice'))
    expect(store.calls.map(({ method }) => method)).toEqual(['create'])
  }))

  it('says so when another middleware has taken its place, and stands beside it under another name', onSite(({ sessions }) => {
    const app = makeApp().set('env', 'test')
    app.use(otherSession({ secret: 'x', resave: false, saveUninitialized: false }))
    app.use('/clash', expressSession(sessions))
    const ours = expressSession(sessions, { as: 'ours' })
    app.use('/beside', ours, (request, response) => void response.send(String(ours.of(request).isNew)))
    app.use('/without', (request) => void ours.of(request))
    app.use((error: Error & { code?: string }, _request: Request, response: Response, _next: NextFunction) => void response.status(500).send(`${error.code} ${error.message}`))
    return listen(createServer(app))
  }, async ({ ask }) => {
    const { status, body } = await ask('/clash')
    expect(status).toBe(500)
    expect(body).toContain('ERR_SESSION_USAGE There is something under "session" already')
    expect((await ask('/beside')).body).toBe('true')
    expect((await ask('/without')).body).toContain('ERR_SESSION_USAGE There is no session under "ours"')
  }))
})
