import type { Namespace } from '../namespace.ts'

/** The data as an object: properties are entries. Made only for handlers that use the property style. */
export function dataView(data: Namespace): Record<string, unknown> {
  return new Proxy(Object.create(null), {
    get: (_target, key) => (typeof key === 'string' ? data.get(key) : undefined),
    set(_target, key, value) {
      if (typeof key !== 'string') return false
      data.set(key, value)
      return true
    },
    has: (_target, key) => typeof key === 'string' && data.has(key),
    deleteProperty(_target, key) {
      if (typeof key === 'string') data.delete(key)
      return true
    },
    defineProperty(_target, key, { value }) {
      if (typeof key !== 'string') return false
      data.set(key, value)
      return true
    },
    ownKeys: () => data.keys(),
    getOwnPropertyDescriptor(_target, key) {
      if (typeof key !== 'string' || !data.has(key)) return undefined
      return { value: data.get(key), writable: true, enumerable: true, configurable: true }
    },
  })
}
