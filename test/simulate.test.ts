import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

it('docs/scale.md shows what the simulation of a large site says today', () => {
  const said = execFileSync('node', [join(root, 'bench/simulate/run.ts')], { encoding: 'utf8' }).trim()
  expect(said).toContain('### Shards of Redis')
  expect(readFileSync(join(root, 'docs/scale.md'), 'utf8')).toContain(said)
})
