import type { Store } from '../../src/core/store.ts'
import { memcachedStore } from '../../src/stores/memcached.ts'
import { memcachedClients } from './memcached-clients.ts'

/** Opens the store in a process of a run. The location is `client address prefix`. */
export function open(location: string): Store {
  const [name = '', address = '', prefix = ''] = location.split(' ')
  const connected = memcachedClients[name]?.(address)
  if (connected === undefined) throw new Error(`no client is called ${name}`)
  return memcachedStore(connected.client, { prefix })
}
