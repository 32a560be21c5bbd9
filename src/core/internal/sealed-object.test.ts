import { describe, expect, it } from 'vitest'
import { watched } from '../../../test/internal/watched.ts'

describe('a session itself', () => {
  it('refuses any other property, in words that name what to write, and is no promise', async () => {
    await watched().visitor().visit(async (session) => {
      expect(() => Reflect.set(session, 'x'.repeat(80), 1)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_USAGE', message: `A session has no property "${'x'.repeat(60)}". Write session.set("${'x'.repeat(60)}", value), or session.data["${'x'.repeat(60)}"] = value.` }))
      expect(() => Reflect.set(session, Symbol('y'), 1)).toThrow(/Symbol\(y\)/)
      expect(['then' in session, Reflect.get(session, 'then'), await session === session]).toEqual([true, undefined, true])
    })
  })
})
