import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faultsOf, scoresOf, subjects, type Servers, type Subject } from '../bench/scorecard/subjects.ts'
import { needsMariadb, startMariadb } from './servers/mariadb.ts'
import { needsMemcached, startMemcached } from './servers/memcached.ts'
import { needsRedis, startRedis, type RedisServer } from './servers/redis.ts'
import { describeWithServer } from './servers/suite.ts'

// The whole card is the business of `npm run scorecard`.
function subject(name: string, store: string): Subject {
  const found = subjects.find((one) => one.name.startsWith(name) && one.store === store)
  if (found === undefined) throw new Error(`There is no subject ${name}, ${store}.`)
  return found
}

const without: Servers = { redis: undefined, postgres: undefined, mysql: undefined, memcached: undefined }

describe('the score card', () => {
  it.each([['Sojourn, node', 'memory'], ['Sojourn, fastify', 'sqlite'], ['Sojourn, hono', 'file']])('of %s with %s has no fault', async (name, store) => {
    const scores = await scoresOf(subject(name, store), without)
    expect(faultsOf(scores)).toEqual([])
    expect(scores.filter(({ of }) => of === 0)).toEqual([])
  })

  it('of express-session shows what it is known for', async () => {
    const scores = await scoresOf(subject('express-session', 'memory'), without)
    expect(faultsOf(scores)).toEqual(['lost updates', 'undone logouts', 'revived tokens', 'cookies after logout', 'answers before save', 'successes without save'])
  })

  it('of the cookie store shows what no cookie can help', async () => {
    const one = subject('Sojourn, node', 'cookie')
    expect(faultsOf(await scoresOf(one, without))).toEqual(one.expected)
  })
})

describeWithServer('the score card with Redis', needsRedis, (binary) => {
  let server: RedisServer
  beforeAll(async () => { server = await startRedis(binary) })
  afterAll(() => server.stop())

  it('of the cache store in two processes shows the two faults that its page names', async () => {
    const one = subject('Sojourn, node', 'cacheStore, two processes')
    const scores = await scoresOf(one, { ...without, redis: `redis://:${server.password}@127.0.0.1:${server.port}` })
    expect(faultsOf(scores)).toEqual(['lost updates', 'undone logouts'])
    expect(one.expected).toEqual(['lost updates', 'undone logouts'])
  })
})

describeWithServer('the score card with MariaDB', needsMariadb, (binary) => {
  it('of its store has no fault', async () => {
    const server = await startMariadb(binary)
    await assertFaultless('mysql', { ...without, mysql: server.url })
    await server.stop()
  })
})

describeWithServer('the score card with memcached', needsMemcached, (binary) => {
  it('of its store has no fault', async () => {
    const server = await startMemcached(binary)
    await assertFaultless('memcached', { ...without, memcached: server.address })
    await server.stop()
  })
})

async function assertFaultless(store: string, servers: Servers): Promise<void> {
  const scores = await scoresOf(subject('Sojourn, node', store), servers)
  expect(faultsOf(scores)).toEqual([])
  expect(scores.reduce((sum, { of }) => sum + of, 0)).toBe(102)
}
