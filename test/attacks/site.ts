import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { nodeSession } from '../../src/adapters/node.ts'
import type { Session } from '../../src/core/session.ts'
import type { SessionEvent, SessionEventName } from '../../src/core/events.ts'
import { createSessions, type Sessions, type SessionsOptions } from '../../src/index.ts'
import { send, type Answer, type WireRequest } from '../../src/testing/adapter-cases/wire.ts'
import { listen } from '../adapters/node-server.ts'

export type Data = Record<string, unknown>

/** A request as an attacker or a visitor sends it. */
export interface Attempt extends WireRequest {
  readonly cookie?: string | undefined
}

/** An application on a socket of this machine. */
export interface Site {
  readonly origin: string
  readonly sessions: Sessions<Data>
  /** What happened, in order. */
  readonly events: readonly (SessionEvent & { readonly name: SessionEventName })[]
  /** What the application was told of: errors of its handlers and of the store. */
  readonly errors: readonly unknown[]
  ask(path: string, attempt?: Attempt): Promise<Answer>
  close(): Promise<void>
}

export type Handler = (request: IncomingMessage, response: ServerResponse, session: Session<Data>) => void | Promise<void>

const OBSERVED = ['unknown-token', 'guessing', 'duplicate-token', 'unreadable', 'gone', 'error', 'create'] as const satisfies SessionEventName[]

/**
 * Starts an application over node:http: `/set` keeps the fields of a JSON body, `/get` shows owner and data, `/login` and `/logout`
 * do what they say, `/` ignores the session; `handle` may answer first.
 */
export async function startSite(options: SessionsOptions<Data> = {}, handle?: Handler): Promise<Site> {
  const sessions = createSessions<Data>({ sweepEvery: 'never', ...options })
  const events: (SessionEvent & { name: SessionEventName })[] = []
  for (const name of OBSERVED) sessions.on(name, (event) => { events.push({ name, ...event }) })
  const errors: unknown[] = []
  const server = createServer(nodeSession(sessions, async (request: IncomingMessage, response: ServerResponse, session: Session<Data>) => {
    await handle?.(request, response, session)
    if (!response.writableEnded) await answer(request, response, session)
  }, { trustProxy: true, onError: (error) => void errors.push(error) }))
  const { origin, close } = await listen(server)
  return {
    origin, sessions, events, errors,
    ask: (path, { cookie, headers, ...rest } = {}) => send(new URL(origin + path), { ...rest, headers: { ...headers, ...(cookie !== undefined && { cookie }) } }, false).answer,
    async close() {
      await close()
      await sessions.close()
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, session: Session<Data>): Promise<void> {
  const path = request.url?.split('?')[0]
  if (path === '/set') for (const [key, value] of Object.entries(await bodyOf(request))) session.set(key, value)
  if (path === '/login') await session.login(String((await bodyOf(request))['owner']))
  if (path === '/logout') await session.logout()
  if (path === '/get') response.end(JSON.stringify({ owner: session.owner ?? null, data: session.toObject() }))
  else response.end('ok')
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  return JSON.parse((await text(request)) || '{}')
}

/** The cookie that an answer hands out, as a browser would send it: `sid=…`; undefined when there is none. */
export function cookieOf({ setCookies }: Answer): string | undefined {
  return setCookies[0]?.split(';')[0]
}

export function post(body: Readonly<Record<string, unknown>>, cookie?: string): Attempt {
  return { method: 'POST', body: JSON.stringify(body), cookie }
}
