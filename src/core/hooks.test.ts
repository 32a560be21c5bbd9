import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { createSessions, type SessionsOptions } from '../index.ts'
import { memoryStore } from '../stores/memory.ts'
import { isSessionError } from './errors.ts'
import { BINDING } from './internal/namespaces.ts'
import type { StartHook } from './options.ts'

interface Data {
  count: number
  name: string
}

const manage = (options: SessionsOptions<Data>) => createSessions<Data>({ sweepEvery: 'never', ...options })

describe('onStart', () => {
  it('is called once for each new visitor, with a session that can be written', async () => {
    let calls = 0
    const onStart = [
      (session: { set(key: 'count', value: number): unknown }) => { session.set('count', 100) },
      async () => { calls += 1 },
    ]
    const sessions = manage({ onStart })
    const visitors = [1, 2, 3].map(() => new Visitor(sessions))
    for (const visitor of visitors) await visitor.visit((session) => session.set('name', 'x'))
    for (const visitor of visitors) await visitor.visit((session) => session.set('name', 'y'))
    expect(calls).toBe(3)
    expect((await visitors[0]?.visit((session) => session.toObject()))?.result).toEqual({ name: 'y', count: 100 })
    expect(sessions.onStart).toBe(onStart)
    await new Visitor(sessions).visit((session) => session.get('name'))
    expect(calls).toBe(3)
  })

  it('sets what is stored with the session, in one record, also when each write is committed at once', async () => {
    const store = memoryStore()
    const visitor = new Visitor(manage({ store, commit: 'immediate', onStart: async (session) => { session.set('count', 100) } }))
    await visitor.visit((session) => { session.isChanged = true })
    expect(store.size).toBe(1)
    expect((await visitor.visit((session) => session.get('count'))).result).toBe(100)
  })

  it('is called for sessions apart from requests, and for the one after an end', async () => {
    let calls = 0
    const sessions = manage({ onStart: () => { calls += 1 } })
    await sessions.create()
    expect(calls).toBe(1)
  })
})

describe('a session that is being started', () => {
  it('refuses at once what would wait for itself', async () => {
    const refused: unknown[] = []
    const onStart: StartHook<Data> = async (session) => {
      session.set('count', 1)
      for (const ask of [() => session.commit(), () => session.update('count', (n = 0) => n + 1), () => session.login('anna'), () => session.destroy()]) {
        refused.push(await ask().then(() => undefined, (error: unknown) => isSessionError(error, 'ERR_SESSION_USAGE')))
      }
    }
    const visitor = new Visitor(manage({ onStart }))
    await visitor.visit((session) => session.set('name', 'x'))
    expect(refused).toEqual([true, true, true, true])
    expect((await visitor.visit((session) => session.toObject())).result).toEqual({ name: 'x', count: 1 })
  })

  it('is bound with the first thing that is stored, even when that is one key', async () => {
    const store = memoryStore()
    const sessions = manage({ store, bind: 'user-agent' })
    const visitor = new Visitor(sessions)
    const request = await visitor.begin({ headers: { 'user-agent': 'one' } })
    await request.session.update('count', (n = 0) => n + 1)
    expect(Object.keys((await store.read(request.session.id))?.entries ?? {}).toSorted()).toEqual(['d:count', BINDING])
  })
})

describe('onAccess', () => {
  it('is told at the end of every request whether something was stored', async () => {
    const seen: unknown[] = []
    const sessions = manage({ onAccess: (session, { stored }) => { seen.push([session.isNew, stored]) } })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.get('count'))
    await visitor.visit((session) => session.set('count', 1))
    await visitor.visit((session) => session.get('count'))
    await visitor.visit((session) => { session.set('count', 2); session.isChanged = false })
    await visitor.visit((session) => session.update('count', (n = 0) => n + 1))
    expect(seen).toEqual([[true, false], [true, true], [false, false], [false, false], [false, true]])
  })
})

describe('a failing onAccess', () => {
  it('fails the request, whose error still carries the cookie of a login', async () => {
    const sessions = manage({ onAccess: () => { throw new Error('hook') } })
    const request = await new Visitor(sessions).begin()
    await request.session.login('ada')
    await expect(request.finish()).rejects.toThrow('hook')
    expect(await request.finish({ failed: true })).toHaveLength(1)
  })

  it('does not take the place of the error that is being answered', async () => {
    const sessions = manage({ onAccess: async () => { throw new Error('hook') } })
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => { errors.push(error) })
    const request = await new Visitor(sessions).begin()
    await request.session.login('ada')
    expect(await request.finish({ failed: true })).toHaveLength(1)
    expect(errors).toEqual([expect.objectContaining({ message: 'hook' })])
  })
})

describe('commit', () => {
  it('immediate stores at each write', async () => {
    const store = memoryStore()
    const visitor = new Visitor(manage({ store, commit: 'immediate' }))
    await visitor.visit((session) => session.set('count', 1))
    const request = await visitor.begin()
    request.session.set('count', 2)
    expect((await store.read(request.session.id))?.entries['d:count']).toBe('2')
    await request.finish({ failed: true })
    expect((await visitor.visit((session) => session.get('count'))).result).toBe(2)
  })

  it('manual stores when the handler says so, and not otherwise', async () => {
    const visitor = new Visitor(manage({ commit: 'manual' }))
    expect((await visitor.visit((session) => session.set('count', 1))).setCookies).toEqual([])
    expect((await visitor.visit(async (session) => { session.set('count', 1); await session.commit() })).setCookies).toHaveLength(1)
    await visitor.visit((session) => session.set('count', 2))
    expect((await visitor.visit((session) => session.get('count'))).result).toBe(1)
  })
})

describe('onThrow', () => {
  it.each([['discard', 1], ['keep', 2]] as const)('%s leaves the count at %i', async (onThrow, expected) => {
    const visitor = new Visitor(manage({ onThrow }))
    await visitor.visit((session) => session.set('count', 1))
    const request = await visitor.begin()
    request.session.set('count', 2)
    await request.finish({ status: 500, failed: true })
    expect((await visitor.visit((session) => session.get('count'))).result).toBe(expected)
  })
})

describe('bind', () => {
  it('ends a session that comes from elsewhere, and says so', async () => {
    const sessions = manage({ bind: 'user-agent' })
    const visitor = new Visitor(sessions)
    const from = (agent: string) => ({ headers: { 'user-agent': agent } })
    await visitor.visit((session) => session.set('count', 1), from('Firefox'))
    expect((await visitor.visit((session) => session.get('count'), from('Firefox'))).result).toBe(1)
    const thief = new Visitor(sessions, visitor.cookie)
    const { result, setCookies } = await thief.visit((session) => [session.get('count'), session.endedBecause], from('curl'))
    expect([result, setCookies]).toEqual([[undefined, 'bound-elsewhere'], []])
    expect((await visitor.visit((session) => session.get('count'), from('Firefox'))).result).toBeUndefined()
  })
})
