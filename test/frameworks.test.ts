import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isInstalled } from '../scripts/projects.ts'
import { browser, type Page, type Tab } from '../src/testing/browser.ts'
import { CHROMIUM, launchChromium } from './browser/chromium.ts'
import { useExample, type Manners } from './internal/use-example.ts'
import { freePort, temporaryFolder } from './servers/process.ts'
import { describeWithServer } from './servers/suite.ts'
import { installBuiltPackage } from './smoke/built-package.ts'
import { startProgram, type Program } from './smoke/program.ts'

const root = dirname(import.meta.dirname)

interface Framework {
  readonly folder: string
  /** What makes a running application of the sources, and what checks their types where that does not. */
  readonly build: readonly (readonly [tool: string, ...args: readonly string[]])[]
  readonly servers: readonly [Server, ...Server[]]
}

interface Server {
  readonly title: string
  readonly args: readonly string[]
  readonly manners?: Manners
  /** Its pages have forms, and scripts that send them. */
  readonly scripted?: boolean
}

const inParagraph = ({ text }: Page): string => /<p>(.*?)<\/p>/.exec(text)?.[1] ?? text

const FRAMEWORKS: readonly Framework[] = [
  {
    folder: 'examples/nest',
    build: [['tsc']],
    servers: [{ title: 'on Express', args: ['dist/express.js'] }, { title: 'on Fastify', args: ['dist/fastify.js'] }],
  },
  {
    folder: 'examples/react-router',
    build: [['react-router', 'typegen'], ['tsc'], ['react-router', 'build']],
    servers: [{ title: 'with its own server', args: ['node_modules/.bin/react-router-serve', 'build/server/index.js'], manners: { read: inParagraph }, scripted: true }],
  },
  {
    folder: 'examples/next',
    build: [['next', 'build']],
    servers: [{ title: 'with next start', args: ['node_modules/.bin/next', 'start', '-H', '127.0.0.1'], manners: { read: inParagraph, press: pressInNext }, scripted: true }],
  },
]

for (const { folder, build, servers } of FRAMEWORKS) {
  const cwd = join(root, folder)
  describeWithServer(folder, { binary: isInstalled(folder) ? cwd : undefined, name: `${folder}/node_modules`, howToGet: 'npm run setup' }, () => {
    let data: Awaited<ReturnType<typeof temporaryFolder>>

    beforeAll(async () => {
      data = await temporaryFolder('framework')
      await installBuiltPackage(cwd)
      for (const [tool, ...args] of build) run(cwd, tool, args)
    })
    afterAll(() => data?.remove())

    const serving = async ({ args }: Server, use: (url: string) => Promise<void>): Promise<void> => {
      let program: Program | undefined
      try {
        program = await startProgram(process.execPath, args, { cwd, env: { ...QUIET, HOST: '127.0.0.1', PORT: String(await freePort()), SESSIONS: join(data.path, 'sessions.db') } })
        await use(program.url.replace('localhost', '127.0.0.1'))
        await program.stop()
        expect(program.errors()).not.toContain('SessionError')
      } finally {
        program?.kill()
      }
    }

    if (folder === 'examples/next') it('leaves Server Functions that pages of other sites call to Next, which refuses them', () => serving(servers[0], refusedByNext))

    it.each(servers)('serves, remembers and forgets its visitors, $title', (server) => serving(server, (url) => useExample(browser(url), server.manners)))

    for (const server of servers.filter(({ scripted }) => scripted === true)) {
      describeWithServer('its scripts in Chromium', { binary: CHROMIUM, name: 'Chromium', howToGet: 'apt-get install chromium' }, () => {
        it('log in, change what is kept, and log out', () => serving(server, pressWithScripts))
      })
    }
  })
}

async function pressWithScripts(url: string): Promise<void> {
  const chromium = await launchChromium()
  try {
    const page = await chromium.newPage()
    await page.goto(url, { waitUntil: 'networkidle' })
    await page.fill('input[name=user]', 'ada')
    await page.click('text=Log in')
    await page.waitForSelector('text=Hello ada, you were here 0 times.')
    await page.click('text=Visit')
    await page.waitForSelector('text=Hello ada, you were here 1 times.')
    await page.click('text=Log out')
    await page.waitForSelector('text=Hello visitor, you were here 0 times.')
    expect(await page.context().cookies()).toEqual([])
  } finally {
    await chromium.close()
  }
}

const QUIET = { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' }

function run(cwd: string, tool: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('node_modules', '.bin', tool), ...args], { cwd, encoding: 'utf8', env: { ...process.env, ...QUIET } })
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`)
}

// A server function is called by a form without a script, too: it posts to the page, with the function's id among its fields.
async function pressInNext(tab: Tab, form: string, fields: Readonly<Record<string, string>> = {}, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
  if (form === 'visit') return tab.post('/visit')
  const page = await tab.get('/')
  const [, id = ''] = new RegExp(`name="([^"]+)"/?>(?:<input name="user"/>)?<button id="${form}"`).exec(page.text) ?? []
  const parts = Object.entries({ [id]: '', ...fields }).map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  return tab.post('/', `${parts.join('')}--b--\r\n`, { headers: { 'Content-Type': 'multipart/form-data; boundary=b', ...headers } })
}

async function refusedByNext(url: string): Promise<void> {
  const visitor = browser(url)
  const tab = visitor.tab()
  await pressInNext(tab, 'visit')
  const answer = await pressInNext(tab, 'login', { user: 'mallory' }, { Origin: 'https://elsewhere.example' })
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.setCookies).toEqual([])
  expect(inParagraph(await tab.get('/'))).toBe('Hello visitor, you were here 1 times.')
}
