import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browser } from '../src/testing/browser.ts'

const root = dirname(import.meta.dirname)
const folder = join(root, '.docs', `examples-${process.pid}`)

/** Each shows the same small application in its framework. */
const examples = ['express', 'fetch', 'hono', 'node']

beforeAll(() => { mkdirSync(folder, { recursive: true }) })
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(examples)('examples/%s.ts', (name) => {
  const file = join(root, 'examples', `${name}.ts`)

  // Alone, since what one registers as its data would hold for the others.
  it('fits the types', () => {
    const config = join(folder, `${name}.json`)
    writeFileSync(config, JSON.stringify({ extends: '../../tsconfig.json', files: [relative(folder, file)], include: [], exclude: [] }))
    const { stdout, error } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config, '--pretty', 'false'], { cwd: root, encoding: 'utf8' })
    expect(error).toBeUndefined()
    expect(stdout).toBe('')
  })

  it('serves, remembers and forgets its visitors', async () => {
    const example = spawn(process.execPath, ['--conditions=sojourn:source', '--disable-warning=ExperimentalWarning', file], {
      cwd: folder, env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(example, 'exit')
    try {
      const [url] = await Promise.race([once(createInterface(example.stdout), 'line'), ended.then(() => { throw new Error('It ended before it listened.') })])
      await useExample(String(url))
    } finally {
      example.kill('SIGTERM')
    }
    expect(await ended).toEqual([0, null])
  })
})

async function useExample(url: string): Promise<void> {
  const visitor = browser(url)
  const [tab, other] = [visitor.tab(), visitor.tab()]
  const first = await tab.get('/')
  expect(first.text).toBe('Hello visitor, you were here 0 times.\n')
  expect(first.setCookies).toEqual([])
  const visit = await tab.post('/visit')
  expect([visit.status, visit.setCookies.length]).toEqual([303, 1])
  await Promise.all(Array.from({ length: 20 }, () => other.post('/visit')))
  expect((await tab.post('/login', { user: 'ada' }, { follow: true })).text).toBe('Hello ada, you were here 21 times.\n')
  expect((await other.get('/')).text).toBe('Hello ada, you were here 21 times.\n')
  expect((await other.get('/nowhere')).status).toBe(404)
  await other.post('/logout')
  expect(visitor.cookies).toEqual([])
  expect((await tab.get('/')).text).toBe('Hello visitor, you were here 0 times.\n')
}
