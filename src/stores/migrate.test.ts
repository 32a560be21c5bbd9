import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { describeProcesses } from '../../test/processes/describe-processes.ts'
import { everyCrash, everyOrder, type Scenario, type Stepped } from '../../test/stores/interleavings.ts'
import { beginningInOld } from '../../test/stores/migrate-process.ts'
import type { PatchResult } from '../core/patch.ts'
import { isLive, type SessionRecord } from '../core/record.ts'
import type { Store } from '../core/store.ts'
import { describeStore } from '../testing/describe-store.ts'
import { collect, FAR, HOUR, newHash, newId, newPatch, newRecord, NOW } from '../testing/store-cases/trial.ts'
import { cacheStore } from './cache.ts'
import { memoryStore, type MemoryStore } from './memory.ts'
import { copySessions, migrateStore, type CopyCounts } from './migrate.ts'

const MINUTE = 60_000
const processModule = fileURLToPath(new URL('../../test/stores/migrate-process.ts', import.meta.url))

describeStore({ describe, it }, 'migrateStore', () => {
  const [from, to] = [memoryStore(), memoryStore()]
  return { store: migrateStore(from, to), reopen: () => migrateStore(from, to), close: () => {} }
}, { lacks: ['corrupt'] })

describeStore({ describe, it }, 'migrateStore that prepares', () => {
  const [from, to] = [memoryStore(), memoryStore()]
  return { store: migrateStore(from, to, { prepare: true }), reopen: () => migrateStore(from, to, { prepare: true }), close: () => {} }
}, { lacks: ['corrupt'] })

describeStore({ describe, it }, 'migrateStore whose sessions all begin in the old store', () => {
  const [from, to] = [memoryStore(), memoryStore()]
  return { store: beginningInOld(from, to), reopen: () => beginningInOld(from, to), close: () => {} }
}, { lacks: ['corrupt', 'sweep'] })

describeStore({ describe, it }, 'migrateStore out of a cache', () => {
  const [from, to] = [new Map<string, string>(), memoryStore()]
  return { store: beginningInOld(cacheStore(from), to), reopen: () => beginningInOld(cacheStore(from), to), close: () => {} }
}, { lacks: ['corrupt', 'find', 'sweep', 'watch'] })

describeProcesses({ describe, it }, 'migrateStore whose sessions all begin in the old store', {
  module: processModule,
  location: () => mkdtempSync(join(tmpdir(), 'sojourn-migrate-')),
  remove: (folder) => rmSync(folder, { recursive: true }),
})

/** Two stores with one session in the old one. */
async function oneInOld(changes: Partial<SessionRecord> = {}): Promise<{ id: string; record: SessionRecord; from: MemoryStore; to: MemoryStore; migrating: Store }> {
  const [from, to] = [memoryStore(), memoryStore()]
  const id = newId()
  const record = newRecord({ entries: { 'd:kept': '1' }, ...changes })
  from.create(id, record)
  return { id, record, from, to, migrating: migrateStore(from, to) }
}

/** The store, with a word before each of its calls. */
function intercepted(store: Store, before: (name: string) => void): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        before(String(name))
        return Reflect.apply(value, target, args)
      }
    },
  })
}

/** What the rest of the world sees afterwards: nothing, also when the tombstones have gone. */
async function expectOver({ from, to, id, migrating }: { from: MemoryStore; to: MemoryStore; id: string; migrating: Store }): Promise<void> {
  for (const later of [NOW, NOW + 3 * MINUTE]) {
    from.sweep({ now: later }, 100)
    to.sweep({ now: later }, 100)
    expect(isLive(await migrating.read(id), later)).toBe(false)
    expect(await migrating.patch(id, newPatch({ now: later, set: [['d:late', '1']] }))).toEqual({ status: 'gone' })
    expect(isLive(await migrating.read(id), later)).toBe(false)
  }
}

