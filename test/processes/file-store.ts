import type { Store } from '../../src/core/store.ts'
import { fileStore } from '../../src/stores/file.ts'

/** The file store as a process of a race opens it: compacted often, so that it happens in the middle of the race. */
export async function open(location: string): Promise<Store> {
  const store = fileStore(location, { compactAt: 2048 })
  await store.open()
  return store
}
