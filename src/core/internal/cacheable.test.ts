import { describe, expect, it } from 'vitest'
import { TestExchange } from '../../testing/exchange.ts'
import { isPubliclyCacheable, mayBeShared, vary } from './cacheable.ts'

const NOW = Date.UTC(2026, 0, 1)

describe('a response is public', () => {
  const answer = (headers: Record<string, string>): TestExchange => {
    const exchange = new TestExchange()
    for (const [name, value] of Object.entries(headers)) exchange.setResponseHeader(name, value)
    return exchange
  }

  it.each<[Record<string, string>, boolean, boolean]>([
    [{}, false, true],
    [{ 'cache-control': 'public' }, true, true],
    [{ 'cache-control': 'PUBLIC, max-age=60' }, true, true],
    [{ 'cache-control': 'public, max-age=0' }, false, true],
    [{ 'cache-control': 'public, max-age=01' }, true, true],
    [{ 'cache-control': 's-maxage=1' }, true, true],
    [{ 'cache-control': 's-maxage=0' }, false, false],
    [{ 'cache-control': 'public, s-maxage=0' }, true, true],
    [{ 'cache-control': 'private, s-maxage=60' }, false, false],
    [{ 'cache-control': 'public, no-store' }, false, true],
    [{ 'cache-control': 'max-age=60' }, false, false],
    [{ 'cache-control': 'no-cache' }, false, false],
    [{ expires: 'Fri, 01 Jan 2038 00:00:00 GMT' }, true, true],
    [{ expires: 'Thu, 01 Jan 2026 00:00:00 GMT' }, false, true],
    [{ expires: 'Thu, 01 Jan 2026 00:00:01 GMT' }, true, true],
    [{ expires: 'never' }, false, true],
    [{ expires: 'Fri, 01 Jan 2038 00:00:00 GMT', 'cache-control': 'max-age=60' }, false, false],
    [{ expires: 'Fri, 01 Jan 2038 00:00:00 GMT', 'cache-control': 'no-cache' }, false, false],
    [{ expires: 'Fri, 01 Jan 2038 00:00:00 GMT', 'cache-control': 'must-revalidate' }, true, true],
    [{ 'cache-control': 'x-public' }, true, true],
  ])('with %o: %s, and may be shared: %s', (headers, isPublic, isShared) => {
    expect([isPubliclyCacheable(answer(headers), NOW), mayBeShared(answer(headers), NOW)]).toEqual([isPublic, isShared])
  })

  it.each([[undefined, 'Cookie'], ['', 'Cookie'], ['Accept', 'Accept, Cookie'], ['accept, COOKIE', 'accept, COOKIE'], ['*', '*'], ['Accept,cookie ', 'Accept,cookie '], ['X-Cookie', 'X-Cookie, Cookie']])('and its Vary %j becomes %j', (before, after) => {
    const exchange = answer({})
    if (before !== undefined) exchange.setResponseHeader('Vary', before)
    vary(exchange, 'Cookie')
    expect(exchange.responseHeader('vary')).toBe(after.trim())
  })
})
