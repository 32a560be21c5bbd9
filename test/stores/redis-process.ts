import type { Store } from '../../src/core/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { connectRedis, type ClientKind, type RedisPlace, type Shape } from '../servers/redis-clients.ts'

/** How a process of a run reaches the store; passed to it as JSON. */
export interface RedisLocation {
  readonly kind: ClientKind
  readonly shape: Shape
  readonly place: RedisPlace
  readonly prefix: string
}

/** Opens the store in a process of a run. */
export async function open(location: string): Promise<Store> {
  const { kind, shape, place, prefix } = JSON.parse(location) as RedisLocation
  const { client } = await connectRedis(kind, shape, place)
  return redisStore(client, { prefix })
}
