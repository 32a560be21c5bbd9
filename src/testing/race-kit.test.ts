import { describe, expect, it } from 'vitest'
import { makeEntries, type SessionRecord } from '../core/record.ts'
import { memoryStore } from '../stores/memory.ts'
import { describeStore } from './describe-store.ts'
import { holdable } from './race-kit.ts'

describeStore({ describe, it }, 'memory store, held by nothing', () => {
  const store = holdable(memoryStore())
  return { store, close: () => store.close?.() }
}, { lacks: ['reopen', 'corrupt'] })

const record: SessionRecord = { version: 1, createdAt: 0, touchedAt: 0, expiresAt: 1000, tokenHash: 'hash', nonce: 'first', index: [], entries: makeEntries() }

function holdableWith(...ids: readonly string[]): { store: ReturnType<typeof holdable>; inner: ReturnType<typeof memoryStore> } {
  const inner = memoryStore()
  for (const id of ids) inner.create(id, record)
  return { store: holdable(inner), inner }
}

async function collect(ids: AsyncIterable<string> | undefined): Promise<string[]> {
  const found: string[] = []
  for await (const id of ids ?? []) found.push(id)
  return found
}

describe('holdable store', () => {
  it('answers synchronously where nothing is held', () => {
    const { store } = holdableWith('one')
    expect(store.read('one')).toEqual(record)
    expect(store.end('one', 'destroyed', 1)).toBe(true)
  })

  it('holds a call before the store is asked', async () => {
    const { store, inner } = holdableWith('one')
    const held = store.hold('patch')
    const answer = store.patch('one', { now: 1, nonce: 'second', set: [['d:a', '1']] })
    await held.reached
    expect(inner.read('one')?.version).toBe(1)
    inner.end('one', 'revoked', 1)
    held.release()
    expect(await answer).toEqual({ status: 'gone' })
  })

  it('holds a call after the store has answered', async () => {
    const { store, inner } = holdableWith('one')
    const held = store.hold('read', { when: 'after' })
    const answer = store.read('one')
    await held.reached
    inner.end('one', 'revoked', 1)
    held.release()
    expect((await answer)?.ended).toBeUndefined()
  })

  it('holds one call, of one id if asked to, and lets the others pass', async () => {
    const { store } = holdableWith('one', 'two')
    const held = store.hold('read', { id: 'two' })
    expect(store.read('one')).toEqual(record)
    const answer = store.read('two')
    await held.reached
    expect(store.read('two')).toEqual(record)
    held.release()
    expect(await answer).toEqual(record)
  })

  it('holds two calls at two points of one name', async () => {
    const { store } = holdableWith('one')
    const [first, second] = [store.hold('read'), store.hold('read')]
    const order: string[] = []
    const answers = Promise.all([
      Promise.resolve(store.read('one')).then(() => order.push('first')),
      Promise.resolve(store.read('one')).then(() => order.push('second')),
    ])
    await Promise.all([first.reached, second.reached])
    second.release()
    await Promise.resolve()
    first.release()
    await answers
    expect(order).toEqual(['second', 'first'])
  })

  it('makes a held call fail, before it was applied', async () => {
    const { store, inner } = holdableWith('one')
    const held = store.hold('end')
    const answer = Promise.resolve(store.end('one', 'revoked', 1))
    held.fail(new Error('no connection'))
    await expect(answer).rejects.toThrow('no connection')
    expect(inner.read('one')?.ended).toBeUndefined()
  })

  it('loses the reply of a call that was applied', async () => {
    const { store, inner } = holdableWith('one')
    store.loseReply('patch')
    const answer = Promise.resolve(store.patch('one', { now: 1, nonce: 'second', set: [['d:a', '1']] }))
    await expect(answer).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown' })
    expect(inner.read('one')?.entries['d:a']).toBe('1')
  })

  it('sends a patch twice, which the store recognises', async () => {
    const { store, inner } = holdableWith('one')
    store.sendTwice('patch')
    expect(await store.patch('one', { now: 1, nonce: 'second', expect: [['d:a', null]], set: [['d:a', '1']] })).toEqual({ status: 'ok', version: 2 })
    expect(inner.read('one')?.version).toBe(2)
  })

  it('holds the search for a term', async () => {
    const inner = memoryStore()
    inner.create('one', { ...record, index: ['term'] })
    const store = holdable(inner)
    const held = store.hold('find')
    const found = collect(store.find?.('term'))
    await held.reached
    inner.end('one', 'revoked', 1)
    held.release()
    expect(await found).toEqual([])
  })

  it('knows every call that was made, until it is told to forget them', async () => {
    const { store } = holdableWith()
    store.read('one')
    store.create('one', record)
    store.read('two')
    store.sweep?.({ now: 1 }, 10)
    expect(store.calls).toEqual([{ method: 'read', id: 'one' }, { method: 'create', id: 'one' }, { method: 'read', id: 'two' }, { method: 'sweep' }])
    expect([store.count(), store.count('read'), store.count('patch')]).toEqual([4, 2, 0])
    store.forgetCalls()
    expect(store.count()).toBe(0)
  })
})
