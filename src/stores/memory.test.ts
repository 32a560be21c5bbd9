import { describe, it } from 'vitest'
import { describeStore } from '../testing/index.ts'
import { memoryStore } from './memory.ts'

describeStore({ describe, it }, 'memory store', () => {
  const store = memoryStore()
  return { store, close: () => store.close() }
}, { lacks: ['reopen', 'corrupt'] })
