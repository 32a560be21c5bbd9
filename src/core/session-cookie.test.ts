import { describe, expect, it } from 'vitest'
import { watched } from '../../test/internal/watched.ts'

describe('the cookie of a response', () => {
  it('has its name where there is a response, and none apart from requests', async () => {
    const { sessions, visitor } = watched()
    await visitor().visit((session) => { expect([session.cookie.name, session.cookie === session.cookie]).toEqual(['__Host-sid', true]) })
    expect((await sessions.create()).cookie.name).toBeUndefined()
  })

  it('cannot be changed once the head has left', async () => {
    const one = watched().visitor()
    await one.visit((session) => session.set('n', 1))
    const { session, exchange } = await one.begin()
    exchange.headSent = true
    expect(() => session.cookie.set({ maxAge: 60 })).toThrow(expect.objectContaining({ code: 'ERR_SESSION_LATE', message: expect.stringContaining('change the cookie') }))
    const detached = (await watched().sessions.create()).cookie
    expect(() => detached.set({ maxAge: 60 })).not.toThrow()
    expect(() => detached.set({ path: 'x' })).toThrow(/Begin it with a slash/)
  })
})
