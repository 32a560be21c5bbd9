import { expect } from 'vitest'
import { cookieTransport, type Session, type Sessions, type Transport } from '../../src/index.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { bearerTransport } from '../../src/transports/bearer.ts'
import { queryTransport } from '../../src/transports/query.ts'

/** How a token travels. */
export interface Way {
  readonly name: string
  transport(): Transport
  carry(token: string): { headers?: Record<string, string>; url?: string }
}

/** Every transport in the tree. */
export const ways: readonly Way[] = [
  { name: 'cookie', transport: () => cookieTransport({ name: 'sid' }), carry: (token) => ({ headers: { cookie: `sid=${token}` } }) },
  { name: 'bearer', transport: () => bearerTransport(), carry: (token) => ({ headers: { authorization: `Bearer ${token}` } }) },
  { name: 'query', transport: () => queryTransport({ name: 'sid' }), carry: (token) => ({ url: `/?sid=${token}` }) },
]

/** One request with a token or without, and the token that the visitor has after it. */
export async function request<Result>(sessions: Sessions, way: Way, token: string | undefined, handler: (session: Session) => Result | Promise<Result>) {
  const exchange = new TestExchange(token === undefined ? {} : way.carry(token))
  const session = await sessions.open(exchange)
  const result = await handler(session)
  const { token: handedOut } = session
  await sessions.finish(session)
  return { result, token: session.token ?? handedOut ?? token, setCookies: exchange.setCookies }
}

/** The nine requests of Plack's life of a session, asserted as they happen. */
export async function nineRequests(sessions: Sessions, way: Way): Promise<void> {
  const first = await request(sessions, way, undefined, (session) => {
    expect(session.get('foo')).toBeUndefined()
    expect(session.id).toMatch(/^[\w-]{22}$/)
    expect([session.set('foo', 'bar'), session.get('foo'), session.get('bar')]).toEqual(['bar', 'bar', undefined])
    session.set('bar', 'baz')
    expect(session.toObject()).toEqual({ foo: 'bar', bar: 'baz' })
    return session.id
  })
  const second = await request(sessions, way, undefined, (session) => {
    expect(session.id).not.toBe(first.result)
    expect(session.get('foo')).toBeUndefined()
    session.set('foo', 'baz')
    expect(session.toObject()).toEqual({ foo: 'baz' })
  })
  await request(sessions, way, first.token, (session) => {
    expect([session.id, session.get('foo')]).toEqual([first.result, 'bar'])
    session.delete('foo')
    expect([session.get('foo'), session.toObject()]).toEqual([undefined, { bar: 'baz' }])
  })
  await request(sessions, way, second.token, (session) => { expect(session.toObject()).toEqual({ foo: 'baz' }) })
  await request(sessions, way, first.token, (session) => { expect(session.toObject()).toEqual({ bar: 'baz' }) })
  const sixth = await request(sessions, way, first.token, async (session) => {
    expect(session.get('bar')).toBe('baz')
    await session.destroy()
    expect(session.toObject()).toEqual({})
  })
  if (way.name === 'cookie') expect(sixth.setCookies).toEqual([expect.stringMatching(/^sid=; Max-Age=0;.*Expires=Thu, 01 Jan 1970/)])
  await request(sessions, way, first.token, (session) => {
    expect(session.id).not.toBe(first.result)
    expect(session.toObject()).toEqual({})
  })
  await request(sessions, way, second.token, (session) => { expect(session.toObject()).toEqual({ foo: 'baz' }) })
  const ninth = await request(sessions, way, '../wrong', (session) => {
    expect([session.id === '../wrong', session.get('foo')]).toEqual([false, undefined])
    session.set('foo', 'baz')
    expect(session.toObject()).toEqual({ foo: 'baz' })
  })
  expect(ninth.token).not.toBe('../wrong')
}
