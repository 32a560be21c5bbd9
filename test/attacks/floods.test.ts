import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../src/index.ts'
import { cookieOf, post, startSite } from './site.ts'

interface Report {
  /** Bytes of heap, after a collection, that the second half of the flood has added. */
  readonly grown: number
  readonly stored: number
  readonly readsEach: number
  readonly events: number
}

function flood(kind: string, count: number): Report {
  const script = fileURLToPath(new URL('flood.ts', import.meta.url))
  return JSON.parse(execFileSync(process.execPath, ['--expose-gc', '--conditions=sojourn:source', '--disable-warning=ExperimentalWarning', script, kind, String(count)], { encoding: 'utf8' }))
}

// What a measurement of the heap varies by; one remembered thing for each request would be more.
const NOISE = 256 * 1024

describe('memory exhaustion', () => {
  it.each([
    ['anonymous', 20_000, 0], ['unknown tokens', 20_000, 1], ['malformed tokens', 20_000, 0], ['cookies of 1 MB', 200, 0], ['1 MB of cookies of our name', 40, 0],
  ])('by a flood of %s: nothing is stored and nothing remembered', (kind, count, readsEach) => {
    const report = flood(kind, count)
    expect(report).toMatchObject({ stored: 0, readsEach })
    expect(report.grown).toBeLessThan(NOISE)
  })

  it('by visitors who each make a session: the store stays within its bound', () => {
    const { stored, grown } = flood('sessions without an end', 20_000)
    expect(stored).toBe(1000)
    expect(grown).toBeLessThan(NOISE)
  })

  it('over the wire by cookies of 1 MB: Node refuses them, and the next visitor is served', async () => {
    const store = memoryStore()
    const { ask, close } = await startSite({ store })
    const own = cookieOf(await ask('/set', post({ a: 1 })))
    for (let n = 0; n < 20; n += 1) {
      // The server answers 431 and hangs up while we are still sending, which we may see as a broken connection.
      const status = await ask('/get', { cookie: `sid=${'x'.repeat(1024 * 1024)}` }).then((answer) => answer.status, () => 431)
      expect(status).toBe(431)
    }
    expect((await ask('/get', { cookie: own })).body).toContain('"a":1')
    expect(store.size).toBe(1)
    await close()
  })

  it('over the wire by as many cookies as a header takes: four are tried', async () => {
    const store = memoryStore()
    const reads = vi.spyOn(store, 'read')
    const { ask, close } = await startSite({ store })
    const tokens = Array.from({ length: 200 }, (_, n) => `sid=${String(n).padStart(22, 'A')}.${'B'.repeat(43)}`)
    expect((await ask('/get', { cookie: tokens.join('; ') })).status).toBe(200)
    expect(reads).toHaveBeenCalledTimes(4)
    await close()
  })

  it('by a session that grows with every request: its size is limited', async () => {
    const { ask, close } = await startSite({ maxSessionBytes: 4096 })
    let cookie = cookieOf(await ask('/set', post({ a: 1 })))
    const statuses: number[] = []
    for (let n = 0; n < 10; n += 1) statuses.push((await ask('/set', post({ [`key${n}`]: 'x'.repeat(1000) }, cookie))).status)
    expect(statuses.slice(0, 3)).toEqual([200, 200, 200])
    expect(statuses.slice(4)).toEqual([500, 500, 500, 500, 500, 500])
    cookie ??= ''
    expect((await ask('/get', { cookie })).body.length).toBeLessThan(4200)
    await close()
  })
})
