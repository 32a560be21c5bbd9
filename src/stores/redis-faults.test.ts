import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startProxy } from '../../test/servers/proxy.ts'
import { connectRedis, ioRedis, ioRedisOptions, nodeRedis, urlOf, type ConnectedClient, type RedisPlace } from '../../test/servers/redis-clients.ts'
import { commandsDuring, isReplicated, needsRedis, startRedis, startRedisCluster, startSentinel, type RedisServer } from '../../test/servers/redis.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { isSessionError } from '../core/errors.ts'
import type { Patch } from '../core/patch.ts'
import { isLive, makeEntries, type SessionRecord } from '../core/record.ts'
import type { Store } from '../core/store.ts'
import { keySlot } from './internal/redis-slot.ts'
import { redisStore, type RedisClient } from './redis.ts'

const NOW = Date.now()
const HOUR = 3_600_000
const DURABLE = [['appendonly', 'yes'], ['appendfsync', 'always']] as const

function newRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: NOW + HOUR, tokenHash: 'hash', nonce: 'made', index: [], entries: makeEntries(), ...changes }
}

let nonces = 0
function newPatch(changes: Partial<Patch> = {}): Patch {
  nonces += 1
  return { now: NOW, nonce: `nonce-${nonces}`, ...changes }
}

/** What a call did, for comparing: its answer, or the code and outcome of its error. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    if (!isSessionError(error)) throw error
    return `${error.code} ${error.outcome}`
  }
}

/** Asks again, with a turn of the event loop between, until the answer is there. */
async function until<T>(question: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await question().catch(() => undefined)
    if (answer !== undefined) return answer
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describeWithServer('redisStore, when things fail', needsRedis, (binary) => {
  const cleanups: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })
  const closing = async <T extends { stop(): Promise<void> } | { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting
    cleanups.push(async () => ('stop' in started ? started.stop() : started.close()))
    return started
  }
  const placeOf = (...servers: readonly { readonly port: number; readonly password?: string }[]): RedisPlace => ({ ports: servers.map(({ port }) => port), password: servers[0]?.password ?? '' })

  /** Clients as they come, with every queue and every resending on. */
  const careless: Readonly<Record<string, (place: RedisPlace) => Promise<ConnectedClient>>> = {
    'node-redis': (place) => nodeRedis(createClient({ url: urlOf(place) })),
    ioredis: (place) => ioRedis(new Redis(urlOf(place))),
  }

  describe.each(['node-redis', 'ioredis'] as const)('through %s', (kind) => {
    it('loses no acknowledged write when a durable server is killed in the middle of load, and recovers by itself', async () => {
      const server = await closing(startRedis(binary, DURABLE))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const store = redisStore(client)
      const ids = Array.from({ length: 8 }, (_, n) => `id-${n}`)
      for (const id of ids) await store.create(id, newRecord())

      const errors: unknown[] = []
      let phase: 'before' | 'down' | 'after' = 'before'
      const { promise: failing, resolve: hasFailed } = Promise.withResolvers<void>()
      const { promise: warm, resolve: isWarm } = Promise.withResolvers<void>()
      const writers = ids.map(async (id) => {
        const acknowledged: string[] = []
        let left = 50
        for (let n = 0; left > 0; n += 1) {
          const outcome = await outcomeOf(async () => (await store.patch(id, newPatch({ set: [[`d:${n}`, '1']] }))).status)
          if (outcome === 'ok') acknowledged.push(`d:${n}`)
          else errors.push(outcome)
          if (outcome === 'ok' && phase === 'after') left -= 1
          if (outcome !== 'ok') hasFailed()
          if (n === 100) isWarm()
          await new Promise((resolve) => setImmediate(resolve))
        }
        return acknowledged
      })
      await warm
      phase = 'down'
      await server.kill()
      await failing
      await server.restart()
      phase = 'after'

      for (const [n, acknowledged] of (await Promise.all(writers)).entries()) {
        const record = await store.read(ids[n] ?? '')
        expect(acknowledged.filter((key) => record?.entries[key] !== '1')).toEqual([])
        expect(acknowledged.length).toBeGreaterThan(50)
      }
      expect(errors.filter((error) => error !== 'ERR_SESSION_STORE none' && error !== 'ERR_SESSION_STORE unknown')).toEqual([])
    })

    it('rejects at once without a connection, and replays nothing later, whatever the client would queue', async () => {
      const server = await closing(startRedis(binary, DURABLE))
      const { client } = await closing(careless[kind]?.(placeOf(server)) ?? Promise.reject(new Error(kind)))
      const store = redisStore(client)
      await store.create('id', newRecord())
      await server.kill()
      await until(async () => ((await outcomeOf(() => store.read('id', { signal: AbortSignal.timeout(300) }))) === 'ERR_SESSION_STORE none' ? true : undefined))

      const started = performance.now()
      const calls = [() => store.patch('id', newPatch({ set: [['d:a', '1']] })), () => store.end('id', 'revoked', NOW), () => store.create('other', newRecord()), () => store.read('id')]
      expect(await Promise.all(calls.map(outcomeOf))).toEqual(calls.map(() => 'ERR_SESSION_STORE none'))
      expect(performance.now() - started).toBeLessThan(500)

      await server.restart()
      const record = await until(async () => store.read('id'))
      expect([record.version, record.ended]).toEqual([1, undefined])
      expect(await store.read('other')).toBeUndefined()
      expect(await store.patch('id', newPatch())).toEqual({ status: 'ok', version: 2 })
    })

    it('gives up when the caller’s signal fires while the server hangs', async () => {
      const server = await closing(startRedis(binary))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const store = redisStore(client)
      await store.create('id', newRecord())
      server.signal('SIGSTOP')
      const signal = AbortSignal.timeout(100)
      const calls = [() => store.read('id', { signal }), () => store.patch('id', newPatch({ set: [['d:a', '1']] }), { signal })]
      expect(await Promise.all(calls.map(outcomeOf))).toEqual(['ERR_SESSION_STORE none', 'ERR_SESSION_STORE unknown'])
      server.signal('SIGCONT')
      expect((await store.read('id'))?.version).toBeLessThanOrEqual(2)
    })

    it('starts no commit behind an index whose answer came after the signal had fired', async () => {
      const server = await closing(startRedis(binary))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const store = redisStore(client)
      await store.create('id', newRecord({ index: ['term'] }))
      server.signal('SIGSTOP')
      const signal = AbortSignal.timeout(100)
      const patch = newPatch({ set: [['d:a', '1']], index: ['term'], expiresAt: NOW + HOUR })
      expect(await outcomeOf(() => store.patch('id', patch, { signal }))).toBe('ERR_SESSION_STORE none')
      server.signal('SIGCONT')
      const commands = await commandsDuring(server, 'sojourn:', async () => store.read('id'))
      expect(commands).toEqual(['HGETALL'])
      expect((await store.read('id'))?.version).toBe(1)
    })

    it('does not send a script as text for a caller who has given up', async () => {
      const server = await closing(startRedis(binary))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const store = redisStore(client)
      await store.create('id', newRecord())
      await server.ask('SCRIPT', 'FLUSH')
      server.signal('SIGSTOP')
      expect(await outcomeOf(() => store.patch('id', newPatch({ set: [['d:a', '1']] }), { signal: AbortSignal.timeout(100) }))).toBe('ERR_SESSION_STORE unknown')
      server.signal('SIGCONT')
      // Answered behind what the patch would have sent.
      for (let n = 0; n < 3; n += 1) expect((await store.read('id'))?.version).toBe(1)
    })

    it('gives up a call without a signal when the longest storeTimeout is over, and keeps no timer of one that was answered', async () => {
      const server = await closing(startRedis(binary))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const store = redisStore(client)
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      try {
        await store.create('id', newRecord())
        expect(vi.getTimerCount()).toBe(0)
        server.signal('SIGSTOP')
        const hanging = outcomeOf(() => store.end('id', 'revoked', NOW))
        // Until then a command may still be in the client's queue.
        await new Promise((resolve) => setImmediate(resolve))
        vi.advanceTimersByTime(60_000)
        await new Promise((resolve) => setImmediate(resolve))
        expect(vi.getTimerCount()).toBe(1)
        vi.advanceTimersByTime(1000)
        expect(await hanging).toBe('ERR_SESSION_STORE unknown')
        const reading = Promise.resolve(store.read('id')).catch((error: unknown) => error)
        vi.advanceTimersByTime(61_000)
        expect(await reading).toMatchObject({ outcome: 'none', message: expect.stringContaining('TimeoutError') })
      } finally {
        vi.useRealTimers()
        server.signal('SIGCONT')
      }
    })

    it('recognises a patch whose answer was lost, and applies it once', async () => {
      const server = await closing(startRedis(binary))
      const proxy = await closing(startProxy(server.port))
      const { client } = await closing(connectRedis(kind, 'single', { ports: [proxy.port], password: server.password }))
      const store = redisStore(client)
      await store.create('id', newRecord({ entries: makeEntries({ 'd:n': '1' }) }))
      await store.patch('id', newPatch())
      const patch = newPatch({ tokenHash: 'hash', rotateTo: 'new', expect: [['d:n', '1']], set: [['d:n', '2']] })
      const direct = redisStore((await closing(connectRedis(kind, 'single', placeOf(server)))).client)

      proxy.loseAnswers()
      const lost = outcomeOf(() => store.patch('id', patch))
      await until(async () => ((await direct.read('id'))?.version === 3 ? true : undefined))
      proxy.cut()
      const cut = performance.now()
      expect(await lost).toBe('ERR_SESSION_STORE unknown')
      expect(performance.now() - cut).toBeLessThan(5000)
      expect(await until(async () => store.patch('id', patch))).toEqual({ status: 'ok', version: 3 })
      expect(await store.patch('id', newPatch({ tokenHash: 'hash' }))).toEqual({ status: 'gone' })
      expect((await store.read('id'))?.entries['d:n']).toBe('2')
    })

    it('keeps what was to be stored out of the error and of its cause', async () => {
      const server = await closing(startRedis(binary, [['maxmemory', '1']]))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const error: unknown = await Promise.resolve(redisStore(client).create('id', newRecord({ tokenHash: 'a-hash', entries: makeEntries({ 'd:a': 'a-secret' }) }))).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', cause: expect.any(Error) })
      const { inspect } = await import('node:util')
      expect(inspect(error, { depth: 9 })).toContain('OOM')
      expect(inspect(error, { depth: 9 })).not.toMatch(/a-secret|a-hash/)
    })

    it('ends a session also when the memory is full', async () => {
      const server = await closing(startRedis(binary))
      const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
      const store = redisStore(client)
      await store.create('id', newRecord({ index: ['term'] }))
      await server.ask('CONFIG', 'SET', 'maxmemory', '1')
      expect(await outcomeOf(() => store.patch('id', newPatch({ set: [['d:a', '1']] })))).toBe('ERR_SESSION_STORE none')
      expect(await store.end('id', 'revoked', NOW)).toBe(true)
      expect((await store.read('id'))?.ended).toEqual({ because: 'revoked', at: NOW })
    })
  })

  it('lets ioredis send a patch again whose answer was lost, and applies it once', async () => {
    const server = await closing(startRedis(binary))
    const proxy = await closing(startProxy(server.port))
    const { client } = await closing(careless['ioredis']?.({ ports: [proxy.port], password: server.password }) ?? Promise.reject(new Error('ioredis')))
    const store = redisStore(client)
    await store.create('id', newRecord({ entries: makeEntries({ 'd:n': '1' }) }))
    await store.patch('id', newPatch())
    const direct = redisStore((await closing(connectRedis('ioredis', 'single', placeOf(server)))).client)

    proxy.loseAnswers()
    const answer = store.patch('id', newPatch({ expect: [['d:n', '1']], set: [['d:n', '2']] }))
    const creation = store.create('new', newRecord())
    await until(async () => ((await direct.read('id'))?.version === 3 && (await direct.read('new')) !== undefined ? true : undefined))
    proxy.cut()
    expect(await answer).toEqual({ status: 'ok', version: 3 })
    expect(await creation).toBe(true)
    expect((await direct.read('id'))?.version).toBe(3)
  })

  describe('open', () => {
    it('refuses a maxmemory-policy that evicts keys, unless that was accepted', async () => {
      const server = await closing(startRedis(binary))
      const { client } = await closing(connectRedis('node-redis', 'single', placeOf(server)))
      for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl']) {
        await server.ask('CONFIG', 'SET', 'maxmemory-policy', policy)
        await expect(redisStore(client).open?.()).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(policy) })
        await redisStore(client, { eviction: 'accept' }).open?.()
      }
      await server.ask('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
      await redisStore(client).open?.()
    })

    it('gives up after two seconds when the server hangs, and works later', async () => {
      const server = await closing(startRedis(binary))
      for (const kind of ['node-redis', 'ioredis'] as const) {
        const { client } = await closing(connectRedis(kind, 'single', placeOf(server)))
        const store = redisStore(client)
        server.signal('SIGSTOP')
        expect(await outcomeOf(async () => store.open?.())).toBe('ERR_SESSION_STORE none')
        server.signal('SIGCONT')
        await store.open?.()
      }
    })

    it('looks at each primary of a cluster', async () => {
      const cluster = await closing(startRedisCluster(binary))
      await cluster.primaries[2]?.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
      for (const kind of ['node-redis', 'ioredis'] as const) {
        const { client } = await closing(connectRedis(kind, 'cluster', placeOf(...cluster.primaries)))
        await expect(redisStore(client).open?.()).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('allkeys-lru') })
      }
    })
  })

  describe('a replica', () => {
    it('is refused on open, and takes no write', async () => {
      const { replica } = await primaryAndReplica()
      for (const kind of ['node-redis', 'ioredis'] as const) {
        const { client } = await closing(connectRedis(kind, 'single', placeOf(replica)))
        await expect(redisStore(client).open?.()).rejects.toMatchObject({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('replica') })
        expect(await outcomeOf(() => redisStore(client).create('id', newRecord()))).toBe('ERR_SESSION_STORE none')
      }
    })

    it.each([
      ['scaleReads: slave', () => new Cluster([], { lazyConnect: true, scaleReads: 'slave' })], ['scaleReads: all', () => new Cluster([], { lazyConnect: true, scaleReads: 'all' })],
      ['scaleReads: function', () => new Cluster([], { lazyConnect: true, scaleReads: (nodes: unknown[]) => nodes[0] })],
      ['readOnly', () => new Redis({ lazyConnect: true, readOnly: true })], ['role: slave', () => new Redis({ lazyConnect: true, role: 'slave', name: 'x', sentinels: [{ host: 'localhost', port: 1 }] })],
    ])('is not read from: ioredis with %s is refused', (_, connect) => {
      expect(() => redisStore(connect())).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('primary') }))
    })

    it('is not read from, though node-redis was told to use replicas', async () => {
      const cluster = await closing(startRedisCluster(binary, { primaries: 1, replicas: true }))
      const [primary, replica] = [cluster.primaries[0], cluster.replicas[0]]
      const { client } = await closing(nodeRedis(createCluster({ rootNodes: [{ url: urlOf(placeOf(...cluster.primaries)) }], useReplicas: true, defaults: { password: cluster.password } })))
      const store = redisStore(client)
      await store.create('id', newRecord())
      for (let n = 0; n < 20; n += 1) await store.read('id')
      expect(await primary?.ask('INFO', 'commandstats')).toContain('cmdstat_hgetall:calls=20,')
      expect(await replica?.ask('INFO', 'commandstats')).not.toContain('cmdstat_hgetall')
    })
  })

  async function primaryAndReplica(): Promise<{ primary: RedisServer; replica: RedisServer }> {
    const primary = await closing(startRedis(binary))
    const replica = await closing(startRedis(binary, [['replicaof', `127.0.0.1 ${primary.port}`]], primary.password))
    await until(async () => ((await isReplicated(primary)) ? true : undefined))
    return { primary, replica }
  }

  describe('minReplicas', () => {
    const few = { minReplicas: 1, replicaTimeout: 0.5 }

    it.each(['node-redis', 'ioredis', 'node-redis 5', 'ioredis 5'] as const)('says that the outcome is unknown when too few replicas confirmed, through %s', async (kind) => {
      const { primary, replica } = await primaryAndReplica()
      const { client } = await closing(connectRedis(kind, 'single', placeOf(primary)))
      const store = redisStore(client, few)
      expect(await store.create('id', newRecord({ index: ['term'], entries: makeEntries({ 'd:a': '1' }) }))).toBe(true)
      expect(await store.create('id', newRecord({ nonce: 'other' }))).toBe(false)
      expect(await store.patch('id', newPatch({ set: [['d:b', '1']] }))).toEqual({ status: 'ok', version: 2 })

      replica.signal('SIGSTOP')
      const patch = newPatch({ set: [['d:b', '2']] })
      expect(await outcomeOf(() => store.patch('id', patch))).toBe('ERR_SESSION_STORE unknown')
      // What changed nothing needs no replica.
      expect(await store.patch('id', newPatch({ expect: [['d:b', '1']] }))).toMatchObject({ status: 'conflict' })
      expect(await store.patch('id', newPatch({ tokenHash: 'other' }))).toEqual({ status: 'gone' })

      // On a new connection WAIT may be content at once when nothing was written on it (from Redis 7.2).
      const again = redisStore((await closing(connectRedis(kind, 'single', placeOf(primary)))).client, few)
      expect(await outcomeOf(() => again.patch('id', patch))).toBe('ERR_SESSION_STORE unknown')
      expect(await outcomeOf(() => again.end('id', 'revoked', NOW))).toBe('ERR_SESSION_STORE unknown')
      const third = redisStore((await closing(connectRedis(kind, 'single', placeOf(primary)))).client, few)
      expect(await outcomeOf(() => third.end('id', 'revoked', NOW))).toBe('ERR_SESSION_STORE unknown')
      replica.signal('SIGCONT')
      expect(await until(async () => third.end('id', 'revoked', NOW))).toBe(false)
    })

    it.each(['node-redis', 'ioredis'] as const)('says that the outcome is unknown where the user may not send WAIT, and none where the change itself is refused, through %s', async (kind) => {
      const { primary } = await primaryAndReplica()
      const { client } = await closing(connectRedis(kind, 'single', placeOf(primary)))
      const store = redisStore(client, { ...few, prefix: 'acl:' })
      await primary.ask('ACL', 'SETUSER', 'default', '-wait')
      expect(await outcomeOf(() => store.create('id', newRecord()))).toBe('ERR_SESSION_STORE unknown')
      expect(isLive(await redisStore(client, { prefix: 'acl:' }).read('id'), NOW)).toBe(true)
      await primary.ask('ACL', 'SETUSER', 'default', '+wait')
      await primary.ask('CONFIG', 'SET', 'maxmemory', '1')
      expect(await outcomeOf(() => store.create('other', newRecord()))).toBe('ERR_SESSION_STORE none')
    })

    it.each(['node-redis', 'ioredis'] as const)('keeps every acknowledged write through a failover, through %s', async (kind) => {
      const { primary, replica } = await primaryAndReplica()
      const { client } = await closing(connectRedis(kind, 'single', placeOf(primary)))
      const store = redisStore(client, { minReplicas: 1 })
      await store.create('id', newRecord({ index: ['term'] }))
      const acknowledged: string[] = []
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let n = 0; ; n += 1) {
          const key = `d:${writer}-${n}`
          const outcome = await outcomeOf(async () => (await store.patch('id', newPatch({ set: [[key, '1']] }))).status)
          if (outcome !== 'ok') return
          acknowledged.push(key)
        }
      })
      await until(async () => (acknowledged.length > 200 ? true : undefined))
      await primary.kill()
      await Promise.all(writers)
      await replica.ask('REPLICAOF', 'NO', 'ONE')
      const record = await redisStore((await closing(connectRedis(kind, 'single', placeOf(replica)))).client).read('id')
      expect(acknowledged.filter((key) => record?.entries[key] !== '1')).toEqual([])
    })

    it.each(['node-redis', 'ioredis'] as const)('works on a cluster, also after a slot has moved, through %s', async (kind) => {
      const cluster = await closing(startRedisCluster(binary, { primaries: 2, replicas: true }))
      const { client } = await closing(connectRedis(kind, 'cluster', placeOf(...cluster.primaries)))
      const store = redisStore(client, { minReplicas: 1, prefix: 'p:' })
      for (const id of ['one', 'two', 'three']) {
        expect(await store.create(id, newRecord({ index: [id] }))).toBe(true)
        expect(await store.end(id, 'destroyed', NOW)).toBe(true)
      }
      const slot = keySlot('p:session:moved')
      const to = cluster.primaries[slot < 8192 ? 1 : 0]
      const id = /[0-9a-f]{40}/.exec((await to?.ask('CLUSTER', 'MYID')) ?? '')?.[0] ?? ''
      for (const server of [to, ...cluster.primaries]) await server?.ask('CLUSTER', 'SETSLOT', String(slot), 'NODE', id)
      expect(await store.create('moved', newRecord())).toBe(true)
      expect(await store.patch('moved', newPatch())).toEqual({ status: 'ok', version: 2 })
      expect(await outcomeOf(() => redisStore(client, { minReplicas: 2, replicaTimeout: 0.1 }).create('more', newRecord()))).toBe('ERR_SESSION_STORE unknown')
    })
  })

  describe('a cluster that lost a primary', () => {
    it('rejects at once for its keys and serves the others, through node-redis', async () => {
      const cluster = await closing(startRedisCluster(binary))
      for (const server of cluster.primaries) await server.ask('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
      const { client } = await closing(nodeRedis(createCluster({ rootNodes: [{ url: urlOf(placeOf(...cluster.primaries)) }], defaults: { password: cluster.password } })))
      const store = redisStore(client)
      const ids = Array.from({ length: 30 }, (_, n) => `id-${n}`)
      for (const id of ids) await store.create(id, newRecord())
      const lost = ids.filter((id) => keySlot(`sojourn:session:${id}`) < 16_384 / 3)
      await cluster.primaries[0]?.kill()
      await until(async () => ((await outcomeOf(() => store.read(lost[0] ?? ''))) === 'ERR_SESSION_STORE none' ? true : undefined))
      const started = performance.now()
      const outcomes = await Promise.all(ids.map((id) => outcomeOf(async () => (await store.patch(id, newPatch())).status)))
      expect(performance.now() - started).toBeLessThan(1000)
      expect(ids.filter((_, n) => outcomes[n] === 'ERR_SESSION_STORE none')).toEqual(lost)
    })
  })

  describe('behind Sentinel', () => {
    const clients: Readonly<Record<string, (place: RedisPlace, password: string) => Promise<{ client: RedisClient; close(): Promise<void> }>>> = {
      'node-redis': async ({ ports: [port = 0] }, password) => {
        const client = createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port }], nodeClientOptions: { password }, sentinelClientOptions: { password }, scanInterval: 100 })
        client.on('error', () => undefined)
        await client.connect()
        return { client, close: async () => client.destroy() }
      },
      ioredis: ({ ports: [port = 0] }, password) =>
        ioRedis(new Redis({ ...ioRedisOptions, name: 'main', sentinels: [{ host: '127.0.0.1', port }], password, sentinelPassword: password, sentinelRetryStrategy: () => 100, retryStrategy: () => 100 })),
    }

    it.each(['node-redis', 'ioredis'])('survives a failover without a restart, with every acknowledged write, through %s', async (kind) => {
      const { primary, replica } = await primaryAndReplica()
      const sentinel = await closing(startSentinel(binary, primary))
      const { client } = await closing(clients[kind]?.(placeOf(sentinel), primary.password) ?? Promise.reject(new Error(kind)))
      const store: Store = redisStore(client, { minReplicas: 1 })
      await store.open?.()
      await store.create('id', newRecord())
      expect(await store.patch('id', newPatch({ set: [['d:a', '1']] }))).toEqual({ status: 'ok', version: 2 })
      await until(async () => ((await sentinel.ask('SENTINEL', 'replicas', 'main')).includes(String(replica.port)) ? true : undefined))
      await primary.kill()
      const relaxed = redisStore(client)
      expect(await until(async () => relaxed.patch('id', newPatch({ set: [['d:b', '1']] }), { signal: AbortSignal.timeout(2000) }))).toEqual({ status: 'ok', version: 3 })
      expect({ ...(await relaxed.read('id'))?.entries }).toEqual({ 'd:a': '1', 'd:b': '1' })
      expect(await replica.ask('ROLE')).toContain('master')
    })
  })
})
