import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type Continuations } from '../index.ts'
import { continuations } from './index.ts'

const MAX = 6
const AGE_MS = 60_000

interface Saved {
  readonly kind: 'saved'
  readonly url: string
  readonly item: string
  readonly parent: string | undefined
  usedAt: number
}

interface Waiting {
  readonly kind: 'waiting'
  readonly from: string
  readonly usedAt: number
}

/** What continuations are, in the fewest words: no store, no URL, no session. */
class Model {
  readonly kept = new Map<string, Saved | Waiting>()
  now = 1_700_000_000_000

  live(id: string | undefined): Saved | undefined {
    const one = this.kept.get(id ?? '')
    return one?.kind === 'saved' && this.isFresh(one) ? one : undefined
  }

  save(id: string, url: string, item: string, current: string | undefined): void {
    this.kept.set(id, { kind: 'saved', url, item, parent: this.live(current) === undefined ? undefined : current, usedAt: this.now })
    this.#evict(id)
  }

  return(from: string, saved: Saved, id: string): void {
    saved.usedAt = this.now
    this.kept.set(id, { kind: 'waiting', from, usedAt: this.now })
    this.#evict(id)
  }

  /** What arrives: once. */
  take(id: string): Saved | undefined {
    const waiting = this.kept.get(id)
    if (waiting?.kind !== 'waiting' || !this.isFresh(waiting)) return undefined
    const saved = this.live(waiting.from)
    if (saved !== undefined) this.kept.delete(id)
    return saved
  }

  delete(id: string): void {
    this.kept.delete(id)
    for (const [child, one] of this.kept) if (this.isFresh(one) && parentOf(one) === id) this.delete(child)
  }

  ids(): string[] {
    return [...this.kept].filter(([, one]) => this.isFresh(one)).map(([id]) => id).toSorted()
  }

  isFresh({ usedAt }: Saved | Waiting): boolean {
    return usedAt + AGE_MS > this.now
  }

  #evict(newest: string): void {
    for (const [id, one] of this.kept) if (!this.isFresh(one)) this.kept.delete(id)
    while (this.kept.size > MAX) {
      const chain: string[] = []
      for (let id: string | undefined = newest; id !== undefined && this.kept.has(id); id = parentOf(this.kept.get(id))) chain.push(id)
      const leaves = [...this.kept].filter(([id]) => !chain.includes(id) && ![...this.kept.values()].some((one) => parentOf(one) === id))
      const [oldest] = leaves.toSorted(([, a], [, b]) => a.usedAt - b.usedAt)
      this.kept.delete(oldest?.[0] ?? chain.at(-1) ?? '')
    }
  }
}

function parentOf(one: Saved | Waiting | undefined): string | undefined {
  return one?.kind === 'saved' ? one.parent : one?.from
}

const parameter = (url: string, name: string): string | undefined => new URL(url, 'http://shop.example').searchParams.get(name) ?? undefined
const fieldsOf = (arrived: Continuations['arrived']): string | undefined => (arrived === undefined ? undefined : `${arrived.method} ${arrived.url} ${String(arrived.fields['item'])}`)
const told = (saved: Saved | undefined): string | undefined => (saved === undefined ? undefined : `POST ${saved.url} ${saved.item}`)

const STEPS = ['tangent', 'return', 'leave', 'follow', 'back', 'fork', 'double return', 'save again', 'delete', 'rotate', 'login', 'logout', 'wait', 'expire', 'flood'] as const
type Step = readonly [step: (typeof STEPS)[number], tab: number, pick: number]

/** A visitor with tabs who does what the steps say; after each, what the site knows is what the model knows. */
class Walk {
  readonly model = new Model()
  readonly #sessions = createSessions({ clock: () => this.model.now, sweepEvery: 'never', continuations: continuations({ maxCount: MAX, maxAge: AGE_MS / 1000 }) })
  readonly #visitor = new Visitor(this.#sessions)
  /** Each tab has its history, the page that it shows last. */
  readonly #tabs: string[][] = [['/']]
  /** Redirects that a tab was given and has not followed yet, or has followed already. */
  readonly #redirects: string[] = []
  readonly seen = new Map<string, number>()
  #pages = 0

  async start(): Promise<void> {
    await this.#visitor.visit((session) => session.set('begun', true))
  }

  async close(): Promise<void> {
    await this.#sessions.close()
  }

