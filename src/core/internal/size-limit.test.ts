import { describe, expect, it } from 'vitest'
import { watched } from '../../../test/internal/watched.ts'

describe('a session too large', () => {
  it('is told with its size in bytes and its three biggest keys, in order', async () => {
    const one = watched({ maxSessionBytes: 1024 }).visitor()
    const visit = one.visit((session) => { session.set('n', 1); session.set('note', 'ä'.repeat(300)); session.set('list', ['x'.repeat(500)]); session.namespace('a').set('b', 'y'.repeat(100)) })
    await expect(visit).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE', message: `The session would have ${4 + (6 + 602) + (6 + 504) + (5 + 102)} bytes, and 1024 are allowed; the biggest keys are "note" (608 bytes), "list" (510 bytes), "a:b" (107 bytes). Keep less in it, or raise maxSessionBytes.` })
  })

  it('by one byte is refused, and one that fits is not', async () => {
    for (const [length, fits] of [[1024 - 6 - 2, true], [1024 - 6 - 1, false]] as const) {
      const visit = watched({ maxSessionBytes: 1024 }).visitor().visit((session) => session.set('note', 'x'.repeat(length)))
      if (fits) await visit
      else await expect(visit).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' })
    }
  })

  it('is measured after what the same commit takes out of it, and what it replaces', async () => {
    const one = watched({ maxSessionBytes: 1024 }).visitor()
    await one.visit((session) => session.set('note', 'x'.repeat(900)))
    await one.visit((session) => { session.delete('note'); session.set('list', ['x'.repeat(900)]); session.delete('userId') })
    await one.visit((session) => session.set('list', ['y'.repeat(1000)]))
    await expect(one.visit((session) => { session.set('n', 123456789012); session.delete('note') })).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE', message: expect.stringMatching(/have 1\d\d\d bytes.* are "list" \(1010 bytes\), "n" \(15 bytes\)\./) })
  })
})
