import { cpSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInstalled } from '../../scripts/projects.ts'
import { publicSubpaths } from '../../scripts/subpaths.ts'
import { browser, type Browser } from '../../src/testing/browser.ts'
import { describeWithServer } from '../servers/suite.ts'
import { temporaryFolder } from '../servers/process.ts'
import { installBuiltPackage } from './built-package.ts'
import { startProgram, type Program } from './program.ts'

const here = import.meta.dirname
const runtimes = join(dirname(here), 'runtimes')
const bin = (...names: readonly string[]): string => join(runtimes, 'node_modules', ...names)

interface Runtime {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Those that are reached by the smoke: `/memory/read`. */
  readonly stores: readonly string[]
}

const ALL = ['memory', 'sealed', 'sqlite']
const RUNTIMES: readonly Runtime[] = [
  { name: 'Node 22.13', command: bin('node22', 'bin', 'node'), args: ['--experimental-strip-types', '--experimental-sqlite', 'node.ts'], stores: ALL },
  { name: 'Node 24', command: process.execPath, args: ['node.ts'], stores: ALL },
  { name: 'Node 26', command: bin('node26', 'bin', 'node'), args: ['node.ts'], stores: ALL },
  { name: 'Bun', command: bin('.bin', 'bun'), args: ['bun.ts'], stores: ALL },
  { name: 'Deno', command: bin('.bin', 'deno'), args: ['run', '--allow-all', '--no-lock', '--node-modules-dir=manual', 'deno.ts'], stores: ALL },
  { name: 'workerd', command: process.execPath, args: [join(runtimes, 'workerd.js'), 'worker.js'], stores: ['memory', 'sealed'] },
]

const specifiers = publicSubpaths().map(({ specifier }) => specifier)
const need = { binary: isInstalled('test/runtimes') ? bin() : undefined, name: 'test/runtimes/node_modules', howToGet: 'npm run setup' }

describeWithServer('the built package', need, () => {
  let project: Awaited<ReturnType<typeof temporaryFolder>>

  beforeAll(async () => {
    project = await temporaryFolder('runtimes')
    for (const file of ['smoke.ts', 'serve-fetch.ts', 'import-all.ts', 'node.ts', 'bun.ts', 'deno.ts', 'worker.ts']) cpSync(join(here, file), join(project.path, file))
    await installBuiltPackage(project.path)
    await bundle(project.path)
  })
  afterAll(() => project.remove())

  describe.each(RUNTIMES)('on $name', ({ name, command, args, stores }) => {
    let program: Program

    beforeAll(async () => {
      program = await startProgram(command, args, { cwd: project.path, env: { SPECIFIERS: specifiers.join(' ') } })
    })
    afterAll(() => program?.kill())

    describe.each(stores)('with the %s store', (store) => {
      it('keeps, gives a new token and ends', async () => { await keepAndEnd(browser(program.url), store) })
      it('streams behind the commit', async () => { await streamed(browser(program.url), store) })
      it('sends nothing to a visitor who stored nothing', async () => { await nothingForNobody(browser(program.url), store) })
    })

    it('ends when it is told to', async () => {
      // No timer of a session keeps the process. (miniflare gives the signal as its exit code.)
      expect(await program.stop()).toBe(name === 'workerd' ? 143 : 0)
    })
  })
})

// As a Worker's build does it: one file, in which only what the runtime brings is imported. It holds every public path.
async function bundle(project: string): Promise<void> {
  const imports = specifiers.map((specifier, at) => `import * as m${at} from '${specifier}'`)
  const entry = [...imports, `globalThis.everyPath = [${specifiers.map((_, at) => `m${at}`).join(', ')}]`, "export { default } from './worker.ts'"]
  writeFileSync(join(project, 'entry.js'), entry.join('\n'))
  const build = await rolldown({ input: join(project, 'entry.js'), platform: 'node', external: /^(?:node|bun):/ })
  await build.write({ file: join(project, 'worker.js'), format: 'esm' })
  await build.close()
}

async function keepAndEnd(visitor: Browser, store: string): Promise<void> {
  const tab = visitor.tab()
  const step = async (action: string): Promise<string> => (await tab.post(`/${store}/${action}`, undefined, { headers: { 'X-Forwarded-Proto': 'https' } })).text
  const read = async (): Promise<unknown> => JSON.parse(await step('read'))
  expect(await step('create')).toBe('created')
  const profile = { since: 0, tags: ['a', 'b'] }
  expect(await read()).toEqual(profile)
  await step('write')
  expect(await read()).toEqual({ ...profile, note: 'written' })
  // What the visitor alone carries cannot be counted atomically, and says so.
  if (store === 'sealed') expect(await step('update')).toBe('ERR_SESSION_UNSUPPORTED')
  else expect((await Promise.all(Array.from({ length: 10 }, () => step('update')))).map(Number).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const old = visitor.cookieHeader(`/${store}/read`) ?? ''
  const kept = await read()
  expect(await step('regenerate')).toBe('ok')
  expect(visitor.cookieHeader(`/${store}/read`)).not.toBe(old)
  expect(await read()).toEqual(kept)
  const current = visitor.cookieHeader(`/${store}/read`) ?? ''
  await step('destroy')
  expect(visitor.cookies).toEqual([])
  // Neither the token before nor the last one opens anything. A sealed copy does, as docs/stores/cookie.md says.
  if (store === 'sealed') return
  for (const cookie of [old, current]) expect(await (await fetch(new URL(`/${store}/read`, tab.url), { headers: { cookie } })).json()).toEqual({})
}

async function streamed(visitor: Browser, store: string): Promise<void> {
  const tab = visitor.tab()
  const page = await tab.post(`/${store}/stream`)
  expect(page.setCookies).toHaveLength(1)
  // The second part says how the commit by hand went: what the visitor carries cannot change any more.
  const sealed = store === 'sealed'
  expect(page.text).toBe(sealed ? 'one ERR_SESSION_LATE' : 'one ok')
  expect(JSON.parse((await tab.post(`/${store}/read`)).text)).toEqual(sealed ? { note: 'streamed' } : { note: 'streamed', late: 'ERR_SESSION_LATE' })
}

async function nothingForNobody(visitor: Browser, store: string): Promise<void> {
  const tab = visitor.tab()
  const page = await tab.get(`/${store}/read`)
  expect([page.status, page.text, page.setCookies]).toEqual([200, '{}', []])
  const failed = await tab.get(`/${store}/throw`)
  expect([failed.status, failed.setCookies]).toEqual([500, []])
}
