import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publicSubpaths } from '../scripts/subpaths.ts'
import { codeBlocks, quotes, relativeLinks, type Block } from './internal/markdown.ts'
import { temporaryFolder } from './servers/process.ts'

const root = dirname(import.meta.dirname)
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...globSync('docs/**/*.md', { cwd: root })].toSorted()
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

// Inside the project, so that `sojourn` is found as users import it, and out of git.
const folder = join(root, '.docs', String(process.pid))
const examples = pages.flatMap((page) => codeBlocks(read(page)).map((block) => ({ page, block, place: placeOf(page, block) })))

interface Place {
  /** Examples in one folder are compiled together. */
  readonly folder: string
  readonly file: string
}

function placeOf(page: string, { line, language, code }: Block): Place {
  const name = `${page.replaceAll(/[^A-Za-z0-9]+/g, '-')}-line-${line}`
  // What such an example declares would hold for every other that is compiled with it.
  const alone = /^\s*declare (?:module|global)\b/m.test(code)
  const place = join(folder, alone ? name : 'together')
  return { folder: place, file: join(place, `${name}.${language}`) }
}

const complaints: string[] = []

beforeAll(() => {
  for (const { block, place } of examples) {
    mkdirSync(place.folder, { recursive: true })
    writeFileSync(place.file, `${block.code}\nexport {}\n`)
  }
  for (const place of new Set(examples.map((example) => example.place.folder))) complaints.push(...compile(place))
})

function compile(place: string): readonly string[] {
  // What an example declares it need not use.
  const compilerOptions = { allowJs: true, checkJs: true, noUnusedLocals: false, noUnusedParameters: false }
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['.'], exclude: [] }))
  const { stdout, error } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', place, '--pretty', 'false'], { cwd: place, encoding: 'utf8' })
  if (error !== undefined) throw error
  return stdout.split('\n').filter((line) => line !== '')
}

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the code in', () => {
  it.each([...new Set(examples.map(({ page }) => page))])('%s fits the types', (page) => {
    const names = examples.filter((example) => example.page === page).map(({ place }) => basename(place.file))
    expect(complaints.filter((line) => names.some((name) => line.startsWith(`${name}(`)))).toEqual([])
  })

  it.each(examples.filter(({ block }) => block.run).map(({ page, block, place }) => ({ title: `${page}:${block.line}`, place })))('$title runs', async ({ place }) => {
    const empty = await temporaryFolder('docs')
    const { status, stderr, stdout } = spawnSync(process.execPath, ['--conditions=sojourn:source', '--disable-warning=ExperimentalWarning', place.file], {
      cwd: empty.path, encoding: 'utf8', timeout: 20_000, env: { ...process.env, PORT: '0' },
    })
    await empty.remove()
    expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' })
  })

  it('is all that the compiler complains about', () => {
    // Errors in the sources are the business of the type check.
    const others = complaints.filter((line) => !/^[\w-]+-line-\d+\.[tj]s\(|^\s|^(?:\.\.\/)+(?:src|test|scripts|examples|bench)\//.test(line))
    expect(others).toEqual([])
  })
})

describe('what is quoted from a file in', () => {
  const quoted = pages.flatMap((page) => quotes(read(page)).map((quote) => ({ page, ...quote })))

  it.each(quoted)('$page is in $file', ({ file, pieces }) => {
    const text = read(file)
    const places = pieces.map((piece) => text.indexOf(piece))
    expect(pieces.filter((piece) => !text.includes(piece))).toEqual([])
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  })
})

describe('the links in', () => {
  it.each(pages)('%s lead to files', (page) => {
    const missing = relativeLinks(read(page)).filter((target) => !existsSync(join(root, dirname(page), target)))
    expect(missing).toEqual([])
  })
})

describe('README.md', () => {
  it('links to the page of every store, transport and adapter', () => {
    const wanted = publicSubpaths().filter(({ subpath }) => subpath.split('/').length === 3).map(({ subpath }) => `docs/${subpath.slice(2)}.md`)
    expect(wanted.filter((page) => !relativeLinks(read('README.md')).includes(page))).toEqual([])
  })
})

describe('docs/errors.md', () => {
  it('has a heading for each code', () => {
    const codes = [...read('src/core/errors.ts').matchAll(/'(ERR_SESSION_[A-Z_]+)'/g)].map(([, code = '']) => code)
    const page = read('docs/errors.md')
    expect(codes.length).toBeGreaterThan(5)
    expect([...new Set(codes)].filter((code) => !new RegExp(`^#+ .*\\b${code}\\b`, 'm').test(page))).toEqual([])
  })
})

describe('quotes', () => {
  it('names the file and its pieces, which are then no code of the page', () => {
    const markdown = ['```tsx from a/b.tsx', 'one', '  // …', 'two', '```', '', '```ts from c.ts', 'three', '```'].join('\n')
    expect(quotes(markdown)).toEqual([{ file: 'a/b.tsx', pieces: ['one', 'two'] }, { file: 'c.ts', pieces: ['three'] }])
    expect(codeBlocks(markdown)).toEqual([])
  })
})

describe('codeBlocks', () => {
  it('keeps every line at its place, hidden ones too', () => {
    const markdown = ['# Title', '<!-- setup: const a = 1', 'const b = 2 -->', '', '```ts run', 'a + b', '```', '', '<!-- then: b -->', '```sh', 'ls', '```', '```js', 'x', '```'].join('\n')
    expect(codeBlocks(markdown)).toEqual([
      { line: 5, language: 'ts', run: true, code: ['', ' const a = 1', 'const b = 2 ', '', '', 'a + b', '', '', ' b '].join('\n') },
      { line: 13, language: 'js', run: false, code: `${'\n'.repeat(13)}x` },
    ])
  })
})
