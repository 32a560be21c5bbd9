// Logins, step-ups and what they leave: in the store, on the wire, and in what is told.
import { describe, expect, it } from 'vitest'
import { Visitor } from '../../test/internal/visitor.ts'
import { watched, type Data } from '../../test/internal/watched.ts'
import { memoryStore, type Store } from '../index.ts'
import { BINDING } from './internal/namespaces.ts'
import { derivedId, hashSecret, indexTerm } from './token.ts'

const ANN = indexTerm('m:owner', '"ann"')

async function loggedIn(owner = 'ann') {
  const made = watched()
  const one = made.visitor()
  const { result: id } = await one.visit(async (session) => { session.set('n', 1); await session.login(owner); return session.id })
  made.forget()
  return { ...made, one, id }
}

describe('a login', () => {
  it('of nobody makes one record with owner, time and assurance, listed under the owner', async () => {
    const { visitor, created, patches, told, now } = watched()
    const one = visitor()
    const { result: id } = await one.visit(async (session) => {
      session.set('n', 1)
      expect(await session.login('ann', { assurance: 2 })).toBe('ok')
      expect([session.owner, session.authenticatedAt, session.assurance, session.isNew, session.isChanged]).toEqual(['ann', now(), 2, true, false])
      return session.id
    })
    expect(created).toMatchObject([{ index: [ANN], tokenHash: hashSecret(one.token?.split('.')[1] ?? ''), entries: { 'd:n': '1', 'm:owner': '"ann"', 'm:authenticatedAt': String(now()), 'm:assurance': '2' } }])
    expect([patches, told()]).toEqual([[], [['create', { id }], ['login', { id, owner: 'ann' }]]])
  })

  it('again of the same owner is a new token and a new time, and drops the assurance of before', async () => {
    const { one, id, told, now, advance, patches, sessions } = await loggedIn()
    await one.visit((session) => session.stepUp(3))
    const { token } = one
    advance(60)
    patches.length = 0
    const { result } = await one.visit(async (session) => [await session.login('ann'), session.id, session.assurance, session.authenticatedAt, session.get('n')])
    expect(result).toEqual(['ok', id, undefined, now(), 1])
    expect(patches).toMatchObject([{ remove: ['m:assurance'], set: [['m:authenticatedAt', String(now())]], deadline: 'replace' }])
    expect(await sessions.load(token ?? '')).toBeUndefined()
    expect(told('login', 'create', 'destroy').map(([name]) => name)).toEqual(['login', 'login'])
  })

  it('of another owner ends the session, tells of it, and begins one with an id of its own', async () => {
    const { one, id, told, held, now } = await loggedIn()
    const { result: next } = await one.visit(async (session) => { expect(await session.login('bob')).toBe('ok'); expect([session.toObject(), session.owner]).toEqual([{}, 'bob']); return session.id })
    expect(next).not.toBe(id)
    expect(told('destroy', 'create', 'login')).toEqual([['destroy', { id, reason: 'replaced' }], ['create', { id: next }], ['login', { id: next, owner: 'bob' }]])
    expect((await held.read(id))?.ended).toEqual({ because: 'replaced', at: now() })
  })

  it('says to a request that still has the old token why it is nothing any more', async () => {
    const { one, visitor } = await loggedIn()
    const { cookie } = one
    await one.visit((session) => session.login('bob'))
    expect((await visitor(cookie).visit((session) => session.endedBecause)).result).toBe('replaced')
  })

  it('of an anonymous visitor keeps what it is told to, stored or just written, and never what is not data', async () => {
    const { visitor } = watched()
    const one = visitor()
    await one.visit((session) => { session.set('n', 1); session.set('note', 'x'); session.metadata.set('device', 'phone'); session.flash.set('x', 1) })
    await one.visit(async (session) => { session.set('list', []); session.set('userId', 7); await session.login('ann', { keep: ['n', 'list'] }) })
    expect((await one.visit((session) => [session.toObject(), session.metadata.get('device'), session.flash.peek('x')])).result).toEqual([{ n: 1, list: [] }, 'phone', 1])
  })

  it('of the same owner drops nothing, whatever it is told to keep', async () => {
    const { one } = await loggedIn()
    await one.visit((session) => session.login('ann', { keep: [] }))
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
  })

  it('of an anonymous visitor who may keep nothing has nothing', async () => {
    const { visitor } = watched()
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    await one.visit((session) => session.login('ann', { keep: [] }))
    expect((await one.visit((session) => [session.owner, session.toObject()])).result).toEqual(['ann', {}])
  })

  it('after an end in the same request is of a session of its own', async () => {
    const { one, id } = await loggedIn()
    await one.visit(async (session) => { await session.logout(); expect(await session.login('bob')).toBe('ok') })
    expect((await one.visit((session) => [session.id === id, session.owner, session.toObject()])).result).toEqual([false, 'bob', {}])
  })

  it('that meets another of the same visitor leaves both logged in, each in a session of its own', async () => {
    const { visitor, sessions } = watched()
    const customer = visitor()
    await customer.visit((session) => session.set('n', 1))
    const [one, two] = [await customer.begin(), await customer.begin()]
    expect([await one.session.login('ann'), await two.session.login('ann')]).toEqual(['ok', 'ok'])
    await one.finish()
    expect([one.session.id === two.session.id, one.session.toObject(), two.session.toObject()]).toEqual([false, { n: 1 }, {}])
    const [first, second] = [await sessions.load({ id: one.session.id }), await sessions.load({ id: two.session.id })]
    expect([first?.owner, second?.owner]).toEqual(['ann', 'ann'])
  })

  it('binds the session that it begins', async () => {
    const { visitor, created } = watched({ bind: (exchange) => exchange.header('x-device') ?? '' })
    await visitor().visit((session) => session.login('ann'), { headers: { 'x-device': 'phone' } })
    expect(created).toMatchObject([{ entries: { [BINDING]: JSON.stringify(hashSecret('phone')) } }])
  })

  it('asks for revocations before and after, fresh, and for nothing else', async () => {
    const made = watched()
    const asked: unknown[] = []
    const sessions = made.elsewhere({ store: { ...made.store, read: (id, options) => { asked.push([id, options?.fresh]); return made.store.read(id) } } })
    await new Visitor<Data>(sessions).visit((session) => session.login('ann'))
    const mark = [derivedId('watermark', 'ann'), true]
    expect(asked).toEqual([mark, mark])
  })

  it('that fails halfway is told as the store’s failure, and nobody is logged in', async () => {
    const made = watched()
    const one = made.visitor()
    await one.visit((session) => session.set('n', 1))
    let reads = 0
    const store: Store = { ...made.store, read: (id) => { if (id === derivedId('watermark', 'ann')) { reads += 1; if (reads === 2) throw new Error('down') } return made.store.read(id) } }
    const sessions = made.elsewhere({ store })
    const told: unknown[] = []
    for (const name of ['login', 'destroy'] as const) sessions.on(name, ({ reason }) => { told.push([name, reason]) })
    const request = await new Visitor<Data>(sessions, one.cookie).begin()
    const { id } = request.session
    await expect(request.session.login('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_STORE' })
    expect([request.session.owner, request.session.id, request.session.isNew, request.session.token]).toEqual([undefined, id, true, undefined])
    request.session.set('n', 2)
    expect(await request.session.commit()).toBe('gone')
    expect(await request.finish()).toEqual([expect.stringMatching(/Max-Age=0/)])
    expect(told).toEqual([['login', undefined], ['destroy', 'revoked']])
    expect(await made.sessions.load({ id })).toBeUndefined()
  })

  it('that a revocation of all overtook ends what it made, and is told as an end', async () => {
    const { visitor, sessions, held, told } = watched()
    const one = visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id })
    const { session, finish } = await one.begin()
    const point = held.hold('patch')
    const login = session.login('ann')
    await point.reached
    await sessions.revokeAll('ann')
    point.release()
    expect(await login).toBe('gone')
    session.set('n', 2)
    expect(await session.commit()).toBe('gone')
    expect(told('destroy', 'gone')).toEqual([['destroy', { id, reason: 'revoked' }], ['gone', { id, reason: 'gone' }]])
    expect([session.endedBecause, await finish()]).toEqual(['revoked', [expect.stringMatching(/Max-Age=0/)]])
  })

  it('that can neither be checked nor ended hands out no token', async () => {
    const made = watched()
    let reads = 0
    const store: Store = { ...made.store, read: (id) => { reads += 1; if (reads === 2) throw new Error('read'); return made.store.read(id) }, end: () => { throw new Error('end') } }
    const request = await new Visitor<Data>(made.elsewhere({ store })).begin()
    await expect(request.session.login('ann')).rejects.toMatchObject({ cause: expect.objectContaining({ message: 'read' }) })
    expect([request.session.token, request.session.owner]).toEqual([undefined, undefined])
    expect(await request.finish({ failed: true })).toEqual([])
  })

  it('that a policy refuses changes nothing and is told to nobody', async () => {
    const made = watched()
    const one = made.visitor()
    await one.visit((session) => session.set('n', 1))
    const { token } = one
    const asked: unknown[] = []
    const strict = made.elsewhere({ security: { apply: (settings) => ({ ...settings, aroundLogin: async (_life, owner) => { asked.push(owner); return 'refused' } }) } })
    const logins: unknown[] = []
    strict.on('login', (event) => { logins.push(event) })
    const other = new Visitor<Data>(strict, one.cookie)
    expect((await other.visit(async (session) => [await session.login('ann'), session.owner, session.get('n')])).result).toEqual(['refused', undefined, 1])
    expect([other.token === token, asked, logins]).toEqual([true, ['ann'], []])
  })
})

