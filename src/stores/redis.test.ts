import { afterAll, beforeAll, describe, it } from 'vitest'
import { connectRedis, freshPrefix, type ClientKind, type RedisPlace, type Shape } from '../../test/servers/redis-clients.ts'
import { needsRedis, startRedis, startRedisCluster } from '../../test/servers/redis.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { describeStore } from '../testing/describe-store.ts'
import { redisStore } from './redis.ts'

describeWithServer('redisStore', needsRedis, (binary) => {
  const places: Partial<Record<Shape, RedisPlace>> = {}
  const stops: (() => Promise<void>)[] = []

  beforeAll(async () => {
    const [single, cluster] = await Promise.all([startRedis(binary), startRedisCluster(binary)])
    stops.push(single.stop, cluster.stop)
    places.single = { ports: [single.port], password: single.password }
    places.cluster = { ports: cluster.primaries.map(({ port }) => port), password: cluster.password }
  })
  afterAll(async () => void (await Promise.all(stops.map((stop) => stop()))))

  const place = (shape: Shape): RedisPlace => {
    const found = places[shape]
    if (found === undefined) throw new Error(`no ${shape}`)
    return found
  }

  const matrix: readonly (readonly [ClientKind, Shape])[] = [['node-redis', 'single'], ['ioredis', 'single'], ['node-redis', 'cluster'], ['ioredis', 'cluster']]
  for (const [kind, shape] of matrix) {
    describeStore({ describe, it }, `${shape} through ${kind}`, async () => {
      const prefix = freshPrefix()
      const { client, close } = await connectRedis(kind, shape, place(shape))
      return { store: redisStore(client, { prefix }), reopen: () => redisStore(client, { prefix }), close }
    }, { lacks: ['watch', 'corrupt'] })
  }
})
