// What each method does, by what has become of the session: absent, ended, gone, superseded, released, degraded, not loaded.
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { headerTransport, watched, type Data, type Watched } from '../../test/internal/watched.ts'
import type { Session, SessionsOptions } from '../index.ts'
import { hashSecret } from './token.ts'

/** A visitor who has a session with `n: 1`. */
async function customer(options: SessionsOptions<Data> = {}): Promise<Watched & { readonly one: Visitor<Data>; readonly id: string }> {
  const all = watched(options)
  const one = all.visitor()
  const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
  all.forget()
  return { ...all, one, id }
}

/** A request whose session another request has ended, and that knows of it. */
async function gone(options: SessionsOptions<Data> = {}) {
  const all = await customer(options)
  const request = await all.one.begin()
  await all.sessions.revoke(all.id)
  request.session.set('n', 2)
  expect(await request.session.commit()).toBe('gone')
  all.forget()
  return { ...all, ...request }
}

/** A request that came with the token of before a rotation. */
async function superseded() {
  const all = await customer()
  const { cookie } = all.one
  await all.one.visit((session) => session.regenerate())
  all.forget()
  return { ...all, cookie, ...(await all.visitor(cookie).begin()) }
}

describe('a session of nobody', () => {
  it('has nothing to commit, to rotate, or to end, and stays one that a write begins', async () => {
    const all = watched()
    const { result, setCookies } = await all.visitor().visit(async (session) => {
      const { id } = session
      const answers = [await session.commit(), await session.regenerate(), await session.revokeOthers(), await session.stepUp(2)]
      session.set('n', 1)
      await session.destroy()
      return [...answers, session.get('n'), session.isChanged, session.isNew, session.createdAt, session.expiresAt, session.endedBecause, session.token, session.id === id]
    })
    expect(result).toEqual(['ok', 'ok', 'gone', 'gone', undefined, false, true, undefined, undefined, undefined, undefined, false])
    expect([setCookies, all.told(), all.held.count()]).toEqual([[], [], 0])
  })

  it('is begun by what is written after data was set to null', async () => {
    const all = watched()
    const one = all.visitor()
    await one.visit((session) => { session.data = null; session.set('n', 1) })
    expect((await one.visit((session) => session.toObject())).result).toEqual({ n: 1 })
    expect(all.told('destroy')).toEqual([])
  })

  it('is not stored when data is set to null and nothing is written', async () => {
    const all = watched()
    const { setCookies } = await all.visitor().visit((session) => { session.set('n', 1); session.data = null })
    expect([setCookies, all.created]).toEqual([[], []])
    const undone = await all.visitor().visit((session) => { session.set('n', 1); session.data = undefined })
    expect([undone.setCookies, all.created]).toEqual([[], []])
  })

  it('can be forced into being with nothing in it', async () => {
    const all = watched()
    const one = all.visitor()
    await one.visit((session) => { session.isChanged = true })
    expect(all.created.map(({ entries }) => Object.keys(entries))).toEqual([[]])
    expect((await one.visit((session) => session.isNew)).result).toBe(false)
  })

  it('is begun by an expiry of its own, and stored with that deadline', async () => {
    const all = watched()
    const one = all.visitor()
    await one.visit(async (session) => {
      session.expire('2 hours')
      expect(await session.commit()).toBe('ok')
      expect([session.isChanged, session.expiresAt]).toEqual([false, all.now() + 7_200_000])
    })
    expect(all.created).toMatchObject([{ version: 1, createdAt: all.now(), touchedAt: all.now(), expiresAt: all.now() + 7_200_000, index: [], entries: { 'm:expires': '"2 hours"' } }])
    expect(all.patches).toEqual([])
  })

  it('is stored with the deadline of the timeouts where an expiry was taken back before', async () => {
    const all = watched({ idleTimeout: '30 minutes' })
    await all.visitor().visit((session) => { session.set('n', 1); session.expire('2 hours'); session.expire(undefined) })
    expect(all.created).toMatchObject([{ expiresAt: all.now() + 33 * 60_000, entries: { 'd:n': '1' } }])
    expect(Object.keys(all.created[0]?.entries ?? {})).toEqual(['d:n'])
  })

  it('answers ok to an end that has nothing to end', async () => {
    const { visitor, held } = watched()
    await visitor().visit(async (session) => {
      session.expire('now')
      expect(await session.commit()).toBe('ok')
      session.data = null
      expect(await session.commit()).toBe('ok')
    })
    expect(held.count()).toBe(0)
  })

  it('comes too late when the head leaves between its first write and the commit', async () => {
    const { session, exchange } = await watched().visitor().begin()
    session.set('n', 1)
    exchange.headSent = true
    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SESSION_LATE', message: expect.stringContaining('begin a session') })
  })

  it('is not stored where the transport cannot hand out a token, which is told with the reason', async () => {
    const all = watched({ transport: headerTransport({ refuses: () => 'the line is closed' }).transport })
    const { session, finish } = await all.visitor().begin()
    session.set('n', 1)
    expect(await session.commit()).toBe('gone')
    expect([session.has('n'), await session.update('n', () => 2), await session.login('ann')]).toEqual([false, 'gone', 'gone'])
    expect(await finish()).toEqual([])
    const told = ['not-saved', { reason: 'the line is closed' }]
    expect([all.told(), all.created]).toEqual([[told, told, told], []])
  })

  it('goes on after a release and a load', async () => {
    const all = watched()
    const one = all.visitor()
    await one.visit(async (session) => {
      const { signal } = session
      await session.release()
      expect([session.isLoaded, session.isNew]).toEqual([false, true])
      await session.load()
      session.set('n', 1)
      expect(await session.commit()).toBe('ok')
      expect(session.signal).toBe(signal)
      await session.destroy()
      expect(signal.aborted).toBe(true)
    })
    expect(all.told('create', 'destroy', 'gone').map(([name]) => name)).toEqual(['create', 'destroy'])
  })
})

