// What `npm run mutate` runs: Stryker changes the sources a little, thousands of times, and some test must notice each change.
// `-- stores` changes the plainest store and the merge of a patch, and runs the contract alone; `-- contract` changes the contract's cases and runs the broken stores; files or patterns name what
// of the core is changed, or after `stores` and `contract` what of those.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { setUpProjects } from './projects.ts'

const root = dirname(import.meta.dirname)
const folder = 'test/mutation'
const WHOLE: Readonly<Record<string, readonly string[]>> = {
  core: ['src/core/**/*.ts'],
  stores: ['test/broken-stores/plain-store.ts', 'src/core/patch.ts'],
  contract: ['src/testing/describe-store.ts', 'src/testing/store-cases/*.ts'],
}
const [first = 'core', ...others] = process.argv.slice(2)
const subject = first in WHOLE ? first : 'core'
const named = subject === first ? others : [first, ...others]
const mutate = named.length > 0 ? named : (WHOLE[subject] ?? [])

if (setUpProjects([{ folder, needed: 'what mutants survive' }]).length > 0) process.exit(1)
const stryker = join(root, folder, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js')
const { status } = spawnSync(process.execPath, [stryker, 'run', join(folder, 'stryker.config.js'), '--mutate', [...mutate, '!src/**/*.test.ts', '!src/**/*.test-d.ts'].join(',')], { cwd: root, env: { ...process.env, SOJOURN_MUTATE: subject }, stdio: 'inherit' })
process.exit(status ?? 1)
