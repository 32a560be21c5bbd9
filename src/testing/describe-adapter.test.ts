import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { answerOnNode, listen } from '../../test/adapters/node-server.ts'
import { nodeSession } from '../adapters/node.ts'
import type { Session } from '../core/session.ts'
import type { Outcome, Sessions } from '../core/sessions.ts'
import type { Awaitable } from '../core/store.ts'
import type { Exchange } from '../core/transport.ts'
import { describeAdapter, type AdapterFixture, type RunningApp } from './describe-adapter.ts'

/** What an adapter asks of the manager, done wrong. */
interface Mistake {
  open?(sessions: Sessions, exchange: Exchange): Awaitable<Session>
  carriesCookie?(): boolean
  finish?(sessions: Sessions, session: Session, outcome: Outcome): Awaitable<void>
}

function mistaken(sessions: Sessions, { open, carriesCookie, finish }: Mistake): Sessions {
  return Object.assign(Object.create(sessions), {
    ...(carriesCookie !== undefined && { carriesCookie }),
    open: (exchange: Exchange) => open?.(sessions, exchange) ?? sessions.open(exchange),
    finish: (session: Session, outcome: Outcome = {}) => (finish === undefined ? sessions.finish(session, outcome) : finish(sessions, session, outcome)),
  })
}

function start(mistake: Mistake, { sessions, second, answer, late }: AdapterFixture): Promise<RunningApp> {
  const quiet = { onError: () => {} }
  return listen(createServer(nodeSession(mistaken(sessions, mistake), (request: IncomingMessage, response: ServerResponse, session: Session) => {
    nodeSession(second, async (request: IncomingMessage, response: ServerResponse, second: Session) => {
      const { method = 'GET', url = '/' } = request
      await answerOnNode(response, await answer({ method, url, session, second, text: () => text(request) }))
    }, quiet)(request, response)
  }, { ...quiet, late })))
}

/** The titles of the cases that fail. A case that comes to no end has failed, too. */
async function failures(mistake: Mistake): Promise<string[]> {
  const cases: { readonly title: string; readonly body: () => unknown }[] = []
  describeAdapter({ describe: (_name, body) => body(), it: (title, body) => cases.push({ title, body }) }, 'mistaken', (fixture) => start(mistake, fixture))
  const failed: string[] = []
  for (const { title, body } of cases) {
    try {
      await withinSeconds(5, body)
    } catch {
      failed.push(title)
    }
  }
  return failed
}

async function withinSeconds(seconds: number, body: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((_resolve, reject) => { timer = setTimeout(reject, seconds * 1000) })
  try {
    await Promise.race([body(), late])
  } finally {
    clearTimeout(timer)
  }
}

const AT_ONCE = ', with a store that answers at once'