describe('migrateStore', () => {
  it('reads from the old store without writing anything', async () => {
    const { id, record, to, migrating } = await oneInOld()
    expect(await migrating.read(id)).toEqual(record)
    expect(to.size).toBe(0)
  })

  it('carries a session over with its first write, all of it, and leaves nothing alive behind', async () => {
    const { id, record, from, to, migrating } = await oneInOld({ version: 7, createdAt: NOW - HOUR, previous: { tokenHash: newHash(), rotatedAt: NOW - MINUTE }, index: [newHash()] })
    const patch = newPatch({ tokenHash: record.tokenHash, set: [['d:new', '2']] })
    expect(await migrating.patch(id, patch)).toEqual({ status: 'ok', version: 8 })
    expect(to.read(id)).toEqual({ ...record, version: 8, nonce: patch.nonce, entries: expect.objectContaining({ 'd:kept': '1', 'd:new': '2' }) })
    expect(Object.keys(to.read(id)?.entries ?? {}).sort()).toEqual(['d:kept', 'd:new'])
    expect(from.read(id)?.ended?.because).toBe('replaced')
    expect(await migrating.read(id)).toEqual(to.read(id))
    expect(await collect(migrating.find?.(record.index[0] ?? ''))).toEqual([id])
    expect(await collect(migrating.list?.())).toEqual([id])
  })

  it('leaves everything in the old store while it prepares, where processes that know only that find it', async () => {
    const { id, from, to } = await oneInOld()
    const preparing = migrateStore(from, to, { prepare: true })
    const begun = newId()
    expect(await preparing.create(begun, newRecord())).toBe(true)
    expect(await preparing.patch(id, newPatch({ set: [['d:a', '1']] }))).toEqual({ status: 'ok', version: 2 })
    await preparing.end(begun, 'revoked', NOW)
    expect(to.size).toBe(0)
    expect(from.read(id)?.entries).toMatchObject({ 'd:kept': '1', 'd:a': '1' })
    expect(from.read(begun)?.ended).toBeDefined()
  })

  it('goes to the new store for what has moved, also while it prepares', async () => {
    const { id, from, to, migrating } = await oneInOld()
    const preparing = migrateStore(from, to, { prepare: true })
    const begun = newId()
    await migrating.create(begun, newRecord())
    await migrating.patch(id, newPatch())
    for (const each of [id, begun]) {
      expect(await preparing.create(each, newRecord())).toBe(false)
      expect(await preparing.patch(each, newPatch({ set: [['d:a', '1']] }))).toMatchObject({ status: 'ok' })
      expect((await migrating.read(each))?.entries['d:a']).toBe('1')
      await preparing.end(each, 'revoked', NOW)
      expect((await migrating.read(each))?.ended?.because).toBe('revoked')
      expect(await preparing.create(each, newRecord()), 'where a tombstone hides the old store').toBe(true)
      expect(isLive(await preparing.read(each), NOW)).toBe(true)
    }
  })

  it('asks the new store alone for a session that has come over', async () => {
    const { id, from, to } = await oneInOld()
    const calls: string[] = []
    const migrating = migrateStore(intercepted(from, (name) => calls.push(`old.${name}`)), intercepted(to, (name) => calls.push(`new.${name}`)))
    await migrating.read(newId())
    expect(calls.splice(0), 'for a token that nobody knows').toEqual(['new.read', 'old.read', 'new.read'])
    await migrating.patch(id, newPatch())
    expect(calls.splice(0).sort(), 'to carry it over').toEqual([...Array.from({ length: 4 }, () => 'new.patch'), 'new.create', 'new.read', ...Array.from({ length: 3 }, () => 'old.read'), 'old.patch', 'old.end'].sort())
    await migrating.read(id)
    await migrating.patch(id, newPatch({ set: [['d:a', '1']] }))
    expect(calls).toEqual(['new.read', 'new.patch'])
  })

  it('carries nothing over for a token that is not the session’s, nor for a session that has expired', async () => {
    const { id, to, migrating } = await oneInOld({ expiresAt: NOW + HOUR })
    expect(await migrating.patch(id, newPatch({ tokenHash: newHash(), set: [['d:a', '1']] }))).toEqual({ status: 'gone' })
    expect(await migrating.patch(id, newPatch({ now: NOW + HOUR, set: [['d:a', '1']] }))).toEqual({ status: 'gone' })
    expect(to.size).toBe(0)
  })

  it('says why a session ended in the old store', async () => {
    const { id, migrating } = await oneInOld()
    await migrating.end(id, 'revoked', NOW)
    expect((await migrating.read(id))?.ended?.because).toBe('revoked')
  })

  // The old copy has a later deadline and an older token: it must be of no use, whatever becomes of the new one.
  it('brings nothing back from the old store when the new one has dropped a session', async () => {
    const { id, record, from, to, migrating } = await oneInOld({ expiresAt: FAR })
    await migrating.patch(id, newPatch({ tokenHash: record.tokenHash, rotateTo: newHash(), expiresAt: NOW + MINUTE, deadline: 'replace' }))
    to.sweep({ now: NOW + HOUR }, 10)
    expect(to.size).toBe(0)
    await expectOver({ from, to, id, migrating })
  })

  it('brings nothing back either when the process that carried it over died before it ended the old record', async () => {
    const { id, record, from, to, migrating } = await oneInOld({ expiresAt: FAR })
    const dying = migrateStore({ ...bare(from), end: () => new Promise<boolean>(() => {}) }, to)
    void dying.patch(id, newPatch({ set: [['d:a', '1']] }))
    await expect.poll(() => to.read(id)?.version).toBe(1)
    expect(isLive(from.read(id), NOW)).toBe(true)
    expect(await migrating.read(id)).toMatchObject({ tokenHash: record.tokenHash })
    await migrating.patch(id, newPatch({ expiresAt: NOW + MINUTE, deadline: 'replace' }))
    to.sweep({ now: NOW + HOUR }, 10)
    await expectOver({ from, to, id, migrating })
  })

  it('throws a held copy away when the session went on under another mark', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const id = newId()
    const record = newRecord()
    from.create(id, { ...record, entries: { 'x:migration': 'one nonce' } })
    to.create(id, { ...record, entries: { 'x:migration': 'another nonce' } })
    await expectOver({ from, to, id, migrating: migrateStore(from, to) })
  })

  it('finds and lists a session that is carried over while it looks', async () => {
    const term = newHash()
    const { id, from, to, migrating } = await oneInOld({ index: [term] })
    const other = newId()
    to.create(other, newRecord({ index: [term] }))
    for (const look of [() => migrating.find?.(term), () => migrating.list?.()]) {
      const seen: string[] = []
      for await (const each of look() ?? []) {
        seen.push(each)
        await migrating.patch(id, newPatch())
      }
      expect(seen.sort()).toEqual([id, other].sort())
    }
    expect(from.read(id)?.ended).toBeDefined()
  })

  it('does not create over a session that only the old store has', async () => {
    const { id, migrating } = await oneInOld()
    expect(await migrating.create(id, newRecord())).toBe(false)
  })

  it('takes over what a process that knows nothing of the migration wrote up to the last moment', async () => {
    const { id, from, to } = await oneInOld({ index: [newHash()] })
    const [added, rotated] = [newHash(), newHash()]
    let told = false
    const meddling = intercepted(from, (name) => {
      if (name !== 'patch' || told) return
      told = true
      from.patch(id, newPatch({ rotateTo: rotated, set: [['d:last', '1']], remove: ['d:kept'], expiresAt: FAR + HOUR, touchedAt: NOW + 1, index: [added] }))
    })
    expect(await migrateStore(meddling, to).patch(id, newPatch({ set: [['d:mine', '1']] }))).toMatchObject({ status: 'ok' })
    const record = to.read(id)
    expect(record).toMatchObject({ tokenHash: rotated, expiresAt: FAR + HOUR, touchedAt: NOW + 1 })
    expect(Object.keys(record?.entries ?? {}).sort()).toEqual(['d:last', 'd:mine'])
    expect(record?.index).toContain(added)
  })

  it('promises what the weaker of the two promises', () => {
    const cache = cacheStore(new Map())
    expect(migrateStore(memoryStore(), memoryStore()).consistency).toBe('atomic')
    expect(migrateStore(cache, memoryStore()).consistency).toBe('best-effort')
    expect(migrateStore(memoryStore(), cache).consistency).toBe('best-effort')
    expect(migrateStore(cache, memoryStore()).find, 'an index with half of the sessions is none').toBeUndefined()
  })

  it('tells a watcher of an end, and not of a session that was carried over', async () => {
    const { id, migrating } = await oneInOld()
    let told = 0
    const ended = new Promise<void>((resolve) => {
      migrating.watch?.(id, () => {
        told += 1
        resolve()
      })
    })
    await migrating.patch(id, newPatch({ set: [['d:a', '1']] }))
    await new Promise(setImmediate)
    expect(told).toBe(0)
    await migrating.end(id, 'revoked', NOW)
    await ended
    expect(told).toBe(1)
  })

  it('opens and closes both stores, and hears of both', async () => {
    const seen: string[] = []
    const noting = (name: string): Store => Object.assign(memoryStore(), { open: () => void seen.push(`open ${name}`), close: () => void seen.push(`close ${name}`), observe: () => void seen.push(`observe ${name}`) })
    const migrating = migrateStore(noting('old'), noting('new'))
    await migrating.open?.()
    migrating.observe?.(() => {})
    await migrating.close?.()
    expect(seen.sort()).toEqual(['close new', 'close old', 'observe new', 'observe old', 'open new', 'open old'])
  })

  it('refuses what is no pair of stores', () => {
    const one = memoryStore()
    for (const pair of [[], [one], [one, one], [one, () => one], [{}, one], [one, { ...one, read() {}, patch() {}, consistency: 'client' }]]) {
      expect(() => Reflect.apply(migrateStore, undefined, pair)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
    }
  })
})