describe('a session that this request has ended', () => {
  it('says so, has its id, and nothing else', async () => {
    const { one, id, told, held } = await customer()
    const { setCookies } = await one.visit(async (session) => {
      await session.destroy()
      expect([session.id, session.endedBecause, session.isNew, session.createdAt, session.owner, session.toObject(), session.isChanged, session.isLoaded, session.token]).toEqual([id, 'logged-out', true, undefined, undefined, {}, false, true, undefined])
      const { signal } = session
      expect([signal.aborted, session.signal === signal]).toEqual([true, true])
      expect([await session.commit(), await session.regenerate(), await session.revokeOthers(), await session.stepUp(1)]).toEqual(['ok', 'ok', 'gone', 'gone'])
    })
    expect(setCookies).toHaveLength(1)
    expect(told('destroy')).toEqual([['destroy', { id, reason: 'destroyed' }]])
    expect(held.count('create')).toBe(0)
  })

  it.each<[string, (session: Session<Data>) => unknown]>([
    ['an expiry that has passed', (session) => session.expire('now')],
    ['data = null', (session) => { session.data = null }],
  ])('by %s tells and stores that it was destroyed, at the commit', async (_how, act) => {
    const { one, id, told, held, now } = await customer()
    await one.visit(async (session) => { act(session); expect(await session.commit()).toBe('ok'); expect([session.id, session.endedBecause]).toEqual([id, 'logged-out']) })
    expect(told('destroy')).toEqual([['destroy', { id, reason: 'destroyed' }]])
    expect((await held.read(id))?.ended).toEqual({ because: 'destroyed', at: now() })
  })

  it('has a signal that stays fired when it is released', async () => {
    const { one } = await customer()
    await one.visit(async (session) => {
      await session.destroy()
      const { signal } = session
      await session.release()
      expect([signal.aborted, session.signal === signal]).toEqual([true, true])
    })
  })

  it('fires the signals of other requests, also where the store tells nobody', async () => {
    const { one, elsewhere, store } = await customer()
    const { watch: _watch, ...deaf } = store
    const here = elsewhere({ store: deaf })
    const [first, second] = [await new Visitor<Data>(here, one.cookie).begin(), await new Visitor<Data>(here, one.cookie).begin()]
    const { signal } = first.session
    await second.session.destroy()
    expect(signal.aborted).toBe(true)
  })

  it('is followed by another, with an id of its own, when a commit is forced', async () => {
    const { one, id, told } = await customer()
    await one.visit(async (session) => { await session.destroy(); session.isChanged = true })
    expect((await one.visit((session) => [session.id === id, session.isNew, session.keys()])).result).toEqual([false, false, []])
    expect(told('create', 'gone').map(([name]) => name)).toEqual(['create'])
  })

  it('apart from requests is followed by another as well', async () => {
    const { sessions } = watched()
    const session = await sessions.create()
    const { id } = session
    await session.destroy()
    session.set('n', 1)
    expect([await session.commit(), session.id === id]).toEqual(['ok', false])
    expect((await sessions.load(session.token ?? ''))?.get('n')).toBe(1)
  })

  it('cannot be followed by another once the head has left', async () => {
    const { one } = await customer()
    const { session, exchange } = await one.begin()
    await session.destroy()
    exchange.headSent = true
    expect(() => session.set('n', 2)).toThrow(expect.objectContaining({ code: 'ERR_SESSION_LATE' }))
    await expect(session.login('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_LATE' })
  })

  it('is followed by another when it was released and loaded, too', async () => {
    const { one, id, sessions } = await customer()
    await one.visit(async (session) => {
      await session.destroy()
      await session.release()
      await session.load()
      session.set('n', 7)
    })
    expect((await one.visit((session) => [session.id === id, session.get('n')])).result).toEqual([false, 7])
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('is followed by another through an update, which begins from nothing', async () => {
    const { one, id } = await customer()
    await one.visit(async (session) => {
      await session.destroy()
      expect(await session.update('n', (n = 10) => n + 1)).toBe(11)
    })
    expect((await one.visit((session) => [session.id === id, session.get('n')])).result).toEqual([false, 11])
  })

  it('and followed by another that was ended as well, leaves the visitor without a cookie', async () => {
    const { one, told } = await customer()
    const { setCookies } = await one.visit(async (session) => {
      await session.destroy()
      session.set('n', 2)
      await session.commit()
      await session.destroy()
    })
    expect(setCookies).toEqual([expect.stringMatching(/^__Host-sid=; Max-Age=0/)])
    expect(told('create', 'destroy').map(([name]) => name)).toEqual(['destroy', 'create', 'destroy'])
  })
})

describe('a session that another has ended or rotated meanwhile', () => {
  it('keeps its id and what was stored, drops each write, and tells of it', async () => {
    const { id, session, finish, told, patches } = await gone()
    expect([session.id, session.get('n'), session.isChanged, session.isLoaded]).toEqual([id, 1, false, true])
    expect(await session.commit()).toBe('ok')
    session.set('n', 3)
    expect(session.isChanged).toBe(true)
    expect(await session.commit()).toBe('gone')
    expect(session.get('n')).toBe(1)
    expect([await session.update('n', () => 4), await session.regenerate(), await session.stepUp(2), await session.revokeOthers()]).toEqual(['gone', 'gone', 'gone', 'gone'])
    session.set('n', 5)
    expect(await finish()).toEqual([])
    const event = ['gone', { id, reason: 'gone' }]
    expect(told()).toEqual([event, event])
    expect(patches).toEqual([])
  })

  it('is none that data = null and a write could begin anew', async () => {
    const { session, finish, told, held, id } = await gone()
    session.data = null
    session.set('n', 3)
    expect(await session.commit()).toBe('gone')
    expect([await finish(), held.count('create'), told('gone')]).toEqual([[], 0, [['gone', { id, reason: 'gone' }]]])
  })

  it('tells of a new token the one that made it', async () => {
    const { one, told, id } = await customer()
    const [first, second] = [await one.begin(), await one.begin()]
    expect([await first.session.regenerate(), await second.session.regenerate()]).toEqual(['ok', 'gone'])
    expect(told('regenerate', 'gone')).toEqual([['regenerate', { id }], ['gone', { id }]])
  })

  it('has a signal that has fired, the same whenever it is asked for', async () => {
    const { session } = await gone()
    const { signal } = session
    expect([signal.aborted, session.signal === signal]).toEqual([true, true])
  })

  it('fires its signal when a commit finds that another process has ended it', async () => {
    const { one, id, elsewhere, store } = await customer()
    const { watch: _watch, ...deaf } = store
    const here = elsewhere({ store: deaf })
    const held = await here.load(one.token ?? '')
    const signal = held?.signal
    await elsewhere({ store: deaf }).revoke(id)
    expect(signal?.aborted).toBe(false)
    held?.set('n', 2)
    expect(await held?.commit()).toBe('gone')
    await new Promise(setImmediate)
    expect(signal?.aborted).toBe(true)
  })

  it('can still be ended when its token was rotated away, and then it is', async () => {
    const { one, id, sessions, told } = await customer()
    const slow = await one.begin()
    await one.visit((session) => session.regenerate())
    slow.session.set('n', 2)
    expect(await slow.session.commit()).toBe('gone')
    await slow.session.logout()
    expect(await slow.finish()).toEqual([expect.stringMatching(/Max-Age=0/)])
    expect(await sessions.load({ id })).toBeUndefined()
    expect(told('destroy')).toEqual([['destroy', { id, reason: 'destroyed' }]])
  })

  it('makes room for a login, which keeps nothing of it', async () => {
    const { id, session, finish, one } = await gone()
    session.set('note', 'late')
    expect(await session.login('ann')).toBe('ok')
    one.take(await finish())
    expect((await one.visit((later) => [later.id === id, later.owner, later.toObject()])).result).toEqual([false, 'ann', {}])
  })

  it('is found to be no more when it is released and loaded, and a write then begins another', async () => {
    const { id, session, finish, one } = await gone()
    await session.release()
    await session.load()
    expect([session.isNew, session.toObject(), session.endedBecause]).toEqual([true, {}, 'revoked'])
    session.set('n', 5)
    one.take(await finish())
    expect((await one.visit((later) => [later.id === id, later.get('n')])).result).toEqual([false, 5])
  })

  it('fails the request at its end, where that is asked for, also when the writes were dropped before', async () => {
    const { session, finish } = await gone({ onGone: 'fail' })
    session.set('n', 3)
    await expect(finish()).rejects.toMatchObject({ code: 'ERR_SESSION_GONE' })
    const other = await customer({ onGone: 'fail' })
    expect((await other.one.visit((one) => one.get('n'))).result).toBe(1)
  })
})

describe('a session of an old token', () => {
  it('is empty, drops each write, tells of it, and sends nothing', async () => {
    const { session, finish, told, held } = await superseded()
    expect([session.toObject(), session.isNew, session.owner, session.endedBecause, session.createdAt]).toEqual([{}, true, undefined, undefined, undefined])
    session.set('n', 2)
    expect(await session.commit()).toBe('gone')
    expect([await session.regenerate(), await session.update('n', () => 3), await session.revokeOthers(), await session.stepUp(1)]).toEqual(['gone', 'gone', 'gone', 'gone'])
    session.cookie.send()
    session.set('n', 4)
    expect(await finish()).toEqual([])
    const event = ['gone', { id: session.id, reason: 'superseded' }]
    expect(told('gone')).toEqual([event, event])
    expect([held.count('create'), held.count('patch'), held.count('end')]).toEqual([0, 0, 0])
  })

  it('is not ended, and stays one of an old token, when the handler logs out', async () => {
    const { session, finish, sessions, id, told } = await superseded()
    session.set('n', 2)
    await session.destroy()
    expect(session.has('n')).toBe(false)
    session.set('n', 3)
    expect(await session.commit()).toBe('gone')
    expect(await finish()).toEqual([])
    expect(await sessions.load({ id })).toBeDefined()
    expect(told('destroy')).toEqual([])
  })

  it('makes room for a login, which begins a session of its own', async () => {
    const { session, finish, sessions, id, visitor } = await superseded()
    expect(await session.login('ann')).toBe('ok')
    const again = visitor()
    again.take(await finish())
    expect((await again.visit((later) => [later.id === id, later.owner])).result).toEqual([false, 'ann'])
    expect((await sessions.load({ id }))?.owner).toBeUndefined()
  })
})

describe('a session that was released', () => {
  it('has its id, can be committed and cannot be written', async () => {
    const { one, id, patches } = await customer()
    await one.visit(async (session) => {
      session.set('n', 2)
      session.expire('1 hour')
      await session.release()
      expect([session.id, session.isLoaded, session.isNew, session.isChanged, session.toJSON()]).toEqual([id, false, true, false, { id, isLoaded: false }])
      expect(await session.commit()).toBe('ok')
      const refused = expect.objectContaining({ code: 'ERR_SESSION_NOT_LOADED' })
      for (const write of [() => session.set('n', 3), () => session.delete('n'), () => session.expire('1 hour'), () => session.expire(undefined), () => { session.data = {} ; session.data.n = 1 }]) expect(write).toThrow(refused)
      for (const write of [() => session.update('n', () => 3), () => session.login('ann'), () => session.stepUp(2), () => session.regenerate()]) await expect(write()).rejects.toEqual(refused)
    })
    expect(patches).toHaveLength(1)
  })

  it('sees after a load what others have stored meanwhile, and can be written again', async () => {
    const { one, sessions, id } = await customer()
    await one.visit(async (session) => {
      await session.release()
      const other = await sessions.load({ id })
      other?.set('note', 'theirs')
      await other?.commit()
      await session.load()
      expect([session.isNew, session.isLoaded, session.toObject()]).toEqual([false, true, { n: 1, note: 'theirs' }])
      session.set('n', 2)
    })
    expect((await one.visit((session) => session.toObject())).result).toEqual({ n: 2, note: 'theirs' })
  })

  it('is told to have ended when it did so before it was loaded again', async () => {
    const { one, sessions, id } = await customer()
    await one.visit(async (session) => {
      await session.release()
      await sessions.revoke(id)
      await session.load()
      expect([session.endedBecause, session.isNew, session.toObject()]).toEqual(['revoked', true, {}])
    })
  })
})

describe('a session that is loaded when somebody asks for it', () => {
  it('is there at once for a visitor without a token', async () => {
    const all = watched({ load: 'lazy' })
    const one = all.visitor()
    const { result } = await one.visit((session) => { const { isLoaded } = session; session.set('n', 1); return isLoaded })
    expect(result).toBe(true)
    expect((await one.visit((session) => session.isLoaded)).result).toBe(false)
    expect(all.held.count('read')).toBe(0)
  })

  it('costs nothing and says nothing while nobody asks', async () => {
    const { one, held, told } = await customer({ load: 'lazy' })
    const { exchange, setCookies, result } = await one.visit(async (session) => [await session.commit(), session.isChanged])
    expect([result, setCookies, exchange.responseHeader('vary'), held.count(), told()]).toEqual([['ok', false], [], undefined, 0, []])
  })

  it('is not stored, and tells of nothing, though a commit is forced', async () => {
    const { one, told, held } = await customer({ load: 'lazy' })
    const { result } = await one.visit((session) => { session.isChanged = true; return session.commit() })
    expect([result, told(), held.count()]).toEqual(['ok', [], 0])
    await one.visit(async (session) => { await session.load(); await session.release(); session.isChanged = true; expect(await session.commit()).toBe('ok') })
    expect(told('gone', 'commit')).toEqual([])
  })

  it('refuses to be read or written before', async () => {
    const { one } = await customer({ load: 'lazy' })
    const refused = expect.objectContaining({ code: 'ERR_SESSION_NOT_LOADED' })
    await one.visit(async (session) => {
      for (const act of [() => session.get('n'), () => session.keys(), () => session.owner, () => session.authenticatedAt, () => session.assurance, () => session.set('n', 2), () => session.flash.take('x'), () => session.metadata.get('x')]) expect(act).toThrow(refused)
      await expect(session.update('n', () => 2)).rejects.toEqual(refused)
    })
  })

  it('is ended by a logout that did not load it, and another follows it', async () => {
    const { one, id, sessions, told } = await customer({ load: 'lazy' })
    await one.visit(async (session) => { await session.logout(); session.set('n', 9) })
    expect(await sessions.load({ id })).toBeUndefined()
    expect(told('destroy')).toEqual([['destroy', { id, reason: 'destroyed' }]])
    expect((await one.visit(async (session) => [(await session.load()).get('n'), session.id === id])).result).toEqual([9, false])
  })

  it('is none after a load whose token fits nothing, and then a write begins one', async () => {
    const all = watched({ load: 'lazy' })
    const one = all.visitor(`__Host-sid=${'a'.repeat(22)}.${'b'.repeat(43)}`)
    await one.visit(async (session) => {
      await session.load()
      expect([session.isLoaded, session.isNew]).toEqual([true, true])
      session.set('n', 1)
    })
    expect((await one.visit(async (session) => (await session.load()).get('n'))).result).toBe(1)
  })

  it('is read afresh for who asks for that at the first load', async () => {
    const seen: unknown[] = []
    const all = watched({ load: 'lazy' })
    const one = all.visitor()
    await one.visit((session) => session.set('n', 1))
    const slow = all.elsewhere({ load: 'lazy', store: { ...all.store, read: (id, options) => { seen.push(options?.fresh === true); return all.store.read(id) } } })
    for (const options of [{}, { fresh: true }]) {
      const { session } = await new Visitor<Data>(slow, one.cookie).begin()
      await session.load(options)
    }
    expect(seen).toEqual([false, true])
  })
})

describe('a session that the store could not give', () => {
  async function degraded(): Promise<Watched & { readonly one: Visitor<Data>; readonly id: string; up(): void }> {
    let down = false
    const all = watched()
    const one = all.visitor()
    const sessions = all.elsewhere({ onStoreError: 'degrade', store: { ...all.store, read: (id) => { if (down) throw new Error('down'); return all.store.read(id) } } })
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
    down = true
    all.forget()
    return { ...all, sessions, one, id, up: () => { down = false } }
  }

  it('is empty, drops each write, sends nothing, and begins none by a forced commit', async () => {
    const { sessions, one, held } = await degraded()
    const gones: unknown[] = []
    sessions.on('gone', (event) => { gones.push(event) })
    const { session, finish } = await new Visitor<Data>(sessions, one.cookie).begin()
    expect([session.toObject(), session.isNew, session.isLoaded, session.endedBecause]).toEqual([{}, true, true, undefined])
    session.isChanged = true
    expect(await session.commit()).toBe('gone')
    expect([await session.update('n', () => 2), await session.regenerate()]).toEqual(['gone', 'gone'])
    session.cookie.send()
    expect(await finish()).toEqual([])
    expect(gones).toStrictEqual([{ reason: 'degraded' }, { reason: 'degraded' }, { reason: 'degraded' }])
    expect([held.count('create'), held.count('patch')]).toEqual([0, 0])
  })

  it('tells of the error of the store', async () => {
    const { sessions, one } = await degraded()
    const errors: unknown[] = []
    sessions.on('error', (event) => { errors.push(event) })
    await new Visitor<Data>(sessions, one.cookie).begin()
    expect(errors).toEqual([{ error: expect.objectContaining({ code: 'ERR_SESSION_STORE' }) }])
  })
})

describe('data set to null and written again', () => {
  it('counts as changed also when what was written is deleted', async () => {
    const { one, id, sessions } = await customer()
    const { setCookies } = await one.visit((session) => {
      session.data = null
      session.set('n', 2)
      session.delete('n')
      expect(session.isChanged).toBe(true)
    })
    expect(setCookies[0]).toMatch(/Max-Age=0/)
    expect(await sessions.load({ id })).toBeUndefined()
  })

  it('fires the signal of what it ended, and gives one of its own to what follows', async () => {
    const { one } = await customer()
    await one.visit(async (session) => {
      const { signal } = session
      session.data = null
      session.set('n', 2)
      expect([signal.aborted, session.signal === signal]).toEqual([false, true])
      await session.commit()
      const next = session.signal
      expect([signal.aborted, next.aborted, next === signal]).toEqual([true, false, false])
      await session.destroy()
      expect(next.aborted).toBe(true)
    })
  })

  it('keeps what else was written for nobody before', async () => {
    const { visitor } = watched()
    const one = visitor()
    await one.visit((session) => { session.flash.set('x', 1); session.data = null; session.set('n', 1) })
    expect((await one.visit((session) => [session.flash.take('x'), session.get('n')])).result).toEqual([1, 1])
  })

  it.each<[string, (session: Session<Data>) => Promise<unknown>, unknown]>([
    ['an update', (session) => session.update('n', (n = 10) => n + 1), 11],
    ['a login', (session) => session.login('ann'), 'ok'],
    ['a commit', (session) => session.commit(), 'ok'],
  ])('is told as an end and then a beginning at once by %s', async (_what, act, answer) => {
    const { one, told, id } = await customer()
    const { session } = await one.begin()
    session.data = null
    session.set('note', 'x')
    expect(await act(session)).toBe(answer)
    expect(told('destroy', 'create')).toEqual([['destroy', { id, reason: 'destroyed' }], ['create', { id: session.id }]])
  })

  it('taken back by a discard leaves the session as it was read: its token, its terms, and that it is not new', async () => {
    const { one, patches, visitor } = await customer()
    await one.visit((session) => session.set('userId', 7))
    patches.length = 0
    await one.visit((session) => {
      session.data = null
      session.set('n', 2)
      session.discard()
      expect([session.isNew, session.isChanged]).toEqual([false, false])
      session.expire('1 hour')
    })
    expect(patches).toEqual([expect.objectContaining({ tokenHash: hashSecret(one.token?.split('.')[1] ?? ''), index: [expect.any(String)] })])
    const fresh = visitor()
    await fresh.visit(async (session) => {
      session.set('n', 1)
      await session.commit()
      session.data = null
      session.set('n', 2)
      session.discard()
      expect([session.isNew, session.get('n'), session.createdAt === undefined]).toEqual([true, 1, false])
    })
    expect((await fresh.visit((session) => session.get('n'))).result).toBe(1)
  })

  it.each([['ok', false], ['gone', true]] as const)('leaves to a commit that is under way its own outcome: %s', async (outcome, isRevoked) => {
    const { one, held, sessions, id, told } = await customer()
    const { session, finish } = await one.begin()
    session.set('n', 2)
    const point = held.hold('patch')
    const committed = session.commit()
    await point.reached
    session.data = null
    session.set('note', 'next')
    if (isRevoked) await sessions.revoke(id)
    point.release()
    expect(await committed).toBe(outcome)
    expect([session.toObject(), session.id === id]).toEqual([{ note: 'next' }, false])
    one.take(await finish())
    expect((await one.visit((later) => later.toObject())).result).toEqual({ note: 'next' })
    expect(told('gone')).toEqual([])
  })
})
