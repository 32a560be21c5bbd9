// One server of the benchmark, in a process of its own: node bench/server.ts <framework> <variant>. Sends its port to its parent.
import { mkdtempSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { createSessions, memoryStore, type ExchangeStore, type Session, type Store } from 'sojourn'
import { expressSession } from 'sojourn/adapters/express'
import { nodeSession } from 'sojourn/adapters/node'
import { cookieStore } from 'sojourn/stores/cookie'
import { fileStore } from 'sojourn/stores/file'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { FRAMEWORKS, isOneOf, payload, VARIANTS, type Framework, type Variant } from './scenarios.ts'

/** What the routes need of a session, ours or the peer's. */
interface Bag {
  get(key: string): unknown
  set(key: string, value: unknown): void
  end(): Promise<void>
}

let requests = 0

/** The text of the answer; the same work in every variant. */
async function answer(path: string, bag: Bag | undefined): Promise<string> {
  requests += 1
  if (path === '/login') for (const [key, value] of Object.entries(payload())) bag?.set(key, value)
  if (path === '/write') bag?.set('key3', `written ${requests}`)
  if (path === '/logout') await bag?.end()
  if (path.startsWith('/key/')) bag?.set(path.slice(5), 1)
  if (path === '/keys') return JSON.stringify(Array.from({ length: 100 }, (_, n) => bag?.get(`n${n}`)).filter((value) => value === 1).length)
  if (path === '/slow') await new Promise((resolve) => { setTimeout(resolve, 100) }).then(() => bag?.set('key4', 'slow'))
  return `hello ${path === '/anonymous' ? 'stranger' : String(bag?.get('key3') ?? 'nobody').slice(0, 20)}`
}

function ours(session: Session): Bag {
  return { get: (key) => session.get(key), set: (key, value) => { session.set(key, value) }, end: () => session.destroy() }
}

function listener(framework: Framework, variant: Variant): RequestListener {
  if (framework === 'node') {
    if (variant === 'bare') return (request, response) => void send(request, response, undefined)
    const sessions = createSessions({ store: storeOf(variant), ...(variant === 'cookie' ? {} : { cookie: { name: 'sid' } }) })
    return nodeSession(sessions, (request: IncomingMessage, response: ServerResponse, session) => send(request, response, ours(session)))
  }
  const app = express()
  app.disable('x-powered-by').disable('etag')
  if (variant === 'peer') useExpressSession(app)
  else if (variant !== 'bare') app.use(expressSession(createSessions({ store: storeOf(variant), ...(variant === 'cookie' ? {} : { cookie: { name: 'sid' } }) })))
  app.use(async (request, response) => { response.send(await answer(request.path, bagOf(request, variant))) })
  return app
}

async function send(request: IncomingMessage, response: ServerResponse, bag: Bag | undefined): Promise<void> {
  response.setHeader('Content-Type', 'text/plain')
  response.end(await answer(request.url ?? '/', bag))
}

function bagOf(request: express.Request, variant: Variant): Bag | undefined {
  if (variant === 'bare') return undefined
  if (variant !== 'peer') return ours(request.session)
  const session: unknown = Reflect.get(request, 'session')
  if (typeof session !== 'object' || session === null) return undefined
  return {
    get: (key) => Reflect.get(session, key),
    set: (key, value) => { Reflect.set(session, key, value) },
    end: () => new Promise((resolve) => { Reflect.apply(Reflect.get(session, 'destroy'), session, [resolve]) }),
  }
}

// The peers are installed in their own folder, and have no types here.
function useExpressSession(app: express.Express): void {
  const expressSessionModule: unknown = createRequire(new URL('peers/', import.meta.url))('express-session')
  if (typeof expressSessionModule !== 'function') throw new Error('express-session is not installed')
  app.use(Reflect.apply(expressSessionModule, undefined, [{ secret: 'benchmark', resave: false, saveUninitialized: false, name: 'sid' }]))
}

function storeOf(variant: Variant): Store | ExchangeStore {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-bench-'))
  if (variant === 'sqlite') return sqliteStore(join(folder, 'sessions.db'))
  if (variant === 'file') return fileStore(join(folder, 'sessions'))
  if (variant === 'cookie') return cookieStore({ keys: ['1'.repeat(64)], name: 'sid' })
  return memoryStore()
}

const [, , framework, variant] = process.argv
if (!isOneOf(FRAMEWORKS, framework) || !isOneOf(VARIANTS, variant)) throw new Error('Usage: node bench/server.ts <framework> <variant>')
const server = createServer(listener(framework, variant)).listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' ? address?.port : undefined)
})
process.once('disconnect', () => process.exit())
