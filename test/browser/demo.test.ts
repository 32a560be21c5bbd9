import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { shop } from '../../examples/demo/shop.ts'
import type { Patch, Store } from '../../src/index.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'

const needed = CHROMIUM !== undefined || process.env['CI'] === 'true'

describe.runIf(needed)('the demo in Chromium (install the package chromium)', () => {
  let browser: Browser
  let folder: string

  beforeAll(async () => { browser = await launchChromium() })
  afterAll(async () => { await browser?.close() })
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'sojourn-demo-')) })
  afterEach(async () => { await rm(folder, { recursive: true, force: true }) })

  describe('served here', () => {
    let held: HeldStore
    let server: Server
    let url: string
    let close: () => Promise<void>

    beforeEach(async () => {
      held = holdPatches(sqliteStore(join(folder, 'sessions.db')))
      const { app, sessions } = shop(held.store)
      server = app.listen(0, '127.0.0.1')
      await once(server, 'listening')
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      close = () => sessions.close()
    })
    afterEach(async () => {
      server.closeAllConnections()
      server.close()
      await close()
    })

    it('gives no cookie to a visitor who only looks', async () => {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(url)
      expect(await page.textContent('footer')).toContain('no cookie and nothing stored')
      expect(await context.cookies()).toEqual([])
      await context.close()
    })

    it('gives a new token at login and shows both tabs the same session', async () => {
      const context = await browser.newContext()
      const [one, two] = [await context.newPage(), await context.newPage()]
      await one.goto(url)
      await answered(one, () => one.click('text=Green tea'))
      const [before] = await context.cookies()
      await logIn(one, 'Ada')
      const [after] = await context.cookies()
      expect(after?.value).not.toBe(before?.value)
      expect(after?.httpOnly).toBe(true)
      await two.goto(url)
      expect(await two.textContent('#user')).toBe('Ada')
      expect(await two.textContent('#cart')).toContain('Green tea')
      await context.close()
    })

    it('keeps all of fifty parallel writes', async () => {
      const page = await browser.newPage()
      await page.goto(url)
      await page.click('#fire')
      await page.waitForSelector('#landed[data-landed]')
      expect(await page.getAttribute('#landed', 'data-landed')).toBe('50')
      expect(await page.locator('#dots .done').count()).toBe(50)
      await page.close()
    })

    it('stays logged out when a request that was under way finishes after the logout', async () => {
      const context = await browser.newContext()
      const [one, two] = [await context.newPage(), await context.newPage()]
      await one.goto(url)
      await logIn(one, 'Ada')
      await two.goto(url)
      const hold = held.holdNext()
      const slow = two.evaluate(async () => (await fetch('/theme', { method: 'POST', redirect: 'manual' })).type)
      await hold.reached
      await one.click('#logout')
      await one.waitForSelector('#login')
      hold.release()
      await slow
      await two.reload()
      expect(await two.locator('#login').count()).toBe(1)
      expect(await context.cookies()).toEqual([])
      await context.close()
    })

    it('lists devices, ends one, and logs out everywhere', async () => {
      const [phone, laptop] = [await browser.newContext(), await browser.newContext()]
      const [one, two] = [await phone.newPage(), await laptop.newPage()]
      for (const page of [one, two]) {
        await page.goto(url)
        await logIn(page, 'Ada')
      }
      await one.reload()
      expect(await one.locator('#devices li').count()).toBe(2)
      await answered(one, () => one.locator('#devices li').filter({ hasNotText: 'this one' }).locator('button').click())
      await two.reload()
      expect(await two.locator('#login').count()).toBe(1)
      await logIn(two, 'Ada')
      await one.reload()
      await answered(one, () => one.click('#everywhere'))
      for (const page of [one, two]) {
        await page.reload()
        expect(await page.locator('#login').count()).toBe(1)
      }
      await phone.close()
      await laptop.close()
    })
  })

  describe('started as `npm start` starts it', () => {
    let running: ChildProcess | undefined

    afterEach(() => { running?.kill('SIGKILL') })

    it('keeps everybody logged in over a restart, and counts every view', async () => {
      const file = join(folder, 'new-folder', 'sessions.db')
      const first = await startDemo(file)
      running = first.child
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(first.url)
      await logIn(page, 'Ada')
      await page.evaluate(() => Promise.all(Array.from({ length: 50 }, () => fetch('/views', { method: 'POST', headers: { accept: 'application/json' } }))))
      const before: unknown = await page.evaluate(async () => (await fetch('/me')).json())
      expect(before).toEqual({ user: 'Ada', views: 50, id: expect.stringMatching(/^[\w-]{22}$/) })
      first.child.kill('SIGTERM')
      await once(first.child, 'exit')
      const second = await startDemo(file)
      running = second.child
      await page.goto(second.url)
      expect(await page.evaluate(async () => (await fetch('/me')).json())).toEqual(before)
      await context.close()
    })
  })
})

/** Sends a form and waits for the answer: a click does not wait for where it leads. */
async function answered(page: Page, send: () => Promise<void>): Promise<void> {
  await Promise.all([page.waitForResponse((response) => response.request().method() === 'POST'), send()])
  await page.waitForLoadState()
}

async function logIn(page: Page, user: string): Promise<void> {
  await page.fill('input[name=user]', user)
  await page.click('#login')
  await page.waitForSelector('#logout')
}

// The command of the start script itself: a signal sent to npm reaches its child late or never.
async function startDemo(file: string): Promise<{ child: ChildProcess; url: string }> {
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { scripts: { start: string } }
  const [, ...args] = scripts.start.split(' ')
  const child = spawn(process.execPath, args, { cwd: new URL('../..', import.meta.url), env: { ...process.env, PORT: '0', SOJOURN_DB: file }, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const chunk of child.stdout ?? []) {
    const match = /http:\/\/localhost:(\d+)/.exec(String(chunk))
    if (match?.[1] !== undefined) return { child, url: `http://127.0.0.1:${match[1]}` }
  }
  throw new Error('The demo ended before it said where it listens.')
}

interface HeldStore {
  readonly store: Store
  /** Holds the next patch that sets an entry. */
  holdNext(): { readonly reached: Promise<void>; release(): void }
}

function holdPatches(inner: Store): HeldStore {
  let next: { reached: () => void; released: Promise<void> } | undefined
  const patch: Store['patch'] = (id, change: Patch, options) => {
    const hold = next
    if (hold === undefined || change.set === undefined) return inner.patch(id, change, options)
    next = undefined
    hold.reached()
    return hold.released.then(() => inner.patch(id, change, options))
  }
  return {
    store: new Proxy(inner, { get: (target, name) => {
      if (name === 'patch') return patch
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    } }),
    holdNext() {
      const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      next = { reached: reached.resolve, released: released.promise }
      return { reached: reached.promise, release: released.resolve }
    },
  }
}
