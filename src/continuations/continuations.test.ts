import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type Continuations, type Session, type SessionEvent, type SessionsOptions } from '../index.ts'
import { memoryStore } from '../stores/memory.ts'
import { TestExchange, type TestExchangeOptions } from '../testing/exchange.ts'
import { continuations, REDACTED, type ContinuationsOptions } from './index.ts'

interface Data {
  userId: number
  cart: string[]
}

type Handler<Result> = (continuations: Continuations, session: Session<Data>) => Result | Promise<Result>

function site(options: ContinuationsOptions<Data> = {}, more: SessionsOptions<Data> = {}) {
  let now = 1_700_000_000_000
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, clock: () => now, sweepEvery: 'never', continuations: continuations(options), ...more })
  const events: SessionEvent[] = []
  const conflicts: SessionEvent[] = []
  sessions.on('continuation', (event) => { events.push(event) })
  sessions.on('conflict', (event) => { conflicts.push(event) })
  return {
    store, sessions, events, conflicts,
    reasons: () => events.map(({ reason }) => reason),
    advance(seconds: number) { now += seconds * 1000 },
    visitor: () => new Customer(sessions),
  }
}

class Customer extends Visitor<Data> {
  /** Requests a page, as a browser does. */
  async at<Result>(url: string, handler: Handler<Result>, options: Omit<TestExchangeOptions, 'url'> = {}): Promise<Result> {
    const { result } = await this.visit((session) => handler(session.continuations, session), { ...options, url })
    return result
  }

  save(url: string, to = '/login', options: Omit<TestExchangeOptions, 'url'> = {}): Promise<string> {
    return this.at(url, (one) => one.save({ to }), options)
  }

  return(url: string, values?: Record<string, unknown>): Promise<string> {
    return this.at(url, (one) => one.return(values === undefined ? {} : { values }))
  }

  /** Gives them a session, so that nothing travels signed. */
  async stored(): Promise<this> {
    await this.visit((session) => session.set('userId', 1))
    return this
  }
}

const idIn = (url: string, name = 'c'): string | undefined => new URL(url, 'http://shop.example').searchParams.get(name) ?? undefined
const post = (body: unknown, headers: Record<string, string> = {}): Omit<TestExchangeOptions, 'url'> => ({ method: 'POST', body, headers })

/** Where a visitor is after logging in and coming back, and what the page there sees. */
const look: Handler<{ arrived: unknown; messages: unknown; current: string | undefined }> = ({ arrived, messages, current }) => ({ arrived, messages: [...messages], current })

