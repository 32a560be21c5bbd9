import { describe, expect, it, vi } from 'vitest'
import type { Patch } from '../core/patch.ts'
import { makeEntries, type SessionRecord } from '../core/record.ts'
import type { StoreEvent } from '../core/store.ts'
import { describeStore } from '../testing/index.ts'
import { Slot } from './internal/slot.ts'
import { memoryStore } from './memory.ts'

describeStore({ describe, it }, 'memory store', () => {
  const store = memoryStore()
  return { store, close: () => store.close() }
}, { lacks: ['reopen', 'corrupt'] })

describeStore({ describe, it }, 'memory store with 64 shards', () => {
  const store = memoryStore({ maxSessions: 1_000_000 })
  return { store, close: () => store.close() }
}, { lacks: ['reopen', 'corrupt'] })

const NOW = 1_700_000_000_000

function record(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: NOW + 1000, tokenHash: 'hash', nonce: 'first', index: [], entries: makeEntries(), ...changes }
}

let nonces = 0
function patch(changes: Partial<Patch>): Patch {
  nonces += 1
  return { now: NOW, nonce: `nonce-${nonces}`, ...changes }
}

function entries(pairs: Record<string, string>): Record<string, string> {
  return Object.assign(makeEntries(), pairs)
}

/** A store, and what it reports. */
function observed(options: Parameters<typeof memoryStore>[0]): { store: ReturnType<typeof memoryStore>; evicted: (string | undefined)[] } {
  const store = memoryStore(options)
  const evicted: (string | undefined)[] = []
  store.observe(({ event, id }: StoreEvent) => evicted.push(event === 'evict' ? id : event))
  return { store, evicted }
}

function idsIn(store: ReturnType<typeof memoryStore>, ids: readonly string[]): readonly string[] {
  return ids.filter((id) => store.read(id) !== undefined)
}

