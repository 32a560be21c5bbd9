import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { shop } from '../../examples/demo/shop.ts'
import { memoryStore } from '../../src/index.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'

const needed = CHROMIUM !== undefined || process.env['CI'] === 'true'

describe.runIf(needed)('continuations in Chromium (install the package chromium)', () => {
  let browser: Browser
  let context: BrowserContext
  let server: Server
  let url: string
  let close: () => Promise<void>

  beforeAll(async () => { browser = await launchChromium() })
  afterAll(async () => { await browser?.close() })
  beforeEach(async () => {
    const { app, sessions } = shop(memoryStore())
    server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    close = () => sessions.close()
    context = await browser.newContext()
  })
  afterEach(async () => {
    await context.close()
    server.closeAllConnections()
    server.close()
    await close()
  })

  it('brings a visitor back to the order that a login interrupted, once', async () => {
    const page = await context.newPage()
    const returns = returnsOf(page)
    await page.goto(url)
    await take(page, 'Green tea')
    await order(page, 'by Friday')
    expect(new URL(page.url()).pathname).toBe('/login')
    expect(await page.textContent('#wanted')).toBe('POST /order')
    await logIn(page, 'Ada')
    expect(await ordersIn(page)).toEqual(['Green teaby Friday'])
    expect(await noticesIn(page)).toEqual(['Welcome, Ada. Your token is a new one.', 'Thank you: 1 in your order.'])
    // A reload shows neither the messages nor orders again, and neither does the URL of the return itself.
    await take(page, 'Rye bread')
    for (const again of [() => page.reload(), () => page.goto(String(returns[0]))]) {
      await again()
      expect(await ordersIn(page)).toEqual(['Green teaby Friday'])
      expect(await noticesIn(page)).toEqual([])
    }
    expect(returns[0]).toMatch(/\/order\?r=[\w-]{22}$/)
  })

  it('gives each of two tabs its own request and messages back, in either order', async () => {
    const [one, two, other] = [await context.newPage(), await context.newPage(), await context.newPage()]
    await one.goto(url)
    await take(one, 'Green tea')
    await two.goto(url)
    await order(one, 'from tab one')
    await order(two, 'from tab two')
    expect(one.url()).not.toBe(two.url())
    await logIn(two, 'Ada')
    expect(await ordersIn(two)).toEqual(['Green teafrom tab two'])
    await other.goto(url)
    expect(await noticesIn(other)).toEqual([])
    await take(other, 'Plum jam')
    await logIn(one, 'Ada')
    expect(await ordersIn(one)).toEqual(['Green teafrom tab two', 'Plum jamfrom tab one'])
    expect(await noticesIn(one)).toEqual(['Welcome, Ada. Your token is a new one.', 'Thank you: 1 in your order.'])
    await other.goto(url)
    expect(await noticesIn(other)).toEqual([])
  })

  it('lets the back button lead to the detour, from which the return works again', async () => {
    const page = await context.newPage()
    await page.goto(url)
    await take(page, 'Green tea')
    await order(page, 'twice')
    const detour = page.url()
    await logIn(page, 'Ada')
    await page.goBack()
    expect(page.url()).toBe(detour)
    const another = await context.newPage()
    await another.goto(url)
    await take(another, 'Sea salt')
    await logIn(page, 'Ada')
    expect(await ordersIn(page)).toEqual(['Green teatwice', 'Sea salttwice'])
  })

  it('leaves a visitor who gives up where they are, with nothing ordered', async () => {
    const page = await context.newPage()
    await page.goto(url)
    await take(page, 'Green tea')
    await order(page, 'never')
    await page.click('text=Not now')
    expect(await ordersIn(page)).toEqual([])
    expect(await page.textContent('#cart')).toContain('Green tea')
    await logIn(page, 'Ada')
    expect(await ordersIn(page)).toEqual([])
  })
})

/** Into the cart. A click that leads elsewhere is over before the page it leads to is there. */
async function take(page: Page, good: string): Promise<void> {
  await page.click(`text=${good}`)
  await page.waitForSelector(`#cart li:has-text("${good}")`)
}

async function order(page: Page, note: string): Promise<void> {
  await page.fill('input[name=note]', note)
  await page.click('#order')
  await page.waitForURL('**/login?c=*')
}

async function logIn(page: Page, user: string): Promise<void> {
  await page.fill('input[name=user]', user)
  await page.click('#login')
  await page.waitForSelector('#logout')
}

function ordersIn(page: Page): Promise<string[]> {
  return page.locator('#orders li').allTextContents()
}

function noticesIn(page: Page): Promise<string[]> {
  return page.locator('.notice').allTextContents()
}

/** The URLs with the id of a return that the page is sent to. */
function returnsOf(page: Page): string[] {
  const urls: string[] = []
  page.on('request', (request) => { if (new URL(request.url()).searchParams.has('r')) urls.push(request.url()) })
  return urls
}