describe('a step-up', () => {
  it('keeps owner, id and data, and is a new token with a new time and this assurance', async () => {
    const { one, id, now, advance, told, patches } = await loggedIn()
    const { token } = one
    advance(60)
    const { result } = await one.visit(async (session) => [await session.stepUp(2), session.assurance, session.authenticatedAt, session.owner, session.id, session.get('n')])
    expect(result).toEqual(['ok', 2, now(), 'ann', id, 1])
    expect([one.token === token, told()]).toEqual([false, [['load', { id }], ['commit', { id }], ['login', { id, owner: 'ann' }]]])
    expect(patches).toMatchObject([{ set: [['m:authenticatedAt', String(now())], ['m:assurance', '2']], deadline: 'replace', rotateTo: expect.any(String) }])
  })

  it('of a session that has ended, or whose token was rotated, is none, and begins no other', async () => {
    const { one, id, sessions, held } = await loggedIn()
    const [first, second] = [await one.begin(), await one.begin()]
    await first.session.regenerate()
    expect(await second.session.stepUp(2)).toBe('gone')
    one.take(await first.finish())
    const third = await one.begin()
    await sessions.revoke(id)
    held.forgetCalls()
    expect(await third.session.stepUp(2)).toBe('gone')
    expect([held.count('create'), await third.finish()]).toEqual([0, []])
  })

  it('of nobody is none, stored or not', async () => {
    const { visitor, patches } = watched()
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    expect((await one.visit((session) => session.stepUp(2))).result).toBe('gone')
    expect(patches).toEqual([])
  })

  it('comes too late once the head has left, and takes no assurance that there is not', async () => {
    const { one } = await loggedIn()
    const { session, exchange } = await one.begin()
    await expect(Reflect.apply(session.stepUp, session, [4])).rejects.toMatchObject({ code: 'ERR_SESSION_USAGE' })
    exchange.headSent = true
    await expect(session.stepUp(2)).rejects.toMatchObject({ code: 'ERR_SESSION_LATE' })
  })
})

