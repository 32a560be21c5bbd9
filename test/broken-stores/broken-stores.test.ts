import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { describeStore, type DescribeStoreOptions, type StoreUnderTest } from '../../src/testing/index.ts'
import { brokenStores, casesFor, failuresAmong, type Case } from './cases-on-stores.ts'
import { plainStore } from './plain-store.ts'

describe('describeStore', () => {
  it('finds nothing wrong with a store that does everything right', async () => {
    expect(await failuresAmong(casesFor({ name: 'plain' }))).toEqual([])
  })

  for (const broken of brokenStores) {
    it(`catches a store that ${broken.name}, by exactly the cases named`, async () => {
      expect(await failuresAmong(casesFor(broken))).toEqual(broken.caughtBy)
    })
  }

  it('has no case that catches nothing', () => {
    const caught = new Set(brokenStores.flatMap(({ caughtBy }) => caughtBy))
    const idle = casesFor({ name: 'plain' }).filter(({ title }) => !caught.has(title))
    expect(idle.map(({ title }) => title)).toEqual(['promises what it keeps'])
  })
})

describe('describeStore, its options', () => {
  const open = () => ({ store: plainStore({ lines: new Map(), watchers: new Map() }), close: () => {} })

  function declared(options: DescribeStoreOptions, opened: () => StoreUnderTest = open): readonly Case[] {
    const cases: Case[] = []
    describeStore({ describe: (_, body) => body(), it: (title, body) => void cases.push({ title, body }) }, 'plain', opened, options)
    return cases
  }

  it('refuses a known failure that is no case', () => {
    expect(() => declared({ knownFailures: ['never loses anything'] })).toThrow('never loses anything')
  })

  it('allows no known failure to an atomic store', async () => {
    const title = 'gives a rotation one winner across two handles'
    const cases = declared({ knownFailures: [title], lacks: ['reopen', 'corrupt'] }).filter((one) => one.title.includes('known') || one.title === 'promises what it keeps')
    expect(await failuresAmong(cases)).toEqual(['promises what it keeps'])
  })

  it('lists a known failure by name and does not run it', async () => {
    const title = 'gives one of 10 rotations that are under way at once the token'
    const cases = declared({ knownFailures: [title] }, () => ({ ...open(), store: { ...open().store, consistency: 'best-effort' } }))
    expect(cases.map((one) => one.title).filter((one) => one.includes(title))).toEqual([`is known to fail: ${title}`])
    expect(await failuresAmong(cases.filter((one) => one.title.startsWith('is known')))).toEqual([])
  })

  it('fails when the store lacks something and does not say so, or offers what it is said to lack', async () => {
    const cases = declared({ lacks: ['corrupt', 'find'] })
    expect(await failuresAmong(cases.filter(({ title }) => title.startsWith('does not offer')))).toEqual(['does not offer find'])
    const reopening = cases.filter(({ title }) => title.includes('handle') && !title.includes('this handle'))
    expect(reopening.length).toBeGreaterThan(3)
    expect(await failuresAmong(reopening)).toEqual(reopening.map(({ title }) => title))
  })

  it('names the seed of a random history that failed, and plays it again', async () => {
    const played = async (options: DescribeStoreOptions) => {
      const calls: unknown[] = []
      const { store } = open()
      const failing = (): Store => ({
        ...store,
        patch(id, patch) {
          calls.push([patch.set, patch.remove, patch.expect, patch.index])
          if (calls.length === 50) throw new Error('enough')
          return store.patch(id, patch)
        },
      })
      const [history] = declared(options, () => ({ ...open(), store: failing() })).filter(({ title }) => title.startsWith('answers 600 random calls'))
      const failure = await Promise.resolve(history?.body()).then(() => 'none', String)
      return { calls, seed: Number(/option seed: (\d+) .*enough/.exec(failure)?.[1]) }
    }
    const first = await played({})
    expect(await played({ seed: first.seed })).toEqual(first)
    expect((await played({ seed: first.seed + 1 })).calls).not.toEqual(first.calls)
  })

  it('closes the store and every other handle, also after a failure', async () => {
    const closed: string[] = []
    const opened = (name: string, changes: Partial<Store> = {}): Store => ({ ...open().store, ...changes, close: () => void closed.push(name) })
    const forgetful = () => ({ store: opened('first'), reopen: () => opened('other', { read: () => undefined }), close: () => void closed.push('all') })
    const cases = declared({}, forgetful).filter(({ title }) => title === 'reads on one handle what another wrote')
    expect(await failuresAmong(cases)).toHaveLength(1)
    expect(closed).toEqual(['other', 'all'])
  })

  it('names the cases that are too large for a backend, and runs none of them', async () => {
    const cases = declared({ maxBytes: 12_000 }, () => ({ ...open(), store: { ...open().store, maxBytes: 12_000 } }))
    const large = cases.filter(({ title }) => title.startsWith('takes 12000 bytes'))
    expect(large.map(({ title }) => title)).toEqual(expect.arrayContaining(['takes 12000 bytes, too few for: keeps a text of 1 MiB']))
    expect(await failuresAmong(large)).toEqual([])
    expect(await failuresAmong(declared({ maxBytes: 12_000 }).slice(0, 1))).toEqual(['promises what it keeps'])
  })
})
