import { describe, expect, it } from 'vitest'
import { cookieOf, post, startSite, type Data, type Site } from '../../test/attacks/site.ts'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions } from '../index.ts'
import { movableClock } from '../testing/clock.ts'
import { addressOf } from './internal/guessing-sources.ts'
import { security, type SecurityOptions } from './index.ts'

const guess = (n: number): string => `__Host-sid=${String(n).padStart(22, 'A')}.${'B'.repeat(43)}`
const byClient: SecurityOptions['guessing'] = (exchange) => exchange.header('x-client')

function watched(guessing: SecurityOptions['guessing'] = byClient) {
  const clock = movableClock()
  const sessions = createSessions<Data>({ clock, sweepEvery: 'never', security: security({ ...(guessing !== undefined && { guessing }) }) })
  const told: unknown[] = []
  sessions.on('guessing', (event) => { told.push(event) })
  const guesses = async (client: string | undefined, count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) await (await new Visitor(sessions, guess(n)).begin({ headers: client === undefined ? {} : { 'x-client': client } })).finish()
  }
  return { clock, sessions, told, guesses }
}

describe('guessing, by source', () => {
  it('names the one who guesses, once in a minute, though the site is busy', async () => {
    const { clock, sessions, told, guesses } = watched()
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.set('a', 1))
    await guesses('mallory', 1)
    for (let n = 0; n < 300; n += 1) await visitor.visit(() => {})
    await guesses('mallory', 150)
    expect(told).toEqual([{ count: 100, source: 'mallory' }])
    clock.advance('1 minute')
    await guesses('mallory', 100)
    expect(told).toHaveLength(2)
  })

  it('tells nothing of a source whose own tokens fit more often, nor of several with a few each, but of those together', async () => {
    const { sessions, told, guesses } = watched()
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.set('a', 1))
    await guesses('office', 1)
    for (let n = 0; n < 150; n += 1) await (await visitor.begin({ headers: { 'x-client': 'office' } })).finish()
    await guesses('office', 120)
    expect(told).toEqual([])
    for (const client of ['one', 'two', 'three']) await guesses(client, 60)
    expect(told).toEqual([{ count: 151 }])
  })

  it('counts over all requests what has no source', async () => {
    const { told, guesses } = watched()
    await guesses(undefined, 100)
    expect(told).toEqual([{ count: 100 }])
  })

  it.each<[string, () => unknown]>([
    ['throws', () => { throw new Error('no such header') }],
    ['throws what has no text', () => { throw Object.create(null) }],
    ['answers no text', () => 7],
    ['answers later', async () => { throw new Error('not found') }],
  ])('fails no request for a function that %s, counts it without its source, and warns once', async (_, sourceOf) => {
    const warnings: string[] = []
    const listener = ({ message }: Error): void => { warnings.push(message) }
    process.on('warning', listener)
    const { told, guesses } = watched((exchange) => Reflect.apply(sourceOf, undefined, [exchange]))
    await guesses('mallory', 100)
    await new Promise((resolve) => { setImmediate(resolve) })
    process.off('warning', listener)
    expect(told).toEqual([{ count: 100 }])
    expect(warnings).toEqual([expect.stringContaining('guessing')])
  })

  it('keeps a thousand sources: one who comes back after that many others begins anew', async () => {
    const { told, guesses } = watched()
    await guesses('mallory', 99)
    for (let n = 0; n < 1000; n += 1) await guesses(`other ${n}`, 1)
    await guesses('mallory', 99)
    expect(told.filter((event) => Object.hasOwn(Object(event), 'source'))).toEqual([])
    await guesses('mallory', 1)
    expect(told.at(-1)).toEqual({ count: 100, source: 'mallory' })
  })

  it('names the address of the client', async () => {
    const site: Site = await startSite({ security: security({ guessing: 'address' }) })
    const own = cookieOf(await site.ask('/set', post({ a: 1 })))
    for (let n = 0; n < 100; n += 1) await site.ask('/get', { cookie: guess(n).replace('__Host-', '') })
    expect((await site.ask('/get', { cookie: own })).status).toBe(200)
    expect(site.events.filter(({ name }) => name === 'guessing')).toEqual([{ name: 'guessing', count: 100, source: '127.0.0.1' }])
    await site.close()
  })

  it.each([
    [{ ip: '192.0.2.7', socket: { remoteAddress: '10.0.0.1' } }, '192.0.2.7'],
    [{ socket: { remoteAddress: '::ffff:192.0.2.7' } }, '192.0.2.7'],
    [{ ip: '2001:db8:1:2:3:4:5:6' }, '2001:db8:1:2::/64'],
    [{ ip: '2001:db8::6' }, '2001:db8:0:0::/64'],
    [{ ip: '::1' }, '0:0:0:0::/64'],
    [{ ip: 'unknown' }, 'unknown'],
    [{ socket: {} }, undefined],
    [undefined, undefined],
  ])('takes from %j the source %s', (request, source) => {
    const exchange = { method: 'GET', url: '/', secure: false, port: undefined, headSent: false, request, header: () => undefined, responseHeader: () => undefined, setResponseHeader: () => {}, appendResponseHeader: () => {} }
    expect(addressOf(exchange)).toBe(source)
  })

  it('refuses what tells no source', () => {
    expect(() => Reflect.apply(security, undefined, [{ guessing: 'ip' }])).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})
