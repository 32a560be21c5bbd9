// Stands in for vitest's `describe` and `it`: the tests are gathered once and stay in the process, so that each mutant runs a few functions and loads nothing.
// `expect` and `vi` are vitest's own; they ask for a worker's state, of which the tests need none.
import { format } from 'node:util'

globalThis.__vitest_worker__ = { config: {}, environment: { name: 'node' }, ctx: {}, rpc: {}, metaEnv: {}, onCleanup() {} }
const { expect, vi, expectTypeOf, assert } = await import('vitest-itself')
export { assert, expect, expectTypeOf, vi }

/** Every test that was gathered: its id, its function, its limit in milliseconds and the suites around it, the outermost first. */
export const tests = []
let file = ''
let suites = []

/** Loads a file of tests under the name that its tests' ids begin with. */
export async function gather(name, load) {
  file = name
  suites = [suite('')]
  await load()
}

const suite = (name) => ({ name, beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] })

export const describe = Object.assign((name, ...rest) => {
  suites = [...suites, suite(name)]
  rest.findLast((part) => typeof part === 'function')()
  suites = suites.slice(0, -1)
}, { each: each((...parts) => describe(...parts)) })

export const it = Object.assign((name, ...rest) => {
  const id = `${file}#${[...suites.map((one) => one.name), name].filter((part) => part !== '').join(' > ')}`
  const same = tests.filter((one) => one.id === id || one.id.startsWith(`${id} (again `)).length
  const limit = rest.find((part) => typeof part === 'object')?.timeout ?? 1_500
  tests.push({ id: same === 0 ? id : `${id} (again ${same})`, run: rest.find((part) => typeof part === 'function'), limit, suites })
}, { each: each((...parts) => it(...parts)) })
export const test = it

export const beforeAll = (hook) => suites.at(-1).beforeAll.push(hook)
export const beforeEach = (hook) => suites.at(-1).beforeEach.push(hook)
export const afterEach = (hook) => suites.at(-1).afterEach.push(hook)
export const afterAll = (hook) => suites.at(-1).afterAll.push(hook)

function each(define) {
  return (table) => (name, ...rest) => {
    const spread = table.every((row) => Array.isArray(row))
    for (const row of table) {
      const values = spread ? row : [row]
      const run = rest.find((part) => typeof part === 'function')
      define(name.includes('%') ? format(name, ...values.slice(0, name.split('%').length - 1)) : name, ...rest.filter((part) => part !== run), () => run(...values))
    }
  }
}