describe('save', () => {
  it('gives the URL to go to, with an id of at least 128 bits that is another each time', async () => {
    const visitor = await site().visitor().stored()
    const [one, two] = [await visitor.save('/index'), await visitor.save('/index')]
    expect(one).toMatch(/^\/login\?c=[\w-]{22}$/)
    expect(two).toMatch(/^\/login\?c=[\w-]{22}$/)
    expect(one).not.toBe(two)
  })

  it.each([['/login', '/login?c='], ['/login?x=1', '/login?x=1&c='], ['/login?x=1#top', '/login?x=1&c='], ['/login?c=old&r=old&%63=x', '/login?c=']])('to %s keeps what is there: %s', async (to, beginning) => {
    const visitor = await site().visitor().stored()
    const url = await visitor.save('/index', to)
    expect(url.startsWith(beginning)).toBe(true)
    expect(url.match(/[?&](?:c|%63)=/g)).toHaveLength(1)
  })

  it('keeps method, path, query and fields, and nothing of the connection', async () => {
    const { visitor, store, sessions } = site()
    const customer = visitor()
    const to = await customer.save('/order?coupon=x&tag=a&tag=b', '/login', post({ item: 'tea', sizes: ['s', 'l'] }, { authorization: 'Bearer HEADER', 'x-api-key': 'HEADER' }))
    expect(await customer.at(to, ({ caller }) => caller)).toEqual({
      method: 'POST', path: '/order', url: '/order?coupon=x&tag=a&tag=b', query: { coupon: 'x', tag: ['a', 'b'] }, fields: { item: 'tea', sizes: ['s', 'l'] }, omitted: [],
    })
    const id = await customer.at('/', (_one, session) => session.id)
    const record = JSON.stringify(await store.read(id))
    expect(record).toContain('tea')
    expect(record).not.toContain('HEADER')
    expect(record).not.toContain(String(customer.token))
    await sessions.close()
  })

  it.each([
    ['password'], ['newPassword'], ['PASSWORD'], ['csrf_token'], ['otp'], ['otpCode'], ['cardNumber'], ['card'], ['client_secret'],
  ])('never keeps a field or parameter named %s', async (name) => {
    const { visitor, store } = site()
    const customer = visitor()
    const to = await customer.save(`/pay?${name}=SECRET&x=1`, '/login', post({ [name]: 'SECRET', nested: { [name]: 'SECRET', y: '2' }, list: [{ [name]: 'SECRET' }], item: 'tea' }))
    expect(await customer.at(to, ({ caller }) => caller)).toMatchObject({ url: '/pay?x=1', fields: { item: 'tea', nested: { y: '2' }, list: [{}] }, omitted: expect.arrayContaining([name, `nested.${name}`]) })
    const id = await customer.at('/', (_one, session) => session.id)
    expect(JSON.stringify(await store.read(id))).not.toContain('SECRET')
  })

  it('takes another list of names to redact', async () => {
    const customer = site({ redact: [...REDACTED, 'iban'] }).visitor()
    const to = await customer.save('/pay', '/login', post({ IBAN: 'X', password: 'Y', item: 'tea' }))
    expect(await customer.at(to, ({ caller }) => caller?.fields)).toEqual({ item: 'tea' })
  })

  it('leaves out files, streams, functions and what is nested too deep, and tells their names', async () => {
    const customer = site().visitor()
    const form = new FormData()
    form.append('item', 'tea')
    form.append('item', 'jam')
    form.append('photo', new File(['x'], 'x.png'))
    let deep: unknown = 'x'
    for (let level = 0; level < 1000; level += 1) deep = { deep }
    const one = await customer.at('/order', (each) => each.save({ to: '/login', fields: form }), { method: 'POST' })
    expect(await customer.at(one, ({ caller }) => caller)).toMatchObject({ fields: { item: ['tea', 'jam'] }, omitted: ['photo'] })
    const two = await customer.save('/order', '/login', post({ n: 5, ok: true, none: null, nan: Number.NaN, deep, run() {}, bytes: Buffer.from('x'), blob: new Blob(['x']), date: new Date(0) }))
    const caller = await customer.at(two, (each) => each.caller)
    expect(caller?.fields).toMatchObject({ n: 5, ok: true, none: null })
    expect(caller?.omitted).toEqual(expect.arrayContaining(['run', 'bytes', 'blob', 'date', 'nan']))
  })

  it.each([['__proto__'], ['constructor'], ['toString'], ['hasOwnProperty']])('survives a field named %s', async (name) => {
    const customer = site().visitor()
    const body: unknown = JSON.parse(`{"${name}":{"polluted":true},"item":"tea"}`)
    const to = await customer.save(`/order?${name}=1`, '/login', post(body))
    const fields = await customer.at(to, ({ caller }) => caller?.fields)
    expect(fields?.['item']).toBe('tea')
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it.each([['text'], [Buffer.from('text')], [['a', 'b']], [undefined], [5]])('keeps a request whose body is no set of fields: %s', async (body) => {
    const customer = site().visitor()
    const to = await customer.save('/order', '/login', post(body))
    expect(await customer.at(to, ({ caller }) => [caller?.method, caller?.fields])).toEqual(['POST', {}])
  })

  it.each(['http://evil.example/', '//evil', '/\\evil', '\\\\evil', 'javascript:alert(1)', 'login', '', '/\t/evil'])('refuses the target %j', async (to) => {
    const customer = site().visitor()
    await expect(customer.at('/index', (one) => one.save({ to }))).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
    await expect(customer.at('/index', (one) => one.redirect({ to }))).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
    await expect(customer.at('/index', (one) => one.return({ fallback: to }))).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
  })

  it.each(['//evil.example/x', 'http://evil.example/x', '/\\evil.example', '/%2fevil.example'])('keeps nothing of a request for %s, which could not be returned to', async (url) => {
    const { visitor, reasons } = site()
    const customer = await visitor().stored()
    expect(await customer.save(url)).toBe('/login')
    expect(reasons()).toEqual(['unsafe-target'])
  })

  it('without the option throws and names the fix', async () => {
    const sessions = createSessions()
    const session = await sessions.open(new TestExchange())
    expect(() => session.continuations).toThrowError(expect.objectContaining({ code: 'ERR_SESSION_USAGE', message: expect.stringContaining('continuations: continuations()') }))
  })

  it('outside of a request throws and names the fix', async () => {
    const { sessions } = site()
    const session = await sessions.create()
    await expect(session.continuations.save({ to: '/login' })).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE', message: expect.stringContaining('add({ url })') })
  })
})

describe('a request that another site has made', () => {
  const attacks: readonly (readonly [string, Record<string, string>])[] = [
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }], ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
    ['another Origin', { origin: 'https://evil.example', host: 'shop.example' }], ['Origin: null', { origin: 'null', host: 'shop.example' }],
  ]

  it.each(attacks)('is kept as an address only, or a login would run it: %s', async (_name, headers) => {
    const { visitor, reasons } = site()
    const customer = visitor()
    const to = await customer.save('/transfer', '/login', post({ to: 'mallory' }, headers))
    expect(reasons()).toEqual(['cross-site'])
    const back = await customer.at(to, async (one, session) => { await session.login('ada'); return one.return() })
    expect((await customer.at(back, look)).arrived).toMatchObject({ method: 'GET', fields: {} })
  })

  it.each([
    ['same-origin', { 'sec-fetch-site': 'same-origin' }], ['typed in', { 'sec-fetch-site': 'none' }], ['its own Origin', { origin: 'https://shop.example', host: 'shop.example' }],
    ['its own Origin over HTTP/2', { origin: 'https://shop.example', ':authority': 'shop.example' }],
  ])('is told from one of this site: %s', async (_name, headers) => {
    const customer = site().visitor()
    const to = await customer.save('/transfer', '/login', post({ to: 'bob' }, headers))
    expect(await customer.at(to, ({ caller }) => caller?.method)).toBe('POST')
  })
})

