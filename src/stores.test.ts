import { describe, expect, it } from 'vitest'
import { Visitor } from '../test/internal/visitor.ts'
import { createSessions } from './index.ts'
import { storeByName } from './stores.ts'

describe('storeByName', () => {
  it('makes the store that a configuration names, with the arguments of its factory', async () => {
    const sessions = createSessions({ store: storeByName('sqlite', ':memory:'), sweepEvery: 'never' })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.set('name', 'ada'))
    expect((await visitor.visit((session) => session.get('name'))).result).toBe('ada')
    await sessions.close()
    expect(storeByName('memory', { maxSessions: 10 })).toHaveProperty('read')
    expect(storeByName('null')).toHaveProperty('read')
  })

  it.each(['galactica', 'toString', '__proto__'])('refuses %s where it is made, and names those that there are', (name) => {
    // @ts-expect-error -- a name from a file is any text
    expect(() => storeByName(name)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_OPTION', message: expect.stringMatching(/The stores are cache, cookie, .*sqlite/) }))
  })
})
