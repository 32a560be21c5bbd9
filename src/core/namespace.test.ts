import { describe, expect, it } from 'vitest'
import { watched } from '../../test/internal/watched.ts'

const usage = (part: string): unknown => expect.objectContaining({ code: 'ERR_SESSION_USAGE', message: expect.stringContaining(part) })

describe('a namespace', () => {
  it('refuses a key that is no text, and is unchanged by it', async () => {
    await watched().visitor().visit((session) => {
      for (const key of [5, undefined, null, {}]) {
        expect(() => Reflect.apply(session.set, session, [key, 1])).toThrow(usage(`must be text, not ${typeof key}. `))
        expect(() => Reflect.apply(session.delete, session, [key])).toThrow(usage('must be text'))
      }
      expect([session.keys(), session.isChanged]).toEqual([[], false])
    })
  })

  it('of metadata names, for each key that belongs to the session, what changes it', async () => {
    const keepers = { owner: 'session.login(owner)', authenticatedAt: 'session.login(owner)', assurance: 'session.stepUp(assurance)', seal: 'security({ seal })', expires: 'session.expire(when)', binding: 'the option bind', incarnation: 'sessions.findOrCreate(key, value)', revokedAt: 'sessions.revokeAll(owner)' }
    await watched().visitor().visit((session) => {
      for (const [key, keeper] of Object.entries(keepers)) {
        for (const act of [() => session.metadata.set(key, 1), () => session.metadata.delete(key)]) expect(act).toThrow(usage(`The metadata "${key}" belongs to the session itself. Change it through ${keeper}.`))
      }
      session.metadata.set('device', 'phone')
    })
  })

  it('can be cleared: of metadata goes what the application keeps there, and nothing of the session', async () => {
    const one = watched().visitor()
    await one.visit(async (session) => { await session.login('ann'); session.metadata.set('device', 'phone'); session.namespace('a').set('x', 1); session.namespace('b').set('x', 2) })
    await one.visit((session) => { session.metadata.clear(); session.namespace('a').clear() })
    const { result } = await one.visit((session) => [session.owner, session.metadata.has('device'), session.metadata.keys().toSorted(), session.namespace('a').keys(), session.namespace('b').toObject()])
    expect(result).toEqual(['ann', false, ['authenticatedAt', 'owner'], [], { x: 2 }])
  })

  it('keeps a key until an instant, where that is asked for', async () => {
    const { visitor, advance, now } = watched()
    const one = visitor()
    await one.visit((session) => { expect(session.namespace('a').set('x', 1, { expiresAt: now() + 1000 })).toBe(1) })
    advance(0.999)
    expect((await one.visit((session) => session.namespace('a').entries())).result).toEqual([['x', 1]])
    advance(0.001)
    expect((await one.visit((session) => [session.namespace('a').entries(), session.namespace('a').has('x')])).result).toEqual([[], false])
  })
})
