import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { faultsOf, page, table, type Memory, type Run } from '../bench/soak/report.ts'
import { emptyTally, Visitor, type Tally } from '../bench/soak/visitor.ts'
import { nodeSession } from '../src/adapters/node.ts'
import { createSessions } from '../src/index.ts'
import { listen } from './adapters/node-server.ts'

const MIB = 1_048_576

function run(changes: Partial<Tally>, heaps: readonly number[] = [20, 21, 21, 21], swept = 5): Run {
  const memory = heaps.map((heap): Memory => ({ heapUsed: heap * MIB, rss: 100 * MIB, swept }))
  return { store: 'sqlite', saturation: 100, seconds: 10, memory, tally: { ...emptyTally(), requests: 800, latencies: [1, 2, 3, 50], ...changes } }
}

describe('the soak test', () => {
  it('finds nothing wrong with a flat run', () => {
    expect(faultsOf(run({}))).toEqual([])
  })

  it.each<[string, Run]>([
    ['2 errors, the first: late', run({ errors: 2, firstError: 'late' })],
    ['1 acknowledged writes lost, the first: ada’s', run({ lost: 1, firstLoss: 'ada’s' })],
    ['3 logouts undone', run({ undone: 3 })],
    ['memory grows', run({}, [20, 21, 26, 31])],
    ['nothing was swept', run({}, [20, 21, 21, 21], 0)],
  ])('says: %s', (fault, one) => {
    expect(faultsOf(one)).toEqual([fault])
  })

  it('ends with a table', () => {
    expect(table([run({})]).split('\n').at(-1)).toBe('| sqlite | 100/s | 80/s | 800 | 0 | 0 | 5 | 0 | 0 | 0 | 3.0 ms | 50.0 ms | 20.0 21.0 21.0 21.0 |')
  })

  it('writes a page that says how it was made, and what went wrong if anything did', () => {
    const how = { together: true, date: '2026-11-22', node: '24.21.0', cores: 2 }
    expect(page([run({})], how)).toMatch(/2026-11-22 with Node 24\.21\.0 on 2 cores[^]*all stores at the same time[^]*\| sqlite \|[^]*No request failed/)
    expect(page([run({ lost: 1, firstLoss: 'ada’s' })], { ...how, together: false })).toMatch(/one store after the other[^]*What went wrong:\n\n- sqlite: 1 acknowledged writes lost/)
  })

  it.each([[false, 0, 0], [true, 1, 1]])('has visitors who notice what an application forgets (%s)', async (forgets, lost, undone) => {
    const sessions = createSessions({ cookie: { name: 'sid' }, sweepEvery: 'never' })
    const app = await listen(createServer(nodeSession(sessions, async ({ url = '' }, response, session) => {
      const [, action = '', value = ''] = url.split('/')
      if (action === 'login') await session.login(value)
      if (action === 'logout' && !forgets) await session.logout()
      // The value of the fourth request never comes.
      if (action === 'write' && !(forgets && value === '1.4')) session.set('value', value)
      response.end(`${session.owner ?? 'nobody'} ${String(session.get('value') ?? '')}`)
    })))
    try {
      const tally = emptyTally()
      const visitor = new Visitor(app.origin, 0)
      for (let n = 0; n < 14; n += 1) await visitor.next(tally, performance.now())
      expect([tally.lost, tally.undone, tally.logins]).toEqual([lost, undone, forgets ? 3 : 2])
    } finally {
      await app.close()
    }
  })
})
