// Jifty's continuations: the cases JF-51 … JF-83 of cases.json. More of the same is in src/continuations.
import { describe, expect, it } from 'vitest'
import { continuations, restoredRequest, type Continuations } from '../../src/continuations/index.ts'
import { createSessions, memoryStore, SessionError, type Session } from '../../src/index.ts'
import type { TestExchangeOptions } from '../../src/testing/exchange.ts'
import { Visitor } from '../internal/visitor.ts'

type Data = Record<string, unknown>
type Page<Result> = (saved: Continuations, session: Session<Data>) => Result | Promise<Result>

/** A site, and a visitor of whom something is stored, so that no address travels signed in the URL. */
async function begin() {
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, sweepEvery: 'never', continuations: continuations() })
  const reasons: unknown[] = []
  sessions.on('continuation', ({ reason }) => { reasons.push(reason) })
  const visitor = async () => {
    const one = new Visitor<Data>(sessions)
    await one.visit((session) => session.set('here', true))
    return async <Result>(url: string, page: Page<Result>, options: Omit<TestExchangeOptions, 'url'> = {}): Promise<Result> => (await one.visit((session) => page(session.continuations, session), { ...options, url })).result
  }
  return { store, reasons, visitor, at: await visitor() }
}

const save = (to: string): Page<string> => (saved) => saved.save({ to })
const back: Page<string> = (saved) => saved.return()
const seen: Page<{ path: unknown; values: unknown; messages: unknown }> = ({ arrived, messages }) => ({ path: arrived?.path, values: arrived?.values, messages: [...messages] })
const post = (body: unknown): Omit<TestExchangeOptions, 'url'> => ({ method: 'POST', body })
const idIn = (url: string, name = 'c'): string => new URL(url, 'http://shop.example').searchParams.get(name) ?? ''

/** A page that buys when it is posted, or when a posted request comes back to it. */
function shop() {
  const bought: unknown[] = []
  const page = (needsHelp: boolean): Page<string> => async (saved) => {
    if (needsHelp) return saved.save({ to: '/index-help' })
    if (saved.arrived?.method === 'POST') bought.push(saved.arrived.fields['item'])
    return 'page'
  }
  return { bought, page }
}

describe('save', () => {
  it('JF-51 redirects with the id, which is then the current one', async () => {
    const { at } = await begin()
    const to = await at('/index', save('/index-help'))
    expect(to).toMatch(/^\/index-help\?c=[\w-]{22}$/)
    expect(await at(to, ({ current, caller }) => [current, caller?.path])).toEqual([idIn(to), '/index'])
  })

  it('JF-52 gives two different ids to one URL', async () => {
    const { at } = await begin()
    expect(await at('/index', save('/index-help'))).not.toBe(await at('/index', save('/index-help')))
  })

  it('JF-53 JF-57 JF-78 holds an action without running it; the return runs it, and a reload does not', async () => {
    const { at } = await begin()
    const { bought, page } = shop()
    const to = await at('/index', page(true), post({ item: 'tea' }))
    expect([bought, await at(to, ({ caller }) => caller)]).toEqual([[], expect.objectContaining({ method: 'POST', fields: { item: 'tea' } })])
    const url = await at(to, back)
    expect(await at(url, page(false))).toBe('page')
    expect(bought).toEqual(['tea'])
    await at(url, page(false))
    expect(bought).toEqual(['tea'])
  })

  it.each(['http://evil.example/', '//evil', '/\\evil', '\\\\evil', 'javascript:'])('JF-77 refuses the target %j', async (to) => {
    const { at } = await begin()
    await expect(at('/index', save(to))).rejects.toThrow(SessionError)
  })

  it('JF-81 keeps method, path, query and fields, and no cookie, header, socket or file', async () => {
    const { at, store } = await begin()
    const form = new FormData()
    form.append('item', 'tea')
    form.append('photo', new File(['FILE'], 'x.png'))
    const to = await at('/order?coupon=x', (saved) => saved.save({ to: '/login', fields: form }), { method: 'POST', headers: { authorization: 'Bearer HEADER', 'x-key': 'HEADER' } })
    expect(await at(to, ({ caller }) => caller)).toEqual({ method: 'POST', path: '/order', url: '/order?coupon=x', query: { coupon: 'x' }, fields: { item: 'tea' }, omitted: ['photo'] })
    const id = await at('/', (_saved, session) => session.id)
    const record = await store.read(id)
    expect(record?.entries[`c:${idIn(to)}`]).toContain('tea')
    expect(JSON.stringify(record)).not.toMatch(/HEADER|FILE|sid=/)
  })
})

