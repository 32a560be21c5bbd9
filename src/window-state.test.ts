import { channel } from 'node:diagnostics_channel'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { Visitor } from '../test/internal/visitor.ts'
import { fetchSession } from './adapters/fetch.ts'
import { continuations } from './continuations/index.ts'
import { Signer } from './core/internal/signer.ts'
import { createSessions, memoryStore } from './index.ts'
import { windowState, type RejectedWindowState, type WindowState, type WindowStateOptions } from './window-state.ts'

const KEY = '1'.repeat(64)
const OLD = '2'.repeat(64)

interface Wizard {
  readonly step: number
  readonly sort: string
  readonly seen: Date
}

function made(options: Partial<WindowStateOptions> = {}): { readonly state: WindowState<Wizard>; readonly reasons: RejectedWindowState[] } {
  const reasons: RejectedWindowState[] = []
  return { state: windowState<Wizard>({ keys: [KEY], onRejected: ({ reason }) => reasons.push(reason), ...options }), reasons }
}

const valueIn = (url: string, name = 'w'): string => new URL(url, 'http://shop.test').searchParams.get(name) ?? ''
const failureOf = (code: string, words: string): unknown => expect.objectContaining({ code, message: expect.stringContaining(words) })

describe('windowState', () => {
  it('gives back what a link was made with, and leaves the rest of the URL as it was', () => {
    const { state, reasons } = made()
    const url = state.link('/shop?q=%61+b&w=old#top', { step: 2, seen: new Date(5) })
    expect(url).toMatch(/^\/shop\?q=%61\+b&w=[\w%.~-]+#top$/)
    expect(state.read(url)).toEqual({ step: 2, seen: new Date(5) })
    expect(state.read(new URL(url, 'http://shop.test'))).toEqual({ step: 2, seen: new Date(5) })
    expect(reasons).toEqual([])
  })

  it('gives every value back as it was', () => {
    const state = windowState({ keys: [KEY], maxLength: 8192 })
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 }), fc.webPath(), (values, path) => {
      fc.pre(!path.startsWith('//'))
      expect({ ...state.read(state.link(path, values)) }).toEqual({ ...values })
    }), { numRuns: 500 })
  })

  it('travels in the field of a form', () => {
    const { state } = made()
    const body = new URLSearchParams({ name: 'Ada', [state.parameter]: state.encode({ step: 3 }) })
    expect(state.read(body)).toEqual({ step: 3 })
  })

  it.each(['/a', '/a?x=1', '', '/a#?w=x', '/a?w=', '?', '%', '/a?%zz&=&&'])('is empty, and no event, where %j carries none', (url) => {
    const { state, reasons } = made()
    expect([state.read(url), reasons]).toEqual([{}, []])
  })

  it('leaves a URL when there is nothing in it any more', () => {
    const { state } = made()
    expect(state.link(state.link('/a?x=1', { step: 1 }), {})).toBe('/a?x=1')
    expect(state.link('/a', { step: undefined })).toBe('/a')
    expect(state.encode({})).toBe('')
  })

  it('inherits nothing, whatever the keys are called', () => {
    const state = windowState({ keys: [KEY] })
    const values = state.read(state.link('/', JSON.parse('{"__proto__": 1, "toString": 2}')))
    expect([Object.getPrototypeOf(values), Object.keys(values), Reflect.get(values, 'constructor')]).toEqual([null, ['__proto__', 'toString'], undefined])
    expect(Object.getPrototypeOf(state.read('/'))).toBeNull()
  })

  it.each([
    'https://evil.test/', '//evil.test/', '/\\evil.test', '\\\\evil.test', '/\t/evil.test', ' //evil.test', 'javascript:alert(1)', 'java\nscript:alert(1)', 'mailto:ada@shop.test', '\u0001https://evil.test',
  ])('does not go along to %j', (url) => {
    expect(made().state.link(url, { step: 1 })).toBe(url)
  })
})

