import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Store } from '../core/store.ts'
import { createSessions } from '../index.ts'
import { describeStore } from '../testing/describe-store.ts'
import { newId, newPatch, newRecord, NOW } from '../testing/store-cases/trial.ts'
import { simpleStore, type SimpleStoreDefinition } from './simple.ts'

const MINUTE = 60_000

/** The two functions as someone might write them: a file for each session. */
function files(folder: string): SimpleStoreDefinition {
  return {
    load: (id) => readFile(join(folder, id), 'utf8').catch(() => undefined),
    store: (id, text) => writeFile(join(folder, id), text),
  }
}

describeStore({ describe, it }, 'two simpleStores over the same functions', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sojourn-simple-'))
  const definition = files(folder)
  return {
    store: simpleStore(definition),
    reopen: () => simpleStore(definition),
    corrupt: (id) => writeFile(join(folder, id), 'not a record'),
    close: () => rm(folder, { recursive: true }),
  }
}, { lacks: ['find', 'list', 'sweep', 'watch'] })

describeStore({ describe, it }, 'simpleStore over synchronous functions and null for nothing', () => {
  const texts = new Map<string, string>()
  const store = simpleStore({ load: (id) => texts.get(id) ?? null, store: (id, text) => void texts.set(id, text), remove: (id) => texts.delete(id) })
  return { store, corrupt: (id) => void texts.set(id, '[]'), close: () => {} }
}, { lacks: ['find', 'list', 'sweep', 'watch', 'reopen'] })

describe('simpleStore', () => {
  it('says that it is best-effort', () => {
    expect(simpleStore({ load: () => undefined, store: () => {} }).consistency).toBe('best-effort')
  })

  it('tells when the session ends, and for how many seconds the text is needed', async () => {
    const told: unknown[] = []
    const store = simpleStore({ load: () => undefined, store: (_id, _text, times) => told.push(times) })
    await store.create(newId(), newRecord({ expiresAt: NOW + 1500 }))
    expect(told).toEqual([{ expiresAt: NOW + 1500, ttl: 62 }])
  })

  it('calls load and store one after another for one id, and side by side for two', async () => {
    const texts = new Map<string, string>()
    const under = new Map<string, number>()
    const seen: string[] = []
    const step = async (id: string, work: () => unknown): Promise<unknown> => {
      under.set(id, (under.get(id) ?? 0) + 1)
      seen.push([...under.values()].join(' '))
      await Promise.resolve()
      under.set(id, (under.get(id) ?? 0) - 1)
      return work()
    }
    const store = simpleStore({ load: (id) => step(id, () => texts.get(id)), store: (id, text) => step(id, () => texts.set(id, text)) })
    const ids = [newId(), newId()]
    for (const id of ids) await store.create(id, newRecord())
    seen.length = 0
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.patch(ids[n % 2] ?? '', newPatch({ set: [[`d:${n}`, '1']] }))))
    expect(seen.every((counts) => !counts.includes('2')), 'never two calls for one id').toBe(true)
    expect(seen, 'both ids at once').toContain('1 1')
  })

  it('removes tombstones when their time is over, a few with each further end, and never what lives again', async () => {
    const texts = new Map<string, string>()
    const store: Store = simpleStore({ load: (id) => texts.get(id), store: (id, text) => texts.set(id, text), remove: (id) => texts.delete(id) })
    const ids = Array.from({ length: 6 }, newId)
    for (const id of ids) await store.create(id, newRecord())
    for (const id of ids.slice(0, 4)) await store.end(id, 'destroyed', NOW)
    expect(texts.size, 'the reason stays for a while').toBe(6)
    await store.create(ids[1] ?? '', newRecord())
    await store.end(ids[4] ?? '', 'destroyed', NOW + 2 * MINUTE)
    expect(ids.map((id) => texts.has(id))).toEqual([false, true, false, true, true, true])
    await store.end(ids[5] ?? '', 'destroyed', NOW + 3 * MINUTE)
    expect(ids.map((id) => texts.has(id))).toEqual([false, true, false, false, true, true])
    expect(await store.read(ids[1] ?? '')).toMatchObject({ version: 1 })
  })

  it('does not remove a tombstone in whose place another process has put a new session', async () => {
    const texts = new Map<string, string>()
    const process = (): Store => simpleStore({ load: (id) => texts.get(id), store: (id, text) => texts.set(id, text), remove: (id) => texts.delete(id) })
    const [one, other] = [process(), process()]
    const [id, last] = [newId(), newId()]
    for (const each of [id, last]) await one.create(each, newRecord())
    await one.end(id, 'destroyed', NOW)
    await other.create(id, newRecord())
    await one.end(last, 'destroyed', NOW + 5 * MINUTE)
    expect(await other.read(id)).toMatchObject({ version: 1 })
  })

  it('stores a record as it was when it was given, also when it has to wait for its turn', async () => {
    const texts = new Map<string, string>()
    const store = simpleStore({ load: (id) => texts.get(id), store: (id, text) => texts.set(id, text) })
    const id = newId()
    const entries: Record<string, string> = { 'd:a': 'before' }
    const ending = store.end(id, 'revoked', NOW)
    const creating = store.create(id, newRecord({ entries }))
    entries['d:a'] = 'after'
    await Promise.all([ending, creating])
    expect((await store.read(id))?.entries['d:a']).toBe('before')
  })

  it('fails with ERR_SESSION_STORE when a function fails, and goes on when it works again', async () => {
    const texts = new Map<string, string>()
    let broken = false
    const cause = new Error('disk full')
    const store = simpleStore({
      load: (id) => texts.get(id),
      async store(id, text) {
        if (broken) throw cause
        texts.set(id, text)
      },
    })
    const id = newId()
    await store.create(id, newRecord())
    broken = true
    await expect(store.patch(id, newPatch({ set: [['d:a', '1']] }))).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'unknown', cause })
    broken = false
    expect(await store.patch(id, newPatch({ set: [['d:a', '1']] }))).toMatchObject({ status: 'ok', version: 2 })
  })

  it('makes ready before the first call, again when that failed, and closes with the manager', async () => {
    const texts = new Map<string, string>()
    const calls: string[] = []
    const store = simpleStore({
      async init() {
        calls.push('init')
        if (calls.length === 1) throw new Error('not yet')
      },
      load(id) {
        calls.push('load')
        return texts.get(id)
      },
      store: (id, text) => texts.set(id, text),
      close: () => calls.push('close'),
    })
    const sessions = createSessions({ store, sweepEvery: 'never' })
    await expect(sessions.load({ id: newId() })).rejects.toMatchObject({ code: 'ERR_SESSION_STORE', outcome: 'none' })
    expect(calls).toEqual(['init'])
    expect(await sessions.load({ id: newId() })).toBeUndefined()
    expect(await sessions.load({ id: newId() })).toBeUndefined()
    await sessions.close()
    expect(calls).toEqual(['init', 'init', 'load', 'load', 'close'])
  })

  it('refuses a definition without both functions, or with something else in place of one', () => {
    expect(() => Reflect.apply(simpleStore, undefined, [{ load: () => undefined, store: () => undefined, init: {} }])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    for (const definition of [undefined, {}, { load: () => undefined }, { store: () => undefined, load: 'x' }]) {
      expect(() => Reflect.apply(simpleStore, undefined, [definition])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    }
  })
})