describe('return', () => {
  it('leads back to the saved URL with a new id each time, where the request is restored once', async () => {
    const { visitor, reasons } = site()
    const customer = visitor()
    const to = await customer.save('/order?coupon=x', '/login', post({ item: 'tea' }))
    const [one, two] = [await customer.return(to), await customer.return(to)]
    expect(one).toMatch(/^\/order\?coupon=x&r=[\w-]{22}$/)
    expect(one).not.toBe(two)
    const { arrived } = await customer.at(one, look)
    expect(arrived).toEqual({ method: 'POST', path: '/order', url: '/order?coupon=x', query: { coupon: 'x' }, fields: { item: 'tea' }, omitted: [], values: {} })
    expect((await customer.at(one, look)).arrived).toBeUndefined()
    expect(reasons()).toEqual(['unknown'])
    expect((await customer.at(two, look)).arrived).toBeDefined()
  })

  it('works again after the back button, since a saved request never changes', async () => {
    const customer = site().visitor()
    const to = await customer.save('/order', '/login', post({ item: 'tea' }))
    for (let round = 0; round < 3; round += 1) expect((await customer.at(await customer.return(to), look)).arrived).toMatchObject({ fields: { item: 'tea' } })
  })

  it('of several requests with one id lets exactly one arrive', async () => {
    // Every one of them has read the session before the first takes what waits.
    const memory = memoryStore()
    const store = new Proxy(memory, { get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (name === 'read') return async (id: string) => { await Promise.resolve(); return memory.read(id) }
      return typeof value === 'function' ? value.bind(target) : value
    } })
    const { visitor, reasons } = site({}, { store })
    const customer = visitor()
    const back = await customer.return(await customer.save('/order', '/login', post({ item: 'tea' })))
    const requests = await Promise.all(Array.from({ length: 5 }, () => customer.begin({ url: back })))
    expect(requests.filter(({ session }) => session.continuations.arrived !== undefined)).toHaveLength(1)
    await Promise.all(requests.map(({ finish }) => finish()))
    expect(reasons()).toEqual(['unknown', 'unknown', 'unknown', 'unknown'])
  })

  it('is not used up by HEAD, nor by a form that is sent from the page', async () => {
    const customer = site().visitor()
    const back = await customer.return(await customer.save('/order', '/login', post({ item: 'tea' })))
    for (const method of ['HEAD', 'POST']) expect((await customer.at(back, look, { method })).arrived).toBeUndefined()
    expect((await customer.at(back, look)).arrived).toBeDefined()
  })

  it.each(['/order?r=ID&extra=1', '/elsewhere?r=ID', '/order?coupon=y&r=ID'])('sends an id at the wrong URL to the right one: %s', async (wrong) => {
    const { visitor, reasons } = site()
    const customer = visitor()
    const back = await customer.return(await customer.save('/order?coupon=x', '/login', post({ item: 'tea' })))
    const url = wrong.replace('ID', String(idIn(back, 'r')))
    expect(await customer.at(url, ({ arrived, misplaced }) => [arrived, misplaced])).toEqual([undefined, back])
    expect(reasons()).toEqual(['misplaced'])
    expect((await customer.at(back, look)).arrived).toBeDefined()
  })

  it('finds its URL however a proxy has encoded it', async () => {
    const customer = site().visitor()
    const back = await customer.return(await customer.save('/caf%C3%A9/a~b?x=%61+b', '/login', post({ item: 'tea' })))
    expect((await customer.at(back.replace('/caf%C3%A9/a~b?x=%61+b', '/caf%c3%a9/a%7Eb?x=a%20b'), look)).arrived).toBeDefined()
  })

  it('without a continuation leads to the fallback', async () => {
    const customer = await site({ fallback: '/home' }).visitor().stored()
    expect(await customer.return('/login')).toBe('/home')
    expect(await customer.at('/login', (one) => one.return({ fallback: '/cart?x=1#top' }))).toBe('/cart?x=1#top')
  })

  it('carries messages and values to the fallback as well', async () => {
    const customer = site().visitor()
    const url = await customer.at('/login', (one) => { one.messages.set('notice', 'Hello'); return one.return({ fallback: '/cart#top' }) })
    expect(url).toMatch(/^\/cart\?r=[\w-]{22}#top$/)
    expect(await customer.at(url, look)).toEqual({ arrived: undefined, messages: [['notice', 'Hello']], current: undefined })
  })

  it('finds the current continuation in a form that was posted', async () => {
    const customer = site().visitor()
    const to = await customer.save('/order', '/login', post({ item: 'tea' }))
    const field = await customer.at(to, (one) => one.field)
    expect(field).toEqual({ name: 'c', value: idIn(to) })
    expect(await customer.at('/login', (one) => one.return(), post({ user: 'ada', c: field?.value }))).toMatch(/^\/order\?r=/)
    expect(await customer.at('/login', (one) => one.return({ fields: { c: field?.value } }), { method: 'POST' })).toMatch(/^\/order\?r=/)
    expect(await customer.at('/other', (one) => one.return({ id: String(field?.value) }))).toMatch(/^\/order\?r=/)
  })

  it('does not keep the hidden field among the fields of the page', async () => {
    const customer = site().visitor()
    const outer = await customer.save('/order', '/login', post({ item: 'tea' }))
    const inner = await customer.save('/login', '/captcha', post({ user: 'ada', c: idIn(outer) }))
    expect(await customer.at(inner, ({ caller }) => caller?.fields)).toEqual({ user: 'ada' })
    const other = await customer.save('/search', '/login', post({ c: 'celsius' }))
    expect(await customer.at(other, ({ caller }) => caller?.fields)).toEqual({ c: 'celsius' })
  })
})

