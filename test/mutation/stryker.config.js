// Read by scripts/mutate.ts from the root of the repository.
export default {
  testRunner: 'vitest',
  plugins: [import.meta.resolve('@stryker-mutator/vitest-runner')],
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
  // Stryker would rewrite tsconfig.json with the compiler's interface, which TypeScript 7 has not.
  tsconfigFile: 'test/mutation/none.json',
  coverageAnalysis: 'perTest',
  concurrency: 1,
  timeoutMS: 20_000,
  reporters: ['progress-append-only', 'clear-text'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  ignorePatterns: ['bench', 'examples', 'dist', 'coverage', '.docs', 'test/runtimes', 'test/frameworks', 'test/mutation/node_modules', '*.db*'],
  tempDirName: '.stryker-tmp',
  checkers: [],
  thresholds: { high: 95, low: 85, break: 85 },
}
