import { describe, expect, it } from 'vitest'
import { watched } from '../../../test/internal/watched.ts'

describe('an indexed key', () => {
  it.each<[string, unknown, string | undefined]>([['text', 'x', undefined], ['a number', 1, undefined], ['true', true, undefined], ['a bigint', 1n, undefined], ['an object', {}, 'an object'], ['a list', [], 'an object']])('takes %s, or says what it is', async (_what, value, refused) => {
    const one = watched({ index: ['note'] }).visitor()
    const visit = one.visit((session) => Reflect.apply(session.set, session, ['note', value]))
    if (refused === undefined) await visit
    else await expect(visit).rejects.toMatchObject({ code: 'ERR_SESSION_VALUE', message: `The indexed key "note" holds ${refused}. Keep text, a number, a boolean or a bigint under it.` })
    expect(one.token === undefined).toBe(refused !== undefined)
  })
})
