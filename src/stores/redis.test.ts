import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { Cluster, Redis } from 'ioredis'
import { AbortError, ClientClosedError, ClientOfflineError, createClient, createClientPool } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeProcesses } from '../../test/processes/describe-processes.ts'
import { connectRedis, freshPrefix, type ClientKind, type RedisPlace, type Shape } from '../../test/servers/redis-clients.ts'
import { commandsDuring, needsRedis, startRedis, startRedisCluster, type RedisServer } from '../../test/servers/redis.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import type { Patch } from '../core/patch.ts'
import { isLive, makeEntries, NEVER, type SessionRecord } from '../core/record.ts'
import type { Session } from '../core/session.ts'
import type { Store } from '../core/store.ts'
import { createSessions } from '../index.ts'
import { describeStore } from '../testing/describe-store.ts'
import { TestExchange } from '../testing/exchange.ts'
import { RedisCaller } from './internal/redis-caller.ts'
import { failed, linkTo, UnsentError, type RedisClient } from './internal/redis-client.ts'
import { fieldsOf, recordFromReply } from './internal/redis-record.ts'
import { CREATE } from './internal/redis-scripts.ts'
import { keySlot } from './internal/redis-slot.ts'
import { redisStore, type RedisStoreOptions } from './redis.ts'

const NOW = Date.now()
const HOUR = 3_600_000
const DAY = 24 * HOUR

function newRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: NOW + HOUR, tokenHash: 'hash', nonce: 'made', index: [], entries: makeEntries(), ...changes }
}

async function idsUnder(store: Store, term: string): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const id of store.find?.(term) ?? []) ids.push(id)
  return ids
}

const matrix: readonly (readonly [ClientKind, Shape])[] = [
  ['node-redis', 'single'], ['ioredis', 'single'], ['node-redis', 'cluster'], ['ioredis', 'cluster'], ['node-redis 5', 'single'], ['ioredis 5', 'single'],
]

