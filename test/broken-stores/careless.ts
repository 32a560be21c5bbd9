import { applyPatch } from '../../src/core/patch.ts'
import { isLive, parseRecord, stringifyRecord, tombstone, type SessionRecord } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'
import type { PlainData } from './plain-store.ts'

/** Where objects are shared instead of copied. */
interface Shared {
  readonly given?: boolean
  readonly read?: boolean
  readonly conflict?: boolean
}

/** Keeps objects and hands them out, as a store on a Map is tempted to. */
export function sharingStore(shared: Shared, copy = (record: SessionRecord): SessionRecord => parseRecord(stringifyRecord(record))): Store {
  const records = new Map<string, SessionRecord>()
  return {
    read(id) {
      const record = records.get(id)
      return shared.read === true || record === undefined ? record : copy(record)
    },
    create(id, record) {
      if (isLive(records.get(id), record.createdAt)) return false
      records.set(id, shared.given === true ? record : copy(record))
      return true
    },
    patch(id, patch, options) {
      options?.signal?.throwIfAborted()
      const result = applyPatch(records.get(id), patch)
      if (result.status === 'conflict') return { status: 'conflict', record: shared.conflict === true ? result.record : copy(result.record) }
      if (result.status !== 'ok') return result
      records.set(id, result.record)
      return { status: 'ok', version: result.record.version }
    },
    end(id, because, at) {
      const record = records.get(id)
      if (record === undefined || record.ended !== undefined) return false
      records.set(id, tombstone(record, because, at))
      return true
    },
  }
}

/** Without an atomic step: each call works on what it read, and writes over what came since. */
export function inTwoSteps(store: Store, { lines }: PlainData): Store {
  async function step<T>(id: string, work: () => PromiseLike<T> | T): Promise<T> {
    const read = lines.get(id)
    await new Promise(setImmediate)
    const since = lines.get(id)
    if (read === undefined) lines.delete(id)
    else lines.set(id, read)
    const answer = await work()
    // Nothing was written, so nothing is written over.
    if (lines.get(id) === read && since !== undefined) lines.set(id, since)
    return answer
  }
  return {
    ...store,
    create: (id, record) => step(id, () => store.create(id, record)),
    patch: (id, patch, options) => step(id, () => store.patch(id, patch, options)),
    end: (id, because, at) => step(id, () => store.end(id, because, at)),
  }
}

/** One call after another on this handle, as in a best-effort store with a mutex. */
export function inTurns(store: Store): Store {
  let last: Promise<unknown> = Promise.resolve()
  function turn<T>(work: () => PromiseLike<T> | T): Promise<T> {
    const mine = last.then(work)
    last = mine.catch(() => {})
    return mine
  }
  return {
    ...store,
    create: (id, record) => turn(() => store.create(id, record)),
    patch: (id, patch, options) => turn(() => store.patch(id, patch, options)),
    end: (id, because, at) => turn(() => store.end(id, because, at)),
  }
}