describe('a binding', () => {
  const bind = 'user-agent'
  const from = (agent: string) => ({ headers: { 'user-agent': agent } })

  it('made before the option was given binds to nothing', async () => {
    const { visitor, elsewhere } = watched()
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    const bound = new Visitor<Data>(elsewhere({ bind }), one.cookie)
    expect((await bound.visit((session) => session.get('n'), from('curl'))).result).toBe(1)
  })

  it('to something else ends the session, tells of it, and lets a write begin another', async () => {
    const { visitor, told } = watched({ bind })
    const one = visitor()
    const { result: id } = await one.visit((session) => { session.set('n', 1); return session.id }, from('Firefox'))
    const { result, setCookies } = await visitor(one.cookie).visit((session) => { const seen = [session.id === id, session.isNew, session.endedBecause]; session.set('n', 2); return seen }, from('curl'))
    expect([result, setCookies.length, told('destroy', 'load')]).toEqual([[false, true, 'bound-elsewhere'], 1, [['destroy', { id, reason: 'revoked' }]]])
    expect((await one.visit((session) => session.endedBecause, from('Firefox'))).result).toBe('revoked')
  })

  it('to a header that is missing is one to nothing, which another request lacks as well', async () => {
    const { visitor } = watched({ bind })
    const one = visitor()
    await one.visit((session) => session.set('n', 1))
    expect((await one.visit((session) => session.get('n'))).result).toBe(1)
    expect((await one.visit((session) => session.get('n'), from('curl'))).result).toBeUndefined()
  })
})

describe('a mark of a revocation', () => {
  it('is tried five times while the store gives no way', async () => {
    const calls: string[] = []
    const memory = memoryStore()
    const made = watched({ store: { ...watched({}, memory).store, create: () => { calls.push('create'); return false }, patch: () => { calls.push('patch'); return { status: 'gone' } } } })
    await expect(made.sessions.revokeAll('ann')).rejects.toMatchObject({ code: 'ERR_SESSION_CONFLICT' })
    expect(calls).toEqual(Array.from({ length: 5 }, () => ['create', 'patch']).flat())
  })
})
