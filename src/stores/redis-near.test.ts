import type { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { BasicClientSideCache, createClient, createCluster } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { startProxy, type Proxy } from '../../test/servers/proxy.ts'
import { connectRedis, freshPrefix, nodeRedis, urlOf, type ConnectedClient } from '../../test/servers/redis-clients.ts'
import { commandsDuring, needsRedis, startRedis, type RedisServer } from '../../test/servers/redis.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { createSessions } from '../index.ts'
import { makeEntries, NEVER, type SessionRecord } from '../core/record.ts'
import type { Patch } from '../core/patch.ts'
import type { Store } from '../core/store.ts'
import { redisStore } from './redis.ts'

const NOW = Date.now()

function newRecord(): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: NOW + 3_600_000, tokenHash: 'hash', nonce: 'made', index: [], entries: makeEntries({ 'd:a': '1' }) }
}

describe('nearCache', () => {
  const cached = (ttl: number) => createClient({ clientSideCache: { ttl, maxEntries: 10 } })
  it.each([
    ['has no cache', () => createClient()], ['keeps answers for ever', () => cached(0)], ['keeps answers for two seconds', () => cached(2000)],
    ['is a cluster', () => createCluster({ rootNodes: [], clientSideCache: { ttl: 1000 } })],
  ])('is refused when the client %s', (_, connect) => {
    expect(() => redisStore(connect(), { nearCache: true })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(/clientSideCache.*ttl/) }))
  })

  it('is taken with a ttl of up to a second', () => {
    expect(() => redisStore(cached(1000), { nearCache: true })).not.toThrow()
  })

  it('leaves errors of the connection to the application, and its listeners with the client no longer than until it is closed', async () => {
    const client = cached(1000)
    const counts = (): number[] => [...['error', 'end', 'reconnecting', 'ready'].map((event) => client.listenerCount(event)), client.clientSideCache?.listenerCount('invalidate') ?? -1]
    const store = redisStore(client, { nearCache: true })
    expect(counts()).toEqual([0, 1, 1, 1, 1])
    await store.close?.()
    expect(counts()).toEqual([0, 0, 0, 0, 0])
  })
})

