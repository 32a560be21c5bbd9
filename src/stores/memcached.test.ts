import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { BroadcastHash, Memcache } from 'memcache'
import { MemcacheClient } from 'memcache-client'
import Memcached from 'memcached'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeProcesses } from '../../test/processes/describe-processes.ts'
import { needsMemcached, startMemcached, type MemcachedServer } from '../../test/servers/memcached.ts'
import { describeWithServer } from '../../test/servers/suite.ts'
import { startCuttingProxy } from '../../test/stores/cutting-proxy.ts'
import { memcachedClients } from '../../test/stores/memcached-clients.ts'
import { NEVER } from '../core/record.ts'
import { describeStore } from '../testing/describe-store.ts'
import { newId, newPatch, newRecord, NOW } from '../testing/store-cases/trial.ts'
import { memcachedStore, type MemcachedClient } from './memcached.ts'

const DAY = 86_400_000
const processModule = fileURLToPath(new URL('../../test/stores/memcached-process.ts', import.meta.url))

function freshPrefix(): string {
  return `${randomBytes(9).toString('base64url')}:`
}

/** A client that writes down what it is asked for. */
function counting(client: object, calls: string[]): MemcachedClient {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.push(String(name))
        return Reflect.apply(value, target, args)
      }
    },
  }) as MemcachedClient
}

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

