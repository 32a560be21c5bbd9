import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { isInstalled } from '../scripts/projects.ts'
import { browser } from '../src/testing/browser.ts'
import { http2Fetch } from './internal/http2-fetch.ts'
import { useExample } from './internal/use-example.ts'
import { describeWithServer } from './servers/suite.ts'
import { startProgram, type Program } from './smoke/program.ts'

const root = dirname(import.meta.dirname)
const folder = join(root, '.docs', `examples-${process.pid}`)
const runtimes = join(root, 'test', 'runtimes')
const fileOf = (name: string): string => join(root, 'examples', `${name}.ts`)

/** Each shows the same small application in its framework. */
const ON_NODE = ['express', 'fastify', 'fetch', 'h3', 'hono', 'http2', 'koa', 'node', 'sockets']

beforeAll(() => { mkdirSync(folder, { recursive: true }) })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(ON_NODE)('examples/%s.ts', (name) => {
  it('fits the types', () => { expect(complaints(name)).toBe('') })

  it('serves, remembers and forgets its visitors', async () => {
    await running(process.execPath, ['--conditions=sojourn:source', '--disable-warning=ExperimentalWarning', fileOf(name)], async ({ url }) => {
      if (name === 'http2') await overHttp2(url)
      else await useExample(browser(url))
      if (name === 'sockets') await useSockets(url)
    })
  })
})

describeWithServer('on other runtimes', { binary: isInstalled('test/runtimes') ? runtimes : undefined, name: 'test/runtimes/node_modules', howToGet: 'npm run setup' }, () => {
  const binary = (name: string): string => join(runtimes, 'node_modules', '.bin', name)
  const typeRoots = [relative(folder, join(runtimes, 'node_modules', '@types'))]

  it('examples/bun.ts fits the types', () => { expect(complaints('bun', { typeRoots, types: ['bun'] })).toBe('') })
  it('examples/deno.ts fits the types', () => { expect(complaints('deno', { typeRoots, types: ['deno', 'node'] })).toBe('') })
  it('examples/worker.ts fits the types', () => { expect(complaints('worker')).toBe('') })

  it('examples/bun.ts serves, remembers and forgets its visitors', async () => {
    await running(binary('bun'), ['--conditions=sojourn:source', fileOf('bun')], ({ url }) => useExample(browser(url)))
  })

  it('examples/deno.ts serves, remembers and forgets its visitors', async () => {
    const args = ['run', '--allow-net', '--allow-env', '--no-prompt', '--no-lock', '--node-modules-dir=manual', '--conditions=sojourn:source', fileOf('deno')]
    await running(binary('deno'), args, ({ url }) => useExample(browser(url)))
  })

  it('examples/worker.ts serves, remembers and forgets its visitors', async () => {
    const worker = join(folder, 'worker.js')
    const build = await rolldown({ input: fileOf('worker'), platform: 'node', external: /^node:/, resolve: { conditionNames: ['sojourn:source', 'import', 'default'] } })
    await build.write({ file: worker, format: 'esm' })
    await build.close()
    const program = await startProgram(process.execPath, [join(runtimes, 'workerd.js'), worker], { cwd: folder, env: { SESSION_KEY: Buffer.alloc(32, 7).toString('base64') } })
    try {
      await useExample(browser(program.url), { countsAll: false })
    } finally {
      await program.stop()
    }
  })
})

/** What the compiler says of an example. Each is alone, since what one registers as its data would hold for the others. */
function complaints(name: string, compilerOptions: object = {}): string {
  const config = join(folder, `${name}.json`)
  writeFileSync(config, JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, files: [relative(folder, fileOf(name))], include: [], exclude: [] }))
  const { stdout, error } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config, '--pretty', 'false'], { cwd: root, encoding: 'utf8' })
  expect(error).toBeUndefined()
  return stdout
}

async function running(command: string, args: readonly string[], use: (program: Program) => Promise<void>): Promise<void> {
  const program = await startProgram(command, args, { cwd: folder, env: { PORT: '0' } })
  try {
    await use(program)
    expect(await program.stop(), program.errors()).toBe(0)
  } finally {
    program.kill()
  }
}

async function overHttp2(url: string): Promise<void> {
  const http2 = http2Fetch(url)
  try {
    await useExample(browser(http2.fetch, { origin: url }))
  } finally {
    http2.close()
  }
}

async function useSockets(url: string): Promise<void> {
  const visitor = browser(url)
  const tab = visitor.tab()
  const connect = (headers: Readonly<Record<string, string>>): WebSocket => new WebSocket(url.replace('http', 'ws'), { headers })
  const refused = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
    const [error] = await once(connect(headers), 'error')
    return error
  }
  expect(await refused({})).toMatchObject({ message: 'Unexpected server response: 401' })
  await tab.post('/login', { user: 'ada' })
  const cookie = visitor.cookieHeader() ?? ''
  expect(await refused({ cookie, origin: 'http://elsewhere.example' })).toMatchObject({ message: 'Unexpected server response: 401' })
  const sockets = [connect({ cookie, origin: url }), connect({ cookie })]
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  sockets[0]?.send('')
  const [answer] = sockets[0] === undefined ? [] : await once(sockets[0], 'message')
  expect(String(answer)).toBe('1 visits')
  expect((await tab.get('/')).text).toBe('Hello ada, you were here 1 times.\n')
  const closed = sockets.map((socket) => once(socket, 'close'))
  await tab.post('/logout')
  expect((await Promise.all(closed)).map(([code]) => code)).toEqual([4401, 4401])
}
