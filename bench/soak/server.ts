// One server of the soak test, in a process of its own: node bench/soak/server.ts <store> <place>. Sends its port to its parent, and its memory when asked.
import { createServer } from 'node:http'
import { Pool } from 'pg'
import { createClient } from 'redis'
import { createSessions, type Session, type Store } from 'sojourn'
import { nodeSession } from 'sojourn/adapters/node'
import { postgresStore } from 'sojourn/stores/postgres'
import { redisStore } from 'sojourn/stores/redis'
import { sqliteStore } from 'sojourn/stores/sqlite'
import type { Memory } from './report.ts'

/** Short, so that every run sweeps what its visitors have left behind; longer than any visitor of a slow machine waits for their turn. */
const IDLE_SECONDS = 30

async function storeOf(name: string | undefined, place: string): Promise<Store> {
  if (name === 'sqlite') return sqliteStore(place)
  if (name === 'redis') {
    const client = createClient({ url: place, disableOfflineQueue: true })
    client.on('error', () => {})
    await client.connect()
    return redisStore(client)
  }
  if (name !== 'postgres') throw new Error('Usage: node bench/soak/server.ts sqlite|redis|postgres <place>')
  const store = postgresStore(new Pool({ connectionString: place, max: 16 }))
  await store.createTable()
  return store
}

async function answer(url: string, session: Session): Promise<string> {
  const [, action = '', value = ''] = url.split('/')
  if (action === 'login') await session.login(value)
  if (action === 'logout') await session.logout()
  if (action === 'write') session.set('value', value)
  return `${session.owner ?? 'nobody'} ${String(session.get('value') ?? '')}`
}

const [, , name, place = ''] = process.argv
let swept = 0
const sessions = createSessions({ store: await storeOf(name, place), cookie: { name: 'sid' }, idleTimeout: IDLE_SECONDS, sweepEvery: 5 })
sessions.on('sweep', ({ count = 0 }) => { swept += count })
const server = createServer(nodeSession(sessions, async (request, response, session) => void response.end(await answer(request.url ?? '/', session))))
// Longer than the run: a connection that is closed at the moment it is used again is an error of the test, not of a session.
server.keepAliveTimeout = 7_200_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.(typeof address === 'object' ? address?.port : undefined)
})
process.on('message', () => {
  // Garbage is not what a curve of memory is about.
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  process.send?.({ heapUsed, rss, swept } satisfies Memory)
})
process.once('disconnect', () => process.exit())