describeWithServer('redisStore with a near cache', needsRedis, (binary) => {
  let server: RedisServer
  beforeAll(async () => void (server = await startRedis(binary)))
  afterAll(() => server.stop())

  const clients = {
    'node-redis': (port: number, ttl: number, maxEntries: number) => createClient({ url: urlOf({ ports: [port], password: server.password }), clientSideCache: { ttl, maxEntries } }),
    'node-redis 5': (port: number, ttl: number, maxEntries: number) => createClient5({ RESP: 3, url: urlOf({ ports: [port], password: server.password }), clientSideCache: { ttl, maxEntries } }),
    'node-redis without notices of its own writes': (port: number, ttl: number, maxEntries: number) => createClient({ url: urlOf({ ports: [port], password: server.password }), clientSideCache: new NoLoop({ ttl, maxEntries }) }),
  } as const

  interface Both {
    readonly near: Store
    readonly far: Store
    readonly client: ReturnType<(typeof clients)[keyof typeof clients]>
    readonly prefix: string
  }

  /** A store with a near cache, and another without, on the same data. */
  async function withBoth(kind: keyof typeof clients, body: (at: Both) => Promise<void>, { port = server.port, ttl = 1000, maxEntries = 1000 } = {}): Promise<void> {
    const client = clients[kind](port, ttl, maxEntries)
    const connected: ConnectedClient[] = [await nodeRedis(client), await connectRedis('ioredis', 'single', { ports: [server.port], password: server.password })]
    const prefix = freshPrefix()
    const [near, far] = connected.map((each, n) => redisStore(each.client, { prefix, nearCache: n === 0 }))
    try {
      if (near !== undefined && far !== undefined) await body({ near, far, client, prefix })
    } finally {
      for (const { close } of connected) await close()
    }
  }

  /** The same, the store with the near cache behind a proxy. */
  async function withProxy(kind: keyof typeof clients, body: (at: Both & { proxy: Proxy }) => Promise<void>, ttl = 1000): Promise<void> {
    const proxy = await startProxy(server.port)
    try {
      await withBoth(kind, (at) => body({ ...at, proxy }), { port: proxy.port, ttl })
    } finally {
      await proxy.stop()
    }
  }

  function emitted(emitter: EventEmitter | undefined, event: string): Promise<void> {
    return new Promise((resolve) => emitter?.once(event, () => resolve()))
  }

  describe.each(['node-redis', 'node-redis 5'] as const)('through %s', (kind) => {
    it('reads an unchanged session without a command, and the same each time', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        await near.create('id', newRecord())
        const records: unknown[] = []
        const commands = await commandsDuring(server, prefix, async () => {
          for (let n = 0; n < 50; n += 1) records.push(await near.read('id'))
        })
        expect(commands).toEqual(['HGETALL'])
        expect(records).toEqual(records.map(() => newRecord()))
      })
    })

    it('asks the server for a fresh read', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        await near.create('id', newRecord())
        await near.read('id')
        const commands = await commandsDuring(server, prefix, async () => {
          for (let n = 0; n < 3; n += 1) await near.read('id', { fresh: true })
        })
        expect(commands).toEqual(['HGETALL', 'HGETALL', 'HGETALL'])
      })
    })

    it('keeps the answer to a fresh read', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        await near.create('id', newRecord())
        const commands = await commandsDuring(server, prefix, async () => {
          await near.read('id', { fresh: true })
          expect(near.read('id')).toEqual(newRecord())
        })
        expect(commands).toEqual(['HGETALL'])
      })
    })

    it('sees its own writes at once', async () => {
      await withBoth(kind, async ({ near }) => {
        await near.create('id', newRecord())
        for (let n = 2; n < 1000; n += 1) {
          await near.patch('id', { now: NOW, nonce: String(n), set: [['d:a', String(n)]] })
          expect((await near.read('id'))?.entries['d:a']).toBe(String(n))
        }
        await near.end('id', 'destroyed', NOW)
        expect((await near.read('id'))?.ended).toBeDefined()
        expect(await near.create('id', { ...newRecord(), createdAt: NOW + 120_000, nonce: 'again' })).toBe(true)
        expect((await near.read('id'))?.nonce).toBe('again')
      })
    })

    it('keeps what its own writes make of a session', async () => {
      await withBoth(kind, async ({ near, far, prefix }) => {
        const patches: readonly Partial<Patch>[] = [
          { set: [['d:a', '2'], ['d:\u0000', 'b']] }, { set: [['d:c', '3']], remove: ['d:a'], expect: [['d:a', '2']], tokenHash: 'hash' },
          { touchedAt: NOW + 1, expiresAt: NOW + 7_200_000, index: ['term'] }, { touchedAt: NOW, expiresAt: NOW + 1_000_000 },
          { rotateTo: 'next', expiresAt: NOW + 60_000, deadline: 'replace', index: ['term', 'other'] }, { set: [], remove: ['d:none'] }, { expiresAt: NEVER },
        ]
        await near.create('id', newRecord())
        const made: unknown[] = []
        const stored: unknown[] = []
        const commands: string[] = []
        for (const [n, patch] of patches.entries()) {
          commands.push(...await commandsDuring(server, prefix, async () => {
            await near.read('id')
            expect(await near.patch('id', { now: NOW, nonce: String(n), ...patch })).toEqual({ status: 'ok', version: n + 2 })
            made.push(near.read('id'))
          }))
          stored.push(await far.read('id'))
        }
        expect(made).toEqual(stored)
        expect(commands.filter((command) => command === 'HGETALL')).toHaveLength(1)
      })
    })

    it('keeps nothing of a write that changed nothing', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        await near.create('id', newRecord())
        for (const patch of [{ tokenHash: 'other' }, { expect: [['d:a', '2']] }, { nonce: 'made' }] as const) {
          await near.read('id')
          await near.patch('id', { now: NOW, nonce: 'near', set: [['d:a', '3']], ...patch })
          expect(await commandsDuring(server, prefix, async () => expect(await near.read('id')).toEqual(newRecord()))).toEqual(['HGETALL'])
        }
      })
    })

    it('hears of a change made elsewhere after its own', async () => {
      await withBoth(kind, async ({ near, far, client }) => {
        await near.create('id', newRecord())
        await near.read('id')
        await near.patch('id', { now: NOW, nonce: 'near', set: [['d:a', '2']] })
        const told = emitted(client.clientSideCache, 'invalidate')
        await far.end('id', 'revoked', NOW)
        await told
        expect((await near.read('id'))?.ended?.because).toBe('revoked')
      })
    })

    it('keeps neither of two writes of its own at once', async () => {
      await withBoth(kind, async ({ near, far }) => {
        await near.create('id', newRecord())
        await near.read('id')
        await Promise.all(['b', 'c', 'd'].map((key) => near.patch('id', { now: NOW, nonce: key, set: [[`d:${key}`, '1']] })))
        expect(await near.read('id')).toEqual(await far.read('id'))
        expect((await near.read('id'))?.entries).toEqual(makeEntries({ 'd:a': '1', 'd:b': '1', 'd:c': '1', 'd:d': '1' }))
      })
    })

    it('keeps nothing of a write of its own that a change elsewhere overtook', async () => {
      await withProxy(kind, async ({ near, far, proxy }) => {
        await near.create('id', newRecord())
        await near.read('id')
        const answered = proxy.hold()
        const writing = near.patch('id', { now: NOW, nonce: 'near', set: [['d:a', '2']] })
        await answered
        const told = proxy.hold()
        await far.end('id', 'revoked', NOW)
        await told
        proxy.release()
        expect((await writing).status).toBe('ok')
        expect((await near.read('id'))?.ended?.because).toBe('revoked')
      })
    })

    it('answers what it has kept at once, and keeps the answer of one of several reads', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        await near.create('id', newRecord())
        const commands = await commandsDuring(server, prefix, async () => {
          await Promise.all(Array.from({ length: 5 }, () => near.read('id')))
          expect(near.read('id')).toEqual(newRecord())
        })
        expect(commands).toEqual(Array.from({ length: 5 }, () => 'HGETALL'))
      })
    })

    it('hears of a change made elsewhere', async () => {
      await withBoth(kind, async ({ near, far, client }) => {
        await near.create('id', newRecord())
        await near.read('id')
        const told = emitted(client.clientSideCache, 'invalidate')
        await far.patch('id', { now: NOW, nonce: 'far', set: [['d:a', '2']] })
        await told
        expect((await near.read('id'))?.nonce).toBe('far')
      })
    })

    it('drops everything when it is told that anything may have changed', async () => {
      await withBoth(kind, async ({ near, client, prefix }) => {
        for (const id of ['one', 'two']) {
          await near.create(id, newRecord())
          await near.read(id)
        }
        const commands = await commandsDuring(server, prefix, async () => {
          client.clientSideCache?.invalidate(null)
          for (const id of ['one', 'two']) await near.read(id)
        })
        expect(commands).toEqual(['HGETALL', 'HGETALL'])
      })
    })

    it('keeps no answer that a change elsewhere overtook', async () => {
      await withProxy(kind, async ({ near, far, proxy }) => {
        await far.create('id', newRecord())
        const answered = proxy.hold()
        const reading = near.read('id')
        await answered
        const told = proxy.hold()
        await far.patch('id', { now: NOW, nonce: 'far', set: [['d:a', '2']] })
        await told
        proxy.release()
        expect((await reading)?.nonce).toBe('made')
        expect((await near.read('id'))?.nonce).toBe('far')
      })
    })

    it('answers nothing while the connection is broken, and nothing old when it is back', async () => {
      await withProxy(kind, async ({ near, far, client, proxy }) => {
        await far.create('id', newRecord())
        await near.read('id')
        const [broken, back] = [emitted(client, 'reconnecting'), emitted(client, 'ready')]
        proxy.cut()
        await broken
        await expect((async () => near.read('id'))()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
        await far.patch('id', { now: NOW, nonce: 'far', set: [['d:a', '2']] })
        await back
        expect((await near.read('id'))?.nonce).toBe('far')
      })
    })

    it('keeps as many sessions as the client allows, the latest', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        const ids = Array.from({ length: 30 }, (_, n) => `id-${n}`)
        for (const id of ids) {
          await near.create(id, newRecord())
          await near.read(id)
        }
        const commands = await commandsDuring(server, prefix, async () => {
          for (const id of ids.slice(-10)) expect(near.read(id)).toEqual(newRecord())
          await near.read('id-19')
        })
        expect(commands).toEqual(['HGETALL'])
      }, { maxEntries: 10 })
    })

    it('does not keep that there is no session', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        const commands = await commandsDuring(server, prefix, async () => {
          for (let n = 0; n < 3; n += 1) expect(await near.read('none')).toBeUndefined()
        })
        expect(commands).toEqual(['HGETALL', 'HGETALL', 'HGETALL'])
      })
    })

    it('keeps nothing once it is closed, and again when it is opened', async () => {
      await withBoth(kind, async ({ near, prefix }) => {
        await near.create('id', newRecord())
        await near.read('id')
        await near.close?.()
        const readTwice = async (): Promise<void> => {
          await near.read('id')
          await near.read('id')
        }
        expect(await commandsDuring(server, prefix, readTwice)).toEqual(['HGETALL', 'HGETALL'])
        await near.open?.()
        expect(await commandsDuring(server, prefix, readTwice)).toEqual(['HGETALL'])
      })
    })

    it('is wrong about a session that ended elsewhere for a second at most, and never when it reads fresh', async () => {
      await withBoth(kind, async ({ near, far }) => {
        const ids = Array.from({ length: 200 }, (_, n) => `id-${n}`)
        const stale: number[] = []
        for (const id of ids) {
          await far.create(id, newRecord())
          await near.read(id)
          await far.end(id, 'revoked', NOW)
          const ended = performance.now()
          expect((await near.read(id, { fresh: true }))?.ended).toBeDefined()
          while ((await near.read(id))?.ended === undefined) await new Promise((resolve) => setImmediate(resolve))
          stale.push(performance.now() - ended)
        }
        expect(Math.max(...stale)).toBeLessThan(1100)
      })
    })

    it('trusts its cache no longer than the ttl when it cannot hear the server any more', async () => {
      await withProxy(kind, async ({ near, far, proxy }) => {
        await far.create('id', newRecord())
        await near.read('id')
        proxy.freeze()
        const frozen = performance.now()
        await far.end('id', 'revoked', NOW)
        expect((await near.read('id'))?.ended).toBeUndefined()
        const read = async (): Promise<unknown> => near.read('id', { signal: AbortSignal.timeout(100) })
        while (await read().then(() => true, () => false)) await new Promise((resolve) => setImmediate(resolve))
        expect(performance.now() - frozen).toBeLessThan(1000)
        proxy.cut()
      }, 300)
    })
  })

  it('keeps nothing of a write of its own that found another record than was known', async () => {
    // The one notice that comes is of the change elsewhere.
    await withProxy('node-redis without notices of its own writes', async ({ near, far, proxy }) => {
      await near.create('id', newRecord())
      await near.read('id')
      const told = proxy.hold()
      await far.patch('id', { now: NOW, nonce: 'far', set: [['d:b', '2']] })
      await told
      const answered = proxy.hold()
      const writing = near.patch('id', { now: NOW, nonce: 'near', set: [['d:a', '2']] })
      await answered
      proxy.release()
      expect(await writing).toEqual({ status: 'ok', version: 3 })
      expect((await near.read('id'))?.entries).toEqual(makeEntries({ 'd:a': '2', 'd:b': '2' }))
    })
  })

  it('keeps nothing of a write of its own of which it was not told', async () => {
    await withBoth('node-redis without notices of its own writes', async ({ near, prefix }) => {
      await near.create('id', newRecord())
      await near.read('id')
      await near.patch('id', { now: NOW, nonce: 'near', set: [['d:a', '2']] })
      expect(await commandsDuring(server, prefix, async () => void (await near.read('id')))).toEqual(['HGETALL'])
    })
  })

  it('answers no read from before a write of its own that is under way', async () => {
    await withProxy('node-redis without notices of its own writes', async ({ near, proxy }) => {
      await near.create('id', newRecord())
      await near.read('id')
      const answered = proxy.hold()
      const writing = near.patch('id', { now: NOW, nonce: 'near', set: [['d:a', '2']] })
      await answered
      const reading = near.read('id')
      proxy.release()
      expect([(await reading)?.nonce, (await writing).status]).toEqual(['near', 'ok'])
    })
  })

  it('keeps no answer to a read between the two attempts of a write of its own', async () => {
    await withBoth('node-redis without notices of its own writes', async ({ near }) => {
      await near.create('id', newRecord())
      await server.ask('SCRIPT', 'FLUSH')
      // The server does not know the script any more, answers the read, and then gets the script as text.
      const writing = near.end('id', 'destroyed', NOW)
      expect((await near.read('id'))?.ended).toBeUndefined()
      expect(await writing).toBe(true)
      expect((await near.read('id'))?.ended).toBeDefined()
    })
  })

  it('keeps what no request can change', async () => {
    await withBoth('node-redis', async ({ near, prefix }) => {
      const sessions = createSessions<{ cart: string[] }>({ store: near })
      const visitor = new Visitor(sessions)
      await visitor.visit((session) => session.set('cart', ['tea']))
      await visitor.visit((session) => session.get('cart'))
      const commands = await commandsDuring(server, prefix, async () => {
        await visitor.visit((session) => {
          session.get('cart')?.push('jam')
          session.set('cart', [])
          session.clear()
          session.discard()
        })
        expect((await visitor.visit((session) => session.get('cart'))).result).toEqual(['tea'])
      })
      expect(commands).toEqual([])
      const id = visitor.token?.split('.')[0] ?? ''
      const record = await near.read(id)
      for (const part of [record, record?.entries, record?.index]) expect(Object.isFrozen(part)).toBe(true)
      await sessions.close()
    })
  })
})