describe('values', () => {
  it('arrive whole where no map was declared', async () => {
    const customer = site().visitor()
    const to = await customer.save('/order', '/address', post({}))
    expect((await customer.at(await customer.return(to, { addressId: 7, at: new Date(0) }), look)).arrived).toMatchObject({ values: { addressId: 7, at: new Date(0) } })
  })

  it('arrive by the declared map: literals, arguments, parts of values; what is missing is undefined', async () => {
    const customer = site().visitor()
    const map = {
      literal: { literal: 'gift' }, empty: { literal: '' }, argument: { argument: 'bar' }, twice: { argument: 'tag' }, noArgument: { argument: 'nothing' },
      value: { value: 'addressId' }, deep: { value: ['address', 'city'] }, noAction: { value: ['nobody', 'city'] }, noName: { value: ['address', 'nothing'] }, inherited: { value: 'constructor' },
    }
    const to = await customer.at('/order', (one) => one.save({ to: '/address', map }), post({ item: 'tea' }))
    const back = await customer.at(`${to}&bar=baz&tag=a&tag=b`, (one) => one.return({ values: { addressId: 7, address: { city: 'Ulm' }, secret: 'not asked for' } }))
    const { arrived } = await customer.at(back, look)
    expect(arrived).toEqual({
      method: 'POST', path: '/order', url: '/order', query: {}, fields: { item: 'tea' }, omitted: [],
      values: { literal: 'gift', empty: '', argument: 'baz', twice: ['a', 'b'], noArgument: undefined, value: 7, deep: 'Ulm', noAction: undefined, noName: undefined, inherited: undefined },
    })
    expect(to).not.toContain('bar')
  })

  it('take arguments from a posted form too', async () => {
    const customer = site().visitor()
    const to = await customer.at('/order', (one) => one.save({ to: '/address', map: { foo: { argument: 'bar' } } }), post({}))
    const back = await customer.at(to, (one) => one.return(), post({ bar: ['x', 'y'] }))
    expect((await customer.at(back, look)).arrived).toMatchObject({ values: { foo: ['x', 'y'] } })
  })

  it('that are too large are refused at the line that hands them over', async () => {
    const customer = site().visitor()
    const to = await customer.save('/order', '/address', post({}))
    await expect(customer.return(to, { text: 'x'.repeat(40_000) })).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
  })

  it('of an earlier detour are kept through a later one of the same request', async () => {
    const customer = site().visitor()
    const login = await customer.save('/order', '/login', post({ item: 'tea' }))
    const first = await customer.return(login, { user: 'ada' })
    // The page that was returned to needs an address as well.
    const address = await customer.save(first, '/address')
    const second = await customer.return(address, { addressId: 7 })
    expect((await customer.at(second, look)).arrived).toMatchObject({ method: 'POST', fields: { item: 'tea' }, values: { user: 'ada', addressId: 7 } })
  })
})

describe('nesting', () => {
  it('pops one level at each return', async () => {
    const customer = await site().visitor().stored()
    const first = await customer.save('/index', '/index-help')
    const inner = await customer.save(first, '/help-help')
    expect(await customer.at(inner, ({ caller }) => caller?.path)).toBe('/index-help')
    const back = await customer.return(inner)
    const { current } = await customer.at(back, look)
    expect(back.startsWith('/index-help?c=')).toBe(true)
    expect(current).toBe(idIn(first))
    expect(await customer.return(back)).toMatch(/^\/index\?r=/)
  })

  it('goes through a page that was saved with collapse, all the way back', async () => {
    const customer = await site().visitor().stored()
    const first = await customer.at('/index', (one) => one.save({ to: '/index-help', map: { foo: { argument: 'bar' } } }))
    const inner = await customer.at(first, (one) => { one.messages.set('help', 'helped'); return one.save({ to: '/help-help', collapse: true }) })
    expect(inner).not.toBe(first.replace('/index-help', '/help-help'))
    const back = await customer.return(`${inner}&bar=baz`)
    expect(back).toMatch(/^\/index\?r=/)
    expect(await customer.at(back, look)).toMatchObject({ arrived: { values: { foo: 'baz' } }, messages: [['help', 'helped']] })
  })

  it('of a request that was returned to does not grow the chain', async () => {
    const customer = await site().visitor().stored()
    const outer = await customer.save('/index', '/order')
    let url = await customer.save(outer, '/login', post({ item: 'tea' }))
    for (let round = 0; round < 5; round += 1) url = await customer.save(await customer.return(url), '/login')
    const back = await customer.return(url)
    expect(idIn(back)).toBe(idIn(outer))
    expect((await customer.at(back, look)).arrived).toMatchObject({ method: 'POST', path: '/order', fields: { item: 'tea' } })
  })

  it('deletes with a continuation all that would return to it', async () => {
    const customer = await site().visitor().stored()
    const first = await customer.save('/a', '/b')
    const second = await customer.save(first, '/c')
    await customer.save(second, '/d')
    const other = await customer.save('/x', '/y')
    await customer.return(second)
    expect(await customer.at('/', (one) => { one.delete(String(idIn(first))); return one.keys() })).toEqual([idIn(other)])
    expect(await customer.at('/', (one) => one.keys())).toEqual([idIn(other)])
    expect(await customer.return(second)).toBe('/')
  })
})

describe('messages', () => {
  it('travel with the redirect: another tab neither shows nor eats them, and a reload does not repeat them', async () => {
    const customer = site().visitor()
    const url = await customer.at('/cart', (one) => { one.messages.set('notice', 'Saved'); return one.redirect({ to: '/cart' }) }, post({ item: 'tea' }))
    expect((await customer.at('/cart', look)).messages).toEqual([])
    expect((await customer.at(url, look)).messages).toEqual([['notice', 'Saved']])
    expect((await customer.at(url, look)).messages).toEqual([])
  })

  it('of both are merged at the return: the saved come first and stay', async () => {
    const customer = site().visitor()
    const to = await customer.at('/index', (one) => { one.messages.set('m1', 'old'); return one.save({ to: '/help' }) })
    const back = await customer.at(to, (one) => { one.messages.set('m2', 'also').set('m1', 'new'); return one.return() })
    expect((await customer.at(back, look)).messages).toEqual([['m1', 'old'], ['m2', 'also']])
  })

  it('that arrived and were not shown travel on', async () => {
    const customer = site().visitor()
    const one = await customer.at('/cart', (each) => { each.messages.set('notice', 'Saved'); return each.redirect({ to: '/order' }) })
    const to = await customer.save(one, '/login')
    expect((await customer.at(await customer.return(to), look)).messages).toEqual([['notice', 'Saved']])
  })

  it('store nothing when there are none', async () => {
    const customer = site().visitor()
    expect(await customer.at('/cart', (one) => one.redirect({ to: '/cart?x=1' }))).toBe('/cart?x=1')
    expect(customer.cookie).toBe('')
  })
})

