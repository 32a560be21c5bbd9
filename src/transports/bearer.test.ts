import { describe, expect, it } from 'vitest'
import { createSessions } from '../index.ts'
import { TestExchange } from '../testing/exchange.ts'
import { bearerTransport, type BearerOptions } from './bearer.ts'
import { cookieTransport } from './cookie.ts'

function request(headers: Record<string, string> = {}): TestExchange {
  return new TestExchange({ headers })
}

async function handedOut(options: BearerOptions = {}) {
  const sessions = createSessions<{ name: string }>({ transport: bearerTransport(options), sweepEvery: 'never' })
  const exchange = request()
  const session = await sessions.open(exchange)
  session.set('name', 'ada')
  await sessions.finish(session)
  return { sessions, exchange, token: exchange.responseHeader(options.responseHeader ?? 'Session-Token') ?? '', id: session.id }
}

describe('the bearer transport', () => {
  it('hands a new token out once, and takes it back in the Authorization header', async () => {
    const { sessions, token, exchange } = await handedOut()
    expect(token).toMatch(/^[\w-]{22}\.[\w-]{43}$/)
    expect([exchange.setCookies, exchange.responseHeader('cache-control'), exchange.responseHeader('vary')]).toEqual([[], 'no-store', 'Authorization'])
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const again = request({ authorization: `${scheme} ${token}` })
      const session = await sessions.open(again)
      expect(session.get('name')).toBe('ada')
      session.set('name', 'bob')
      await sessions.finish(session)
      expect(again.responseHeader('session-token')).toBeUndefined()
      session.set('name', 'ada')
      await session.commit()
    }
  })

  it('hands out the new token of a login', async () => {
    const { sessions, token } = await handedOut()
    const exchange = request({ authorization: `Bearer ${token}` })
    const session = await sessions.open(exchange)
    await session.login('ada')
    await sessions.finish(session)
    expect(exchange.responseHeader('session-token')).toMatch(/^[\w-]{22}\.[\w-]{43}$/)
    expect(exchange.responseHeader('session-token')).not.toBe(token)
  })

  it('leaves other schemes to others', async () => {
    const { sessions } = await handedOut()
    const seen: unknown[] = []
    sessions.on('unknown-token', (event) => { seen.push(event) })
    for (const authorization of ['Basic dXNlcg==', 'Bearer', 'Bearer ', '']) expect((await sessions.open(request({ authorization }))).isNew).toBe(true)
    expect(seen).toEqual([])
    expect((await sessions.open(request({ authorization: 'Bearer nonsense' }))).isNew).toBe(true)
    expect(seen).toEqual([{ reason: 'malformed' }])
  })

  it('can use a header of its own', async () => {
    const { sessions, token } = await handedOut({ header: 'X-Session', responseHeader: 'X-New-Session' })
    expect((await sessions.open(request({ 'x-session': token }))).get('name')).toBe('ada')
  })

  it('stands beside the cookie: the one that fits is used, and keeps its way of travelling', async () => {
    const sessions = createSessions<{ name: string }>({ transport: [cookieTransport(), bearerTransport()], sweepEvery: 'never' })
    const session = await sessions.create()
    const exchange = request({ authorization: `Bearer ${session.token}`, cookie: '__Host-sid=junk' })
    const opened = await sessions.open(exchange)
    expect(opened.id).toBe(session.id)
    await opened.regenerate()
    await sessions.finish(opened)
    expect([exchange.setCookies, exchange.responseHeader('session-token') !== undefined]).toEqual([[], true])
    const anonymous = request()
    const fresh = await sessions.open(anonymous)
    fresh.set('name', 'x')
    await sessions.finish(fresh)
    expect(anonymous.setCookies).toHaveLength(1)
  })

  it('refuses what is no header', () => {
    expect(() => bearerTransport({ header: 'a b' })).toThrow(/X-Session/)
    expect(() => bearerTransport({ responseHeader: 'a\r\nb' })).toThrow(/header/)
    // @ts-expect-error -- a typing mistake in JavaScript
    expect(() => bearerTransport({ name: 'x' })).toThrow(/no setting "name"/)
  })
})
