import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { answerOnNode, listen } from '../../test/adapters/node-server.ts'
import { onSite } from '../../test/adapters/on-site.ts'
import { isSessionError } from '../core/errors.ts'
import type { Session } from '../core/session.ts'
import { assertFailed, assertSessionCookie, Latch } from '../testing/adapter-cases/trial.ts'
import { describeAdapter, type AdapterFixture, type RunningApp } from '../testing/describe-adapter.ts'
import { isSecureRequest } from './internal/node-exchange.ts'
import { nodeSession, type NodeSessionOptions } from './node.ts'

const quiet = { onError: () => {} }

type NodeRequest = IncomingMessage | Http2ServerRequest
type NodeResponse = ServerResponse | Http2ServerResponse

async function respond(request: NodeRequest, response: NodeResponse, { answer }: AdapterFixture, session: Session, second: Session): Promise<void> {
  const { method = 'GET', url = '/' } = request
  await answerOnNode(response, await answer({ method, url, session, second, text: () => text(request) }))
}

/** A listener within a listener: one for each manager. */
function asListener(fixture: AdapterFixture): (request: NodeRequest, response: NodeResponse) => void {
  return nodeSession(fixture.sessions, (request: NodeRequest, response: NodeResponse, session: Session) => {
    nodeSession(fixture.second, (request: NodeRequest, response: NodeResponse, second: Session) => respond(request, response, fixture, session, second), quiet)(request, response)
  }, { ...quiet, late: fixture.late })
}

/** Connect's kind of middleware, one after the other, and an end that answers errors. */
function asMiddleware({ sessions, second, answer, late }: AdapterFixture): (request: NodeRequest, response: NodeResponse) => void {
  const [first, other] = [nodeSession(sessions, { late }), nodeSession(second, { as: 'second' })]
  return (request, response) => {
    const failed = (error: unknown): void => {
      if (response.headersSent) return void ('stream' in response ? response.stream.close(2) : response.destroy())
      response.statusCode = isSessionError(error, 'ERR_SESSION_CROSS_SITE') ? 403 : 500
      response.end('An error')
    }
    first(request, response, (error) => {
      if (error !== undefined) return failed(error)
      other(request, response, (error) => {
        if (error !== undefined) return failed(error)
        const { method = 'GET', url = '/' } = request
        answer({ method, url, session: first.of(request), second: other.of(request), text: () => text(request) })
          .then((reply) => answerOnNode(response, reply)).catch(failed)
      })
    })
  }
}

describeAdapter({ describe, it }, 'node, as a listener, over HTTP/1.1', (fixture) => listen(createServer(asListener(fixture))))
describeAdapter({ describe, it }, 'node, as a listener, over HTTP/2', (fixture) => listen(createHttp2Server(asListener(fixture))), { http2: true })
describeAdapter({ describe, it }, 'node, as middleware, over HTTP/1.1', (fixture) => listen(createServer(asMiddleware(fixture))))
describeAdapter({ describe, it }, 'node, as middleware, over HTTP/2', (fixture) => listen(createHttp2Server(asMiddleware(fixture))), { http2: true })

type Listener = (request: IncomingMessage, response: ServerResponse, session: Session) => void | Promise<void>

/** A server whose listener stores something at every request but `/-quiet`. */
function storing(listener: Listener, options: NodeSessionOptions = quiet): (fixture: AdapterFixture) => Promise<RunningApp> {
  return ({ sessions }) => listen(createServer(nodeSession(sessions, (request: IncomingMessage, response: ServerResponse, session: Session) => {
    if (request.url === '/-quiet') return void response.end()
    session.set('color', 'red')
    return listener(request, response, session)
  }, options)))
}