describe('made by hand', () => {
  it('is returned to like any other', async () => {
    const customer = site().visitor()
    const id = await customer.at('/', (one) => one.add({ url: '/otherplace', messages: { result: 'Result!' } }))
    const back = await customer.return(`/?c=${id}`)
    expect(await customer.at(back, look)).toMatchObject({ arrived: { path: '/otherplace', method: 'GET' }, messages: [['result', 'Result!']] })
  })

  it('has entries of its own, apart from data and metadata, which end with the session and outlive a rotation', async () => {
    const { visitor, store } = site()
    const customer = visitor()
    const id = await customer.at('/', (one, session) => {
      one.set('cart', { url: '/a' })
      session.set('cart', ['tea'])
      session.metadata.set('cart', 'm')
      return session.id
    })
    await customer.visit(async (session) => { await session.regenerate() })
    expect(await customer.at('/', (one, session) => [one.get('cart'), one.has('cart'), one.has('x'), one.entries(), session.get('cart'), session.keys(), session.metadata.get('cart')]))
      .toEqual([{ url: '/a' }, true, false, [['cart', { url: '/a' }]], ['tea'], ['cart'], 'm'])
    await customer.visit(async (session) => { await session.login('ada') })
    expect(await customer.at('/', (one) => one.keys())).toEqual(['cart'])
    await customer.visit((session) => session.logout())
    expect(await store.read(id)).not.toHaveProperty('entries.c:cart')
    expect(await customer.at('/', (one) => one.keys())).toEqual([])
  })

  it.each([{ url: 'http://evil.example' }, { url: '//evil' }, { url: 5 }, {}, 'text', 5, null, { at: '/x', from: 'y' }, [1, 2]])('is nothing to return to when it names no page of this site: %j', async (value) => {
    const { visitor, reasons } = site()
    const customer = await visitor().stored()
    const id = await customer.at('/', (one) => one.add(value))
    expect(await customer.at('/', (one) => one.get(id))).toEqual(value)
    expect(await customer.return(`/login?c=${id}`)).toBe('/')
    expect(reasons()).toEqual(['unknown'])
  })
})

describe('an id', () => {
  it('that is unknown, of another visitor, deleted or too old renders the page as if there were none, with an event', async () => {
    const { visitor, reasons, advance } = site({}, { idleTimeout: '2 hours' })
    const [one, two] = [await visitor().stored(), await visitor().stored()]
    const to = await one.save('/order', '/login', post({ secret: 'x', item: 'tea' }))
    const back = await one.return(to)
    const nothing = { arrived: undefined, messages: [], current: undefined }
    const foreign = [to, back, '/login?c=unknown', `/order?r=${'x'.repeat(22)}`, '/login?c=%00', `/login?c=${'~'.repeat(5000)}`, '/login?c=__proto__', '/login?r=~a.b', '/?c=&r=']
    for (const url of foreign) expect(await two.at(url, look)).toEqual(nothing)
    expect(reasons()).toEqual(foreign.flatMap((url) => (url.includes('&r') ? ['unknown', 'unknown'] : ['unknown'])))
    advance(3600)
    expect(await one.at(to, look)).toEqual(nothing)
    expect(await one.at(back, look)).toEqual(nothing)
    expect(await one.return(to)).toBe('/')
  })

  it('lives for an hour after its last use', async () => {
    const { visitor, advance } = site({}, { idleTimeout: '2 hours' })
    const customer = await visitor().stored()
    const to = await customer.save('/order')
    for (let round = 0; round < 3; round += 1) {
      advance(2400)
      expect(await customer.return(to)).toMatch(/^\/order\?r=/)
    }
    advance(3600)
    expect(await customer.return(to)).toBe('/')
  })

  it('is dropped with another owner', async () => {
    const customer = site().visitor()
    await customer.visit(async (session) => { await session.login('ada') })
    const to = await customer.save('/order', '/login', post({ item: 'tea' }))
    const back = await customer.at(to, async (one, session) => { await session.login('bob'); return one.return() })
    expect(back).toBe('/')
  })

  it('is of this tab: each returns to its own request, in either order', async () => {
    const customer = await site().visitor().stored()
    const tabs = await Promise.all(['tea', 'jam'].map((item) => customer.at('/order', (one) => { one.messages.set('item', item); return one.save({ to: '/login' }) }, post({ item }))))
    for (const at of [1, 0]) {
      const item = ['tea', 'jam'][at]
      expect(await customer.at(await customer.return(String(tabs[at])), look)).toMatchObject({ arrived: { fields: { item } }, messages: [['item', item]] })
    }
  })
})

