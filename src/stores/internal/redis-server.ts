import { SessionError } from '../../core/errors.ts'
import type { SendToNode } from './redis-client.ts'
import { replyText } from './redis-record.ts'

/**
 * Looks whether a server can keep the promises, from what INFO says. Throws `ERR_SESSION_OPTION` for a replica,
 * for a version before 6.2, and for a `maxmemory-policy` that evicts keys unless that was accepted.
 */
export async function checkServer(send: SendToNode, eviction: 'refuse' | 'accept'): Promise<void> {
  const info = replyText(await send(['INFO']))
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]

  if (field('role') === 'slave') throw refused('is a replica, where a session that has ended may still be live', 'Connect the client to the primary')
  const version = field('redis_version') ?? ''
  if (isBefore62(version)) throw refused(`has version ${version}`, 'Use Redis or Valkey from 6.2')
  const policy = field('maxmemory_policy')
  if (eviction === 'accept' || policy === 'noeviction') return
  throw refused(
    policy === undefined ? 'does not tell its maxmemory-policy' : `has the maxmemory-policy ${policy}, so it may evict sessions that are in use and terms of the index`,
    "Set maxmemory-policy to noeviction, or pass eviction: 'accept' to redisStore",
  )
}

function isBefore62(version: string): boolean {
  const [major = Number.NaN, minor = Number.NaN] = version.split('.').map(Number)
  return major < 6 || (major === 6 && minor < 2)
}

function refused(why: string, what: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The Redis server ${why}. ${what}.`)
}
