import { SessionError } from './core/errors.ts'
import { cacheStore } from './stores/cache.ts'
import { cookieStore } from './stores/cookie.ts'
import { expressStore } from './stores/express.ts'
import { fileStore } from './stores/file.ts'
import { memcachedStore } from './stores/memcached.ts'
import { memoryStore } from './stores/memory.ts'
import { mysqlStore } from './stores/mysql.ts'
import { nullStore } from './stores/null.ts'
import { postgresStore } from './stores/postgres.ts'
import { redisStore } from './stores/redis.ts'
import { simpleStore } from './stores/simple.ts'
import { sqliteStore } from './stores/sqlite.ts'

const STORES = {
  cache: cacheStore, cookie: cookieStore, express: expressStore, file: fileStore, memcached: memcachedStore, memory: memoryStore,
  mysql: mysqlStore, null: nullStore, postgres: postgresStore, redis: redisStore, simple: simpleStore, sqlite: sqliteStore,
} as const

export type StoreName = keyof typeof STORES

/**
 * A store by the name that a configuration file gives, with the arguments of its factory: `storeByName('file', 'sessions')`.
 * Throws `ERR_SESSION_OPTION` for a name that is none. It brings every store along; import the one you use where you know it.
 */
export function storeByName<Name extends StoreName>(name: Name, ...args: Parameters<(typeof STORES)[Name]>): ReturnType<(typeof STORES)[Name]> {
  if (!Object.hasOwn(STORES, name)) throw new SessionError('ERR_SESSION_OPTION', `There is no store ${JSON.stringify(String(name).slice(0, 60))}. The stores are ${Object.keys(STORES).join(', ')}; one of your own is passed as it is.`)
  return Reflect.apply(STORES[name], undefined, args)
}
