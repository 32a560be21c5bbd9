import { expect } from 'vitest'
import type { Browser, Page, Tab } from '../../src/testing/browser.ts'

/** How an example differs from the plain ones. */
export interface Manners {
  /** What a page says, without its markup. Defaults to its text. */
  readonly read?: (page: Page) => string
  /** Presses the button of a form. Defaults to a POST of the fields to `/login` and the like. */
  readonly press?: (tab: Tab, form: 'visit' | 'login' | 'logout', fields?: Readonly<Record<string, string>>) => Promise<Page>
  /** Visits that are made at once are all counted. Defaults to true. */
  readonly countsAll?: boolean
}

/** The walk through an application that each example shows: visits, a login, a logout, from two tabs. */
export async function useExample(visitor: Browser, { read = ({ text }) => text.trimEnd(), press = pressed, countsAll = true }: Manners = {}): Promise<void> {
  const [tab, other] = [visitor.tab(), visitor.tab()]
  const first = await tab.get('/')
  expect(read(first)).toBe('Hello visitor, you were here 0 times.')
  expect(first.setCookies).toEqual([])
  const visit = await press(tab, 'visit')
  expect([visit.status, visit.setCookies.length]).toEqual([303, 1])
  if (countsAll) await Promise.all(Array.from({ length: 20 }, () => press(other, 'visit')))
  else for (let time = 0; time < 20; time += 1) await press(other, 'visit')
  const before = visitor.cookieHeader()
  const login = await press(tab, 'login', { user: 'ada' })
  expect([login.status, login.setCookies.length]).toEqual([303, 1])
  expect(visitor.cookieHeader()).not.toBe(before)
  for (const each of [tab, other]) expect(read(await each.get('/'))).toBe('Hello ada, you were here 21 times.')
  expect((await other.get('/nowhere')).status).toBe(404)
  await press(other, 'logout')
  expect(visitor.cookies).toEqual([])
  expect(read(await tab.get('/'))).toBe('Hello visitor, you were here 0 times.')
}

function pressed(tab: Tab, form: string, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
  return tab.post(`/${form}`, fields)
}
