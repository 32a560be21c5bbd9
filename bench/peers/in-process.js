// npm run bench:in-process: what single operations take and allocate, without any server (mitata). Read the ratios, not the figures.
import { bench, do_not_optimize, group, run } from 'mitata'
import { standardCodec } from '../../src/core/codec.ts'
import { cookieValues } from '../../src/core/internal/cookie-values.ts'
import { createSessions, memoryStore } from '../../src/index.ts'

/** The cheapest exchange there can be. */
class Exchange {
  headSent = false
  secure = false
  method = 'GET'
  url = '/'
  port = 80
  #cookie
  response = {}

  constructor(cookie) { this.#cookie = cookie }
  header(name) { return name === 'cookie' ? this.#cookie : undefined }
  responseHeader(name) { return this.response[name] }
  setResponseHeader(name, value) { this.response[name] = value }
  appendResponseHeader(name, value) { this.response[name] = value }
}

const sessions = createSessions({ store: memoryStore({ maxSessions: Infinity }), cookie: { name: 'sid' }, sweepEvery: 'never' })

async function visitor(length) {
  const exchange = new Exchange('')
  const session = await sessions.open(exchange)
  for (let n = 0; n < 8; n += 1) session.set(`key${n}`, `${n}`.repeat(length))
  await sessions.finish(session)
  return exchange.response['Set-Cookie'].split(';')[0]
}

function visit(cookie, handler) {
  const session = sessions.open(new Exchange(cookie))
  const result = handler(session)
  sessions.finish(session)
  return result
}

// A thousand visitors in turn, so that nothing of one is still at hand for the next.
const small = await Promise.all(Array.from({ length: 1000 }, () => visitor(120)))
const large = await Promise.all(Array.from({ length: 1000 }, () => visitor(1200)))
let turn = 0
const next = (cookies) => cookies[(turn += 1) % cookies.length]
const value = { items: [{ id: 1, name: 'green tea' }, { id: 2, name: 'plum jam' }], total: 12.5 }
const text = standardCodec.encode(value, { id: 'id', key: 'd:cart' })
const header = `theme=dark; ${small[0]}; other=1`

group('a request', () => {
  bench('anonymous: open + close', () => visit('', () => undefined))
  bench('open + get + close', () => do_not_optimize(visit(next(small), (session) => session.get('key3'))))
  bench('open + get + close, 10 × as large', () => do_not_optimize(visit(next(large), (session) => session.get('key3').length)))
  bench('set + commit', () => visit(next(small), (session) => { session.set('key3', turn) }))
  bench('set + commit, 10 × as large', () => visit(next(large), (session) => { session.set('key3', turn) }))
})

group('parts', () => {
  bench('codec: encode', () => do_not_optimize(standardCodec.encode(value, { id: 'id', key: 'd:cart' })))
  bench('codec: decode', () => do_not_optimize(standardCodec.decode(text, { id: 'id', key: 'd:cart' })))
  bench('cookie: parse', () => do_not_optimize(cookieValues(header, 'sid')))
})

group('identity', () => {
  let cookie = small[0]
  bench('regenerate', async () => {
    const exchange = new Exchange(cookie)
    const session = await sessions.open(exchange)
    await session.regenerate()
    await sessions.finish(session)
    cookie = exchange.response['Set-Cookie'].split(';')[0]
  })
})

await run()