describeWithServer('redisStore', needsRedis, (binary) => {
  let server: RedisServer
  let places: Readonly<Record<Shape, RedisPlace>>
  let clusterServers: readonly RedisServer[]
  const stops: (() => Promise<void>)[] = []

  beforeAll(async () => {
    const [single, cluster] = await Promise.all([startRedis(binary), startRedisCluster(binary)])
    stops.push(single.stop, cluster.stop)
    server = single
    clusterServers = cluster.primaries
    places = {
      single: { ports: [single.port], password: single.password },
      cluster: { ports: cluster.primaries.map(({ port }) => port), password: cluster.password },
    }
  })
  afterAll(async () => void (await Promise.all(stops.map((stop) => stop()))))

  /** A store on a prefix of its own, closed with the client at the end of the body. */
  async function withStore(kind: ClientKind, shape: Shape, body: (at: { store: Store; prefix: string; client: RedisClient }) => Promise<void>, options: RedisStoreOptions = {}): Promise<void> {
    const { client, close } = await connectRedis(kind, shape, places[shape])
    const prefix = freshPrefix()
    try {
      await body({ store: redisStore(client, { prefix, ...options }), prefix, client })
    } finally {
      await close()
    }
  }

  for (const [kind, shape] of matrix) {
    describeStore({ describe, it }, `${shape} through ${kind}`, async () => {
      const prefix = freshPrefix()
      const connected = await Promise.all([0, 1, 2].map(() => connectRedis(kind, shape, places[shape])))
      const [{ client }, { client: ear }, { client: otherEar }] = connected as [Ear, Ear, Ear]
      const link = linkTo(client)
      return {
        store: redisStore(client, { prefix, watch: ear }),
        reopen: () => redisStore(client, { prefix, watch: otherEar }),
        // Half of the cases find a hash that is no record, half another type of key.
        corrupt: async (id) => {
          const key = `${prefix}session:${id}`
          if (id < 'a') await link.send(key, ['HSET', key, '!', 'soon'], AbortSignal.timeout(5000))
          else await link.send(key, ['SET', key, 'something else'], AbortSignal.timeout(5000))
        },
        close: async () => void (await Promise.all(connected.map(({ close }) => close()))),
      }
    })
  }

  it('works on a cluster through node-redis 5 and ioredis 5', async () => {
    for (const kind of ['node-redis 5', 'ioredis 5'] as const) {
      await withStore(kind, 'cluster', async ({ store }) => {
        await store.open?.()
        for (const id of ['one', 'two', 'three', 'four']) {
          await store.create(id, newRecord({ index: ['term'] }))
          expect(await store.patch(id, { now: NOW, nonce: 'set', set: [['d:a', id]] })).toEqual({ status: 'ok', version: 2 })
          expect((await store.read(id))?.entries['d:a']).toBe(id)
        }
        expect([...(await idsUnder(store, 'term'))].sort()).toEqual(['four', 'one', 'three', 'two'])
        expect(await store.end('one', 'revoked', NOW)).toBe(true)
      })
    }
  })

  for (const [kind, shape] of [['node-redis', 'single'], ['ioredis', 'cluster']] as const) {
    describeProcesses({ describe, it }, `${shape} through ${kind}`, {
      module: fileURLToPath(new URL('../../test/stores/redis-process.ts', import.meta.url)),
      location: () => JSON.stringify({ kind, shape, place: places[shape], prefix: freshPrefix() }),
    })
  }

  describe('the commands of a request', () => {
    it.each(['node-redis', 'ioredis'] as const)('are one for a read and one for a commit, through %s', async (kind) => {
      await withStore(kind, 'single', async ({ store, prefix }) => {
        await store.create('warm', newRecord({ index: ['t'] }))
        await store.patch('warm', { now: NOW, nonce: 'n' })
        await store.end('warm', 'destroyed', NOW)

        expect(await commandsDuring(server, prefix, async () => store.create('id', newRecord({ index: ['owner', 'other'] })))).toEqual(['EVALSHA', 'EVALSHA', 'EVALSHA'])
        expect(await commandsDuring(server, prefix, async () => store.read('id'))).toEqual(['HGETALL'])
        const writes = { set: [['d:a', '1'], ['d:b', '2']], remove: ['d:c'], expect: [['d:a', null]], tokenHash: 'hash' } as const
        expect(await commandsDuring(server, prefix, async () => store.patch('id', { now: NOW, nonce: '1', ...writes }))).toEqual(['EVALSHA'])
        expect(await commandsDuring(server, prefix, async () => store.patch('id', { now: NOW, nonce: '2', expect: [['d:a', 'other']] }))).toEqual(['EVALSHA'])
        const touch = { touchedAt: NOW + 1, expiresAt: NOW + HOUR + 1, index: ['owner'] }
        expect(await commandsDuring(server, prefix, async () => store.patch('id', { now: NOW, nonce: '3', ...touch }))).toEqual(['EVALSHA', 'EVALSHA'])
        expect(await commandsDuring(server, prefix, async () => store.end('id', 'destroyed', NOW))).toEqual(['EVALSHA', 'EVALSHA', 'EVALSHA'])
      })
    })

    it('are none for a visitor who stored nothing, one to read, one to write', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const clock = { now: NOW }
        const sessions = createSessions<{ a: number; b: number }>({ store, clock: () => clock.now })
        let cookie = ''
        const request = (handler: (session: Session<{ a: number; b: number }>) => void): Promise<readonly string[]> =>
          commandsDuring(server, prefix, async () => {
            const exchange = new TestExchange(cookie === '' ? {} : { headers: { cookie } })
            const session = await sessions.open(exchange)
            handler(session)
            await sessions.finish(session)
            cookie = exchange.setCookies[0]?.split(';')[0] ?? cookie
          })
        const read = (session: Session<{ a: number; b: number }>): void => void session.get('a')

        expect(await request(read)).toEqual([])
        await request((session) => session.set('a', 1))
        await request((session) => session.set('b', 1))
        expect(await request(read)).toEqual(['HGETALL'])
        expect(await request((session) => session.set('a', 2))).toEqual(['HGETALL', 'EVALSHA'])
        clock.now += 10 * 60_000
        expect(await request(read)).toEqual(['HGETALL', 'EVALSHA'])
        expect(await request(read)).toEqual(['HGETALL'])
        await sessions.close()
      })
    })

    it('never include SCAN outside list and sweep', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const commands = await commandsDuring(server, prefix, async () => {
          await store.create('id', newRecord({ index: ['owner'] }))
          await idsUnder(store, 'owner')
          await store.end('id', 'revoked', NOW)
        })
        expect(commands).toContain('ZSCAN')
        expect(commands).not.toContain('SCAN')
      })
    })
  })

  describe('a script that the server does not know', () => {
    it.each(matrix.slice(0, 4))('is sent again as text, through %s on %s', async (kind, shape) => {
      await withStore(kind, shape, async ({ store }) => {
        await store.create('id', newRecord())
        for (const each of shape === 'single' ? [server] : clusterServers) await each.ask('SCRIPT', 'FLUSH')
        expect(await store.patch('id', { now: NOW, nonce: '1', set: [['d:a', '1']] })).toEqual({ status: 'ok', version: 2 })
        expect(await store.create('other', newRecord())).toBe(true)
        expect(await store.end('id', 'destroyed', NOW)).toBe(true)
      })
    })
  })

  describe('the keys', () => {
    const field = async (key: string, name: string): Promise<string> => (await server.ask('HGET', key, name)).split('\r\n')[1] ?? ''
    const ttl = async (key: string): Promise<number> => Number((await server.ask('PTTL', key)).slice(1))

    it('are one hash per session, with a field for each entry', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        await store.create('id', newRecord({ index: ['owner'], entries: makeEntries({ 'd:cart': '["tea"]', '!': 'not the head' }) }))
        const key = `${prefix}session:id`
        expect(await field(key, 'd:cart')).toBe('["tea"]')
        expect((await field(key, '!')).split('\n')[2]).toBe(String(NOW + HOUR))
        expect((await store.read('id'))?.entries['!']).toBe('not the head')
        expect(await server.ask('ZSCORE', `${prefix}index:owner`, 'id')).toContain(String(NOW + HOUR))
      })
    })

    it('are never those of an entry, whatever a patch calls it', async () => {
      await withStore('node-redis', 'single', async ({ store }) => {
        const names = ['', '!', '!h', '!p', '!s', '!x', '!iterm', '\u001B0021', '\u001B0021h']
        const record = newRecord()
        await store.create('id', record)
        await store.patch('id', { now: NOW, nonce: '1', set: names.map((name) => [name, 'forged']) })
        expect(await store.patch('id', { now: NOW, nonce: '2', tokenHash: record.tokenHash, expect: names.map((name) => [name, 'forged']) })).toEqual({ status: 'ok', version: 3 })
        expect(await store.read('id')).toMatchObject({ tokenHash: record.tokenHash, createdAt: record.createdAt, expiresAt: record.expiresAt, index: record.index, entries: Object.fromEntries(names.map((name) => [name, 'forged'])) })
        await store.patch('id', { now: NOW, nonce: '3', remove: names })
        expect({ ...(await store.read('id')) }).toEqual({ ...record, version: 4, nonce: '3', entries: makeEntries() })
      })
    })

    it('hold a small session as a compact list, through a touch and a rotation', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const key = `${prefix}session:id`
        const [hash, next] = ['h'.repeat(43), 'n'.repeat(43)]
        await store.create('id', newRecord({ version: 1_000_000, tokenHash: hash, nonce: 'abcdefgh.zzzzzz', entries: makeEntries({ 'd:user': '"Ann"' }) }))
        expect(await server.ask('OBJECT', 'ENCODING', key)).toMatch(/listpack|ziplist/)
        await store.patch('id', { now: NOW, nonce: 'abcdefgh.zzzzzzz', tokenHash: hash, rotateTo: next, touchedAt: NOW + 1, expiresAt: NEVER, set: [['d:b', '1']] })
        expect(await server.ask('OBJECT', 'ENCODING', key)).toMatch(/listpack|ziplist/)
        expect((await store.read('id'))?.previous).toEqual({ tokenHash: hash, rotatedAt: NOW })
      })
    })

    it('are patched whole where one is damaged, or not at all', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const key = `${prefix}session:id`
        await store.create('id', newRecord())
        await server.ask('HSET', key, '!s', 'damaged')
        expect(await store.patch('id', { now: NOW, nonce: '1', expiresAt: NOW + DAY, set: [['d:a', '1']] })).toEqual({ status: 'ok', version: 2 })
        expect([await ttl(key) > DAY, await field(key, '!s')]).toEqual([true, String(NOW + DAY)])
        await server.ask('HSET', key, '!', `2\n-\n${NOW + DAY}\nnonce`)
        expect(await store.patch('id', { now: NOW, nonce: '2', touchedAt: NOW + 1, set: [['d:a', '2']] })).toEqual({ status: 'gone' })
        expect(await field(key, 'd:a')).toBe('1')
      })
    })

    it('are records to the scripts exactly where they are to a reader, whatever the damage', async () => {
      const number = fc.constantFrom(String(NOW + DAY), '0', '-1', '-0', '007', '1', '1e13', '0xffffffffffff', ' 1', '1 ', '1.5', '', '-', 'soon', '9007199254740989', '9007199254740990', '9007199254740991', '-9007199254740991', '9999999999999999', '-10000000000000000', '9'.repeat(400))
      const lines = (...all: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(...all).map((texts) => texts.join('\n'))
      const likely = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof({ arbitrary: fc.constant(usual), weight: 6 }, other)
      const [version, time, deadline] = [likely('1', number), likely(String(NOW), number), likely(String(NOW + DAY), number)]
      const rest = likely('', fc.constantFrom('\n', '\nrevoked\n1', '\nmore'))
      const head = fc.tuple(lines(version, time, deadline, fc.constant('nonce')), rest).map((parts) => parts.join(''))
      const pair = fc.tuple(lines(fc.constantFrom('hash', ''), time), rest).map((parts) => parts.join(''))
      const damaged = fc.record({
        '!': likely<string | undefined>(undefined, head),
        '!h': likely<string | undefined>(`hash\n${NOW}`, fc.oneof(pair, fc.constantFrom(undefined, 'hash', ''))),
        '!p': likely<string | undefined>(undefined, fc.oneof(pair, fc.constantFrom('x', ''))),
        '!x': likely<string | undefined>(undefined, head),
      }).chain((fields) => fields['!'] === undefined ? head.map((text) => ({ ...fields, '!': text })) : fc.constant(fields))
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const key = `${prefix}session:id`
        const put = async (fields: object): Promise<void> => {
          await server.ask('DEL', key)
          for (const [field, text] of Object.entries(fields)) if (typeof text === 'string') await server.ask('HSET', key, field, text)
        }
        const seen = new Set<boolean>()
        await fc.assert(fc.asyncProperty(damaged, async (fields) => {
          await put(fields)
          const isLiveToReader = isLive(await Promise.resolve(store.read('id')).catch(() => undefined), NOW)
          seen.add(isLiveToReader)
          const { status } = await store.patch('id', { now: NOW, nonce: 'a patch', touchedAt: NOW + 1, expiresAt: NOW + DAY, set: [['d:a', '1']] })
          expect(status).toBe(isLiveToReader ? 'ok' : 'gone')
          if (isLiveToReader) expect((await store.read('id'))?.nonce).toBe('a patch')
          if (isLiveToReader) expect([await store.end('id', 'revoked', NOW), (await store.read('id'))?.ended?.because]).toEqual([true, 'revoked'])
          await put(fields)
          expect(await store.create('id', newRecord({ tokenHash: 'another' }))).toBe(!isLiveToReader)
        }), { numRuns: 400 })
        expect(seen.size).toBe(2)
      })
    })

    it.each(['inf', '-inf', 'nan', '1e400', '9'.repeat(400), ' 1', 'damaged'])('are replaced and patched where the score of their terms is %s', async (score) => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const key = `${prefix}session:id`
        await store.create('id', newRecord({ index: ['term'] }))
        await server.ask('HSET', key, '!s', score)
        expect(await store.patch('id', { now: NOW, nonce: '1', expiresAt: NOW + DAY, index: ['term'] })).toEqual({ status: 'ok', version: 2 })
        expect(await field(key, '!s')).toBe(String(NOW + DAY))
        await server.ask('HSET', key, '!s', score)
        expect(await store.create('id', newRecord({ createdAt: NOW + 2 * DAY, touchedAt: NOW + 2 * DAY, expiresAt: NOW + 3 * DAY, index: ['term'] }))).toBe(true)
        expect(await field(key, '!s')).toBe(String(NOW + 3 * DAY))
        expect(await idsUnder(store, 'term')).toEqual(['id'])
      })
    })

    it('stay ended when the creation comes once more, also behind a patch or a rotation', async () => {
      await withStore('node-redis', 'single', async ({ store }) => {
        const record = newRecord({ tokenHash: 'first', nonce: 'first' })
        const changes: Patch[] = [{ now: NOW, nonce: '1', set: [['d:a', '1']] }, { now: NOW, nonce: '2', rotateTo: 'second' }]
        for (const [at] of [...changes, undefined].entries()) {
          const id = `id-${at}`
          expect(await store.create(id, record)).toBe(true)
          for (const patch of changes.slice(0, at)) expect(await store.patch(id, patch)).toMatchObject({ status: 'ok' })
          expect(await store.end(id, 'revoked', NOW)).toBe(true)
          expect(await store.create(id, record)).toBe(false)
          expect((await store.read(id))?.ended?.because).toBe('revoked')
          // Another life of the same id.
          expect(await store.create(id, { ...record, tokenHash: 'another' })).toBe(true)
        }
      })
    })

    it('count their versions as far as numbers go', async () => {
      await withStore('node-redis', 'single', async ({ store }) => {
        await store.create('id', newRecord({ version: 99_999_999_999_999 }))
        for (const [nonce, version] of [['1', 100_000_000_000_000], ['2', 100_000_000_000_001]] as const) {
          expect(await store.patch('id', { now: NOW, nonce })).toEqual({ status: 'ok', version })
          expect((await store.read('id'))?.version).toBe(version)
        }
      })
    })

    it('go a minute after the deadline, which moves with it', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const key = `${prefix}session:id`
        await store.create('id', newRecord())
        expect(await ttl(key)).toBeGreaterThan(HOUR)
        expect(await ttl(key)).toBeLessThanOrEqual(HOUR + 60_000)
        await store.patch('id', { now: NOW, nonce: '1', expiresAt: NOW + DAY })
        expect(await ttl(key)).toBeGreaterThan(DAY)
        await store.patch('id', { now: NOW, nonce: '2', expiresAt: NOW + HOUR })
        expect(await ttl(key)).toBeGreaterThan(DAY)
        await store.patch('id', { now: NOW, nonce: '3', expiresAt: NOW + HOUR, deadline: 'replace' })
        expect(await ttl(key)).toBeLessThanOrEqual(HOUR + 60_000)
        await store.patch('id', { now: NOW, nonce: '4', expiresAt: NEVER })
        expect(await ttl(key)).toBe(-1)
        await store.end('id', 'destroyed', NOW)
        expect(await ttl(key)).toBeLessThanOrEqual(60_000)
        expect(await ttl(key)).toBeGreaterThan(50_000)
      })
    })

    it('go by what is left of the life, not by the clock that set it', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const slow = NOW - 30 * DAY
        await store.create('id', newRecord({ createdAt: slow, touchedAt: slow, expiresAt: slow + HOUR, index: ['term'] }))
        expect(await ttl(`${prefix}session:id`)).toBeGreaterThan(HOUR)
        expect(await ttl(`${prefix}index:term`)).toBeGreaterThan(HOUR)
      })
    })

    it('of the index live as long as their last member and a day', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const key = `${prefix}index:term`
        await store.create('short', newRecord({ index: ['term'] }))
        expect(await ttl(key)).toBeGreaterThan(DAY)
        await store.create('never', newRecord({ expiresAt: NEVER, index: ['term'] }))
        expect(await ttl(key)).toBe(-1)
        await store.end('never', 'destroyed', NOW)
        await store.patch('short', { now: NOW, nonce: '1', touchedAt: NOW + 1, expiresAt: NOW + 2 * HOUR, index: ['term'] })
        expect(await ttl(key)).toBeLessThanOrEqual(DAY + 2 * HOUR)
      })
    })

    it('work with a prefix that SCAN would take for a pattern', async () => {
      await withStore('node-redis', 'single', async ({ client }) => {
        const wild = freshPrefix()
        const store = redisStore(client, { prefix: `${wild}[a*?]\\^-:` })
        const neighbour = redisStore(client, { prefix: `${wild}a\\^-:` })
        await store.create('mine', newRecord({ expiresAt: NOW }))
        await neighbour.create('theirs', newRecord({ expiresAt: NOW }))
        const ids: string[] = []
        for await (const id of store.list?.() ?? []) ids.push(id)
        expect(ids).toEqual(['mine'])
        expect(await store.sweep?.({ now: NOW }, 10)).toBe(1)
        expect(await neighbour.read('theirs')).toBeDefined()
      })
    })
  })

  describe('the index', () => {
    it('drops members a day after their deadline as others are added, some at a time', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        const old = NOW - 3 * DAY
        await store.create('yesterday', newRecord({ createdAt: NOW - 23 * HOUR, touchedAt: NOW - 23 * HOUR, expiresAt: NOW - 22 * HOUR, index: ['term'] }))
        for (let n = 0; n < 50; n += 1) await store.create(`old-${n}`, newRecord({ createdAt: old, touchedAt: old, expiresAt: old + HOUR, index: ['term'] }))
        await store.create('new', newRecord({ index: ['term'] }))
        expect((await idsUnder(store, 'term')).length).toBe(52 - 32)
        await store.create('newer', newRecord({ index: ['term'] }))
        expect([...(await idsUnder(store, 'term'))].sort()).toEqual(['new', 'newer', 'yesterday'])
        expect(await server.ask('EXISTS', `${prefix}index:term`)).toBe(':1\r\n')
      })
    })

    it('keeps the record of a term that a patch adds without a deadline as long as the record', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        await store.create('id', newRecord({ expiresAt: NOW + 30 * DAY }))
        await store.patch('id', { now: NOW, nonce: '1', index: ['term'] })
        expect(await server.ask('ZSCORE', `${prefix}index:term`, 'id')).toContain(String(NOW + 30 * DAY))
        expect(await store.patch('absent', { now: NOW, nonce: '1', index: ['term'] })).toEqual({ status: 'gone' })
        expect(await idsUnder(store, 'term')).toEqual(['id'])
      })
    })

    it('scores a term anew when another request had moved the deadline further', async () => {
      await withStore('node-redis', 'single', async ({ store, prefix }) => {
        await store.create('id', newRecord())
        await store.patch('id', { now: NOW, nonce: '1', expiresAt: NOW + 30 * DAY })
        await store.patch('id', { now: NOW, nonce: '2', expiresAt: NOW + 2 * HOUR, index: ['term'] })
        expect(await server.ask('ZSCORE', `${prefix}index:term`, 'id')).toContain(String(NOW + 30 * DAY))
      })
    })

    it('forgets an ended session also when its deadline was moved earlier', async () => {
      await withStore('node-redis', 'single', async ({ store }) => {
        await store.create('id', newRecord({ expiresAt: NEVER, index: ['term'] }))
        await store.patch('id', { now: NOW, nonce: '1', expiresAt: NOW + HOUR, deadline: 'replace' })
        await store.patch('id', { now: NOW, nonce: '2', expiresAt: NOW + 2 * HOUR, deadline: 'replace' })
        await store.end('id', 'revoked', NOW)
        expect(await idsUnder(store, 'term')).toEqual([])
      })
    })

    it('says that the outcome is unknown when a term cannot be listed behind a change that was made', async () => {
      await withStore('ioredis', 'single', async ({ client, prefix }) => {
        const settled = redisStore(client, { prefix })
        const full = new Error('OOM command not allowed when used memory > \'maxmemory\'.')
        const made = async (call: (store: Store) => unknown): Promise<string> => {
          const refusing = redisStore(refusingAfter(client, 2, full), { prefix })
          return Promise.resolve(call(refusing)).then(() => 'acknowledged', (error: { outcome: string }) => error.outcome)
        }
        await settled.create('id', newRecord({ nonce: 'first' }))
        await settled.patch('id', { now: NOW, nonce: '1', expiresAt: NOW + 30 * DAY })
        expect(await made((store) => store.patch('id', { now: NOW, nonce: '2', expiresAt: NOW + 2 * HOUR, index: ['term'], set: [['d:a', '1']] }))).toBe('unknown')
        expect((await settled.read('id'))?.entries['d:a']).toBe('1')

        await settled.end('id', 'revoked', NOW)
        expect(await made((store) => store.create('id', newRecord({ tokenHash: 'another', index: ['term'] })))).toBe('unknown')
        expect((await settled.read('id'))?.tokenHash).toBe('another')
      })
    })

    it('lists a session before there is one, and a term before the session has it', async () => {
      await withStore('ioredis', 'single', async ({ client, store, prefix }) => {
        const creating = heldAfter(client, 1)
        const created = redisStore(creating.client, { prefix }).create('id', newRecord({ index: ['owner'] }))
        await creating.held
        expect([await idsUnder(store, 'owner'), await store.read('id')]).toEqual([['id'], undefined])
        creating.release()
        expect(await created).toBe(true)

        const patching = heldAfter(client, 1)
        const patched = redisStore(patching.client, { prefix }).patch('id', { now: NOW, nonce: '1', index: ['more'], expiresAt: NOW + HOUR })
        await patching.held
        expect([await idsUnder(store, 'more'), (await store.read('id'))?.index]).toEqual([['id'], ['owner']])
        patching.release()
        expect(await patched).toEqual({ status: 'ok', version: 2 })
      })
    })

    it('still lists a session that was created anew while the end of the old one was taking its terms away', async () => {
      await withStore('ioredis', 'single', async ({ client, prefix }) => {
        for (const expiresAt of [NOW + HOUR, NOW + 1]) {
          const id = `id-${expiresAt}`
          const other = redisStore(client, { prefix })
          await other.create(id, newRecord({ index: ['term'] }))
          // An end is held after the record has ended and before its terms leave.
          const ending = heldAfter(client, 1)
          const ended = redisStore(ending.client, { prefix }).end(id, 'revoked', NOW)
          await ending.held
          await other.create(id, newRecord({ createdAt: NOW, tokenHash: 'another', expiresAt, index: ['term'] }))
          ending.release()
          expect(await ended).toBe(true)
          expect(await idsUnder(other, 'term')).toContain(id)
        }
      })
    })
  })

  describe('sweep', () => {
    it('looks at a bounded number of keys, and goes on from there', async () => {
      const own = await startRedis(binary)
      const { client, close } = await connectRedis('node-redis', 'single', { ports: [own.port], password: own.password })
      try {
        await own.ask('EVAL', "for i = 1, 60000 do redis.call('SET', 'filler:' .. i, 'x') end", '0')
        const store = redisStore(client)
        for (let n = 0; n < 40; n += 1) await store.create(`id-${n}`, newRecord({ expiresAt: NOW }))
        let calls = 0
        for (let swept = 0; swept < 40; calls += 1) swept += (await store.sweep?.({ now: NOW }, 1000)) ?? 0
        expect(calls).toBeGreaterThan(1)
        expect(calls).toBeLessThanOrEqual(60)
        const scans = /cmdstat_scan:calls=(\d+)/.exec(await own.ask('INFO', 'commandstats'))?.[1]
        expect(Number(scans)).toBeLessThanOrEqual(calls * 16)
        expect(await own.ask('DBSIZE')).toBe(':60000\r\n')
      } finally {
        await close()
        await own.stop()
      }
    })

    it('deletes nothing that is not past by the server’s clock too', async () => {
      await withStore('node-redis', 'single', async ({ store }) => {
        await store.create('id', newRecord())
        expect(await store.sweep?.({ now: NOW + 30 * DAY }, 10)).toBe(0)
        expect(await store.read('id')).toBeDefined()
      })
    })
  })

  describe('redisStore', () => {
    const pool = createClientPool()
    it.each([
      ['nothing', undefined], ['a URL', 'redis://localhost'], ['options', { url: 'redis://localhost' }], ['a client without a state', { sendCommand: () => undefined }], ['a pool', pool],
    ])('refuses %s instead of a client', (_, client) => {
      expect(() => Reflect.apply(redisStore, undefined, [client])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('createClient') }))
    })

    it.each([
      ['node-redis', () => createClient({ keyPrefix: 'app:' })], ['ioredis', () => new Redis({ lazyConnect: true, keyPrefix: 'app:' })],
      ['ioredis Cluster', () => new Cluster([], { lazyConnect: true, keyPrefix: 'app:' })],
    ])('refuses a client of %s with a keyPrefix', (_, connect) => {
      expect(() => redisStore(connect())).toThrow(/keyPrefix/)
    })

    it.each([
      [{ prefix: '' }], [{ prefix: '\uD800' }], [{ eviction: 'allow' }], [{ minReplicas: -1 }], [{ minReplicas: 1.5 }], [{ replicaTimeout: 0 }], [{ replicaTimeout: 1000 }], [{ watch: {} }], [{ nearCache: true }],
    ])('refuses %o', (options) => {
      expect(() => Reflect.apply(redisStore, undefined, [createClient(), options])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(Object.keys(options)[0] ?? '') }))
    })

    it('does not open over a client that was not told to connect', async () => {
      for (const client of [createClient(), new Redis({ lazyConnect: true })]) {
        await expect(redisStore(client).open?.()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none', message: expect.stringContaining('connect()') })
      }
    })

    it('waits for a client that is connecting', async () => {
      const client = new Redis({ port: server.port, password: server.password })
      const store = redisStore(client, { prefix: freshPrefix() })
      await store.open?.()
      expect(await store.read('id')).toBeUndefined()
      client.disconnect()
    })

    it('reads through a client that hands out bytes', async () => {
      const { RESP_TYPES } = await import('redis')
      const client = createClient({ url: `redis://:${server.password}@127.0.0.1:${server.port}`, commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } })
      await client.connect()
      const store = redisStore(client, { prefix: freshPrefix() })
      await store.create('id', newRecord({ index: ['term'], entries: makeEntries({ 'd:a': 'é' }) }))
      expect((await store.read('id'))?.entries['d:a']).toBe('é')
      expect(await idsUnder(store, 'term')).toEqual(['id'])
      expect(await store.patch('id', { now: NOW, nonce: '1', expect: [['d:a', 'x']] })).toMatchObject({ status: 'conflict' })
      await client.close()
    })
  })

  describe('keySlot', () => {
    it('is the slot that the server computes', async () => {
      const keys = fc.sample(fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[a{}]{0,6}$/), fc.stringMatching(/^a?\{[ab]{0,3}\}b?\{c\}$/)), 300)
      for (const key of ['', '{}', 'a{}b', '{a}b', 'sojourn:session:x', ...keys]) {
        expect([key, await clusterServers[0]?.ask('CLUSTER', 'KEYSLOT', key)]).toEqual([key, `:${keySlot(key)}\r\n`])
      }
    })
  })
})

