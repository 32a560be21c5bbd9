import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isInstalled } from '../scripts/projects.ts'
import { browser, type Page, type Tab } from '../src/testing/browser.ts'
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
  readonly servers: readonly Server[]
}

interface Server {
  readonly title: string
  readonly args: readonly string[]
  readonly manners?: Manners
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
    servers: [{ title: 'with its own server', args: ['node_modules/.bin/react-router-serve', 'build/server/index.js'], manners: { read: inParagraph } }],
  },
  {
    folder: 'examples/next',
    build: [['next', 'build']],
    servers: [{ title: 'with next start', args: ['node_modules/.bin/next', 'start', '-H', '127.0.0.1'], manners: { read: inParagraph, press: pressInNext } }],
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

    it.each(servers)('serves, remembers and forgets its visitors, $title', async ({ args, manners }) => {
      let program: Program | undefined
      try {
        program = await startProgram(process.execPath, args, { cwd, env: { ...QUIET, HOST: '127.0.0.1', PORT: String(await freePort()), SESSIONS: join(data.path, 'sessions.db') } })
        await useExample(browser(program.url.replace('localhost', '127.0.0.1')), manners)
        await program.stop()
        expect(program.errors()).not.toContain('SessionError')
      } finally {
        program?.kill()
      }
    })
  })
}

const QUIET = { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' }

function run(cwd: string, tool: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join('node_modules', '.bin', tool), ...args], { cwd, encoding: 'utf8', env: { ...process.env, ...QUIET } })
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`)
}

// A server function is called by a form without a script, too: it posts to the page, with the function's id among its fields.
async function pressInNext(tab: Tab, form: string, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
  if (form === 'visit') return tab.post('/visit')
  const page = await tab.get('/')
  const [, id = ''] = new RegExp(`name="([^"]+)"/?>(?:<input name="user"/>)?<button id="${form}"`).exec(page.text) ?? []
  const parts = Object.entries({ [id]: '', ...fields }).map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  return tab.post('/', `${parts.join('')}--b--\r\n`, { headers: { 'Content-Type': 'multipart/form-data; boundary=b' } })
}