describe('links', () => {
  it('carry the current id, and so do forms', async () => {
    const customer = await site().visitor().stored()
    const to = await customer.save('/order')
    const id = idIn(to)
    expect(await customer.at(to, (one) => [one.link('/register'), one.link('/a?x=1#top'), one.link('/a?c=old'), one.field, one.hiddenField, one.current])).toEqual([
      `/register?c=${id}`, `/a?x=1&c=${id}#top`, `/a?c=${id}`, { name: 'c', value: id }, `<input type="hidden" name="c" value="${id}">`, id,
    ])
  })

  it('to other sites do not', async () => {
    const customer = await site().visitor().stored()
    const to = await customer.save('/order')
    for (const url of ['https://elsewhere.example/', '//elsewhere.example', 'mailto:a@b.c', '#top']) expect(await customer.at(to, (one) => one.link(url))).toBe(url)
  })

  it('stay as they are where there is no current id', async () => {
    const customer = await site().visitor().stored()
    expect(await customer.at('/', (one) => [one.link('/register'), one.field, one.hiddenField])).toEqual(['/register', undefined, ''])
  })

  it('escape an id that was chosen by hand', async () => {
    const customer = await site().visitor().stored()
    await customer.at('/', (one) => one.set('"><script>&', { url: '/a' }))
    expect(await customer.at(`/?c=${encodeURIComponent('"><script>&')}`, (one) => [one.hiddenField, one.link('/b')])).toEqual([
      '<input type="hidden" name="c" value="&quot;>&lt;script>&amp;">', '/b?c=%22%3E%3Cscript%3E%26',
    ])
  })

  it('use the names that were chosen', async () => {
    const customer = await site({ parameters: { current: 'J:C', returned: 'J:RETURN' } }).visitor().stored()
    const to = await customer.save('/order?c=1&r=2')
    expect(to).toMatch(/^\/login\?J%3AC=/)
    const back = await customer.return(to)
    expect(back).toMatch(/^\/order\?c=1&r=2&J%3ARETURN=/)
    expect((await customer.at(back, look)).arrived).toMatchObject({ query: { c: '1', r: '2' } })
  })
})

describe('a handler', () => {
  it('runs by its name at the return, before the page, and once', async () => {
    const calls: unknown[] = []
    const customer = site({
      handlers: {
        async fill({ values }, session) {
          await Promise.resolve()
          calls.push(values)
          session.set('cart', ['filled'])
        },
      },
    }).visitor()
    const to = await customer.at('/order', (one) => one.save({ to: '/address', handler: 'fill' }), post({}))
    const back = await customer.return(to, { addressId: 7 })
    expect(await customer.at(back, (_one, session) => session.get('cart'))).toEqual(['filled'])
    await customer.at(back, look)
    expect(calls).toEqual([{ addressId: 7 }])
    expect(await customer.at('/', (_one, session) => session.get('cart'))).toEqual(['filled'])
  })

  it('that nobody registered is refused at the line that names it', async () => {
    const customer = site().visitor()
    for (const handler of ['fill', 'toString']) await expect(customer.at('/order', (one) => one.save({ to: '/address', handler }), post({}))).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
  })

  it('that was taken away meanwhile is an event, and the visitor arrives', async () => {
    const { visitor, reasons } = site({ handlers: {} })
    const customer = visitor()
    const id = await customer.at('/', (one) => one.add({ url: '/order', handler: 'constructor' }))
    expect((await customer.at(await customer.return(`/?c=${id}`), look)).arrived).toBeDefined()
    expect(reasons()).toEqual(['unknown-handler'])
  })

  it('that throws fails the request, which is not repeated', async () => {
    const customer = site({ handlers: { fail() { throw new Error('no address') } } }).visitor()
    const to = await customer.at('/order', (one) => one.save({ to: '/address', handler: 'fail' }), post({}))
    const back = await customer.return(to)
    await expect(customer.at(back, look)).rejects.toThrow('no address')
    expect((await customer.at(back, look)).arrived).toBeUndefined()
  })
})

