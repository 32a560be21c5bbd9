import type { Store } from '../../src/core/store.ts'
import type { DescribeStoreOptions } from '../../src/testing/describe-store.ts'
import type { Decisions, PlainData } from './plain-store.ts'

/** A store with one mistake. */
export interface BrokenStore {
  readonly name: string
  /** What it decides wrongly. */
  readonly decisions?: Partial<Decisions>
  /** Breaks what a decision cannot. Called for each handle. */
  readonly wrap?: (store: Store, data: PlainData) => Store
  /** What is taken from it, so that it fails in fewer cases. */
  readonly lacks?: DescribeStoreOptions['lacks']
  /** The titles of all cases that fail. */
  readonly caughtBy: readonly string[]
}
