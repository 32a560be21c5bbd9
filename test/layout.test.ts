import { existsSync, globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { publicSubpaths } from '../scripts/subpaths.ts'
import { syntaxOf } from './internal/syntax.ts'

const root = dirname(import.meta.dirname)
const files = globSync('src/**/*.ts', { cwd: root }).toSorted()
const sources = files.filter((file) => !/\.test(-d)?\.ts$/.test(file))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Which folders the files of a folder may import from; their own `internal/` comes in addition. `''` is src itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: ['core'],
  stores: ['core'],
  codecs: ['core'],
  transports: ['core'],
  adapters: ['core'],
  continuations: ['core', 'continuations'],
  security: ['core', 'security'],
  // What tests applications uses the package as they do.
  testing: ['core', 'testing', ''],
  // The public face re-exports what most applications need.
  '': ['core', 'stores', 'transports'],
}

/** Why an import points the wrong way; undefined when it does not. */
function wrongWay(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return isRuntimeDependency(specifier) ? undefined : `${file} imports ${specifier}, which is no dependency`
  const target = normalize(join(dirname(file), specifier))
  if (!target.startsWith('src/')) return `${file} imports ${target}, which is not published`
  const [from, to] = [folderOf(file), folderOf(target)]
  const inside = target.startsWith(`src/${from}/internal/`)
  if (inside || MAY_IMPORT[from]?.includes(to)) return undefined
  return `${file} imports ${target}`
}

function folderOf(file: string): string {
  const [, folder = '', ...rest] = file.split('/')
  return rest.length > 0 ? folder : ''
}

const AVAILABLE: readonly string[] = [...Object.keys(manifest.dependencies), ...builtinModules.map((name) => (name.startsWith('node:') ? name : `node:${name}`)), 'bun:sqlite']

function isRuntimeDependency(specifier: string): boolean {
  return AVAILABLE.includes(specifier)
}

describe('imports', () => {
  it('point one way, and name no package but our dependencies', () => {
    const wrong = sources.flatMap((file) => syntaxOf(read(file)).imports.map((specifier) => wrongWay(file, specifier)))
    expect(wrong.filter((line) => line !== undefined)).toEqual([])
  })

  it.each([
    ['src/core/session.ts', '../stores/memory.ts'], ['src/stores/file.ts', './memory.ts'], ['src/stores/file.ts', '../adapters/internal/x.ts'],
    ['src/adapters/express.ts', './node.ts'], ['src/core/session.ts', '../index.ts'], ['src/stores/redis.ts', 'redis'], ['src/testing/index.ts', '../../test/x.ts'],
    ['src/testing/index.ts', 'vitest'], ['src/core/a.ts', 'fs'],
  ])('of %s from %s would be noticed', (file, specifier) => {
    expect(wrongWay(file, specifier)).toContain(file)
  })

  it.each([
    ['src/stores/file.ts', './internal/log.ts'], ['src/stores/internal/log.ts', '../../core/record.ts'], ['src/core/session.ts', 'devalue'], ['src/core/session.ts', 'node:crypto'],
    ['src/index.ts', './stores/memory.ts'], ['src/testing/store-cases/races.ts', '../index.ts'],
  ])('of %s from %s are fine', (file, specifier) => {
    expect(wrongWay(file, specifier)).toBeUndefined()
  })
})

describe('src', () => {
  it.each(files)('%s never tells the compiler to look away', (file) => {
    const code = read(file)
    expect(syntaxOf(code).escapes).toEqual([])
    expect(code.match(/@ts-(?:ignore|nocheck)|(?:v8|c8|istanbul) ignore/g) ?? []).toEqual([])
    // A test may show that a mistake does not compile.
    if (sources.includes(file)) expect(code).not.toContain('@ts-expect-error')
    // A lint rule may be switched off for one line, with the reason behind it.
    expect(code.match(/\S+lint-disable(?!-next-line [\w/, -]+ -- \w).*/g) ?? []).toEqual([])
  })

  it('would be noticed if it did', () => {
    const { escapes } = syntaxOf('let a: any\nconst b = a!\nconst c = b as unknown as string\nconst d = c as string // any! as unknown as')
    expect(escapes).toEqual(['any in line 1', '! in line 2', 'a cast of a cast in line 3'])
  })

  it('has named exports only', () => {
    expect(sources.filter((file) => /^export default\b/m.test(read(file)))).toEqual([])
  })
})

describe('every public path', () => {
  const leaves = publicSubpaths().filter(({ source }) => /^src\/(?:stores|codecs|transports|adapters)\//.test(source))

  it.each(publicSubpaths())('$specifier has a source', ({ source }) => {
    expect(existsSync(join(root, source))).toBe(true)
  })

  it.each(leaves)('$specifier has a test beside it and a docs page', ({ source, subpath }) => {
    const wanted = [source.replace(/\.ts$/, '.test.ts'), join('docs', `${subpath}.md`)]
    expect(wanted.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it('is at the place that its name says', () => {
    for (const { specifier, source } of publicSubpaths()) {
      const name = specifier.slice(manifest.name.length)
      expect([`src${name}.ts`, `src${name}/index.ts`]).toContain(source)
    }
  })
})

describe('sojourn', () => {
  it('exports these values and no others', async () => {
    const sojourn = await import('../src/index.ts')
    expect(Object.keys(sojourn).toSorted()).toEqual([
      'Session', 'SessionError', 'applyPatch', 'cookieTransport', 'createSessions', 'isLive', 'memoryStore', 'tombstone',
    ])
  })
})