describe('memory store, bounded', () => {
  it('lets the oldest leave when one more than maxSessions comes, and says so', () => {
    const { store, evicted } = observed({ maxSessions: 3 })
    for (const id of ['aaa', 'bbb', 'ccc', 'ddd', 'eee']) store.create(id, record())
    expect(store.size).toBe(3)
    expect(evicted).toEqual(['aaa', 'bbb'])
    expect(idsIn(store, ['aaa', 'bbb', 'ccc', 'ddd', 'eee'])).toEqual(['ccc', 'ddd', 'eee'])
  })

  it('spares what was read or written since', () => {
    const { store, evicted } = observed({ maxSessions: 3 })
    for (const id of ['aaa', 'bbb', 'ccc']) store.create(id, record())
    store.read('aaa')
    store.patch('bbb', patch({ set: [['d:a', '1']] }))
    store.create('ddd', record())
    expect(evicted).toEqual(['ccc'])
  })

  it('keeps the bound when everything is in use', () => {
    const { store } = observed({ maxSessions: 3 })
    for (const id of ['aaa', 'bbb', 'ccc']) store.create(id, record())
    for (const id of ['aaa', 'bbb', 'ccc']) store.read(id)
    store.create('ddd', record())
    expect(store.size).toBe(3)
    expect(store.read('ddd')).toBeDefined()
  })

  it('logs nobody out for a flood of anonymous visitors', () => {
    const { store, evicted } = observed({ maxSessions: 4 })
    store.create('one', record())
    store.patch('one', patch({ set: [['m:owner', '"ada"']] }))
    store.create('two', record({ entries: entries({ 'm:owner': '"bob"' }) }))
    for (let n = 0; n < 50; n += 1) store.create(`stranger-${n}`, record())
    expect(evicted.length).toBe(48)
    expect(idsIn(store, ['one', 'two'])).toEqual(['one', 'two'])
  })

  it('takes the oldest with an owner when there is nobody else', () => {
    const { store, evicted } = observed({ maxSessions: 2 })
    for (const id of ['one', 'two', 'three']) store.create(id, record({ entries: entries({ 'm:owner': '"ada"' }) }))
    store.create('stranger', record())
    expect(evicted).toEqual(['one', 'two'])
  })

  it('keeps the mark that all sessions of an owner were revoked as long as their sessions', () => {
    const { store, evicted } = observed({ maxSessions: 2 })
    store.create('mark', record({ entries: entries({ 'm:revokedAt': '1' }) }))
    for (let n = 0; n < 5; n += 1) store.create(`stranger-${n}`, record())
    expect(evicted).not.toContain('mark')
  })

  it('does not count a session whose owner left among the owned', () => {
    const { store, evicted } = observed({ maxSessions: 2 })
    store.create('left', record({ entries: entries({ 'm:owner': '"ada"' }) }))
    store.create('stays', record({ entries: entries({ 'm:owner': '"bob"' }) }))
    store.patch('left', patch({ remove: ['m:owner'] }))
    store.patch('stays', patch({ touchedAt: NOW + 1 }))
    store.create('next', record())
    expect(evicted).toEqual(['left'])
  })

  it('keeps to maxBytes when records grow, and never evicts the one that is being written', () => {
    const { store, evicted } = observed({ maxBytes: 20_000 })
    for (const id of ['aaa', 'bbb', 'ccc']) store.create(id, record())
    store.patch('aaa', patch({ set: [['d:a', 'x'.repeat(19_400)]] }))
    expect(store.bytes).toBeLessThanOrEqual(20_000)
    expect(evicted).toEqual(['bbb', 'ccc'])
    expect(store.read('aaa')?.entries['d:a']?.length).toBe(19_400)
  })

  it('refuses a record that is larger than maxBytes, and changes nothing', () => {
    const { store, evicted } = observed({ maxBytes: 20_000 })
    const large = 'x'.repeat(20_000)
    store.create('aaa', record())
    expect(() => store.create('bbb', record({ entries: entries({ 'd:a': large }) }))).toThrow(expect.objectContaining({ code: 'ERR_SESSION_TOO_LARGE' }))
    expect(() => store.patch('aaa', patch({ set: [['d:a', large]] }))).toThrow(expect.objectContaining({ code: 'ERR_SESSION_TOO_LARGE' }))
    expect(store.read('aaa')?.version).toBe(1)
    expect(evicted).toEqual([])
  })

  it('does not report a tombstone that leaves', () => {
    const { store, evicted } = observed({ maxSessions: 1 })
    store.create('aaa', record())
    store.end('aaa', 'destroyed', NOW)
    store.create('bbb', record())
    expect(evicted).toEqual([])
    expect(store.size).toBe(1)
  })

  it('finds nothing of what it evicted', async () => {
    const { store } = observed({ maxSessions: 1 })
    store.create('aaa', record({ index: ['term'] }))
    store.create('bbb', record({ index: ['term'] }))
    const found: string[] = []
    for await (const id of store.find('term')) found.push(id)
    expect(found).toEqual(['bbb'])
  })

  it('holds the bound over several shards', () => {
    const { store, evicted } = observed({ maxSessions: 20_000 })
    for (let n = 0; n < 25_000; n += 1) store.create(`session-${n}`, record())
    expect(store.size).toBe(20_000)
    expect(evicted.length).toBe(5000)
    // In turns from each shard, oldest first: hardly anything recent is among them.
    expect(evicted.filter((id) => Number(id?.slice(8)) > 12_000)).toEqual([])
  })

  it('throws at construction for a bound that is none', () => {
    for (const options of [{ maxSessions: 0 }, { maxSessions: Number.NaN }, { maxBytes: -1 }, { maxBytes: 0 }]) {
      expect(() => memoryStore(options)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    }
  })
})

describe('memory store, accounts', () => {
  it('come to zero when everything has left, whatever was done before', () => {
    const store = memoryStore()
    for (const id of ['aaa', 'bbb', 'ccc']) store.create(id, record({ index: ['one'], entries: entries({ 'd:a': '漢字', 'd:b': 'é' }) }))
    store.patch('aaa', patch({ set: [['d:a', 'x'], ['d:a', 'long '.repeat(100)], ['d:c', '1']], remove: ['d:b', 'd:c', 'd:none'] }))
    store.patch('aaa', patch({ rotateTo: 'another hash', index: ['two'], expiresAt: NOW + 100_000, nonce: 'a longer nonce than before' }))
    store.end('bbb', 'revoked', NOW)
    store.create('bbb', record())
    expect(store.bytes).toBeGreaterThan(0)
    expect(store.sweep({ now: NOW + 200_000 }, 10)).toBe(3)
    expect([store.size, store.bytes]).toEqual([0, 0])
  })

  it('are the same for a record that was patched into shape and one that was created so', () => {
    const [grown, born] = [memoryStore(), memoryStore()]
    grown.create('aaa', record({ entries: entries({ 'd:gone': 'x'.repeat(50) }) }))
    const set = Array.from({ length: 30 }, (_, n) => [`d:${n}`, '漢'.repeat(n)] as const)
    grown.patch('aaa', patch({ nonce: 'other', set, remove: ['d:gone'], index: ['term'] }))
    born.create('aaa', record({ nonce: 'other', index: ['term'], entries: entries(Object.fromEntries(set)) }))
    expect(grown.bytes).toBe(born.bytes)
  })
})

describe('memory store, sweeping', () => {
  it('looks at nothing but what has expired: 1,000 among 200,000', () => {
    const store = memoryStore({ maxSessions: 300_000 })
    for (let n = 0; n < 200_000; n += 1) store.create(`session-${n}`, record({ expiresAt: n % 200 === 0 ? NOW + 1000 : NOW + 60_000 + n * 10 }))
    const looks = vi.spyOn(Slot.prototype, 'expiresAt', 'get')
    const swept = store.sweep({ now: NOW + 30_000 }, 10_000)
    const count = looks.mock.calls.length
    looks.mockRestore()
    expect(swept).toBe(1000)
    expect(count).toBeLessThanOrEqual(3 * 1000)
    expect(store.size).toBe(199_000)
  })

  it('asks for olderThan where it is needed', () => {
    expect(() => memoryStore().sweep({ now: NOW, by: 'touched' }, 10)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE' }))
  })
})

describe('memory store, watching', () => {
  it('tells every watcher of a session, and none that has stopped', () => {
    const store = memoryStore()
    const told: string[] = []
    store.create('aaa', record())
    store.watch('aaa', () => told.push('one'))
    store.watch('aaa', () => told.push('two'))
    const stop = store.watch('aaa', () => told.push('three'))
    stop()
    stop()
    store.end('aaa', 'revoked', NOW)
    expect(told).toEqual(['one', 'two'])
  })

  it('tells of one end only', () => {
    const store = memoryStore()
    const told: string[] = []
    store.create('aaa', record())
    store.watch('aaa', () => told.push('one'))
    store.end('aaa', 'revoked', NOW)
    store.create('aaa', record())
    store.end('aaa', 'revoked', NOW)
    expect(told).toEqual(['one'])
  })

  it('tells of the end of the next session under the same id too, when asked again', () => {
    const store = memoryStore()
    const told: string[] = []
    store.create('aaa', record())
    const stop = store.watch('aaa', () => told.push('first'))
    store.end('aaa', 'revoked', NOW)
    store.create('aaa', record())
    store.watch('aaa', () => told.push('second'))
    stop()
    store.end('aaa', 'revoked', NOW)
    expect(told).toEqual(['first', 'second'])
  })
})

describe('memory store, its copies', () => {
  it('leaves what it was given as it was, not even frozen', () => {
    const store = memoryStore()
    const given = record({ index: ['term'], entries: entries({ 'd:a': '1' }), previous: { tokenHash: 'old', rotatedAt: NOW } })
    store.create('aaa', given)
    for (const value of [given, given.entries, given.index, given.previous]) expect(Object.isFrozen(value)).toBe(false)
  })

  it('hands out what cannot be changed', () => {
    const store = memoryStore()
    store.create('aaa', record({ index: ['term'], entries: entries({ 'd:a': '1' }), previous: { tokenHash: 'old', rotatedAt: NOW } }))
    store.patch('aaa', patch({ set: [['d:b', '1']] }))
    const read = store.read('aaa')
    for (const value of [read?.entries, read?.index, read?.previous]) expect(Object.isFrozen(value)).toBe(true)
    store.end('aaa', 'revoked', NOW)
    expect(Object.isFrozen(store.read('aaa')?.ended)).toBe(true)
  })
})

describe('memory store, closing', () => {
  it('lets go of everything', () => {
    const store = memoryStore()
    store.create('aaa', record())
    store.close()
    expect([store.size, store.bytes, store.read('aaa')]).toEqual([0, 0, undefined])
  })
})