describe('a visitor of whom nothing is stored', () => {
  it('keeps the address in the URL, signed, and still has no session and no cookie', async () => {
    const { visitor, store, reasons } = site()
    const customer = visitor()
    const to = await customer.save('/account?tab=2')
    expect(to).toMatch(/^\/login\?c=~[\w-]+\.[\w-]{43}$/)
    expect(await customer.at(to, ({ caller, field }) => [caller?.url, field?.value])).toEqual(['/account?tab=2', idIn(to)])
    const back = await customer.return(to)
    expect(back).toMatch(/^\/account\?tab=2&r=~/)
    expect((await customer.at(back, look)).arrived).toEqual({ method: 'GET', path: '/account', url: '/account?tab=2', query: { tab: '2' }, fields: {}, omitted: [], values: {} })
    expect((await customer.at(back, look)).arrived).toBeUndefined()
    expect(customer.cookie).toBe('')
    expect(store.size).toBe(0)
    expect(reasons()).toEqual(['unknown'])
  })

  it('who logs in meanwhile comes back like everybody else', async () => {
    const customer = site().visitor()
    const to = await customer.save('/account')
    const back = await customer.at(to, async (one, session) => { await session.login('ada'); one.messages.set('notice', 'Welcome'); return one.return({ values: { first: true } }) })
    expect(back).toMatch(/^\/account\?r=[\w-]{22}$/)
    expect(await customer.at(back, look)).toMatchObject({ arrived: { path: '/account', values: { first: true } }, messages: [['notice', 'Welcome']] })
  })

  it('nests, and pops one level at each return', async () => {
    const customer = site().visitor()
    const one = await customer.save('/a', '/b')
    const two = await customer.save(one, '/c')
    const back = await customer.return(two)
    expect(back.startsWith('/b?c=~')).toBe(true)
    expect((await customer.at(back, look)).arrived).toMatchObject({ path: '/b' })
    expect(await customer.return(back)).toMatch(/^\/a\?r=~/)
    expect(customer.cookie).toBe('')
  })

  it('collapses likewise', async () => {
    const customer = site().visitor()
    const one = await customer.save('/a', '/b')
    const two = await customer.at(one, (each) => each.save({ to: '/c', collapse: true }))
    expect(await customer.return(two)).toMatch(/^\/a\?r=~/)
  })

  it('who posts under a signed address keeps the whole chain in a session', async () => {
    const { visitor } = site()
    const customer = visitor()
    const outer = await customer.save(await customer.save('/a', '/b'), '/c')
    const inner = await customer.save(outer, '/login', post({ item: 'tea' }))
    expect(inner).toMatch(/^\/login\?c=[\w-]{22}$/)
    const paths: unknown[] = []
    for (let url = inner, round = 0; round < 3; round += 1) {
      url = await customer.return(url)
      paths.push((await customer.at(url, look)).arrived)
    }
    expect(paths).toMatchObject([{ path: '/c', method: 'POST' }, { path: '/b' }, { path: '/a' }])
  })

  it('gets the same ids for the same signed address', async () => {
    const customer = site().visitor()
    const outer = await customer.save('/a', '/b')
    await customer.save(outer, '/login', post({ item: 'tea' }))
    await customer.save(outer, '/login', post({ item: 'jam' }))
    expect(await customer.at('/', (one) => one.keys().length)).toBe(3)
  })

  it('cannot have forged it, changed it, or made it last longer', async () => {
    const { visitor, advance } = site()
    const customer = visitor()
    const text = String(idIn(await customer.save('/account')))
    const [payload = '', mac = ''] = text.slice(1).split('.')
    const evil = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('/account', '/transfer')).toString('base64url')
    const forged = [`~${evil}.${mac}`, `~${payload}.${mac.slice(0, -2)}`, `~${payload}.`, `~${payload}`, `${payload}.${mac}`, `~${mac}.${payload}`]
    for (const id of forged) expect(await customer.return(`/login?c=${id}`)).toBe('/')
    const back = await customer.return(`/login?c=${text}`)
    // The id of a return fits its own URL, and is no continuation.
    expect((await customer.at(back.replace('/account', '/transfer'), look)).arrived).toBeUndefined()
    expect(await customer.return(`/login?c=${idIn(back, 'r')}`)).toBe('/')
    expect((await customer.at(`/account?r=${text}`, look)).arrived).toBeUndefined()
    advance(3600)
    expect(await customer.return(`/login?c=${text}`)).toBe('/')
    expect((await customer.at(back, look)).arrived).toBeUndefined()
  })

  it('is understood by another process with the same keys, also with an older one, and by no other', async () => {
    const [old, fresh] = ['a'.repeat(64), 'b'.repeat(64)]
    const to = await site({ keys: [old] }).visitor().save('/account')
    expect(await site({ keys: [fresh, old] }).visitor().return(to)).toMatch(/^\/account\?r=/)
    expect(await site({ keys: [fresh] }).visitor().return(to)).toBe('/')
    expect(await site().visitor().return(to)).toBe('/')
  })

  it('gets a session when the address is too long for a URL', async () => {
    const customer = site().visitor()
    expect(await customer.save(`/search?q=${'x'.repeat(3000)}`)).toMatch(/^\/login\?c=[\w-]{22}$/)
    expect(customer.cookie).not.toBe('')
  })

  it('gets one when there is something to keep: a body, a map, a handler, a message', async () => {
    const handlers = { fill() {} }
    const saves: readonly Handler<string>[] = [
      (one) => one.save({ to: '/login', fields: { a: '1' } }), (one) => one.save({ to: '/login', map: {} }), (one) => one.save({ to: '/login', handler: 'fill' }),
      (one) => { one.messages.set('a', 'b'); return one.save({ to: '/login' }) }, (one, session) => { session.set('userId', 1); return one.save({ to: '/login' }) },
    ]
    for (const save of saves) expect(idIn(await site({ handlers }).visitor().at('/index', save))).toMatch(/^[\w-]{22}$/)
  })

  it('may come with an old token: a plain address needs no session, anything else is left out with an event', async () => {
    const { visitor, reasons, sessions } = site()
    const customer = await visitor().stored()
    const old = { headers: { cookie: customer.cookie } }
    await customer.visit(async (session) => { await session.login('ada') })
    const late = new Visitor(sessions, old.headers.cookie)
    expect(await late.visit((session) => session.continuations.save({ to: '/login' }), { url: '/a' })).toMatchObject({ result: expect.stringMatching(/^\/login\?c=~/) })
    expect(await late.visit((session) => session.continuations.save({ to: '/login' }), { url: '/a', method: 'POST', body: { item: 'tea' } })).toMatchObject({ result: '/login' })
    expect(reasons()).toEqual(['not-kept'])
  })
})

