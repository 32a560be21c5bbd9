import { strict as assert } from 'node:assert'
import type { Awaitable, Store } from '../core/store.ts'
import { historyCases } from './store-cases/histories.ts'
import { indexCases } from './store-cases/index-terms.ts'
import { oddityCases } from './store-cases/oddities.ts'
import { patchCases } from './store-cases/patches.ts'
import { raceCases } from './store-cases/races.ts'
import { recordCases } from './store-cases/records.ts'
import { sweepCases } from './store-cases/sweeps.ts'
import type { Capability, StoreCase } from './store-cases/trial.ts'
import { valueCases } from './store-cases/values.ts'

export type { Capability }

/** A test runner's two functions: vitest's, jest's and node:test's fit. */
export interface Runner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
}

/** A store made for one case. */
export interface StoreUnderTest {
  /** Not opened yet: `describeStore` calls its `open`. */
  readonly store: Store
  /** Makes another handle on the same data, as a second process would. Absent where data lives in one process. `describeStore` opens and closes it. */
  readonly reopen?: () => Awaitable<Store>
  /** Overwrites what is stored under the id with something that is no record. Absent where nothing unreadable can be stored. */
  readonly corrupt?: (id: string) => Awaitable<void>
  /** Closes the store and every client, and removes what the case left. */
  close(): Awaitable<void>
}

export interface DescribeStoreOptions {
  /** Rules this backend is known to break, by case title; they are listed by name and not run. Only a store that is not `atomic` may have any. */
  readonly knownFailures?: readonly string[]
  /** What the store does not offer. Its cases give way to one that says so and checks that it is true. */
  readonly lacks?: readonly Capability[]
  /** The store's own `maxBytes`, where it has one. Cases with larger records are listed by name and not run. */
  readonly maxBytes?: number
}

const cases: readonly StoreCase[] = [...recordCases, ...patchCases, ...valueCases, ...indexCases, ...sweepCases, ...raceCases, ...oddityCases, ...historyCases]

/**
 * Declares one test for each rule that every store obeys (docs/writing-a-store.md). `open` is called for each
 * case and must hand out a store without data. Throws when `knownFailures` names no case.
 */
export function describeStore(runner: Runner, name: string, open: () => Awaitable<StoreUnderTest>, options: DescribeStoreOptions = {}): void {
  const { knownFailures = [], lacks = [], maxBytes } = options
  const unknown = knownFailures.filter((title) => !cases.some((one) => one.title === title))
  if (unknown.length > 0) throw new TypeError(`describeStore knows no case called ${unknown.map((title) => `"${title}"`).join(', ')}. Use the titles that it declares.`)
  runner.describe(name, () => {
    runner.it('promises what it keeps', () => withStore(open, (opened) => assertHonest(opened, options)))
    for (const capability of lacks) {
      runner.it(`does not offer ${capability}`, () => withStore(open, (opened) => assert.equal(offers(opened, capability), false, `the store offers ${capability}: take it out of lacks`)))
    }
    for (const one of cases) {
      if (one.needs?.some((capability) => lacks.includes(capability))) continue
      if (knownFailures.includes(one.title)) runner.it(`is known to fail: ${one.title}`, () => withStore(open, ({ store }) => assert.notEqual(store.consistency ?? 'atomic', 'atomic')))
      else if (maxBytes !== undefined && (one.bytes ?? 0) > maxBytes) runner.it(`takes ${maxBytes} bytes, too few for: ${one.title}`, () => withStore(open, ({ store }) => assert.equal(store.maxBytes, maxBytes)))
      else runner.it(one.title, () => withStore(open, (opened) => runCase(one, opened)))
    }
  })
}

async function withStore(open: () => Awaitable<StoreUnderTest>, body: (opened: StoreUnderTest) => unknown): Promise<void> {
  const opened = await open()
  try {
    await opened.store.open?.()
    await body(opened)
  } finally {
    await opened.close()
  }
}

function assertHonest({ store }: StoreUnderTest, { knownFailures = [], maxBytes }: DescribeStoreOptions): void {
  assert.ok(['atomic', 'best-effort', 'client'].includes(store.consistency ?? 'atomic'))
  assert.equal(store.maxBytes, maxBytes, 'pass the store’s maxBytes to describeStore')
  if (knownFailures.length > 0) assert.notEqual(store.consistency ?? 'atomic', 'atomic', 'an atomic store breaks no rule')
}

function offers(opened: StoreUnderTest, capability: Capability): boolean {
  if (capability === 'reopen' || capability === 'corrupt') return opened[capability] !== undefined
  return opened.store[capability] !== undefined
}

async function runCase(one: StoreCase, opened: StoreUnderTest): Promise<void> {
  for (const capability of one.needs ?? []) {
    assert.ok(offers(opened, capability), `the store does not offer ${capability}: name it in describeStore’s lacks`)
  }
  const others: Store[] = []
  try {
    await one.run({
      store: opened.store,
      reopen: async () => {
        assert.ok(opened.reopen !== undefined)
        const other = await opened.reopen()
        await other.open?.()
        others.push(other)
        return other
      },
      corrupt: async (id) => opened.corrupt?.(id),
    })
  } finally {
    for (const other of others) await other.close?.()
  }
}
