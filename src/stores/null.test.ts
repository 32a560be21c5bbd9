import { describe, expect, it } from 'vitest'
import { makeEntries, type SessionRecord } from '../core/record.ts'
import type { Store } from '../core/store.ts'
import { createSessions } from '../index.ts'
import { TestExchange } from '../testing/exchange.ts'
import { nullStore } from './null.ts'

const record: SessionRecord = { version: 1, createdAt: 0, touchedAt: 0, expiresAt: 1000, tokenHash: 'hash', nonce: 'first', index: ['term'], entries: makeEntries() }

async function collect(ids: AsyncIterable<string> | undefined): Promise<string[]> {
  const found: string[] = []
  for await (const id of ids ?? []) found.push(id)
  return found
}

describe('null store', () => {
  it('says that it keeps nothing', () => {
    expect(nullStore().keeps).toBe('nothing')
  })

  it('accepts every write, and reads nothing back', () => {
    const store: Store = nullStore()
    expect(store.create('an-id', record)).toBe(true)
    expect(store.patch('an-id', { now: 1, nonce: 'second', set: [['d:a', '1']] })).toEqual({ status: 'ok', version: 1 })
    expect(store.read('an-id')).toBeUndefined()
    expect(store.create('an-id', record)).toBe(true)
  })

  it('finds, lists, ends and sweeps nothing', async () => {
    const store: Store = nullStore()
    store.create('an-id', record)
    expect(await collect(store.find?.('term'))).toEqual([])
    expect(await collect(store.list?.())).toEqual([])
    expect(store.end('an-id', 'destroyed', 1)).toBe(false)
    expect(store.sweep?.({ now: 10_000 }, 10)).toBe(0)
  })

  it('lets a session last for its request, and hands out no cookie', async () => {
    const sessions = createSessions({ store: nullStore() })
    const exchange = new TestExchange()
    const session = await sessions.open(exchange)
    session.set('cart', ['tea'])
    await session.commit()
    session.set('cart', ['tea', 'milk'])
    await session.login('ada')
    expect(session.get('cart')).toEqual(['tea', 'milk'])
    expect(await session.commit()).not.toBe('gone')
    await sessions.finish(session)
    expect(exchange.setCookies).toEqual([])
    await sessions.close()
  })
})