describe('return', () => {
  it('JF-55 leads back with a new one-shot id', async () => {
    const { at } = await begin()
    const to = await at('/index', save('/index-help'))
    const url = await at(to, back)
    expect(url).toMatch(/^\/index\?r=[\w-]{22}$/)
    expect(idIn(url, 'r')).not.toBe(idIn(to))
    expect((await at(url, seen)).path).toBe('/index')
    expect((await at(url, seen)).path).toBeUndefined()
  })

  it('JF-56 hands over what was declared, under a new id each time', async () => {
    const { at } = await begin()
    const to = await at('/index', (saved) => saved.save({ to: '/index-help', map: { foo: { argument: 'bar' } } }))
    const [one, two] = [await at(`${to}&bar=baz`, back), await at(`${to}&bar=baz`, back)]
    expect(one).not.toBe(two)
    for (const url of [one, two]) expect((await at(url, seen)).values).toEqual({ foo: 'baz' })
  })

  it('JF-58 stays on the page whose own action fails, with the same id', async () => {
    const { at } = await begin()
    const { bought, page } = shop()
    const to = await at('/index', page(true), post({ item: 'tea' }))
    const form: Page<string> = (saved) => saved.link('/index-help')
    expect(await at(to, form, post({ topic: '' }))).toBe(to)
    expect(bought).toEqual([])
    await at(await at(to, back, post({ topic: 'x' })), page(false))
    expect(bought).toEqual(['tea'])
  })

  it('JF-59 shows the message of the action that succeeded', async () => {
    const { at } = await begin()
    const to = await at('/index', save('/index-help'))
    const url = await at(to, (saved) => { saved.messages.set('help', 'Asked'); return saved.return() }, post({ topic: 'x' }))
    expect(await at(url, seen)).toMatchObject({ path: '/index', messages: [['help', 'Asked']] })
  })

  it('JF-61 JF-62 of the inner leads to the page between, of that to the first', async () => {
    const { at } = await begin()
    const first = await at('/index', save('/index-help'))
    const inner = await at(first, save('/index-help-help'))
    const between = await at(inner, back)
    expect(await at(between, ({ arrived, current }) => [arrived?.path, current])).toEqual(['/index-help', idIn(first)])
    expect((await at(await at(between, back), seen)).path).toBe('/index')
  })

  it('JF-64 of one made by hand leads to its page, with its result', async () => {
    const { at } = await begin()
    const id = await at('/', (saved) => saved.add({ url: '/otherplace', messages: { result: 'Result!' } }))
    const url = await at(`/?c=${id}`, back)
    expect(url).toMatch(/^\/otherplace\?r=/)
    expect(await at(url, seen)).toMatchObject({ path: '/otherplace', messages: [['result', 'Result!']] })
  })

  it('JF-65 JF-66 to a guarded page runs what the guard leads to once; the next time there is no detour', async () => {
    const { at } = await begin()
    const tutorial: Page<string> = async (saved, session) => {
      if (session.get('gotHelp') !== true) return saved.save({ to: '/index-help' })
      return `counter ${String(session.set('counter', Number(session.get('counter') ?? 0) + 1))}`
    }
    const to = await at('/tutorial', tutorial)
    expect(to).toMatch(/^\/index-help\?c=/)
    const url = await at(to, (saved, session) => { session.set('gotHelp', true); return saved.return() })
    expect(url).toMatch(/^\/tutorial\?r=/)
    expect(await at(url, tutorial)).toBe('counter 1')
    expect(await at('/tutorial', tutorial)).toBe('counter 2')
  })

  it.each(['/index?r=ID&extra=1', '/elsewhere?r=ID'])('JF-68 with another URL is redirected to the clean one: %s', async (wrong) => {
    const { at } = await begin()
    const url = await at(await at('/index', save('/index-help')), back)
    expect(await at(wrong.replace('ID', idIn(url, 'r')), ({ arrived, misplaced }) => [arrived, misplaced])).toEqual([undefined, url])
    expect((await at(url, seen)).path).toBe('/index')
  })

  it('JF-70 with an id that is unknown, of another visitor or deleted renders the page, with nothing of anybody', async () => {
    const { at, visitor, reasons } = await begin()
    const other = await visitor()
    const foreign = await other('/secret-page', save('/index-help'))
    const foreignBack = await other(foreign, back)
    const deleted = await at('/index', save('/index-help'))
    await at('/', (saved) => { saved.delete(idIn(deleted)) })
    for (const id of ['unknown', idIn(foreign), idIn(deleted)]) {
      expect(await at(`/page?c=${id}`, ({ current, caller }) => [current, caller])).toEqual([undefined, undefined])
      expect(await at(`/page?c=${id}`, back)).toBe('/')
    }
    for (const id of ['unknown', idIn(foreignBack, 'r')]) expect(await at(`/secret-page?r=${id}`, seen)).toEqual({ path: undefined, values: undefined, messages: [] })
    expect(new Set(reasons)).toEqual(new Set(['unknown']))
  })

  it.each([[[0, 1]], [[1, 0]]])('JF-72 gives each of two tabs its own request and messages, in the order %j', async (order) => {
    const { at } = await begin()
    const tabs: string[] = []
    for (const n of [0, 1]) tabs.push(await at('/index', (saved) => { saved.messages.set('tab', n); return saved.save({ to: '/index-help' }) }, post({ item: `item ${n}` })))
    for (const n of order) {
      const url = await at(tabs[n] ?? '', back)
      expect(await at(url, ({ arrived, messages }) => [arrived?.fields, [...messages]])).toEqual([{ item: `item ${n}` }, [['tab', n]]])
    }
  })

  it('JF-73 works again after the back button', async () => {
    const { at } = await begin()
    const to = await at('/index', save('/index-help'), post({ item: 'tea' }))
    for (let round = 0; round < 2; round += 1) expect(await at(await at(to, back), ({ arrived }) => arrived?.fields)).toEqual({ item: 'tea' })
  })

  it('JF-74 merges messages, of which the saved win', async () => {
    const { at } = await begin()
    const to = await at('/index', (saved) => { saved.messages.set('m1', 'old'); return saved.save({ to: '/index-help' }) })
    const url = await at(to, (saved) => { saved.messages.set('m1', 'new').set('m2', 'there'); return saved.return() })
    expect((await at(url, seen)).messages).toEqual([['m1', 'old'], ['m2', 'there']])
  })

  it('JF-75 JF-76 maps literals, nothing, what is missing, and lists, and shows no mapping to the page', async () => {
    const { at } = await begin()
    const map = { literal: { literal: 'text' }, empty: { literal: '' }, noArgument: { argument: 'x' }, noAction: { value: ['action', 'x'] }, noName: { value: ['known', 'x'] }, list: { argument: 'tag' } }
    const to = await at('/index', (saved) => saved.save({ to: '/index-help', map }))
    const url = await at(`${to}&tag=a&tag=b`, (saved) => saved.return({ values: { known: { y: 1 } } }))
    const { result } = { result: await at(url, ({ arrived }) => [arrived?.values, arrived?.query, arrived?.fields]) }
    expect(result).toEqual([{ literal: 'text', empty: '', noArgument: undefined, noAction: undefined, noName: undefined, list: ['a', 'b'] }, {}, {}])
  })

  it('JF-82 has the headers of the request that is running', async () => {
    const { at } = await begin()
    const url = await at(await at('/index', save('/index-help'), { ...post({ item: 'tea' }), headers: { 'accept-language': 'ga' } }), back)
    const arrived = await at(url, (saved) => saved.arrived)
    expect(arrived).toBeDefined()
    if (arrived === undefined) return
    const restored = restoredRequest(new Request(`http://shop.example${url}`, { headers: { 'accept-language': 'de' } }), arrived)
    expect([restored.method, new URL(restored.url).pathname, restored.headers.get('accept-language'), await restored.text()]).toEqual(['POST', '/index', 'de', 'item=tea'])
  })

  it('JF-83 shows the message of an action at its redirect, once, and in no other tab', async () => {
    const { at } = await begin()
    const url = await at('/cart', (saved) => { saved.messages.set('notice', 'Saved'); return saved.redirect({ to: '/cart' }) }, post({ item: 'tea' }))
    expect((await at('/cart', seen)).messages).toEqual([])
    expect((await at(url, seen)).messages).toEqual([['notice', 'Saved']])
    expect((await at(url, seen)).messages).toEqual([])
  })
})
