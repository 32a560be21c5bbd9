import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { startAccount, type Account, type AccountOptions } from '../clients/account.ts'
import { makeCertificate, type Certificate } from '../clients/certificate.ts'
import { findBinary } from '../servers/process.ts'
import { describeWithServer } from '../servers/suite.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'

let browser: Browser
let context: BrowserContext
let account: Account | undefined

async function open(options: AccountOptions = {}): Promise<Page> {
  account = await startAccount(options)
  const page = await context.newPage()
  await page.goto(account.origin)
  return page
}

async function logIn(page: Page): Promise<void> {
  await page.fill('input[name=user]', 'ada')
  await page.click('#login')
  await page.waitForSelector('text=Hello ada')
}

async function press(page: Page, button: 'visit' | 'logout'): Promise<void> {
  // The page that the form leads to, not the one before, which says Hello as well.
  await Promise.all([page.waitForEvent('load'), page.click(`#${button}`)])
  await page.waitForSelector(button === 'visit' ? 'text=Hello' : 'text=Bye')
}

const hello = (page: Page): Promise<string | null> => page.textContent('p')

function inChromium(title: string, backForwardCache: boolean, suite: () => void): void {
  describeWithServer(title, { binary: CHROMIUM, name: 'Chromium', howToGet: 'apt-get install chromium' }, () => {
    beforeAll(async () => { browser = await launchChromium({ backForwardCache }) })
    afterAll(async () => { await browser?.close() })
    beforeEach(async () => { context = await browser.newContext({ ignoreHTTPSErrors: true }) })
    afterEach(async () => {
      await context.close()
      await account?.close()
      account = undefined
    })
    suite()
  })
}

inChromium('two tabs in Chromium', false, () => {
  it('are one visitor: what both write is kept, and a logout in one is one in the other', async () => {
    const one = await open()
    await logIn(one)
    const two = await context.newPage()
    await two.goto(one.url())
    expect(await hello(two)).toBe('Hello ada, 0 visits')
    const visits = (page: Page): Promise<unknown> => page.evaluate("Promise.all(Array.from({ length: 5 }, () => fetch('/visit', { method: 'POST' }))).then(() => undefined)")
    await Promise.all([visits(one), visits(two)])
    await two.reload()
    expect(await hello(two)).toBe('Hello ada, 10 visits')
    await press(two, 'logout')
    await press(one, 'visit')
    expect(await hello(one)).toBe('Hello visitor, 1 visits')
  })
})

const WORKER = `
self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)))
self.addEventListener('message', ({ data: { path, method }, ports: [port] }) => fetch(path, { method }).then((response) => response.text()).then((text) => port.postMessage(text)))
`

const REGISTER = `
var askWorker = (message) => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = ({ data }) => resolve(data)
  navigator.serviceWorker.controller.postMessage(message, [port2])
})
navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.controller ?? new Promise((resolve) => {
  navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true })
})).then(() => undefined)
`

inChromium('a service worker in Chromium', false, () => {
  it('passes logins and logouts on, and has the session in its own requests', async () => {
    const page = await open({ worker: WORKER })
    await page.evaluate(REGISTER)
    const askWorker = async (path: string, method: string): Promise<string> => String(await page.evaluate(`askWorker(${JSON.stringify({ path, method })})`))
    await logIn(page)
    await page.evaluate(REGISTER)
    expect(JSON.parse(await askWorker('/me', 'GET'))).toEqual({ user: 'ada', visits: 0 })
    expect(await askWorker('/visit', 'POST')).toContain('Hello ada, 1 visits')
    await press(page, 'visit')
    expect(await hello(page)).toBe('Hello ada, 2 visits')
    await press(page, 'logout')
    await page.evaluate(REGISTER)
    expect(JSON.parse(await askWorker('/me', 'GET'))).toEqual({ user: 'visitor', visits: 0 })
  })
})

const LISTENER = `
<script>
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload() })
</script>
`

/** Logs in, logs out and goes back. Tells whether the page came from the back/forward cache. */
async function goBackAfterLogout(page: Page): Promise<boolean> {
  await logIn(page)
  await page.evaluate("addEventListener('pageshow', ({ persisted }) => { document.documentElement.dataset.persisted = persisted })")
  await press(page, 'logout')
  // Not page.goBack, which does not know of pages that come back as they were.
  await page.evaluate("void setTimeout(() => history.back())")
  await page.waitForSelector('text=Hello')
  return (await page.getAttribute('html', 'data-persisted')) === 'true'
}

inChromium('going back after a logout in Chromium', false, () => {
  it.each([[{}], [{ 'Cache-Control': 'private, max-age=600' }]])('shows nobody as logged in from the ordinary cache, with the headers %j', async (headers) => {
    const page = await open({ headers })
    expect(await goBackAfterLogout(page)).toBe(false)
    expect(await hello(page)).toBe('Hello visitor, 0 visits')
  })
})

inChromium('going back after a logout in Chromium with its back/forward cache', true, () => {
  it('brings back the page as it was, on which nobody can do anything as who they were', async () => {
    const page = await open()
    expect(await goBackAfterLogout(page)).toBe(true)
    expect(await hello(page)).toBe('Hello ada, 0 visits')
    await press(page, 'visit')
    expect(await hello(page)).toBe('Hello visitor, 1 visits')
  })

  describeWithServer('over https', { binary: findBinary('openssl'), name: 'openssl', howToGet: 'apt-get install openssl' }, (openssl) => {
    let certificate: Certificate
    beforeAll(async () => { certificate = await makeCertificate(openssl) })
    afterAll(() => certificate.remove())

    it.each([[{}], [{ 'Cache-Control': 'no-store' }]])('asks the server when the page listens for its coming back, with the headers %j', async (headers) => {
      const page = await open({ certificate, headers, script: LISTENER })
      await goBackAfterLogout(page)
      await page.waitForSelector('text=Hello visitor')
    })
  })
})