describeWithServer('memcachedStore', needsMemcached, (binary) => {
  let server: MemcachedServer
  beforeAll(async () => {
    server = await startMemcached(binary)
  })
  afterAll(() => server.stop())

  for (const [name, connect] of Object.entries(memcachedClients)) {
    describeStore({ describe, it }, `over ${name}`, () => {
      const [one, two] = [connect(server.address), connect(server.address)]
      const prefix = freshPrefix()
      return {
        store: memcachedStore(one.client, { prefix }),
        reopen: () => memcachedStore(two.client, { prefix }),
        corrupt: async (id) => void (await server.ask(`set ${prefix}${id} 0 100 12\r\nnot a record`)),
        close: () => {
          one.close()
          two.close()
        },
      }
    }, { lacks: ['find', 'list', 'sweep', 'watch'], maxBytes: 1_000_000 })

    describeProcesses({ describe, it }, `memcachedStore over ${name}`, { module: processModule, location: () => `${name} ${server.address} ${freshPrefix()}` })

    describe(`a server that fails, over ${name}`, () => {
      it('rejects with ERR_SESSION_STORE when it was killed, and works again when it is back', async () => {
        const own = await startMemcached(binary)
        const { client, close } = connect(own.address)
        const store = memcachedStore(client)
        const id = newId()
        await store.create(id, newRecord())
        await own.kill()
        for (const call of [() => store.read(id), () => store.patch(id, newPatch({ set: [['d:a', '1']] })), () => store.create(newId(), newRecord()), () => store.end(id, 'revoked', NOW)]) {
          expect(await failureOf(call)).toMatchObject({ code: 'ERR_SESSION_STORE' })
        }
        await own.restart()
        await expect.poll(() => failureOf(() => store.read(id)), { timeout: 10_000 }).toBeUndefined()
        expect(await store.read(id), 'a restart forgets everything').toBeUndefined()
        expect(await store.patch(id, newPatch({ set: [['d:a', '1']] }))).toEqual({ status: 'gone' })
        expect(await store.create(id, newRecord())).toBe(true)
        expect(await store.patch(id, newPatch({ set: [['d:a', '1']] }))).toMatchObject({ status: 'ok' })
        close()
        await own.stop()
      })

      it('rejects what was under way when the connection broke, and the next one is right', async () => {
        const own = await startMemcached(binary)
        const { client, close } = connect(own.address)
        const store = memcachedStore(client)
        const id = newId()
        await store.create(id, newRecord({ entries: { 'd:a': 'x'.repeat(200_000) } }))
        own.freeze()
        const underWay = Promise.all(Array.from({ length: 5 }, (_, n) => failureOf(() => (n % 2 === 0 ? store.read(id) : store.patch(id, newPatch({ set: [['d:b', '1']] }))))))
        await own.kill()
        for (const error of await underWay) expect(error).toMatchObject({ code: 'ERR_SESSION_STORE' })
        await own.restart()
        await expect.poll(() => failureOf(() => store.read(id)), { timeout: 10_000 }).toBeUndefined()
        const ids = Array.from({ length: 20 }, newId)
        for (const [n, each] of ids.entries()) await store.create(each, newRecord({ entries: { 'd:n': String(n) } }))
        const found = await Promise.all(ids.map((each) => store.read(each)))
        expect(found.map((record) => record?.entries['d:n'])).toEqual(ids.map((_, n) => String(n)))
        close()
        await own.stop()
      })

      // A client that goes on reading the cut answer would hand one visitor's session to another.
      it('gives nobody what was left of an answer that was cut', async () => {
        const proxy = await startCuttingProxy(server.address)
        const { client, close } = connect(proxy.address)
        const prefix = freshPrefix()
        const store = memcachedStore(client, { prefix })
        const [large, ...ids] = Array.from({ length: 10 }, newId)
        await store.create(large ?? '', newRecord({ entries: { 'd:a': 'x'.repeat(50_000) } }))
        for (const id of ids) await store.create(id, newRecord({ entries: { 'd:id': id } }))
        proxy.cutNextAnswerAfter(20_000)
        expect(await failureOf(() => store.read(large ?? ''))).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
        const found = await Promise.all(ids.map((id) => store.read(id)))
        expect(found.map((record) => record?.entries['d:id'])).toEqual(ids)
        close()
        await proxy.close()
      })
    })
  }

  describe('with one client', () => {
    let client: MemcacheClient
    beforeAll(() => {
      client = new MemcacheClient({ server: server.address })
    })
    afterAll(() => client.shutdown())

    it('is atomic', () => {
      expect(memcachedStore(client).consistency ?? 'atomic').toBe('atomic')
    })

    it('takes one call to read, two to commit, and one where nothing is there', async () => {
      const calls: string[] = []
      const store = memcachedStore(counting(client, calls))
      const id = newId()
      await store.create(id, newRecord())
      expect(calls.splice(0)).toEqual(['gets', 'add'])
      await store.read(id)
      expect(calls.splice(0)).toEqual(['gets'])
      await store.patch(id, newPatch({ set: [['d:a', '1']] }))
      expect(calls.splice(0)).toEqual(['gets', 'cas'])
      await store.patch(newId(), newPatch({ set: [['d:a', '1']] }))
      expect(calls.splice(0)).toEqual(['gets'])
      await store.end(id, 'destroyed', NOW)
      expect(calls).toEqual(['gets', 'cas'])
    })

    it('never adds on the way of a patch: what is deleted under it stays deleted', async () => {
      const id = newId()
      const prefix = freshPrefix()
      const calls: string[] = []
      const deleting = new Proxy(client, {
        get: (target, name) => {
          if (name === 'add') calls.push('add')
          if (name !== 'cas') return Reflect.get(target, name)
          return async (...args: Parameters<MemcacheClient['cas']>) => {
            await target.delete(`${prefix}${id}`)
            return target.cas(...args)
          }
        },
      })
      await memcachedStore(client, { prefix }).create(id, newRecord())
      expect(await memcachedStore(deleting, { prefix }).patch(id, newPatch({ set: [['d:a', '1']] }))).toEqual({ status: 'gone' })
      expect(calls).toEqual([])
      expect(await memcachedStore(client, { prefix }).read(id)).toBeUndefined()
    })

    it('gives up when somebody else is faster every time, and says that nothing was changed', async () => {
      const id = newId()
      const prefix = freshPrefix()
      const store = memcachedStore(client, { prefix })
      await store.create(id, newRecord())
      const racing = new Proxy(client, {
        get: (target, name) => {
          if (name !== 'cas') return Reflect.get(target, name)
          return async (...args: Parameters<MemcacheClient['cas']>) => {
            await target.touch(`${prefix}${id}`, 1000)
            await target.append(`${prefix}${id}`, ' ')
            return target.cas(...args)
          }
        },
      })
      const error = await failureOf(() => memcachedStore(racing, { prefix }).patch(id, newPatch({ set: [['d:a', '1']] })))
      expect(error).toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
      expect((await store.read(id))?.version).toBe(1)
    })

    it('keeps a record as long as its session lives, also beyond the 30 days that memcached counts', async () => {
      const prefix = freshPrefix()
      const store = memcachedStore(client, { prefix })
      const secondsLeft = async (expiresAt: number): Promise<number> => {
        const id = newId()
        await store.create(id, newRecord({ expiresAt }))
        return Number(/ t(-?\d+)/.exec(await server.ask(`mg ${prefix}${id} t`))?.[1])
      }
      const near = (seconds: number): object => expect.closeTo(seconds, -1)
      expect(await secondsLeft(NOW + DAY)).toEqual(near(86_400 + 60))
      expect(await secondsLeft(NOW + 30 * DAY - 60_000)).toEqual(near(30 * 86_400))
      expect(await secondsLeft(NOW + 30 * DAY)).toEqual(near(31 * 86_400 + 60))
      expect(await secondsLeft(NOW + 60 * DAY)).toEqual(near(61 * 86_400 + 60))
      const never = await secondsLeft(NEVER)
      expect(never === -1 || never > 10 * 365 * 86_400, 'ten years, or for ever where that is past 2038').toBe(true)
    })

    it('moves the time to live with a touch', async () => {
      const prefix = freshPrefix()
      const store = memcachedStore(client, { prefix })
      const id = newId()
      await store.create(id, newRecord({ expiresAt: NOW + 60_000 }))
      await store.patch(id, newPatch({ now: NOW + 50_000, touchedAt: NOW + 50_000, expiresAt: NOW + 50_000 + DAY }))
      expect(Number(/ t(\d+)/.exec(await server.ask(`mg ${prefix}${id} t`))?.[1])).toBeGreaterThan(86_000)
    })

    it('refuses a record that memcached could not hold before it is sent, and keeps the one before', async () => {
      const store = memcachedStore(client)
      const id = newId()
      await store.create(id, newRecord())
      const large = 'x'.repeat(1_000_000)
      expect(await failureOf(() => store.patch(id, newPatch({ set: [['d:a', large]] })))).toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
      expect(await failureOf(() => store.create(newId(), newRecord({ entries: { 'd:a': large } })))).toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
      expect((await store.read(id))?.version).toBe(1)
      expect(await store.create(newId(), newRecord({ entries: { 'd:a': 'x'.repeat(999_000) } }))).toBe(true)
    })

    it('sends no id that could carry a command', async () => {
      const store = memcachedStore(client)
      const attack = 'a\r\nset sojourn:victim 0 0 1\r\nx'
      for (const id of [' ', 'a b', attack, 'é', 'x'.repeat(250), '\0']) {
        for (const call of [() => store.read(id), () => store.create(id, newRecord()), () => store.patch(id, newPatch()), () => store.end(id, 'revoked', NOW)]) {
          expect(await failureOf(call)).toMatchObject({ code: 'ERR_SESSION_USAGE' })
        }
      }
      expect(await server.ask('get sojourn:victim')).toBe('END\r\n')
    })
  })
})