describe('an attacker', () => {
  it('changes no character of a state without losing it', () => {
    const { state, reasons } = made()
    const text = state.encode({ step: 1 })
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'A' ? 'B' : 'A'
      // The last character of base64url has bits that say nothing.
      const read = state.read(new URLSearchParams({ w: text.slice(0, at) + other + text.slice(at + 1) }))
      if (Object.keys(read).length > 0) expect([at, read]).toEqual([text.length - 1, { step: 1 }])
    }
    expect(reasons.length).toBeGreaterThanOrEqual(text.length - 1)
    expect(new Set(reasons)).toEqual(new Set(['forged']))
  })

  it('signs nothing with a key of their own, and nothing without one', () => {
    const { state, reasons } = made()
    const theirs = windowState({ keys: [OLD] }).link('/', { step: 9 })
    const [body = ''] = valueIn(theirs).split('.')
    expect([state.read(theirs), state.read(`/?w=${body}`), state.read(`/?w=${body}.`), state.read('/?w=.')]).toEqual([{}, {}, {}, {}])
    expect(reasons).toEqual(['forged', 'forged', 'forged', 'forged'])
  })

  it('cannot use what was signed for another parameter, another owner or another purpose', async () => {
    const { state, reasons } = made()
    const text = state.encode({ step: 1 }, { boundTo: 'ada' })
    expect(state.read(`/?w=${text}`, { boundTo: 'ada' })).toEqual({ step: 1 })
    expect([state.read(`/?w=${text}`, { boundTo: 'eve' }), state.read(`/?w=${text}`)]).toEqual([{}, {}])
    expect(made({ parameter: 'v' }).state.read(`/?v=${state.encode({ step: 1 })}`)).toEqual({})
    const sessions = createSessions({ continuations: continuations({ keys: [KEY] }) })
    const app = fetchSession(sessions, async (_request, session) => new Response(await session.continuations.save({ to: '/login' })))
    const signed = valueIn(await (await app(new Request('http://shop.test/'))).text(), 'c')
    expect([signed.startsWith('~'), state.read(`/?w=${signed}`)]).toEqual([true, {}])
    expect(reasons).toEqual(['forged', 'forged', 'forged'])
    await sessions.close()
  })

  it('never makes it throw', () => {
    const { state } = made()
    const damaged = fc.tuple(fc.nat(), fc.string({ unit: 'binary' })).map(([at, text]) => {
      const url = state.link('/a', { sort: 'name' })
      return url.slice(0, at % url.length) + text + url.slice(at % url.length + 1)
    })
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string().map((text) => `/?w=${text}`), damaged), (url) => {
      expect(['{}', '{"sort":"name"}']).toContain(JSON.stringify(state.read(url)))
    }), { numRuns: 2000 })
  })

  it('sends 10 MB and costs no signature', () => {
    const { state, reasons } = made()
    expect([state.read(`/?w=~${'x'.repeat(10_000_000)}`), reasons]).toEqual([{}, ['too-long']])
  })

  it('who puts a state of their own before ours does not take ours away', () => {
    const { state, reasons } = made()
    const text = state.encode({ step: 1 })
    expect([state.read(`/?w=x&w=${text}`), reasons]).toEqual([{ step: 1 }, []])
    expect([state.read(`/?w=1&w=2&w=3&w=4&w=${text}`), reasons]).toEqual([{}, ['forged']])
  })
})

describe('a state of ours that counts as none', () => {
  it('is one past maxAge, at the very millisecond', () => {
    let now = 1_700_000_000_000
    const { state, reasons } = made({ maxAge: '1 hour', clock: () => now })
    const url = state.link('/', { step: 1 })
    now += 3_599_999
    expect(state.read(url)).toEqual({ step: 1 })
    now += 1
    expect([state.read(url), reasons]).toEqual([{}, ['expired']])
  })

  it('opens with an earlier key as long as that is in the list', () => {
    const url = made({ keys: [OLD] }).state.link('/', { step: 1 })
    expect(made({ keys: [KEY, OLD] }).state.read(url)).toEqual({ step: 1 })
    expect(made({ keys: [KEY] }).state.read(url)).toEqual({})
  })

  it('is one that holds no values, as another version may have signed', () => {
    const { state, reasons } = made()
    const signer = new Signer([KEY], 'a test', 'sojourn window state')
    for (const payload of ['k1 7', 'k1 [1]', 'k1 {', 'k1 null', '']) expect(state.read(`/?w=${signer.sign('["w",null]', payload)}`)).toEqual({})
    expect(reasons).toEqual(['unreadable', 'unreadable', 'unreadable', 'unreadable', 'unreadable'])
  })

  const told: unknown[] = []
  const listen = (event: unknown): unknown => told.push(event)
  afterEach(() => {
    channel('sojourn:window-state').unsubscribe(listen)
    channel('sojourn:error').unsubscribe(listen)
    told.length = 0
  })

  it('is told on the diagnostics channel, without what was in it', () => {
    channel('sojourn:window-state').subscribe(listen)
    windowState({ keys: [KEY] }).read('/?w=secret')
    expect(told).toEqual([{ reason: 'forged' }])
  })

  it('does no harm when the listener throws', () => {
    channel('sojourn:error').subscribe(listen)
    const state = windowState({ keys: [KEY], onRejected: () => { throw new Error('in the listener') } })
    expect(state.read('/?w=x')).toEqual({})
    expect(told).toEqual([{ reason: 'onRejected of windowState threw', error: new Error('in the listener') }])
  })
})

