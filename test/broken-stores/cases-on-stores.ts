import type { Store } from '../../src/core/store.ts'
import { describeStore, type Runner } from '../../src/testing/index.ts'
import { brokenAnswers } from './broken-answers.ts'
import { brokenListings } from './broken-listings.ts'
import { brokenPatches } from './broken-patches.ts'
import { brokenRecords } from './broken-records.ts'
import { brokenSteps } from './broken-steps.ts'
import type { BrokenStore } from './broken-store.ts'
import { brokenValues } from './broken-values.ts'
import { plainStore, type PlainData } from './plain-store.ts'

/** One case of the contract, as declared for one store. */
export interface Case {
  readonly title: string
  readonly body: () => unknown
}

/** One with which nearly every history finds what histories can find. */
const SEED = 14

/** Every case of the contract on a store. */
export function casesFor({ name, decisions, wrap = (store) => store, lacks }: Omit<BrokenStore, 'caughtBy'>): readonly Case[] {
  const cases: Case[] = []
  const runner: Runner = { describe: (_, body) => body(), it: (title, body) => void cases.push({ title, body }) }
  describeStore(runner, name, () => {
    const data: PlainData = { lines: new Map(), watchers: new Map() }
    const open = () => without(lacks ?? [], wrap(plainStore(data, decisions), data))
    return {
      store: open(),
      ...(lacks?.includes('reopen') !== true && { reopen: open }),
      ...(lacks?.includes('corrupt') !== true && { corrupt: (id: string) => void data.lines.set(id, 'no record') }),
      close: () => {},
    }
  }, { seed: SEED, ...(lacks !== undefined && { lacks }) })
  return cases
}

function without(lacks: readonly string[], store: Store): Store {
  return Object.assign({}, store, Object.fromEntries(lacks.map((capability) => [capability, undefined])))
}

/** The titles of those that fail, one after another. */
export async function failuresAmong(cases: readonly Case[]): Promise<string[]> {
  const failed: string[] = []
  for (const { title, body } of cases) {
    try {
      await body()
    } catch {
      failed.push(title)
    }
  }
  return failed
}

/** Every store with one mistake. */
export const brokenStores: readonly BrokenStore[] = [...brokenRecords, ...brokenPatches, ...brokenValues, ...brokenListings, ...brokenSteps, ...brokenAnswers]