/** A scenario with a session in the old store; each program has handles of its own, as a process has. */
async function scenario(stepped: Stepped, programs: readonly ((migrating: Store, id: string, record: SessionRecord, stores: { from: Store; to: Store }) => Promise<unknown>)[], check: (world: Awaited<ReturnType<typeof oneInOld>>, answers: readonly unknown[]) => Promise<void>): Promise<Scenario> {
  const world = await oneInOld()
  return {
    programs: programs.map((program, n) => async () => {
      const stores = { from: stepped(world.from, n), to: stepped(world.to, n) }
      return program(migrateStore(stores.from, stores.to), world.id, world.record, stores)
    }),
    check: (answers) => check(world, answers),
  }
}

const set = (key: string) => (migrating: Store, id: string, { tokenHash }: SessionRecord): Promise<PatchResult> => Promise.resolve(migrating.patch(id, newPatch({ tokenHash, set: [[key, '1']] })))
const end = (migrating: Store, id: string): Promise<boolean> => Promise.resolve(migrating.end(id, 'revoked', NOW))
const copy = (_migrating: Store, _id: string, _record: SessionRecord, { from, to }: { from: Store; to: Store }): Promise<CopyCounts> => copySessions(from, to, { now: () => NOW, concurrency: 1 })

const preparing = (program: (store: Store, id: string, record: SessionRecord) => Promise<unknown>) => (_migrating: Store, id: string, record: SessionRecord, { from, to }: { from: Store; to: Store }): Promise<unknown> => program(migrateStore(from, to, { prepare: true }), id, record)

