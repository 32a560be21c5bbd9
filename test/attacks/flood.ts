import { createSessions, memoryStore } from '../../src/index.ts'
import { TestExchange } from '../../src/testing/exchange.ts'

// Started by a test with --expose-gc: sends a flood, and prints by how much the heap had grown after a collection, halfway and
// at the end, and how many sessions the store holds.

const COOKIES: Readonly<Record<string, (n: number) => string | undefined>> = {
  anonymous: () => undefined,
  'unknown tokens': (n) => `sid=${String(n).padStart(22, 'A')}.${'B'.repeat(43)}`,
  'malformed tokens': (n) => `sid=${n}${'x'.repeat(200)}`,
  'cookies of 1 MB': (n) => `sid=${n}${'x'.repeat(1024 * 1024)}`,
  '1 MB of cookies of our name': (n) => `sid=${n}; `.repeat(100_000),
  'sessions without an end': () => undefined,
}

const [flood = '', count = ''] = process.argv.slice(2)
const cookieOf = COOKIES[flood]
if (cookieOf === undefined) throw new RangeError(`there is no flood ${flood}`)

const store = memoryStore({ maxSessions: 1000 })
let reads = 0
let events = 0
const read = store.read.bind(store)
store.read = (id) => {
  reads += 1
  return read(id)
}
const sessions = createSessions<{ a: string }>({ store, cookie: { name: 'sid' } })
for (const name of ['unknown-token', 'guessing'] as const) sessions.on(name, () => { events += 1 })

function heap(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function send(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    const cookie = cookieOf?.(n)
    const exchange = new TestExchange(cookie === undefined ? {} : { headers: { cookie } })
    const session = await sessions.open(exchange)
    session.get('a')
    if (flood === 'sessions without an end') session.set('a', 'x'.repeat(100))
    await sessions.finish(session)
  }
}

const half = Number(count) / 2
await send(0, half)
const before = heap()
const readsBefore = reads
await send(half, half * 2)
console.log(JSON.stringify({ grown: heap() - before, stored: store.size, readsEach: (reads - readsBefore) / half, events }))
await sessions.close()
