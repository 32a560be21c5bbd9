import { describe, expect, it, vi } from 'vitest'
import { createSessions, memoryStore, type Sessions, type SweepRequest } from './index.ts'
import { sweepAfter } from './sweep-after.ts'

/** An application of whose sweeps each waits until it is let through. */
function held() {
  let now = 1_700_000_000_000
  const store = memoryStore()
  const sweeps: (() => void)[] = []
  const started = vi.fn()
  const watched = {
    read: store.read.bind(store), create: store.create.bind(store), patch: store.patch.bind(store), end: store.end.bind(store),
    async sweep(what: SweepRequest, limit: number) {
      started()
      await new Promise<void>((resolve) => { sweeps.push(resolve) })
      return store.sweep(what, limit)
    },
  }
  const sessions = createSessions({ store: watched, sweepEvery: 'never', idleTimeout: 60, clock: () => now })
  return { sessions, store, started, letThrough: () => sweeps.shift()?.(), advance: (seconds: number) => { now += seconds * 1000 } }
}

async function make(sessions: Sessions, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await sessions.create()
}

/** Everything that was to happen at once has happened. */
const settled = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 0) })

describe('sweepAfter', () => {
  it('deletes what has expired when so many new sessions were made, and not before', async () => {
    const { sessions, store, started, letThrough, advance } = held()
    sweepAfter(sessions, { created: 3 })
    await make(sessions, 2)
    advance(1000)
    await settled()
    expect([started.mock.calls.length, store.size]).toEqual([0, 2])
    await make(sessions, 1)
    expect(started).not.toHaveBeenCalled()
    await settled()
    letThrough()
    await settled()
    expect([started.mock.calls.length, store.size]).toEqual([1, 1])
    await sessions.close()
  })

  it('runs one sweep at a time, and no request waits for it', async () => {
    const { sessions, started, letThrough } = held()
    sweepAfter(sessions, { created: 2 })
    await make(sessions, 9)
    await settled()
    expect(started).toHaveBeenCalledTimes(1)
    letThrough()
    await settled()
    await make(sessions, 1)
    await settled()
    expect(started).toHaveBeenCalledTimes(2)
    letThrough()
    await sessions.close()
  })

  it('tells of a sweep that failed, and sweeps again', async () => {
    const store = memoryStore()
    vi.spyOn(store, 'sweep').mockImplementation(() => { throw new Error('the store is away') })
    const sessions = createSessions({ store, sweepEvery: 'never' })
    const errors: unknown[] = []
    sweepAfter(sessions, { created: 1, onError: (error) => { errors.push(error) } })
    await make(sessions, 1)
    await settled()
    await make(sessions, 1)
    await settled()
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_SESSION_STORE' }), expect.objectContaining({ code: 'ERR_SESSION_STORE' })])
    await sessions.close()
  })

  it('stops when it is told to', async () => {
    const { sessions, started } = held()
    const stop = sweepAfter(sessions, { created: 1 })
    stop()
    await make(sessions, 3)
    await settled()
    expect(started).not.toHaveBeenCalled()
    await sessions.close()
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses to sweep after %d sessions', (created) => {
    expect(() => sweepAfter(createSessions(), { created })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION' }))
  })
})