describe('migrateStore beside a process that prepares, in every order of their calls', () => {
  it('loses no write of either', async () => {
    for (const programs of [[preparing(set('d:a')), set('d:b')], [set('d:a'), preparing(set('d:b'))]]) {
      const orders = await everyOrder(4, (stepped) => scenario(stepped, programs, async ({ migrating, id }, answers) => {
        expect(answers).toEqual([expect.objectContaining({ status: 'ok' }), expect.objectContaining({ status: 'ok' })])
        expect(Object.keys((await migrating.read(id))?.entries ?? {}).sort()).toEqual(['d:a', 'd:b', 'd:kept'])
      }))
      expect(orders).toBeGreaterThan(50)
    }
  })

  it('undoes no end of either', async () => {
    await everyOrder(Infinity, (stepped) => scenario(stepped, [preparing(end), set('d:a')], async (world) => expectOver(world)))
    await everyOrder(Infinity, (stepped) => scenario(stepped, [preparing(set('d:a')), end], async (world) => expectOver(world)))
    await everyOrder(2, (stepped) => scenario(stepped, [preparing(set('d:a')), set('d:b'), end], async (world) => expectOver(world)))
  })

  it('shows each what it has written itself', async () => {
    const writeAndRead = async (store: Store, id: string, record: SessionRecord): Promise<unknown> => {
      await set('d:a')(store, id, record)
      return (await store.read(id))?.entries['d:a']
    }
    await everyOrder(3, (stepped) => scenario(stepped, [preparing(writeAndRead), set('d:b')], async (_world, [seen]) => expect(seen).toBe('1')))
    await everyOrder(3, (stepped) => scenario(stepped, [writeAndRead, preparing(set('d:b'))], async (_world, [seen]) => expect(seen).toBe('1')))
  })

  it('has its work finished where it died', async () => {
    await everyCrash((stepped) => scenario(stepped, [set('d:a'), preparing(set('d:b'))], async ({ migrating, id }, [, answer]) => {
      expect(answer).toMatchObject({ status: 'ok' })
      expect((await migrating.read(id))?.entries).toMatchObject({ 'd:kept': '1', 'd:b': '1' })
    }))
  })
})

