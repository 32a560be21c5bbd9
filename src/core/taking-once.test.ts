// An entry that exactly one request may take: the return to a saved request, beside whatever else happens to the session.
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { watched, type Data } from '../../test/internal/watched.ts'
import { continuations } from '../continuations/index.ts'

/** A visitor who is about to come back to a saved request, at `url`. */
async function returning() {
  const made = watched({ continuations: continuations(), idleTimeout: '30 minutes' })
  const one = made.visitor()
  await one.visit((session) => session.set('n', 1))
  const { result: help } = await one.visit((session) => session.continuations.save({ to: '/help' }), { url: '/order' })
  const { result: url } = await one.visit((session) => session.continuations.return(), { url: help })
  const { result: id } = await one.visit((session) => session.id)
  made.forget()
  return { ...made, one, url, id }
}

describe('a return', () => {
  it('takes what waits for it in one patch of its own, and says so to nobody but its page', async () => {
    const { one, url, patches, told, id } = await returning()
    const { result } = await one.visit((session) => [session.continuations.arrived?.path, session.isChanged, session.continuations.has(new URL(url, 'http://shop.example').searchParams.get('r') ?? '')], { url })
    expect(result).toEqual(['/order', false, false])
    expect(patches).toEqual([{ tokenHash: expect.any(String), remove: [expect.stringMatching(/^c:/)], expect: [[expect.stringMatching(/^c:/), expect.any(String)]] }])
    expect(told('load', 'commit', 'continuation')).toEqual([['load', { id }], ['commit', { id }]])
  })

  it('is one request’s of two at once', async () => {
    const { one, url, held, told } = await returning()
    const point = held.hold('patch')
    const slow = one.begin({ url })
    await point.reached
    const quick = await one.begin({ url })
    point.release()
    expect([quick.session.continuations.arrived?.path, (await slow).session.continuations.arrived]).toEqual(['/order', undefined])
    expect(told('gone', 'conflict')).toEqual([])
  })

  it('is still taken when the session got an expiry of its own meanwhile', async () => {
    const { one, url, held, patches, advance, now } = await returning()
    advance(600)
    const point = held.hold('patch')
    const slow = one.begin({ url })
    await point.reached
    await one.visit((session) => session.expire('2 hours'))
    patches.length = 0
    point.release()
    const { session } = await slow
    expect([session.continuations.arrived?.path, session.expiresAt]).toEqual(['/order', now() + 7_200_000])
    expect(patches).toHaveLength(1)
  })

  it('is none when the session ends, or gets another token, before it', async () => {
    for (const act of ['revoke', 'regenerate'] as const) {
      const { one, url, held, sessions, id, told } = await returning()
      const { cookie } = one
      const point = held.hold('patch')
      const slow = one.begin({ url, headers: { cookie } })
      await point.reached
      if (act === 'revoke') await sessions.revoke(id)
      else await one.visit((session) => session.regenerate())
      point.release()
      const { session } = await slow
      expect([session.continuations.arrived, told('gone')]).toEqual([undefined, [['gone', { id }]]])
      session.set('n', 2)
      expect(await session.commit()).toBe('gone')
    }
  })

  it('is given up when the store says that others were faster, whatever is tried', async () => {
    const { one, url, elsewhere, store } = await returning()
    let attempts = 0
    const sessions = elsewhere({ store: { ...store, patch: async (id) => { attempts += 1; const record = await store.read(id); return record === undefined ? { status: 'gone' } : { status: 'conflict', record } } } })
    const { session } = await new Visitor<Data>(sessions, one.cookie).begin({ url })
    expect([session.continuations.arrived, attempts]).toEqual([undefined, 65])
  })

  it('comes with the load where sessions are loaded when somebody asks, once', async () => {
    const { one, url, elsewhere, told } = await returning()
    const { session } = await new Visitor<Data>(elsewhere({ load: 'lazy', continuations: continuations() }), one.cookie).begin({ url })
    await session.load()
    expect(session.continuations.arrived?.path).toBe('/order')
    await session.load()
    await session.load({ fresh: true })
    expect(session.continuations.arrived?.path).toBe('/order')
    expect(told('continuation')).toEqual([])
  })

  it('does not come a second time when the session is read again', async () => {
    const { one, url, told } = await returning()
    const { result } = await one.visit(async (session) => { await session.load({ fresh: true }); return session.continuations.arrived?.path }, { url })
    expect([result, told('continuation')]).toEqual(['/order', []])
  })

  it('moves the deadline when that is due', async () => {
    const { one, url, advance, now, patches } = await returning()
    advance(600)
    const { result } = await one.visit((session) => session.expiresAt, { url })
    expect([result, patches.length, patches[0]?.touchedAt]).toEqual([now() + 33 * 60_000, 1, now()])
  })

  it('counts as something stored, and what the page then writes is stored beside it', async () => {
    const { one, url, sessions, id } = await returning()
    await one.visit((session) => { session.set('n', 2) }, { url })
    expect((await sessions.load({ id }))?.get('n')).toBe(2)
    expect((await one.visit((session) => session.continuations.arrived, { url })).result).toBeUndefined()
  })
})