  async run([step, tabAt, pick]: Step): Promise<void> {
    this.model.now += 1
    const tab = this.#tabs[tabAt % this.#tabs.length] ?? []
    if (step === 'tangent') await this.#tangent(tab)
    else if (step === 'flood') for (let round = 0; round < MAX + 2; round += 1) { this.model.now += 1; await this.#tangent(tab) }
    else if (step === 'leave') await this.#return(tab)
    else if (step === 'return') await this.#follow(await this.#return(tab), tab)
    else if (step === 'double return') { await this.#return(tab); this.model.now += 1; await this.#follow(await this.#return(tab), tab) }
    else if (step === 'follow') await this.#follow(this.#redirects[pick % this.#redirects.length], tab)
    else if (step === 'save again') await this.#saveAgain(this.#redirects[pick % this.#redirects.length], tab)
    else if (step === 'back') { if (tab.length > 1) tab.pop() }
    else if (step === 'fork') this.#tabs.push([...tab])
    else if (step === 'delete') await this.#delete(tab)
    else if (step === 'rotate') await this.#visitor.visit((session) => session.regenerate())
    else if (step === 'login') await this.#visitor.visit((session) => session.login('ada'))
    else if (step === 'logout') await this.#logout()
    else this.model.now += step === 'expire' ? AGE_MS : AGE_MS / 3
    await this.#compare()
  }

  // A link of the page leads to one that needs a detour; the form's fields come along.
  async #tangent(tab: string[]): Promise<void> {
    const current = parameter(tab.at(-1) ?? '/', 'c')
    const [url, item] = [`/page/${this.#pages}?x=1`, `item ${this.#pages}`]
    this.#pages += 1
    const to = await this.#at(current === undefined ? url : `${url}&c=${current}`, (one) => one.save({ to: '/detour' }), { method: 'POST', body: { item } })
    this.model.save(String(parameter(to, 'c')), url, item, current)
    tab.push(to)
    this.#count('saved')
  }

  async #return(tab: string[]): Promise<string | undefined> {
    const page = tab.at(-1) ?? '/'
    const current = parameter(page, 'c')
    const saved = this.model.live(current)
    const url = await this.#at(page, (one) => one.return())
    if (saved === undefined || current === undefined) {
      expect(url).toBe('/')
      return undefined
    }
    const id = String(parameter(url, 'r'))
    expect(parameter(url, 'c')).toBe(this.model.live(saved.parent) === undefined ? undefined : saved.parent)
    expect(url.startsWith(saved.url)).toBe(true)
    expect(this.model.kept.has(id)).toBe(false)
    this.model.return(current, saved, id)
    this.#redirects.push(url)
    return url
  }

  async #follow(url: string | undefined, tab: string[]): Promise<void> {
    if (url === undefined) return
    const expected = this.model.take(String(parameter(url, 'r')))
    expect(await this.#at(url, ({ arrived }) => fieldsOf(arrived))).toBe(told(expected))
    tab.push(url)
    this.#count(expected === undefined ? 'found nothing' : 'arrived')
  }

  // The page that was returned to needs another detour: what is saved is the restored request.
  async #saveAgain(url: string | undefined, tab: string[]): Promise<void> {
    if (url === undefined) return
    const expected = this.model.take(String(parameter(url, 'r')))
    const current = parameter(url, 'c')
    const to = await this.#at(url, (one) => (one.arrived === undefined ? undefined : one.save({ to: '/detour' })))
    expect(to === undefined).toBe(expected === undefined)
    if (to === undefined || expected === undefined) return
    this.model.save(String(parameter(to, 'c')), expected.url, expected.item, current)
    tab.push(to)
    this.#count('saved again')
  }

  async #delete(tab: string[]): Promise<void> {
    const current = parameter(tab.at(-1) ?? '/', 'c')
    if (current === undefined) return
    await this.#at('/', (one) => one.delete(current))
    this.model.delete(current)
  }

  async #logout(): Promise<void> {
    await this.#visitor.visit((session) => session.logout())
    await this.start()
    this.model.kept.clear()
  }

  async #compare(): Promise<void> {
    expect(await this.#at('/', (one) => one.keys().toSorted())).toEqual(this.model.ids())
    for (const tab of this.#tabs) {
      const page = tab.at(-1) ?? '/'
      const saved = this.model.live(parameter(page, 'c'))
      const asked = page.replace(/&?r=[^&]*/, '')
      expect(await this.#at(asked, ({ caller, current }) => [caller?.url, caller?.fields['item'], current])).toEqual([saved?.url, saved?.item, saved === undefined ? undefined : parameter(page, 'c')])
    }
  }

  async #at<Result>(url: string, handler: (continuations: Continuations) => Result | Promise<Result>, options: { method?: string; body?: unknown } = {}): Promise<Result> {
    const { result } = await this.#visitor.visit((session) => handler(session.continuations), { ...options, url })
    return result
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }
}

it('does what the model says, whatever a visitor does with tabs, the back button, detours, logins and time', { timeout: 120_000 }, async () => {
  const often = fc.constantFrom<(typeof STEPS)[number]>('tangent', 'return', 'leave', 'follow', 'back', 'fork', 'double return', 'save again')
  const step: fc.Arbitrary<Step> = fc.tuple(fc.oneof({ weight: 4, arbitrary: often }, { weight: 1, arbitrary: fc.constantFrom(...STEPS) }), fc.nat(5), fc.nat(50))
  const seen = new Map<string, number>()
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
    const walk = new Walk()
    await walk.start()
    for (const each of steps) await walk.run(each)
    for (const [what, count] of walk.seen) seen.set(what, (seen.get(what) ?? 0) + count)
    await walk.close()
  }), { numRuns: 200 })
  // A walk that never arrives anywhere would agree with any model.
  for (const what of ['saved', 'arrived', 'found nothing', 'saved again']) expect(seen.get(what)).toBeGreaterThan(10)
})