describe('a listener', () => {
  it('is answered for with a plain 500 when it throws, also after it has written the head, and its error is told', async () => {
    const told: unknown[] = []
    const error = new Error('The listener is broken.')
    await onSite(storing((request, response) => {
      if (request.url === '/head') response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Length': '5', ETag: '"1"' })
      throw error
    }, { onError: (one) => { told.push(one) } }), async ({ ask, store }) => {
      for (const path of ['/', '/head']) {
        const { status, body, setCookies, header } = await ask(path)
        expect({ status, body, setCookies, type: header('content-type'), etag: header('etag') }).toEqual({
          status: 500, body: 'Internal Server Error\n', setCookies: [], type: 'text/plain; charset=utf-8', etag: undefined,
        })
      }
      expect(store.count()).toBe(0)
    })()
    expect(told).toEqual([error, error])
  })

  it('cuts the connection when it throws after the first byte, so that nobody takes the body for whole', onSite(storing((_request, response) => {
    response.write('half')
    throw new Error('The listener is broken.')
  }), async ({ ask }) => {
    await expect(ask('/')).rejects.toThrow()
  }))

  it('cuts the stream of HTTP/2 as well', onSite(({ sessions }) => listen(createHttp2Server(nodeSession(sessions, (request: Http2ServerRequest, response: Http2ServerResponse) => {
    if (request.url === '/-quiet') return void response.end()
    response.write('half')
    throw new Error('The listener is broken.')
  }, quiet))), async ({ ask }) => {
    await expect(ask('/')).rejects.toThrow()
  }, { http2: true }))

  it('leaves a whole answer alone when it throws after the end', onSite(storing((_request, response) => {
    response.end('whole')
    throw new Error('The listener is broken.')
  }), async ({ ask }) => {
    expect((await ask('/')).body).toBe('whole')
  }))

  it.each([['a reason that cannot be sent', 200, 'bad\nreason'], ['a status that there is not', 99_999, 'reason']])('that writes %s is answered for', (_what, status, reason) => onSite(storing((_request, response) => {
    response.writeHead(status, reason)
    response.end('page')
  }), async ({ ask }) => {
    const answer = await ask('/')
    assertFailed(answer)
    expect(answer.body).not.toContain('page')
  })())
})

