// What `npm run mutate` runs: Stryker changes the sources a little, thousands of times, and some test must notice each change.
// Files or patterns behind `--` choose what is mutated; without them the whole core. `-- contract` takes the contract of stores, whose tests are the broken stores.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { setUpProjects } from './projects.ts'

const root = dirname(import.meta.dirname)
const folder = 'test/mutation'
const chosen = process.argv.slice(2)
const isContract = chosen[0] === 'contract'
const named = isContract ? chosen.slice(1) : chosen
const whole = isContract ? ['src/testing/describe-store.ts', 'src/testing/store-cases/*.ts', 'test/broken-stores/plain-store.ts'] : ['src/core/**/*.ts']
const mutate = named.length > 0 ? named : whole

if (setUpProjects([{ folder, needed: 'what mutants survive' }]).length > 0) process.exit(1)
const stryker = join(root, folder, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js')
const { status } = spawnSync(process.execPath, [stryker, 'run', join(folder, 'stryker.config.js'), '--mutate', [...mutate, '!src/**/*.test.ts', '!src/**/*.test-d.ts'].join(',')], { cwd: root, env: { ...process.env, SOJOURN_MUTATE: isContract ? 'contract' : 'core' }, stdio: 'inherit' })
process.exit(status ?? 1)