describe('recordFromReply', () => {
  const time = fc.integer({ min: -(2 ** 40), max: NEVER })
  const anyText = fc.string({ unit: 'binary' })
  const anyRecord: fc.Arbitrary<SessionRecord> = fc
    .record({
      version: fc.nat(), createdAt: time, touchedAt: time, expiresAt: time, tokenHash: anyText, nonce: anyText, index: fc.uniqueArray(fc.base64String()),
      entries: fc.array(fc.tuple(anyText, anyText)).map((pairs) => Object.fromEntries(pairs)),
      rest: fc.record({ previous: fc.record({ tokenHash: anyText, rotatedAt: time }), ended: fc.record({ because: fc.constantFrom('revoked', 'destroyed'), at: time }) }, { requiredKeys: [] }),
    })
    .map(({ rest, ...record }) => ({ ...record, ...rest }))

  it('is what was stored, in each shape that clients answer', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const fields = fieldsOf(record)
        const pairs = Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at] ?? '', fields[2 * at + 1] ?? ''] as const)
        for (const reply of [fields, new Map(pairs), Object.fromEntries(pairs), fields.map((field) => Buffer.from(field))]) {
          const read = recordFromReply(reply)
          expect({ ...read, entries: { ...read?.entries } }).toEqual(record)
        }
      }),
    )
  })

  it.each([[[]], [{}], [new Map()]])('is undefined for %o', (reply) => {
    expect(recordFromReply(reply)).toBeUndefined()
  })

  const head = `1\n${NOW}\n${NOW}\nnonce`
  const hash = `hash\n${NOW}`

  it.each([
    ['OK'], [null], [['!', '1', '!h', hash]], [{ '!': '', '!h': hash }], [['!', null, '!h', hash]], [['d:a', '1']], [['!', head]], [['!', head, '!h', 'hash']], [['!', head, '!h', 'hash\nsoon']],
    [['!', `1\nsoon\n${NOW}\nnonce`, '!h', hash]], [['!', `1\n${NOW}\n${NOW}`, '!h', hash]], [['!', head, '!h', hash, '!p', 'hash']], [['!', head, '!h', hash, '!p', 'hash\nlate']],
    [['!x', head, '!h', hash]], [['!x', `${head}\nrevoked`, '!h', hash]], [['!x', `${head}\nbored\n1`, '!h', hash]],
  ])('throws ERR_SESSION_UNREADABLE for %o', (reply) => {
    expect(() => recordFromReply(reply)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_UNREADABLE' }))
  })
})