const mistakes: readonly { readonly name: string; readonly mistake: Mistake; readonly caughtBy: readonly string[] }[] = [
  {
    name: 'commits after the head',
    mistake: { finish: (sessions, session, outcome) => {
      const finished = sessions.finish(session, outcome)
      // A new session's cookie cannot be had before the commit; for the others it does not matter.
      return session.isNew || session.token !== undefined ? finished : void Promise.resolve(finished).catch(() => {})
    } },
    caughtBy: [
      'sends a cookie that the browser keeps again when the deadline moved, and only then',
      'lets no byte leave before the store has acknowledged a change of a session that was there',
      'lets no byte leave before the store has acknowledged an end',
      'fails a request whose session ended meanwhile when onGone is "fail"',
      'commits what was set while the body streamed, when it ends and late is asked for, and lets the end wait for that',
      'breaks the body off when the commit at its end fails, with late',
    ],
  },
  {
    name: 'does not ask where a request comes from',
    mistake: { carriesCookie: () => false },
    caughtBy: ['answers 403 to a change with our cookie that a page of another origin asks for, before the handler runs'],
  },
  {
    name: 'stores what a handler changed that then threw',
    mistake: { finish: (sessions, session, { status = 200, ...outcome }) => sessions.finish(session, { ...outcome, status: Math.min(status, 499) }) },
    caughtBy: [
      'stores nothing when the handler throws',
      'stores nothing for a status of 500 and more',
      'sends the cookie of a login on the error of a handler that throws after it',
    ],
  },
  {
    name: 'puts its cookie in the place of the others',
    mistake: { open: (sessions, exchange) => {
      exchange.appendResponseHeader = (name, value) => exchange.setResponseHeader(name, value)
      return sessions.open(exchange)
    } },
    caughtBy: [
      'sends exactly one cookie for a session, and leaves other cookies alone',
      'keeps two sessions of one application apart by the names of their cookies',
      'joins the headers that writeHead is given as an object',
      'joins the headers that writeHead is given as an object with one cookie',
      'joins the headers that writeHead is given as a flat list',
      'joins the headers that writeHead is given as a list of pairs',
      'joins the headers that writeHead is given as a reason and an object',
    ],
  },
  {
    name: 'sends a cookie to a visitor who stores nothing',
    mistake: { finish: (sessions, session, outcome) => {
      if (session.isNew && !session.isChanged && (outcome.status ?? 200) < 400) session.set('visited', true)
      return sessions.finish(session, outcome)
    } },
    caughtBy: [
      'makes no store call and sends no cookie to a visitor who stores nothing',
      'clears the cookie at destroy with the attributes that it was set with',
      'sends no cookie for a session that a request begins and destroys',
      'says that the response depends on the cookie when the session was read, beside what it depends on otherwise',
      'goes on answering after a commit failed',
      'answers whatever stands in the cookie, and adopts none of it',
      'begins anew for a session that has expired, under another id',
      'changes nothing and brings nothing back when a request held in its handler goes on after a logout',
      'changes nothing and brings nothing back when a request held at its commit goes on after a logout',
      'throws ERR_SESSION_LATE at what would need a cookie once the head has left',
      'sends the head with the cookie at flushHeaders, and begins no session after it',
    ],
  },
  {
    name: 'ignores that a commit failed',
    mistake: { finish: async (sessions, session, outcome) => {
      try {
        await sessions.finish(session, outcome)
      } catch {
        await sessions.finish(session, { failed: true })
      }
    } },
    caughtBy: [
      'fails instead of a page when the commit fails',
      'fails instead of a page with its length when the commit fails',
      'fails instead of a page that says to be compressed when the commit fails',
      'fails instead of a stream when the commit fails',
      'fails instead of a redirect when the commit fails',
      'fails instead of an answer to HEAD when the commit fails',
      'goes on answering after a commit failed',
      'fails when the store does not answer within storeTimeout',
      'fails a request whose session ended meanwhile when onGone is "fail"',
      'sends the cookie of a login on the error when the commit after it fails, with onThrow: "discard"',
      'sends the cookie of a login on the error when the commit after it fails, with onThrow: "keep"',
      'breaks the body off when the commit at its end fails, with late',
      'asks for no more of a body when the commit fails',
      'calls back for writes and the end that a failed commit drops',
      'drops what a handler goes on writing after its commit has failed',
    ],
  },
  {
    name: 'forgets the cookie of a login when the handler throws',
    mistake: { finish: (sessions, session, outcome) => ((outcome.status ?? 200) >= 500 || outcome.failed === true ? undefined : sessions.finish(session, outcome)) },
    caughtBy: [
      'sends the cookie of a login on the error of a handler that throws after it',
      'sends the new cookie of a regenerate, and the clearing one of a destroy, on the error of a handler that throws after it',
      'sends the cookie of a login on the error when the commit after it fails, with onThrow: "discard"',
      'sends the cookie of a login on the error when the commit after it fails, with onThrow: "keep"',
      'stores what a handler changed before it threw when onThrow is "keep"',
    ],
  },
]

describe('describeAdapter', () => {
  it('finds nothing wrong with a right adapter', async () => {
    expect(await failures({})).toEqual([])
  }, 60_000)
  it.each(mistakes)('catches an adapter that $name', async ({ mistake, caughtBy }) => {
    expect([...new Set((await failures(mistake)).map((title) => title.replace(AT_ONCE, '')))]).toEqual(caughtBy)
  }, 120_000)
})
