// What `npm run mutate` runs: Stryker changes the sources a little, thousands of times, and some test must notice each change.
// Files or patterns behind `--` choose what is mutated; without them the whole core.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { setUpProjects } from './projects.ts'

const root = dirname(import.meta.dirname)
const folder = 'test/mutation'
const chosen = process.argv.slice(2)
const mutate = chosen.length > 0 ? chosen : ['src/core/**/*.ts']

if (setUpProjects([{ folder, needed: 'what mutants survive' }]).length > 0) process.exit(1)
const stryker = join(root, folder, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js')
const { status } = spawnSync(process.execPath, [stryker, 'run', join(folder, 'stryker.config.js'), '--mutate', [...mutate, '!src/**/*.test.ts', '!src/**/*.test-d.ts'].join(',')], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
