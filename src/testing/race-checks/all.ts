import type { Page } from '../browser.ts'
import type { RaceFault } from '../races.ts'
import { heldValue, type Application, type Visitor } from './application.ts'

/** One line of the card. */
export interface Check {
  readonly fault: RaceFault
  /** Tells of each attempt whether the fault was seen. */
  run(app: Application): Promise<readonly boolean[]>
}

const ATTEMPTS = 5

export const checks: readonly Check[] = [
  { fault: 'lost updates', run: lostUpdates },
  { fault: 'undone logouts', run: undoneLogouts },
  { fault: 'undone logins', run: async (app) => (await loginsBesideSlowRequests(app)).map(({ undone }) => undone) },
  { fault: 'revived tokens', run: async (app) => (await loginsBesideSlowRequests(app)).flatMap(({ diedFirst, alive }) => (diedFirst ? [alive] : [])) },
  { fault: 'tokens kept at login', run: tokensKeptAtLogin },
  { fault: 'tokens alive after logout', run: tokensAliveAfterLogout },
  { fault: 'cookies after logout', run: cookiesAfterLogout },
  { fault: 'answers before save', run: answersBeforeSave },
  { fault: 'successes without save', run: successesWithoutSave },
  { fault: 'anonymous sessions', run: anonymousSessions },
]

async function lostUpdates(app: Application): Promise<readonly boolean[]> {
  const visitor = app.visitor()
  await visitor.login('ada')
  const answers = [...(await slowCrowd(app, visitor)), ...(await quickCrowd(app, visitor)), ...(app.holdsSaves ? await writeBesideHeldSave(app, visitor) : [])]
  const { data } = await visitor.who()
  // What was answered with an error was not promised.
  return answers.filter(({ page }) => isSuccess(page)).map(({ key }) => data[key] === undefined)
}

interface Written {
  readonly key: string
  readonly page: Page
}

/** Every request has read the session before the first writes. */
async function slowCrowd(app: Application, visitor: Visitor): Promise<readonly Written[]> {
  const gate = app.gate()
  const all = Promise.all(crowd(app).map(async (n) => ({ key: `slow${n}`, page: await visitor.slow(`slow${n}`, 'x', gate, n) })))
  await app.patiently(gate.reached(app.crowd))
  gate.open()
  return all
}

function quickCrowd(app: Application, visitor: Visitor): Promise<readonly Written[]> {
  return Promise.all(crowd(app).map(async (n) => ({ key: `quick${n}`, page: await visitor.write(`quick${n}`, 'x', n) })))
}

/** One save is under way while the other request begins and ends. */
async function writeBesideHeldSave(app: Application, visitor: Visitor): Promise<readonly Written[]> {
  const gate = app.gate()
  const held = visitor.writeHeld('held', gate)
  await app.patiently(gate.reached())
  const other = visitor.write('beside', 'x', 1)
  await app.patiently(other)
  gate.open()
  return [{ key: 'held', page: await held }, { key: 'beside', page: await other }]
}

async function undoneLogouts(app: Application): Promise<readonly boolean[]> {
  const seen: boolean[] = []
  for (let n = 0; n < ATTEMPTS; n += 1) {
    seen.push(await logoutBeside(app, 'slow'))
    if (app.holdsSaves) seen.push(await logoutBeside(app, 'save'))
  }
  return seen
}

async function logoutBeside(app: Application, held: 'slow' | 'save'): Promise<boolean> {
  const visitor = app.visitor()
  await visitor.login('ada')
  const token = visitor.cookie
  const gate = app.gate()
  const request = held === 'slow' ? visitor.slow('late', 'x', gate) : visitor.writeHeld('late', gate)
  await app.patiently(gate.reached())
  const logout = visitor.logout(1)
  // Where a lock holds the logout back, nothing can be undone that was done.
  const isOut = await app.patiently(logout)
  const diedFirst = isOut && (await visitor.who(token)).owner === undefined
  gate.open()
  await Promise.all([request, logout])
  if ((await visitor.who()).owner !== undefined) return true
  return diedFirst && (await visitor.who(token)).owner !== undefined
}

interface LoginBeside {
  /** The visitor is not logged in, after all. */
  readonly undone: boolean
  /** The token of before the login was worth nothing after it. */
  readonly diedFirst: boolean
  /** It is worth something at the end. */
  readonly alive: boolean
}

