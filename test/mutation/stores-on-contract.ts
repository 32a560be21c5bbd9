// What the mutants of a store are tried on: the contract and nothing else, as the store of somebody else would be.
import { describe, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { describeStore } from '../../src/testing/index.ts'
import { plainStore, type PlainData } from '../broken-stores/plain-store.ts'

const runner = { describe, it }

describeStore(runner, 'the plain store', () => {
  const data: PlainData = { lines: new Map(), watchers: new Map() }
  return { store: plainStore(data), reopen: () => plainStore(data), corrupt: (id) => void data.lines.set(id, 'no record'), close: () => {} }
})

describeStore(runner, 'the memory store', () => {
  const store = memoryStore()
  return { store, close: () => store.close() }
}, { lacks: ['reopen', 'corrupt'] })

describeStore(runner, 'the memory store with 64 shards', () => {
  const store = memoryStore({ maxSessions: 1_000_000 })
  return { store, close: () => store.close() }
}, { lacks: ['reopen', 'corrupt'] })