describe('memcachedStore refuses by name', () => {
  const cases: readonly (readonly [what: string, make: () => unknown, options: object | undefined, message: RegExp])[] = [
    ['nothing at all', () => undefined, undefined, /memcache-client, memcached or memcache/],
    ['a client without compare-and-set, as memjs is', () => ({ get() {}, set() {}, add() {}, delete() {} }), undefined, /memjs/],
    ['a client that asks one of several servers at random', () => new MemcacheClient({ server: { servers: [{ server: 'a:1' }, { server: 'b:1' }] } }), undefined, /several servers/],
    ['a client that writes to several servers', () => new Memcached(['a:1', 'b:1'], { redundancy: 1 } as object), undefined, /several servers/],
    ['a client that takes another server when one fails', () => new Memcached('a:1', { remove: true }), undefined, /fail-over/],
    ['a prefix with a space', () => new Memcached('a:1'), { prefix: 'a b' }, /prefix/],
    ['a prefix that is too long', () => new Memcached('a:1'), { prefix: 'x'.repeat(121) }, /120/],
    ['a limit that is no number', () => new Memcached('a:1'), { maxBytes: '1 MB' }, /maxBytes/],
  ]
  for (const [what, make, options, message] of cases) {
    it(what, () => {
      const act = (): unknown => Reflect.apply(memcachedStore, undefined, [make(), options])
      expect(act).toThrow(message)
      expect(act).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    })
  }

  it('a client that broadcasts, at its first call', async () => {
    const client = new Memcache({ nodes: ['127.0.0.1:1', '127.0.0.1:2'], hash: new BroadcastHash() })
    expect(await failureOf(() => memcachedStore(client).read(newId()))).toMatchObject({ code: 'ERR_SESSION_OPTION' })
  })
})