/** A request that began before the login ends after it. */
async function loginsBesideSlowRequests(app: Application): Promise<readonly LoginBeside[]> {
  const results: LoginBeside[] = []
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const visitor = app.visitor()
    await visitor.write('before', 'x')
    const token = visitor.cookie
    const gate = app.gate()
    const slow = visitor.slow('late', 'x', gate)
    await app.patiently(gate.reached())
    const login = visitor.login('ada', 1)
    const isIn = await app.patiently(login)
    const diedFirst = isIn && !(await isWorthSomething(visitor, token))
    gate.open()
    await Promise.all([slow, login])
    results.push({ undone: (await visitor.who()).owner !== 'ada', diedFirst, alive: await isWorthSomething(visitor, token) })
  }
  return results
}

async function isWorthSomething(visitor: Visitor, token: string): Promise<boolean> {
  const { owner, data } = await visitor.who(token)
  return owner !== undefined || Object.keys(data).length > 0
}

/** Whoever knew the token before the login would be logged in with it. */
async function tokensKeptAtLogin(app: Application): Promise<readonly boolean[]> {
  const seen: boolean[] = []
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const visitor = app.visitor()
    await visitor.write('before', 'x')
    const token = visitor.cookie
    await visitor.login('ada')
    seen.push((await visitor.who(token)).owner !== undefined)
  }
  return seen
}

async function tokensAliveAfterLogout(app: Application): Promise<readonly boolean[]> {
  const seen: boolean[] = []
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const visitor = app.visitor()
    await visitor.login('ada')
    const token = visitor.cookie
    await visitor.logout()
    seen.push((await visitor.who(token)).owner !== undefined)
  }
  return seen
}

/** The browser keeps a cookie, or gets one from a request that ends after the logout. */
async function cookiesAfterLogout(app: Application): Promise<readonly boolean[]> {
  const seen: boolean[] = []
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const visitor = app.visitor()
    await visitor.login('ada')
    const gate = app.gate()
    const slow = visitor.slow('late', 'x', gate)
    await app.patiently(gate.reached())
    const logout = visitor.logout(1)
    const isOut = await app.patiently(logout)
    const keepsCookie = isOut && visitor.cookie !== ''
    gate.open()
    await Promise.all([slow, logout])
    seen.push(keepsCookie, !keepsCookie && visitor.cookie !== '')
  }
  return seen
}

async function answersBeforeSave(app: Application): Promise<readonly boolean[]> {
  const seen: boolean[] = []
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const visitor = app.visitor()
    seen.push(await answersBefore(app, visitor, 'begins'))
    seen.push(await answersBefore(app, visitor, 'goes on'))
  }
  return seen
}

async function answersBefore(app: Application, visitor: Visitor, key: string): Promise<boolean> {
  if (!app.holdsSaves) {
    const response = await visitor.writeForHead(key, 'x')
    const { data } = await visitor.who()
    await response.text()
    return data[key] === undefined
  }
  const gate = app.gate()
  let hasHead = false
  const response = visitor.writeForHead(key, heldValue(gate)).finally(() => { hasHead = true })
  // A session that the visitor's own cookie holds is saved with the head.
  if (!(await app.patiently(gate.reached()))) return false
  await app.settled()
  const isEarly = hasHead
  gate.open()
  await (await response).text()
  return isEarly
}

/** The store fails to save. */
async function successesWithoutSave(app: Application): Promise<readonly boolean[]> {
  const seen: boolean[] = []
  for (let n = 0; n < ATTEMPTS && app.holdsSaves; n += 1) {
    const visitor = app.visitor()
    await visitor.login('ada')
    const gate = app.gate()
    gate.fail()
    const response = await visitor.writeForHead('failing', heldValue(gate))
    await response.text().catch(() => '')
    seen.push(response.status < 400)
  }
  return seen
}

async function anonymousSessions(app: Application): Promise<readonly boolean[]> {
  const visitors = Array.from({ length: ATTEMPTS }, () => app.visitor())
  for (const visitor of visitors) await visitor.who()
  return visitors.map(({ cookie }) => cookie !== '')
}

function crowd(app: Application): readonly number[] {
  return Array.from({ length: app.crowd }, (_, n) => n)
}

function isSuccess({ status }: Page): boolean {
  return status < 400
}
