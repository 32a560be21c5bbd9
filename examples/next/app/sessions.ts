import { cookies, headers } from 'next/headers'
import { createSessions } from 'sojourn'
import { nextSession } from 'sojourn/adapters/next'
import { sqliteStore } from 'sojourn/stores/sqlite'

interface Data {
  visits: number
}

// Next bundles pages and route handlers apart, so this module may exist twice in one process: a store in memory would, too.
export const sessions = createSessions<Data>({ store: sqliteStore(process.env['SESSIONS'] ?? 'sessions.db') })

export const { readSession, withSession } = nextSession(sessions, { cookies, headers })