/** Does as if the server told nobody of their own changes. */
class NoLoop extends BasicClientSideCache {
  override trackingOn(): string[] {
    return ['CLIENT', 'TRACKING', 'ON', 'NOLOOP']
  }
}

describeWithServer('redisStore that watches', needsRedis, (binary) => {
  it.each(['node-redis', 'ioredis'] as const)('hears of an end that was published while its connection was broken, through %s', async (kind) => {
    const server = await startRedis(binary)
    const proxy = await startProxy(server.port)
    const place = { ports: [server.port], password: server.password }
    const [main, ear] = [await connectRedis(kind, 'single', place), await connectRedis(kind, 'single', { ...place, ports: [proxy.port] })]
    const store = redisStore(main.client, { watch: ear.client })
    await store.open?.()
    for (const id of ['ended', 'alive']) await store.create(id, newRecord())
    const told: string[] = []
    const heard = new Promise<void>((resolve) => {
      store.watch?.('ended', () => {
        told.push('ended')
        resolve()
      })
    })
    store.watch?.('alive', () => told.push('alive'))
    proxy.loseAnswers()
    await store.end('ended', 'revoked', NOW)
    proxy.cut()
    await heard
    await store.close?.()
    await store.end('alive', 'revoked', NOW)
    expect(told).toEqual(['ended'])
    for (const { close } of [main, ear]) await close()
    await proxy.stop()
    await server.stop()
  })

  /** What `body` does as a user with the rights of a line `ACL SETUSER web on >secret …`. */
  async function asUser(acl: string, body: (store: Store) => Promise<void>): Promise<void> {
    const server = await startRedis(binary)
    await server.ask(...acl.split(' '))
    const url = `redis://web:secret@127.0.0.1:${server.port}`
    const [main, ear] = [await nodeRedis(createClient({ url })), await nodeRedis(createClient({ url }))]
    try {
      const store = redisStore(main.client, acl.includes('+subscribe') ? { watch: ear.client } : {})
      await store.open?.()
      await store.create('id', { ...newRecord(), index: ['term'] })
      expect(await store.patch('id', { now: NOW, nonce: '1', set: [['d:a', '2']], remove: ['d:b'], expect: [['d:a', '1']], expiresAt: NOW + 7_200_000 })).toEqual({ status: 'ok', version: 2 })
      expect(await store.patch('id', { now: NOW, nonce: '2', index: ['other'] })).toEqual({ status: 'ok', version: 3 })
      await body(store)
    } finally {
      for (const { close } of [main, ear]) await close()
      await server.stop()
    }
  }

  const documented = /^ACL SETUSER web .*$/m.exec(readFileSync(new URL('../../docs/stores/redis.md', import.meta.url), 'utf8'))?.[0] ?? ''

  it('needs no more rights than its page says', async () => {
    await asUser(documented, async (store) => {
      const found: string[] = []
      for await (const id of store.find?.('term') ?? []) found.push(id)
      for await (const id of store.list?.() ?? []) found.push(id)
      expect(found).toEqual(['id', 'id'])
      expect(await store.patch('id', { now: NOW, nonce: '3', expect: [['d:a', '1']] })).toMatchObject({ status: 'conflict' })
      expect(await store.patch('id', { now: NOW, nonce: '4', expiresAt: NEVER, index: ['term'] })).toEqual({ status: 'ok', version: 4 })
      expect(await store.patch('id', { now: NOW, nonce: '5', expiresAt: NOW, deadline: 'replace' })).toEqual({ status: 'ok', version: 5 })
      expect(await store.sweep?.({ now: NOW }, 10)).toBe(1)
      await store.create('next', newRecord())
      const heard = new Promise<void>((resolve) => void store.watch?.('next', resolve))
      expect(await store.end('next', 'destroyed', NOW)).toBe(true)
      await heard
      await store.close?.()
    })
  })

  it('ends sessions also for a user who may not publish', async () => {
    await asUser(documented.replace('&sojourn:* ', 'resetchannels ').replace('+subscribe +unsubscribe', ''), async (store) => {
      expect(await store.end('id', 'destroyed', NOW)).toBe(true)
      expect((await store.read('id'))?.ended?.because).toBe('destroyed')
    })
  })
})
