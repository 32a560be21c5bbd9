import { Memcache } from 'memcache'
import { MemcacheClient } from 'memcache-client'
import Memcached from 'memcached'
import type { MemcachedClient } from '../../src/stores/memcached.ts'

/** A client for one server, and how to be rid of it. */
interface Connected {
  readonly client: MemcachedClient
  close(): void
}

/** The clients the store is tested with, made as its docs page says. */
export const memcachedClients: Readonly<Record<string, (address: string) => Connected>> = {
  'memcache-client'(address) {
    const client = new MemcacheClient({ server: address, cmdTimeout: 2000, connectTimeout: 2000 })
    return { client, close: () => client.shutdown() }
  },
  memcached(address) {
    const client = new Memcached(address, { retries: 0, retry: 100, failures: 1_000_000_000, timeout: 2000, idle: 30_000 })
    return { client, close: () => client.end() }
  },
  memcache(address) {
    const client = new Memcache({ nodes: [address], timeout: 2000 })
    client.on('error', () => undefined)
    return { client, close: () => void client.disconnect() }
  },
}
