import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, memoryStore } from '../index.ts'
import type { CoreOptions } from './options.ts'
import type { Store } from './store.ts'

/** A memory store whose every answer takes a turn of the event loop, so that a handler can go on meanwhile. */
function slowStore(): Store {
  const memory = memoryStore()
  const later = async <T>(answer: () => T): Promise<T> => {
    await new Promise(setImmediate)
    return answer()
  }
  return {
    read: (id) => later(() => memory.read(id)),
    create: (id, record) => later(() => memory.create(id, record)),
    patch: (id, patch, options) => later(() => memory.patch(id, patch, options)),
    end: (id, because, at) => later(() => memory.end(id, because, at)),
  }
}

interface Data { n: number; m: number }

function visitor(options: Partial<CoreOptions<Data>> = {}): Visitor<Data> {
  return new Visitor(createSessions<Data>({ store: slowStore(), sweepEvery: 'never', ...options }))
}

const dataOf = async (customer: Visitor<Data>): Promise<unknown> => (await customer.visit((session) => session.toObject())).result

describe('a handler that goes on while the store is at work', () => {
  it('keeps what it sets during a commit', async () => {
    const customer = visitor()
    await customer.visit((session) => session.set('n', 0))
    await customer.visit(async (session) => {
      session.set('n', 1)
      const committed = session.commit()
      session.set('n', 2)
      await committed
    })
    expect(await dataOf(customer)).toEqual({ n: 2 })
  })

  it('keeps what it sets and deletes while the session is made', async () => {
    const customer = visitor()
    await customer.visit(async (session) => {
      session.set('n', 1)
      session.set('m', 1)
      const committed = session.commit()
      session.set('n', 2)
      session.delete('m')
      await committed
    })
    expect(await dataOf(customer)).toEqual({ n: 2 })
  })

  it('keeps the last of several writes that are committed at once', async () => {
    const customer = visitor({ commit: 'immediate' })
    await customer.visit((session) => { for (const n of [1, 2, 3]) session.set('n', n) })
    expect(await dataOf(customer)).toEqual({ n: 3 })
  })

  it('keeps what it sets during an update of the same key', async () => {
    const customer = visitor()
    await customer.visit((session) => session.set('n', 0))
    await customer.visit(async (session) => {
      const updated = session.update('n', (n = 0) => n + 1)
      session.set('n', 50)
      await updated
    })
    expect(await dataOf(customer)).toEqual({ n: 50 })
  })

  it('leaves with data = null what an update under way was about, also when that met another write', async () => {
    const store = slowStore()
    const customer = visitor({ store })
    const { result: old } = await customer.visit((session) => { session.set('n', 1); return session.id })
    const slow = await customer.begin()
    await customer.visit((session) => session.set('n', 5))
    const updated = slow.session.update('n', (n = 0) => n + 1)
    slow.session.data = null
    slow.session.set('m', 7)
    expect(await updated).toBe('gone')
    expect(slow.session.toObject()).toEqual({ m: 7 })
    customer.take(await slow.finish())
    const { result } = await customer.visit((session) => [session.id === old, session.toObject()])
    expect(result).toEqual([false, { m: 7 }])
    expect((await store.read(old))?.ended).toMatchObject({ because: 'destroyed' })
  })

  it('does one thing after the other, though it waits for none', async () => {
    const store = slowStore()
    const customer = visitor({ store })
    await customer.visit((session) => session.set('n', 0))
    const { result } = await customer.visit((session) => Promise.all([session.regenerate(), session.regenerate(), session.update('n', (n = 0) => n + 1), session.commit()]))
    expect(result).toEqual(['ok', 'ok', 1, 'ok'])
    expect(await dataOf(customer)).toEqual({ n: 1 })
  })

  it('is answered with the cookie of a login that it did not wait for', async () => {
    const customer = visitor()
    const { setCookies } = await customer.visit((session) => { void session.login('ann') })
    expect(setCookies).toHaveLength(1)
    expect((await customer.visit((session) => session.owner)).result).toBe('ann')
  })

  it('is answered though something that it did not wait for has failed', async () => {
    const customer = visitor()
    await customer.visit((session) => { session.set('n', 1); session.login('ann', JSON.parse('{"assurance":9}')).catch(() => undefined) })
    expect(await dataOf(customer)).toEqual({ n: 1 })
  })

  it('keeps an expiry that it sets while the session is made', async () => {
    let now = 1_700_000_000_000
    const customer = visitor({ clock: () => now })
    await customer.visit(async (session) => {
      session.set('n', 1)
      session.expire('10 minutes')
      const committed = session.commit()
      session.expire('20 hours')
      await committed
      expect(session.isChanged).toBe(true)
    })
    now += 19 * 3_600_000
    expect(await dataOf(customer)).toEqual({ n: 1 })
  })

  it('reads once for all who load lazily at once', async () => {
    const customer = visitor({ load: 'lazy' })
    await customer.visit(async (session) => { await session.load(); session.set('n', 1) })
    const { session } = await customer.begin()
    const read = async (): Promise<number | undefined> => (await session.load()).get('n')
    expect(await Promise.all([read(), read()])).toEqual([1, 1])
  })

  it('stays not loaded when loading fails', async () => {
    const store = slowStore()
    const customer = visitor({ load: 'lazy', store: { ...store, read: () => Promise.reject(new Error('down')) } })
    customer.take([`__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}`])
    const { session } = await customer.begin()
    await expect(session.load()).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect(() => session.set('n', 1)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_NOT_LOADED' }))
  })

  it('keeps an expiry that is set during a touch', async () => {
    let now = 1_700_000_000_000
    const customer = visitor({ clock: () => now })
    await customer.visit((session) => session.set('n', 0))
    now += 600_000
    await customer.visit(async (session) => {
      session.set('n', 1)
      const committed = session.commit()
      session.expire('20 hours')
      await committed
    })
    now += 19 * 3_600_000
    expect(await dataOf(customer)).toEqual({ n: 1 })
  })
})
