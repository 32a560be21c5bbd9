// The texts in which the four systems write an expiry: the cases X-… of cases.json. The whole grammar is in src/core/duration.test.ts.
import { describe, expect, it } from 'vitest'
import { createSessions, SessionError } from '../../src/index.ts'
import { application, T0 } from './seed.ts'

/** When a session ends that was given this expiry at T0, by the record that the store holds. */
async function storedExpiry(when: number | string): Promise<number | undefined> {
  const { client, store } = application()
  const { result: id } = await client().send((session) => { session.expire(when); return session.id })
  return (await store.read(id))?.expiresAt
}

describe('at Tue 15 Jun 2010 00:00:00 GMT', () => {
  it.each([['X-01', 42, 42], ['X-01', '42', 42], ['X-04', '1 hour', 3600]])('%s %j is %d seconds from now', async (_id, text, seconds) => {
    expect(await storedExpiry(text)).toBe(T0 + seconds * 1000)
  })

  it('X-05 a sum of units is on the wire as the instant that it leads to', async () => {
    const text = '3 weeks 4 days 2 hours 99 min 0 secs'
    expect(new Date(await storedExpiry(text) ?? 0).toUTCString()).toBe('Sat, 10 Jul 2010 03:39:00 GMT')
    const { client } = application({ cookie: { name: 'sid', expires: text } })
    expect((await client().send((session) => session.set('x', 1))).setCookies).toEqual([expect.stringContaining('; Expires=Sat, 10 Jul 2010 03:39:00 GMT;')])
  })

  it.each([
    ['X-12', '5 fortnights'], ['X-12', 'bogus'], ['X-12', '1h junk'], ['X-12', ''], ['X-12', '1e3'], ['X-13', '1H'], ['X-13', '1D'],
  ])('%s %j throws at configuration and is quoted', (_id, text) => {
    for (const options of [{ idleTimeout: text }, { absoluteTimeout: text }, { cookie: { maxAge: text } }, { cookie: { expires: text } }]) {
      expect(() => createSessions({ ...options, sweepEvery: 'never' })).toThrow(SessionError)
      expect(() => createSessions({ ...options, sweepEvery: 'never' })).toThrow(JSON.stringify(text))
    }
  })
})