describe('A failed write', () => {
  const link = linkTo(createClient())

  it.each([new AbortError(), new ClientClosedError(), new ClientOfflineError(), new UnsentError(), new Error('READONLY You can not write'), new Error('NOSCRIPT No matching script')])('changed nothing after %o, unless the client may have sent it before', (cause) => {
    expect(failed(cause, link, 'unknown').outcome).toBe('none')
    expect(failed(cause, { ...link, resends: true }, 'unknown').outcome).toBe('unknown')
    expect(failed(cause, { ...link, resends: true }, 'none').outcome).toBe('none')
  })

  it('may have been made where WAIT is refused, also behind a slot that has moved', async () => {
    for (const codes of [['NOPERM'], ['MOVED', 'NOPERM']]) {
      const sendAndWait = async (): Promise<never> => { throw new Error(`${codes.shift()} refused`) }
      const caller = new RedisCaller({ ...link, isReady: () => true, send: async () => 0, sendAndWait }, { minReplicas: 1, replicaTimeout: 1 })
      await expect(caller.run(CREATE, 'key', [])).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown' })
      expect(codes).toEqual([])
    }
  })

  it('may have been made after the AbortError of ioredis, which says that a command was sent', () => {
    const unconnected = linkTo(new Redis({ lazyConnect: true, autoResendUnfulfilledCommands: false }))
    expect(failed(new (class AbortError extends Error {})('Command aborted due to connection close'), unconnected, 'unknown').outcome).toBe('unknown')
    expect(failed(new UnsentError(), unconnected, 'unknown').outcome).toBe('none')
  })

  it.each([new DOMException('given up', 'AbortError'), new DOMException('late', 'TimeoutError'), new Error('Connection is closed.')])('may have been made after %o', (cause) => {
    expect(failed(cause, link, 'unknown').outcome).toBe('unknown')
  })
})

type Ear = Awaited<ReturnType<typeof connectRedis>>

/** The client, which answers every command after the first `count` with this error. */
function refusingAfter(client: RedisClient, count: number, error: Error): RedisClient {
  if (!('call' in client)) throw new Error('for ioredis only')
  let sent = 0
  const { options } = client
  return Object.assign(Object.create(client) as typeof client, {
    options: { ...options, autoResendUnfulfilledCommands: false },
    call: async (command: string, args: string[]) => {
      sent += 1
      if (sent > count) throw error
      return client.call(command, args)
    },
  })
}

/** The client, which holds every command after the first `count` until it is released. */
function heldAfter(client: RedisClient, count: number): { readonly client: RedisClient; readonly held: Promise<void>; release(): void } {
  if (!('call' in client)) throw new Error('for ioredis only')
  const { promise: held, resolve: isHeld } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  let sent = 0
  const holding = Object.assign(Object.create(client) as typeof client, {
    call: async (command: string, args: string[]) => {
      sent += 1
      if (sent > count) {
        isHeld()
        await released
      }
      return client.call(command, args)
    },
  })
  return { client: holding, held, release: () => release() }
}