describe('the developer', () => {
  it('learns which values are too much for a URL', () => {
    const { state } = made()
    expect(() => state.link('/', { step: 1, sort: 'x'.repeat(3000) })).toThrow(failureOf('ERR_SESSION_TOO_LARGE', '"sort", "step"'))
    expect(valueIn(made({ maxLength: 8192 }).state.link('/', { sort: 'x'.repeat(3000) })).length).toBeGreaterThan(4000)
  })

  it('learns that a function cannot travel', () => {
    expect(() => windowState({ keys: [KEY] }).encode({ run: () => undefined })).toThrow(failureOf('ERR_SESSION_VALUE', 'run'))
  })

  it.each([
    [{}, 'openssl'], [{ keys: [] }, 'openssl'], [{ keys: ['short'] }, '32 bytes'], [{ keys: [KEY], parameter: 'a b' }, 'letters'], [{ keys: [KEY], parameter: '' }, 'letters'], [{ keys: [KEY], maxLength: 9000 }, '2000'],
    [{ keys: [KEY], maxAge: 'soon' }, 'maxAge'], [{ keys: [KEY], maxAge: 0 }, 'maxAge'], [{ keys: [KEY], onRejected: 'x' }, 'function'], [{ keys: [KEY], secret: 'x' }, 'keys'],
  ])('may not pass %j', (options, words) => {
    expect(() => windowState(JSON.parse(JSON.stringify(options)))).toThrow(failureOf('ERR_SESSION_OPTION', words))
  })
})

describe('on a detour', () => {
  it('comes back with the request that was saved, and goes along where the target has it', async () => {
    const { state } = made()
    const sessions = createSessions({ continuations: continuations({ keys: [KEY] }), sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    const from = state.link('/wizard', { step: 2 })
    const { result: to } = await visitor.visit((session) => session.continuations.save({ to: state.link('/login', state.read(from)) }), { url: from })
    expect(state.read(to)).toEqual({ step: 2 })
    const { result: back } = await visitor.visit(async (session) => { await session.login('ada'); return session.continuations.return() }, { url: to })
    const { result } = await visitor.visit((session) => [session.continuations.arrived?.path, state.read(back), session.continuations.misplaced], { url: back })
    expect(result).toEqual(['/wizard', { step: 2 }, undefined])
    await sessions.close()
  })
})

describe('two windows of one visitor', () => {
  it('each keep their own state from page to page, and nothing is stored', async () => {
    const { state } = made()
    const store = memoryStore()
    const sessions = createSessions({ store })
    const app = fetchSession(sessions, (request) => {
      const step = Number(state.read(request.url).step ?? 0) + 1
      return new Response(`${step} ${state.link('/wizard', { step })}`)
    })
    const cookies: string[] = []
    const visit = async (path: string): Promise<readonly [string, string]> => {
      const response = await app(new Request(`http://shop.test${path}`))
      cookies.push(...response.headers.getSetCookie())
      const [step = '', next = ''] = (await response.text()).split(' ')
      return [step, next]
    }
    const [, one] = await visit('/wizard')
    const [, two] = await visit('/wizard')
    const [, onward] = await visit(one)
    expect([(await visit(onward))[0], (await visit(two))[0], (await visit(one))[0]]).toEqual(['3', '2', '2'])
    expect([cookies, store.size]).toEqual([[], 0])
    await sessions.close()
  })
})
