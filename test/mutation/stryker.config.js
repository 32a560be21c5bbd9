// Read by scripts/mutate.ts from the root of the repository.

/** What the tests notice in the core: fast ones that need no server, process or browser, the nearest first. A mutant that survives has run all that reach it. */
const core = {
  files: [
    'src/core/**/*.test.ts',
    'src/stores/{memory,null}.test.ts',
    'src/transports/*.test.ts',
    'src/security/{everyone,fresh,policy,token-seal}.test.ts',
    'src/continuations/{restore,target}.test.ts',
    'test/seeds/{complete,expiry,jifty,life,pet,continuations}.test.ts',
    'test/attacks/{cookies,identity,values}.test.ts',
  ],
  // What looks at the sources, is slow, or needs a process that has warned of nothing yet.
  except: 'no source compares|takes the same steps|and warns once|1,000 among 200,000|bombs|cached by a proxy|on (sqlite|file|simple)|random',
}

/** What the cases of the contract notice in a right store. */
const stores = { files: ['test/mutation/stores-on-contract.ts'], except: 'does not offer' }

/** What the broken stores notice in the cases of the contract. Asked by case, not by store, which is the same and takes less. */
const contract = {
  files: ['test/mutation/contract-cases.ts', 'test/broken-stores/broken-stores.test.ts'],
  except: 'catches a store that|finds nothing wrong|has no case that',
}

const subject = process.env.SOJOURN_MUTATE

export default {
  testRunner: 'in-process',
  plugins: [import.meta.resolve('./runner.js')],
  testRunnerNodeArgs: ['--conditions=sojourn:source', '--disable-warning=ExperimentalWarning'],
  inProcess: { core, stores, contract }[subject],
  // Stryker would rewrite tsconfig.json with the compiler's interface, which TypeScript 7 has not.
  tsconfigFile: 'test/mutation/none.json',
  coverageAnalysis: 'perTest',
  // What changes while a file loads needs a process and all tests each: twenty seconds for one mutant.
  ignoreStatic: true,
  concurrency: 1,
  timeoutMS: 20_000,
  reporters: ['progress-append-only', 'clear-text', 'json'],
  jsonReporter: { fileName: '.stryker-tmp/report.json' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  ignorePatterns: ['bench', 'examples', 'dist', 'coverage', '.docs', 'test/runtimes', 'test/frameworks', 'test/mutation/node_modules', '*.db*'],
  tempDirName: '.stryker-tmp',
  checkers: [],
  warnings: { unknownOptions: false },
  thresholds: { high: 95, low: 85, break: subject === 'contract' ? 70 : 85 },
}
