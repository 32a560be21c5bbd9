import { strict as assert } from 'node:assert'
import type { Awaitable, Store } from '../core/store.ts'
import { historyCases } from './store-cases/histories.ts'
import { indexCases } from './store-cases/index-terms.ts'
import { randomSeed } from './store-cases/numbers.ts'
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
  /** Plays one random history again: the whole number that a failure has named. Calls that are under way at once come as the backend lets them. Defaults to another each time. */
  readonly seed?: number
}

const cases: readonly StoreCase[] = [...recordCases, ...patchCases, ...valueCases, ...indexCases, ...sweepCases, ...raceCases, ...oddityCases, ...historyCases]

/**
 * Declares one test for each rule that every store obeys (docs/writing-a-store.md). `open` is called for each
 * case and must hand out a store without data. Throws when `knownFailures` names no case.
 */
export function describeStore(runner: Runner, name: string, open: () => Awaitable<StoreUnderTest>, options: DescribeStoreOptions = {}): void {
  refuseUnknownTitles(options)
  runner.describe(name, () => {
    for (const { title, check } of testsFor(options)) runner.it(title, () => withStore(open, check))
  })
}

/** A case as it is declared for one store. */
interface StoreTest {
  readonly title: string
  readonly check: (opened: StoreUnderTest) => Awaitable<void>
}

function testsFor(options: DescribeStoreOptions): readonly StoreTest[] {
  const { lacks = [] } = options
  const offered = cases.filter(({ needs = [] }) => !needs.some((capability) => lacks.includes(capability)))
  return [
    { title: 'promises what it keeps', check: (opened) => assertHonest(opened, options) },
    ...lacks.map((capability) => ({ title: `does not offer ${capability}`, check: (opened: StoreUnderTest) => assertLacks(opened, capability) })),
    ...offered.map((one) => testOf(one, options)),
  ]
}

function testOf(one: StoreCase, { knownFailures = [], maxBytes = Infinity, seed }: DescribeStoreOptions): StoreTest {
  if (knownFailures.includes(one.title)) return { title: `is known to fail: ${one.title}`, check: assertNotAtomic }
  if ((one.bytes ?? 0) > maxBytes) return { title: `takes ${maxBytes} bytes, too few for: ${one.title}`, check: ({ store }) => assert.equal(store.maxBytes, maxBytes) }
  return { title: one.title, check: (opened) => runCase(one, opened, seed ?? randomSeed()) }
}

function refuseUnknownTitles({ knownFailures = [] }: DescribeStoreOptions): void {
  const unknown = knownFailures.filter((title) => !cases.some((one) => one.title === title))
  if (unknown.length > 0) throw new TypeError(`describeStore knows no case called ${unknown.map((title) => `"${title}"`).join(', ')}. Use the titles that it declares.`)
}

async function withStore(open: () => Awaitable<StoreUnderTest>, check: StoreTest['check']): Promise<void> {
  const opened = await open()
  try {
    await opened.store.open?.()
    await check(opened)
  } finally {
    await opened.close()
  }
}

function assertHonest(opened: StoreUnderTest, { knownFailures = [], maxBytes }: DescribeStoreOptions): void {
  const { store } = opened
  assert.ok(['atomic', 'best-effort', 'client'].includes(store.consistency ?? 'atomic'))
  assert.equal(store.maxBytes, maxBytes, 'pass the store’s maxBytes to describeStore')
  if (knownFailures.length > 0) assertNotAtomic(opened)
}

function assertNotAtomic({ store }: StoreUnderTest): void {
  assert.notEqual(store.consistency ?? 'atomic', 'atomic', 'an atomic store breaks no rule')
}

function assertLacks(opened: StoreUnderTest, capability: Capability): void {
  assert.equal(offers(opened, capability), false, `the store offers ${capability}: take it out of lacks`)
}

function offers(opened: StoreUnderTest, capability: Capability): boolean {
  if (capability === 'reopen' || capability === 'corrupt') return opened[capability] !== undefined
  return opened.store[capability] !== undefined
}

async function runCase(one: StoreCase, opened: StoreUnderTest, seed: number): Promise<void> {
  for (const capability of one.needs ?? []) {
    assert.ok(offers(opened, capability), `the store does not offer ${capability}: name it in describeStore’s lacks`)
  }
  const others: Store[] = []
  try {
    await one.run({
      store: opened.store,
      seed,
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
