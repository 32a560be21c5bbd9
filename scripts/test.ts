// What `npm test` runs: set-up, types, lint, every test with coverage. The last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { startVitest, type TestModule } from 'vitest/node'
import { setUpProjects } from './projects.ts'
import { inCi, setUp } from './setup.ts'

const root = dirname(import.meta.dirname)
const binaries = join(root, 'node_modules', '.bin')

const passed: string[] = []
const failed: string[] = []
const notRun: string[] = []

process.chdir(root)
// So that whatever a test starts is found here first: the pinned Node above all.
process.env['PATH'] = [binaries, process.env['PATH'] ?? ''].join(delimiter)
console.log(`Node ${process.versions.node}`)

for (const name of [...setUp().map((program) => program.name), ...setUpProjects().map(({ folder }) => folder)]) if (inCi()) failed.push(`set-up: ${name} must be there when CI is set`)
check('types', 'tsc', '--noEmit')
check('lint', 'oxlint', '--deny-warnings')
await runTests()
report()
process.exit(failed.length > 0 ? 1 : 0)

function check(title: string, command: string, ...args: readonly string[]): void {
  console.log(`${title}: ${[command, ...args].join(' ')}`)
  const { status } = spawnSync(join(binaries, command), args, { stdio: 'inherit' })
  count(title, status === 0)
}

async function runTests(): Promise<void> {
  console.log('tests: vitest run --coverage')
  const vitest = await startVitest('test', [], { run: true, watch: false, coverage: { enabled: true } })
  const modules = vitest.state.getTestModules()
  const errors = vitest.state.getUnhandledErrors()
  // Vitest measures coverage only when every test has passed, and tells by the exit code that it is too low.
  const sound = modules.length > 0 && modules.every((module) => module.ok()) && errors.length === 0
  await vitest.close()
  for (const module of modules) countModule(module)
  if (errors.length > 0) failed.push(`${errors.length} errors outside of a test`)
  if (sound) count('coverage', (process.exitCode ?? 0) === 0)
  if (modules.length === 0) failed.push('no test was found')
}

function countModule(module: TestModule): void {
  const tests = [...module.children.allTests()]
  for (const test of tests) {
    const { state } = test.result()
    const name = `${module.relativeModuleId} > ${test.fullName}`
    // A suite without its server is one test of this name, see test/servers/suite.ts.
    const absent = state === 'passed' && test.name.startsWith('NOT TESTED')
    if (absent || state === 'skipped' || state === 'pending') notRun.push(name)
    else count(name, state === 'passed')
  }
  // A file that breaks while it is read, or in a hook, has no failed test to show for it.
  if (!module.ok() && !tests.some((test) => test.result().state === 'failed')) failed.push(`${module.relativeModuleId} as a whole`)
}

function count(name: string, ok: boolean): void {
  const list = ok ? passed : failed
  list.push(name)
}

function report(): void {
  console.log(notRun.length === 0 ? 'nothing was skipped' : `not run (${notRun.length}):`)
  for (const name of notRun) console.log(`  ${name}`)
  if (failed.length > 0) console.log('failed:')
  for (const name of failed) console.log(`  ${name}`)
  console.log(`${passed.length} passed, ${failed.length} failed`)
}
