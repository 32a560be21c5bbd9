import type { Awaitable, Store } from '../../core/store.ts'
import { memoryStore } from '../../index.ts'
import { holdable, type HoldableStore } from '../race-kit.ts'

type Method = 'read' | 'create' | 'patch' | 'end'

/** A store in memory whose calls can be held and counted, and that can be made to fail. */
export interface TrialStore extends HoldableStore {
  /** Lets every call of these methods fail from now on. */
  fail(...methods: readonly Method[]): void
  /** How many sessions live in it. Is no call. */
  size(): Promise<number>
}

/** Answers each call at once, or in a later turn of the event loop, as a store on the network does. */
export function trialStore(answersAtOnce: boolean): TrialStore {
  const memory = memoryStore()
  const failing = new Set<Method>()
  const answer = <T>(method: Method, ask: () => T): Awaitable<T> => {
    const now = (): T => {
      if (failing.has(method)) throw new Error('The backend is down.')
      return ask()
    }
    return answersAtOnce ? now() : new Promise<void>((resolve) => { setImmediate(resolve) }).then(now)
  }
  const store: Store = {
    read: (id) => answer('read', () => memory.read(id)),
    create: (id, record) => answer('create', () => memory.create(id, record)),
    patch: (id, patch, options) => answer('patch', () => memory.patch(id, patch, options)),
    end: (id, because, at) => answer('end', () => memory.end(id, because, at)),
    find: (term) => memory.find(term),
  }
  return Object.assign(holdable(store), {
    fail(...methods: readonly Method[]): void {
      for (const method of methods) failing.add(method)
    },
    async size(): Promise<number> {
      let size = 0
      for await (const _id of memory.list()) size += 1
      return size
    },
  })
}
