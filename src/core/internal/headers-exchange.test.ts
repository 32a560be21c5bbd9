import { describe, expect, it } from 'vitest'
import { headersExchange } from './headers-exchange.ts'

describe('an exchange of headers', () => {
  it('reads them by name, joins several as HTTP does, and can be written without effect', () => {
    const exchange = headersExchange({ cookie: ['a=1', 'b=2'], accept: ['x', 'y'], one: 'z', none: undefined })
    expect(['cookie', 'accept', 'one', 'none', 'other'].map((name) => exchange.header(name))).toEqual(['a=1; b=2', 'x, y', 'z', undefined, undefined])
    const fetched = headersExchange(new Headers({ cookie: 'a=1' }))
    expect([fetched.header('cookie'), fetched.header('other')]).toEqual(['a=1', undefined])
    exchange.setResponseHeader('x', 'y')
    exchange.appendResponseHeader('x', 'y')
    expect([exchange.method, exchange.url, exchange.secure, exchange.port, exchange.responseHeader('x'), exchange.headSent, exchange.request]).toEqual(['GET', '/', undefined, undefined, undefined, true, undefined])
  })
})