describe('migrateStore, in every order of its calls', () => {
  it('never brings a session back that ended while it was carried over', async () => {
    const orders = await everyOrder(Infinity, (stepped) => scenario(stepped, [set('d:a'), end], async (world, [, ended]) => {
      expect(ended).toBe(true)
      await expectOver(world)
    }))
    expect(orders).toBeGreaterThan(50)
  })

  it('loses neither of two first writes', async () => {
    const orders = await everyOrder(3, (stepped) => scenario(stepped, [set('d:a'), set('d:b')], async ({ migrating, id, to, from }, answers) => {
      expect(answers).toEqual([expect.objectContaining({ status: 'ok' }), expect.objectContaining({ status: 'ok' })])
      expect(Object.keys((await migrating.read(id))?.entries ?? {}).sort()).toEqual(['d:a', 'd:b', 'd:kept'])
      expect(to.read(id)?.version).toBe(3)
      expect(from.read(id)?.ended?.because).toBe('replaced')
    }))
    expect(orders).toBeGreaterThan(500)
  })

  it('ends a session for good that two carry over', async () => {
    await everyOrder(2, (stepped) => scenario(stepped, [set('d:a'), set('d:b'), end], async (world) => expectOver(world)))
  })

  it('shows each request what it has written itself, and no session after its end', async () => {
    const writeAndRead = async (migrating: Store, id: string, record: SessionRecord): Promise<unknown> => {
      const { status } = await set('d:a')(migrating, id, record)
      const seen = await migrating.read(id)
      return status === 'gone' || seen?.ended !== undefined || seen?.entries['d:a'] === '1'
    }
    const endAndRead = async (migrating: Store, id: string): Promise<unknown> => {
      await end(migrating, id)
      return isLive(await migrating.read(id), NOW)
    }
    await everyOrder(2, (stepped) => scenario(stepped, [writeAndRead, set('d:b')], async (_world, [sawIt]) => expect(sawIt).toBe(true)))
    await everyOrder(3, (stepped) => scenario(stepped, [set('d:a'), endAndRead], async (_world, [, lives]) => expect(lives).toBe(false)))
  })

  it('never shows a live session as absent while it is carried over', async () => {
    const look = async (migrating: Store, id: string): Promise<unknown> => isLive(await migrating.read(id), NOW)
    await everyOrder(3, (stepped) => scenario(stepped, [set('d:a'), look], async (_world, [, lives]) => expect(lives).toBe(true)))
  })

  it('gives a rotation that two make with the first write to one of them', async () => {
    const rotate = (rotateTo: string) => (migrating: Store, id: string, { tokenHash }: SessionRecord): Promise<PatchResult> => Promise.resolve(migrating.patch(id, newPatch({ tokenHash, rotateTo })))
    await everyOrder(2, (stepped) => scenario(stepped, [rotate('one'), rotate('two')], async ({ migrating, id }, answers) => {
      const statuses = answers.map((answer) => (answer as PatchResult).status)
      expect([...statuses].sort()).toEqual(['gone', 'ok'])
      expect((await migrating.read(id))?.tokenHash).toBe(statuses[0] === 'ok' ? 'one' : 'two')
    }))
  })

  it('never gives an id to a new session while the old one lives, nor lets a late first write harm the new one', async () => {
    const fresh = newHash()
    const create = (migrating: Store, id: string): Promise<boolean> => Promise.resolve(migrating.create(id, newRecord({ tokenHash: fresh })))
    await everyOrder(3, (stepped) => scenario(stepped, [set('d:a'), create], async ({ migrating, id, record }, [, created]) => {
      expect(created).toBe(false)
      expect((await migrating.read(id))?.tokenHash).toBe(record.tokenHash)
    }))
    const endThenCreate = async (migrating: Store, id: string): Promise<boolean> => {
      await end(migrating, id)
      return create(migrating, id)
    }
    await everyOrder(3, (stepped) => scenario(stepped, [set('d:a'), endThenCreate], async ({ migrating, id }, [, created]) => {
      expect(created).toBe(true)
      const record = await migrating.read(id)
      expect(isLive(record, NOW)).toBe(true)
      expect([record?.tokenHash, Object.keys(record?.entries ?? {})]).toEqual([fresh, []])
    }))
  })

  it('copies beside a first write and an end without undoing either', async () => {
    await everyOrder(2, (stepped) => scenario(stepped, [copy, set('d:a')], async ({ migrating, id, from }, [, answer]) => {
      expect(answer).toMatchObject({ status: 'ok' })
      expect(Object.keys((await migrating.read(id))?.entries ?? {}).sort()).toEqual(['d:a', 'd:kept'])
      expect(isLive(from.read(id), NOW)).toBe(false)
    }))
    await everyOrder(3, (stepped) => scenario(stepped, [copy, end], async (world) => expectOver(world)))
  })

  it('goes on where a process died while it carried a session over, and loses nothing', async () => {
    const steps = await everyCrash((stepped) => scenario(stepped, [set('d:a'), set('d:b')], async ({ migrating, id }, [, answer]) => {
      expect(answer).toMatchObject({ status: 'ok' })
      expect((await migrating.read(id))?.entries).toMatchObject({ 'd:kept': '1', 'd:b': '1' })
    }))
    expect(steps).toBeGreaterThan(7)
    await everyCrash((stepped) => scenario(stepped, [set('d:a'), end], async (world) => expectOver(world)))
    await everyCrash((stepped) => scenario(stepped, [set('d:a'), copy], async ({ to, id }) => expect(isLive(to.read(id), NOW)).toBe(true)))
    await everyCrash((stepped) => scenario(stepped, [set('d:a'), async (migrating, id) => migrating.read(id)], async (_world, [, record]) => {
      expect((record as SessionRecord).entries['d:kept']).toBe('1')
      expect(Object.keys((record as SessionRecord).entries).filter((key) => !key.startsWith('d:'))).toEqual([])
    }))
  })
})

