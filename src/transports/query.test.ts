import { describe, expect, it } from 'vitest'
import { createSessions } from '../index.ts'
import { TestExchange } from '../testing/exchange.ts'
import { queryTransport } from './query.ts'

const sessions = createSessions<{ name: string }>({ transport: queryTransport({ name: 'k' }), sweepEvery: 'never' })

async function stored(name: string): Promise<string> {
  const session = await sessions.create()
  session.set('name', name)
  await session.commit()
  return session.token ?? ''
}

const open = (url: string) => sessions.open(new TestExchange({ url }))

describe('the query transport', () => {
  it('finds the token in its parameter; the last one wins', async () => {
    const [one, two] = [await stored('one'), await stored('two')]
    expect((await open(`/?a=1&k=${one}`)).get('name')).toBe('one')
    expect((await open(`/?k=${one}&k=${two}`)).get('name')).toBe('two')
    expect((await open(`/?kk=${one}`)).isNew).toBe(true)
    expect((await open(`/k=${one}`)).isNew).toBe(true)
    expect((await open('/?k=')).isNew).toBe(true)
    expect((await open('/?k=%E0%A4%A')).isNew).toBe(true)
  })

  it('sends no cookie, keeps the URL out of the Referer, and gives the token for links', async () => {
    const token = await stored('one')
    const exchange = new TestExchange({ url: `/?k=${token}` })
    const session = await sessions.open(exchange)
    expect(session.token).toBe(token)
    await session.regenerate()
    expect(session.token).not.toBe(token)
    await sessions.finish(session)
    expect([exchange.setCookies, exchange.responseHeader('referrer-policy'), exchange.responseHeader('cache-control')]).toEqual([[], 'no-referrer', 'no-store'])
  })

  it('refuses a name that is none', () => {
    expect(() => queryTransport({ name: 'a&b' })).toThrow(/name is "a&b"/)
    // @ts-expect-error -- a typing mistake in JavaScript
    expect(() => queryTransport({ parameter: 'x' })).toThrow(/The settings are name and form/)
  })

  it('takes the last of several fields, and what is no text for none', () => {
    const { read } = queryTransport({ form: true })
    const tokens = (body: unknown, type = 'application/x-www-form-urlencoded; charset=utf-8', method = 'POST'): readonly string[] =>
      read(new TestExchange({ method, url: '/?sid=address', body, headers: { 'content-type': type } }))
    expect(tokens({ sid: ['a', 'b'] })).toEqual(['b'])
    expect(tokens({ sid: 'a' })).toEqual(['a'])
    for (const body of [undefined, null, 'sid=a', {}, { sid: 5 }, { sid: { $ne: 1 } }, { sid: [] }, Object.create({ sid: 'inherited' })]) expect(tokens(body)).toEqual(['address'])
    expect(tokens({ sid: 'a' }, 'application/json')).toEqual(['address'])
    expect(tokens({ sid: 'a' }, undefined, 'PUT')).toEqual(['address'])
  })
})
