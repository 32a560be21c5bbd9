import { expect, it } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'
import { cookieOf, post } from '../attacks/site.ts'
import { connectRedis } from '../servers/redis-clients.ts'
import { needsRedis, startRedisCluster } from '../servers/redis.ts'
import { describeWithServer } from '../servers/suite.ts'
import { failures, holds, once, openShop } from './shop.ts'

describeWithServer('a Redis Cluster behind an application', needsRedis, (binary) => {
  it.each(['node-redis', 'ioredis'] as const)('whose primary is killed and whose replica is promoted: some requests are answered with 500, then every visitor is there with everything acknowledged, through %s', async (kind) => {
    const cluster = await startRedisCluster(binary, { replicas: true })
    const { client, close } = await connectRedis(kind, 'cluster', { ports: cluster.primaries.map(({ port }) => port), password: cluster.password })
    const shop = await openShop(redisStore(client, { minReplicas: 1 }))
    const visitors = await Promise.all(Array.from({ length: 12 }, async (_, n) => ({ n, cookie: cookieOf(await shop.ask('/set', post({ n }))) })))
    expect(visitors.filter(({ cookie }) => cookie === undefined)).toEqual([])
    await cluster.primaries[0]?.kill()
    const during = await Promise.all(visitors.map(async ({ cookie }) => (await shop.ask('/get', { cookie })).status))
    expect(during).toContain(500)
    for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)

    const promoted = await once(async () => (await cluster.replicas[0]?.ask('ROLE')) ?? '', (role) => role.includes('master'), 600)
    expect(promoted).toContain('master')
    // The promoted one has no replica left, so nothing can be confirmed by one.
    const after = await openShop(redisStore(client))
    for (const { n, cookie } of visitors) {
      const { body } = await once(() => after.ask('/get', { cookie }), ({ status }) => status === 200)
      expect(body).toBe(holds(n))
      expect((await once(() => after.ask('/set', post({ n: n + 100 }, cookie)), ({ status }) => status === 200)).status).toBe(200)
    }
    await after.close()
    await shop.close()
    await close()
    await cluster.stop()
  })
})