describe('copySessions', () => {
  it('carries every live session over, counts all, and leaves none behind', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const migrating = migrateStore(from, to)
    const ids = Array.from({ length: 30 }, newId)
    for (const id of ids) from.create(id, newRecord({ entries: { 'd:id': id } }))
    for (const id of ids.slice(0, 3)) await migrating.patch(id, newPatch({ set: [['d:a', '1']] }))
    for (const id of ids.slice(3, 5)) from.create(newId(), newRecord({ expiresAt: NOW + 1, entries: { 'd:id': id } }))
    await migrating.end(ids[5] ?? '', 'revoked', NOW)
    const progress: CopyCounts[] = []
    const counts = await copySessions(from, to, { now: () => NOW + HOUR, onProgress: (seen) => progress.push(seen) })
    expect(counts).toEqual({ found: 28, copied: 26, there: 0, past: 2, unreadable: 0 })
    expect(progress).toHaveLength(28)
    expect(progress.at(-1)).toEqual(counts)
    for (const { found, copied, there, past, unreadable } of progress) expect(copied + there + past + unreadable).toBe(found)
    for (const id of ids) if (id !== ids[5]) expect(to.read(id)?.entries['d:id']).toBe(id)
    expect(await copySessions(from, to, { now: () => NOW + HOUR })).toEqual({ found: 2, copied: 0, there: 0, past: 2, unreadable: 0 })
  })

  it('counts what it cannot read, and leaves it alone', async () => {
    const map = new Map([['sojourn:broken', '{}']])
    const counts = await copySessions({ ...bare(cacheStore(map)), list: async function* () { yield 'broken' } }, memoryStore())
    expect(counts).toEqual({ found: 1, copied: 0, there: 0, past: 0, unreadable: 1 })
    expect(map.get('sojourn:broken')).toBe('{}')
  })

  it('rejects when a live session is left in the old store at the end', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    from.create(newId(), newRecord())
    let told = 0
    const growing = copySessions(from, to, {
      now: () => NOW,
      onProgress: () => {
        told += 1
        if (told === 1) setImmediate(() => from.create(newId(), newRecord()))
      },
    })
    const slow = { ...bare(from), list: async function* () { yield* from.list(); await new Promise(setImmediate) } }
    await growing
    from.create(newId(), newRecord())
    const late = copySessions(slow, to, { now: () => NOW, onProgress: () => void from.create(newId(), newRecord()) })
    await expect(late).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
  })

  it('stops when it is told to by an error, and can be started again', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    for (let n = 0; n < 20; n += 1) from.create(newId(), newRecord())
    const enough = new Error('enough')
    await expect(copySessions(from, to, { now: () => NOW, concurrency: 2, onProgress: ({ found }) => { if (found === 5) throw enough } })).rejects.toBe(enough)
    expect(to.size).toBeLessThan(10)
    expect(await copySessions(from, to, { now: () => NOW })).toMatchObject({ unreadable: 0 })
    expect(to.size).toBe(20)
  })

  it('needs an old store that lists', async () => {
    await expect(copySessions({ ...bare(memoryStore()) }, memoryStore())).rejects.toMatchObject({ code: 'ERR_SESSION_UNSUPPORTED' })
  })
})

/** The four methods of a store, without what it offers beyond them. */
function bare(store: Store): Store {
  return { read: (id) => store.read(id), create: (id, record) => store.create(id, record), patch: (id, patch) => store.patch(id, patch), end: (id, because, at) => store.end(id, because, at) }
}