describe('the limits', () => {
  it('hold for 10,000 detours, of any shape and size', { timeout: 120_000 }, async () => {
    const { visitor, store, advance, events } = site()
    const customer = await visitor().stored()
    const id = await customer.at('/', (_one, session) => session.id)
    let to = '/login'
    let most = 0
    for (let round = 0; round < 10_000; round += 1) {
      advance(1)
      const from = round % 7 === 0 ? '/page' : to
      to = await customer.save(from, '/login', round % 3 === 0 ? {} : post({ text: 'x'.repeat((round * 37) % (round < 9000 ? 300 : 5000)) }))
      if (round % 5 === 0) await customer.return(to)
      if (round % 50 === 0) expect(await customer.at(to, ({ caller }) => caller)).toBeDefined()
      const record = await store.read(id)
      const kept = Object.entries(record?.entries ?? {}).filter(([key]) => key.startsWith('c:'))
      expect(kept.length).toBeLessThanOrEqual(50)
      const bytes = kept.reduce((sum, [key, text]) => sum + Buffer.byteLength(key) + Buffer.byteLength(text), 0)
      most = Math.max(most, bytes)
      // The time of the last use and the key's prefix are not counted.
      expect(bytes).toBeLessThanOrEqual(64 * 1024 + 50 * 32)
    }
    expect(most).toBeGreaterThan(40_000)
    expect(events.some(({ reason, count = 0 }) => reason === 'evicted' && count > 0)).toBe(true)
  })

  it('are back in force with the request after many that ran side by side', async () => {
    const { visitor, store } = site()
    const customer = await visitor().stored()
    const id = await customer.at('/', (_one, session) => session.id)
    const requests = await Promise.all(Array.from({ length: 200 }, (_, at) => customer.begin({ url: `/page/${at}` })))
    const urls = await Promise.all(requests.map(({ session }) => session.continuations.save({ to: '/login' })))
    await Promise.all(requests.map(({ finish }) => finish()))
    expect(await customer.at(String(urls.at(-1)), ({ current }) => current)).toBeDefined()
    expect(Object.keys((await store.read(id))?.entries ?? {}).filter((key) => key.startsWith('c:'))).toHaveLength(50)
  })

  it('let the least recently used leaf go first, and no page that another returns to', async () => {
    const { visitor, advance } = site({ maxCount: 4 })
    const customer = await visitor().stored()
    const save = async (url: string, to: string): Promise<string> => { advance(1); return customer.save(url, to) }
    const [root, a, b] = [await save('/root', '/x'), await save('/a', '/x'), await save('/b', '/x')]
    const child = await save(root, '/y')
    advance(1)
    // Coming back from a is a use of it; the return that waits counts as well, so it makes b go.
    await customer.at(await customer.return(a), look)
    const c = await save('/c', '/x')
    expect(await customer.at('/', (one) => one.keys().toSorted())).toEqual([root, a, child, c].map((url) => String(idIn(url))).toSorted())
    expect(await customer.return(b)).toBe('/')
  })

  it('let a chain that is too long forget its outermost', async () => {
    const { visitor, advance } = site({ maxCount: 3 })
    const customer = await visitor().stored()
    let url = '/0'
    const urls: string[] = []
    for (let level = 1; level <= 5; level += 1) {
      advance(1)
      url = await customer.save(url, `/${level}`)
      urls.push(url)
    }
    expect(await customer.at('/', (one) => one.keys())).toEqual(urls.slice(2).map((each) => idIn(each)))
    // Two of the three levels, since what waits for the visitor counts too.
    expect(await customer.return(url)).toMatch(/^\/4\?c=.*&r=/)
  })

  it.each([['too large a body', { text: 'x'.repeat(40_000) }], ['many fields', Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`f${at}`, 'x']))]])('keep an address only of a request with %s', async (_name, body) => {
    const { visitor, reasons } = site()
    const customer = visitor()
    const to = await customer.save('/order?x=1', '/login', post(body))
    expect(await customer.at(to, ({ caller }) => [caller?.method, caller?.url, caller?.fields])).toEqual(['GET', '/order?x=1', {}])
    expect(reasons()).toEqual(['too-large'])
  })

  it('leave room for the session in a store that has little of it', async () => {
    const { visitor, reasons } = site({}, { maxSessionBytes: 2048 })
    const customer = await visitor().stored()
    for (let round = 0; round < 20; round += 1) await customer.save(`/page/${round}?x=${'y'.repeat(100)}`, '/login', post({ text: 'x'.repeat(round * 100) }))
    expect(await customer.save(`/page?x=${'y'.repeat(1000)}`)).toBe('/login')
    expect(reasons()).toContain('too-large')
  })

  it('take what is too old out of the store', async () => {
    const { visitor, advance, store } = site({ maxAge: '1 minute' })
    const customer = await visitor().stored()
    const id = await customer.at('/', (_one, session) => session.id)
    await customer.save('/a')
    await customer.save('/b')
    advance(61)
    await customer.save('/c')
    expect(Object.keys((await store.read(id))?.entries ?? {}).filter((key) => key.startsWith('c:'))).toHaveLength(1)
  })
})

describe('with a session that is loaded lazily', () => {
  it('save and return load it; to look whether one has arrived needs it loaded', async () => {
    const { visitor } = site({}, { load: 'lazy' })
    const customer = visitor()
    const to = await customer.save('/order', '/login', post({ item: 'tea' }))
    const back = await customer.return(to)
    const { session, finish } = await customer.begin({ url: back })
    expect(() => session.continuations.arrived).toThrowError(expect.objectContaining({ code: 'ERR_SESSION_NOT_LOADED' }))
    await session.load()
    expect(session.continuations.arrived).toMatchObject({ fields: { item: 'tea' } })
    await finish()
    expect(await customer.at(back, async (one, each) => { await each.load(); return one.arrived })).toBeUndefined()
  })
})

describe('the options', () => {
  const wrong: readonly (readonly [string, object])[] = [
    ['maxAge', { maxAge: 0 }], ['maxAge', { maxAge: 3_600_000_000 }], ['maxCount', { maxCount: 0 }], ['maxCount', { maxCount: 1.5 }], ['maxBytes', { maxBytes: 10 }], ['redact', { redact: [''] }],
    ['redact', { redact: 'password' }], ['fallback', { fallback: '//evil' }], ['keys', { keys: [] }], ['key', { keys: ['short'] }], ['parameter', { parameters: { current: '' } }],
    ['parameters', { parameters: { current: 'x', returned: 'x' } }], ['handlers.x', { handlers: { x: 1 } }], ['maxage', { maxage: 5 }],
  ]

  it.each(wrong)('are checked at once: %s', (what, options) => {
    expect(() => continuations(options)).toThrowError(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining(what) }))
  })

  it('of createSessions name what to pass', () => {
    const given: object = { continuations: true }
    expect(() => createSessions(given)).toThrowError(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringContaining('continuations()') }))
  })
})
