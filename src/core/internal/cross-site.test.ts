import { describe, expect, it } from 'vitest'
import { TestExchange } from '../../testing/exchange.ts'
import { isFromElsewhere } from './cross-site.ts'

describe('a page elsewhere', () => {
  const https = 'https://shop.example'
  it.each<[string, string, Record<string, string>, boolean]>([
    ['a read', 'GET', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, false],
    ['a HEAD', 'HEAD', { 'sec-fetch-site': 'cross-site' }, false],
    ['an OPTIONS', 'OPTIONS', { 'sec-fetch-site': 'cross-site' }, false],
    ['a TRACE', 'TRACE', { 'sec-fetch-site': 'cross-site' }, false],
    ['a socket that it opens', 'GET', { upgrade: 'WebSocket', 'sec-fetch-site': 'cross-site' }, true],
    ['another upgrade', 'GET', { upgrade: 'h2c', 'sec-fetch-site': 'cross-site' }, false],
    ['a form', 'POST', { 'sec-fetch-site': 'cross-site' }, true],
    ['a sibling’s form', 'POST', { 'sec-fetch-site': 'same-site', origin: https, host: 'shop.example' }, true],
    ['our own form', 'POST', { 'sec-fetch-site': 'same-origin' }, false],
    ['the address line', 'POST', { 'sec-fetch-site': 'none' }, false],
    ['no browser', 'POST', {}, false],
    ['a host that is none', 'POST', { origin: https, host: '[' }, true],
    ['a trusted origin', 'POST', { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' }, false],
    ['our own origin of an old browser', 'POST', { origin: https, host: 'shop.example' }, false],
    ['our own origin with its port', 'POST', { origin: https, host: 'shop.example:443' }, false],
    ['our own name in capitals', 'POST', { origin: https, host: 'SHOP.example' }, false],
    ['another port', 'POST', { origin: https, host: 'shop.example:8443' }, true],
    ['another origin of an old browser', 'POST', { origin: 'https://evil.example', host: 'shop.example' }, true],
    ['our host over plain http', 'POST', { origin: 'http://shop.example', host: 'shop.example' }, true],
    ['a sandboxed frame', 'POST', { origin: 'null', host: 'shop.example' }, true],
    ['an origin without our host', 'POST', { origin: https }, true],
    ['our host over HTTP/2', 'POST', { origin: https, ':authority': 'shop.example' }, false],
  ])('%s: %s with %o is from elsewhere: %s', (_what, method, headers, expected) => {
    expect(isFromElsewhere(new TestExchange({ method, headers }), ['https://app.example'])).toBe(expected)
  })

  it('is told by the host that the framework gives, and is ours over http where no https is seen', () => {
    const exchange = Object.assign(new TestExchange({ method: 'POST', headers: { origin: https, host: 'inner' } }), { host: 'shop.example' })
    expect(isFromElsewhere(exchange)).toBe(false)
    expect(isFromElsewhere(new TestExchange({ method: 'POST', secure: false, headers: { origin: 'http://shop.example', host: 'shop.example' } }))).toBe(false)
    expect(isFromElsewhere(new TestExchange({ method: 'POST', secure: false, headers: { origin: https, host: 'shop.example' } }))).toBe(false)
  })
})
