import { describe, expect, it, vi } from 'vitest'
import { Events } from './events.ts'

describe('events', () => {
  it('are wanted while somebody listens', () => {
    const events = new Events()
    const seen: unknown[] = []
    expect(events.wants('load')).toBe(false)
    const stops = [events.on('load', (event) => { seen.push(['one', event]) }), events.on('load', (event) => { seen.push(['two', event]) })]
    expect([events.wants('load'), events.wants('create')]).toEqual([true, false])
    events.emit('load', { id: 'x' })
    stops[0]?.()
    events.emit('load', { id: 'y' })
    stops[1]?.()
    expect(events.wants('load')).toBe(false)
    expect(seen).toEqual([['one', { id: 'x' }], ['two', { id: 'x' }], ['two', { id: 'y' }]])
  })

  it('tell of a listener that fails, at once or later, but of none for errors', async () => {
    const events = new Events()
    const seen: unknown[] = []
    events.on('error', (event) => { seen.push(event); throw new Error('again') })
    events.on('load', () => { throw new Error('now') })
    events.on('create', async () => { throw new Error('later') })
    events.emit('load', {})
    events.emit('create', {})
    await vi.waitFor(() => { expect(seen).toHaveLength(2) })
    expect(seen).toEqual([{ reason: 'a listener of "load" threw', error: expect.objectContaining({ message: 'now' }) }, { reason: 'a listener of "create" threw', error: expect.objectContaining({ message: 'later' }) }])
  })
})
