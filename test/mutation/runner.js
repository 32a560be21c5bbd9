// A test runner for Stryker that runs the tests of the core in one process, without vitest's: loading the files anew for each mutant took 1.6 seconds of
// processor time each. What changes while a file loads ("static") still gets a process of its own, from Stryker.
import { glob } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core'
import { commonTokens, declareFactoryPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin'
import { determineHitLimitReached, DryRunStatus, TestStatus, toMutantRunResult } from '@stryker-mutator/api/test-runner'

class InProcessRunner {
  #stryker
  #files
  #except
  #tests
  #noticed = new Map()
  #stray

  constructor(options) {
    this.#files = options.inProcess.files
    this.#except = new RegExp(options.inProcess.except)
    this.#stryker = globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {}
  }

  capabilities() {
    return { reloadEnvironment: false }
  }

  init() {
    const little = import.meta.resolve('./little-vitest.js')
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === 'vitest') return { url: little, shortCircuit: true }
        return next(specifier === 'vitest-itself' ? 'vitest' : specifier, context)
      },
    })
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.removeAllListeners(event)
      process.on(event, (error) => (this.#stray ??= error))
    }
    process.on('warning', () => {})
    console.error = () => {}
    return Promise.resolve()
  }

  async dryRun() {
    await this.#load()
    const results = await this.#runAll(this.#tests, (id) => (this.#stryker.currentTestId = id), false)
    this.#stryker.currentTestId = undefined
    return { status: DryRunStatus.Complete, tests: results, mutantCoverage: this.#stryker.mutantCoverage }
  }

  async mutantRun({ testFilter, hitLimit, activeMutant, mutantActivation }) {
    if (mutantActivation === 'static') this.#stryker.activeMutant = activeMutant.id
    try {
      await this.#load()
    } catch (error) {
      return toMutantRunResult({ status: DryRunStatus.Complete, tests: [failed({ id: 'loading', name: 'loading' }, 0, error)] })
    }
    Object.assign(this.#stryker, { activeMutant: activeMutant.id, hitLimit, hitCount: 0 })
    const chosen = new Set(testFilter ?? this.#tests.map(({ id }) => id))
    // What noticed a mutant lately is likely to notice its neighbour.
    const tests = this.#tests.filter(({ id }) => chosen.has(id)).toSorted((a, b) => (this.#noticed.get(b.id) ?? 0) - (this.#noticed.get(a.id) ?? 0))
    const results = await this.#runAll(tests, () => {}, true)
    const endless = determineHitLimitReached(this.#stryker.hitCount, hitLimit)
    Object.assign(this.#stryker, { activeMutant: undefined, hitLimit: undefined, hitCount: undefined })
    const last = results.at(-1)
    if (last?.status === TestStatus.Failed) {
      this.#noticed.set(last.id, Date.now())
      if (endless === undefined && mutantActivation === 'runtime') await this.#makeSure(last.id)
    }
    return toMutantRunResult(endless ?? { status: DryRunStatus.Complete, tests: results })
  }

  // A test that fails without the mutant too was spoilt by an earlier one. Stryker then tries again in a new process.
  async #makeSure(id) {
    const [result] = await this.#runAll(this.#tests.filter((test) => test.id === id), () => {}, true)
    if (result?.status === TestStatus.Failed) throw new Error(`Fails without a mutant too: ${id}: ${result.failureMessage}`)
  }

  async #load() {
    if (this.#tests !== undefined) return
    const { gather, tests } = await import('./little-vitest.js')
    for (const pattern of this.#files) {
      for (const file of (await Array.fromAsync(glob(pattern))).toSorted()) await gather(file, () => import(pathToFileURL(resolve(file)).href))
    }
    this.#tests = tests.filter(({ id }) => !this.#except.test(id))
  }

  async #runAll(tests, before, bail) {
    const begun = []
    const results = []
    for (const test of tests) {
      before(test.id)
      const start = performance.now()
      this.#stray = undefined
      try {
        for (const suite of test.suites) {
          if (begun.includes(suite)) continue
          begun.push(suite)
          for (const hook of suite.beforeAll) await hook()
        }
        await within(test.limit, () => runOne(test))
        if (this.#stray !== undefined) throw this.#stray
        results.push({ id: test.id, name: test.id, status: TestStatus.Success, timeSpentMs: performance.now() - start })
      } catch (error) {
        results.push(failed({ id: test.id, name: test.id }, performance.now() - start, error))
        if (bail) break
      }
    }
    for (const suite of begun.toReversed()) for (const hook of suite.afterAll) await Promise.resolve(hook()).catch(() => {})
    return results
  }
}

async function runOne({ run, suites }) {
  try {
    for (const suite of suites) for (const hook of suite.beforeEach) await hook()
    await run({})
  } finally {
    for (const suite of suites.toReversed()) for (const hook of suite.afterEach.toReversed()) await hook()
  }
}

function within(limit, work) {
  let timer
  const late = new Promise((_, reject) => { timer = realSetTimeout(() => reject(new Error('The test takes too long.')), limit) })
  return Promise.race([work(), late]).finally(() => realClearTimeout(timer))
}

// Kept from before any test puts a false clock in their place.
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis

const failed = (test, timeSpentMs, error) => ({ ...test, timeSpentMs, status: TestStatus.Failed, failureMessage: String(error?.message ?? error) })

const create = (options) => new InProcessRunner(options)
create.inject = tokens(commonTokens.options)
export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'in-process', create)]