describe.each([['answers later', false], ['answers at once', true]])('what cannot be written, with a store that %s,', (_how, answersAtOnce) => {
  it('cuts the connection when the head has left before it', async () => {
    const told: unknown[] = []
    await onSite(storing((_request, response) => {
      response.write('apple')
      response.write(5)
      response.end()
    }, { onError: (error) => { told.push(error) } }), async ({ ask }) => {
      await expect(ask('/')).rejects.toThrow()
    }, { answersAtOnce })()
    expect(told).toEqual([expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' })])
  })

  it('is answered for when it is the first', onSite(storing((_request, response) => { response.end(5) }), async ({ ask }) => {
    assertFailed(await ask('/'))
  }, { answersAtOnce }))
})

describe('the end of a late body', () => {
  const also: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ['another end', (response) => response.end()],
    ['something written', (response) => void response.write('more')],
  ]
  it.each(also)('waits for the commit, whole, also when %s comes behind it', async (_what, behind) => {
    await onSite(storing((request, response, session) => {
      if (request.url === '/look') return void response.end(session.get('note'))
      response.write('first ')
      setImmediate(() => {
        session.set('note', 'late')
        response.end('last')
        behind(response)
      })
    }, { late: true }), async ({ visitor, send, store, quiet: settled }) => {
      const someone = visitor()
      await someone.tab().get('/look')
      const held = store.hold('patch')
      const sent = send('/', { visitor: someone })
      let hasEnded = false
      sent.answer.then(() => { hasEnded = true }, () => {})
      await held.reached
      await settled()
      expect(hasEnded).toBe(false)
      held.release()
      expect((await sent.answer).body).toBe('first last')
      expect((await someone.tab().get('/look')).text).toBe('late')
    })()
  })
})

describe('what passes a held response', () => {
  it('is a 100 Continue and early hints, before the commit', async () => {
    await onSite(storing(async (request, response) => {
      response.writeContinue()
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end(await text(request))
    }), async ({ store, origin }) => {
      const held = store.hold('create')
      const sent = httpRequest(origin, { method: 'POST', headers: { expect: '100-continue' }, agent: false })
      const informations: number[] = []
      sent.on('information', ({ statusCode }) => { informations.push(statusCode) })
      sent.flushHeaders()
      await once(sent, 'continue')
      sent.end('body')
      await held.reached
      const answered = once(sent, 'response')
      held.release()
      const response: unknown = (await answered)[0]
      expect(response instanceof Readable && (await text(response))).toBe('body')
      expect(informations).toContain(103)
    })()
  })

  it('are trailers', onSite(storing((_request, response) => {
    response.setHeader('Trailer', 'X-Sum')
    response.write('page')
    response.addTrailers({ 'X-Sum': '42' })
    response.end()
  }), async ({ origin }) => {
    const sent = httpRequest(origin, { agent: false }).end()
    const response: unknown = (await once(sent, 'response'))[0]
    expect(response instanceof Readable && (await text(response))).toBe('page')
    expect(response).toMatchObject({ trailers: { 'x-sum': '42' }, headers: { 'set-cookie': [expect.stringContaining('sid=')] } })
  }))

  it('is a pipeline, whole and in order', onSite(storing(async (_request, response) => {
    await pipeline(Readable.from((function* () { for (let n = 0; n < 1000; n += 1) yield `${n},`.repeat(20) })()), response)
  }), async ({ ask }) => {
    const answer = await ask('/')
    assertSessionCookie(answer)
    expect(answer.body).toBe(Array.from({ length: 1000 }, (_, n) => `${n},`.repeat(20)).join(''))
  }))

  it('ends a pipeline whose body was dropped, and closes its source', async () => {
    const ended = new Latch()
    const source = new Readable({ read() { this.push('apple'.repeat(10_000)) } })
    await onSite(storing((_request, response) => {
      pipeline(source, response).then(() => ended.open(), () => ended.open())
    }), async ({ ask, store }) => {
      store.fail('create')
      assertFailed(await ask('/'))
      await ended.opened
    })()
    expect(source.destroyed).toBe(true)
  })

  it('is a head without a body over HTTP/2, as an EventSource waits for it', async () => {
    const latch = new Latch()
    await onSite(({ sessions }) => listen(createHttp2Server(nodeSession(sessions, async (_request: Http2ServerRequest, response: Http2ServerResponse, session: Session) => {
      session.set('color', 'red')
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      await latch.opened
      response.end('data: 1\n\n')
    }, quiet))), async ({ send }) => {
      const sent = send('/')
      await sent.headed
      latch.open()
      assertSessionCookie(await sent.answer)
    }, { http2: true })()
  })
})

describe('middleware', () => {
  it('makes one session when it is mounted twice', onSite(({ sessions }) => {
    const [one, two] = [nodeSession(sessions), nodeSession(sessions)]
    return listen(createServer((request, response) => one(request, response, () => two(request, response, () => {
      two.of(request).set('color', 'red')
      response.end()
    }))))
  }, async ({ ask, store }) => {
    assertSessionCookie(await ask('/'))
    expect(store.calls.map(({ method }) => method)).toEqual(['create'])
  }))

  it('hands on what it finds in its place as an error', onSite(({ sessions }) => listen(createServer((request, response) => {
    Reflect.set(request, 'session', { user: 'someone else’s' })
    nodeSession(sessions)(request, response, (error) => response.end(error instanceof Error ? error.message : 'no error'))
  })), async ({ ask }) => {
    expect((await ask('/')).body).toContain('There is something under "session" already')
  }))

  it('keeps the url that the router took a part of', onSite(({ sessions }) => listen(createServer((request, response) => {
    const seen: string[] = []
    const open: typeof sessions.open = (exchange) => { seen.push(exchange.url); return sessions.open(exchange) }
    Object.assign(request, { originalUrl: request.url, url: '/inside' })
    nodeSession(Object.assign(Object.create(sessions), { open }))(request, response, () => response.end(seen.join()))
  })), async ({ ask }) => {
    expect((await ask('/outside/inside?x=1')).body).toBe('/outside/inside?x=1')
  }))
})

describe('trustProxy', () => {
  const headers = { 'x-forwarded-proto': 'https, http' }
  const plain: Listener = (_request, response) => void response.end()

  it('believes the first proxy that the request came over https', onSite(storing(plain, { trustProxy: true }), async ({ ask }) => {
    expect((await ask('/', { headers })).setCookies).toEqual([expect.stringMatching(/^__Host-sid=.*; Secure/)])
    expect((await ask('/')).setCookies).toEqual([expect.stringMatching(/^sid=(?!.*Secure)/)])
  }))

  it('is off', onSite(storing(plain), async ({ ask }) => {
    expect((await ask('/', { headers })).setCookies).toEqual([expect.stringMatching(/^sid=(?!.*Secure)/)])
  }))

  it('is not asked about a connection over TLS', () => {
    expect(isSecureRequest({ headers: {}, socket: { encrypted: true } }, false)).toBe(true)
    expect(isSecureRequest({ headers: {}, socket: null }, false)).toBe(false)
    expect(isSecureRequest({ headers: { 'x-forwarded-proto': ['https', 'http'] } }, true)).toBe(true)
  })
})
