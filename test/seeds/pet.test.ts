// PET::Session: the cases PT-… of cases.json.
import { describe, expect, it } from 'vitest'
import { memoryStore, type Patch, type Store } from '../../src/index.ts'
import { nullStore } from '../../src/stores/null.ts'
import { simpleStore } from '../../src/stores/simple.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { all } from './all.ts'
import { application, T0 } from './seed.ts'

/** An application that notes what `onAccess` is told, and a visitor whose session is stored. */
async function withAccess() {
  const accesses: boolean[] = []
  const app = application({ onAccess: (_session, { stored }) => { accesses.push(stored) } })
  const visitor = app.client()
  const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id })
  accesses.length = 0
  const versionOf = async (): Promise<number | undefined> => (await app.store.read(id))?.version
  return { ...app, accesses, visitor, id, versionOf }
}

/** A memory store that notes every patch it gets. */
function watched(): { readonly store: Store; readonly patches: Patch[] } {
  const store = memoryStore()
  const patches: Patch[] = []
  return { patches, store: { ...bound(store), patch: (id, patch) => { patches.push(patch); return store.patch(id, patch) } } }
}

function bound(store: ReturnType<typeof memoryStore>): Store {
  return { read: (id) => store.read(id), create: (id, record) => store.create(id, record), patch: (id, patch) => store.patch(id, patch), end: (id, because, at) => store.end(id, because, at) }
}

describe('start and finish', () => {
  it('PT-01 a visitor without cookie gets a session with the first write', async () => {
    const visitor = application().client()
    expect((await visitor.send((session) => session.isNew)).setCookies).toEqual([])
    expect((await visitor.send((session) => session.set('x', 1))).setCookies).toHaveLength(1)
  })

  it('PT-03 onStart is called once for each new session, and may use it', async () => {
    let calls = 0
    const { client } = application({ onStart: (session) => { calls += 1; session.set('started', calls) } })
    const visitors = [client(), client(), client()]
    for (const visitor of visitors) await visitor.send((session) => session.set('x', 1))
    for (const visitor of visitors.slice(1)) await visitor.send((session) => session.set('x', 2))
    expect(calls).toBe(3)
    expect((await visitors[1]?.send((session) => session.toObject()))?.result).toEqual({ x: 2, started: 2 })
  })

  it('PT-05 a request that only reads stores nothing', async () => {
    const { visitor, accesses, versionOf } = await withAccess()
    await visitor.send((session) => session.get('x'))
    expect([await versionOf(), accesses]).toEqual([1, [false]])
  })

  it('PT-06 a request that sets stores once', async () => {
    const { visitor, accesses, versionOf } = await withAccess()
    await visitor.send((session) => { session.set('x', 2); session.set('y', 3) })
    expect([await versionOf(), accesses]).toEqual([2, [true]])
  })

  it('PT-07 isChanged = false takes back what was set', async () => {
    const { visitor, accesses, stored, id } = await withAccess()
    await visitor.send((session) => { session.set('x', 2); session.isChanged = false })
    expect([await stored(id), accesses]).toEqual([{ x: 1 }, [false]])
  })

  it('PT-08 isChanged = true stores although nothing was set', async () => {
    const { visitor, accesses, versionOf } = await withAccess()
    await visitor.send((session) => { session.isChanged = true })
    expect([await versionOf(), accesses]).toEqual([2, [true]])
  })

  it('PT-09 a change inside a value is noticed', async () => {
    const visitor = application().client()
    await visitor.send((session) => session.set('cart', { items: [{ n: 1 }] }))
    const { result } = await visitor.send((session) => {
      const cart = session.get('cart')
      if (typeof cart === 'object' && cart !== null && 'items' in cart && Array.isArray(cart.items)) cart.items.push({ n: 2 })
      return session.isChanged
    })
    expect(result).toBe(true)
    expect((await visitor.send((session) => session.get('cart'))).result).toEqual({ items: [{ n: 1 }, { n: 2 }] })
  })

  it('PT-10 invalidate takes the record and the cookie away', async () => {
    const { visitor, stored, id } = await withAccess()
    const { setCookies } = await visitor.send((session) => session.destroy())
    expect([await stored(id), setCookies]).toEqual([undefined, [expect.stringMatching(/^sid=; Max-Age=0;/)]])
  })

  it('PT-14 the id is there from the start, and stays', async () => {
    const visitor = application().client()
    const { result: id } = await visitor.send((session) => { const { id } = session; session.set('x', 1); return id })
    expect((await visitor.send((session) => session.id)).result).toBe(id)
  })

  it('PT-21 with sessions switched off reading gives undefined and writing does not fail', async () => {
    const { result, response, setCookies } = await application({ store: nullStore() }).client().send((session) => [session.get('x'), session.set('x', 1)])
    expect([result, response.status, setCookies]).toEqual([[undefined, 1], 200, []])
  })
})

describe('backends', () => {
  it('PT-11 a store of load and store alone lives a whole life', async () => {
    const kept = new Map<string, string>()
    const { client, sessions } = application({ store: simpleStore({ load: (id) => kept.get(id), store: (id, text) => { kept.set(id, text) } }) })
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id })
    await visitor.send((session) => session.set('y', 2))
    await visitor.send((session) => session.login('ada'))
    expect((await visitor.send((session) => [session.owner, session.toObject()])).result).toEqual(['ada', { x: 1, y: 2 }])
    const { cookie } = visitor
    await visitor.send((session) => session.destroy())
    visitor.cookie = cookie
    expect([(await visitor.send((session) => session.toObject())).result, await sessions.load({ id })]).toEqual([{}, undefined])
  })

  it('PT-12 freeze and thaw of the application\'s own decide the stored bytes', async () => {
    const freeze = (value: unknown): string => JSON.stringify({ frozen: value })
    const thaw = (text: string): unknown => { const parsed: unknown = JSON.parse(text); return typeof parsed === 'object' && parsed !== null && 'frozen' in parsed ? parsed.frozen : undefined }
    const { client, store } = application({ codec: { encode: freeze, decode: thaw } })
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('a', [1, { b: 2 }]); return session.id })
    expect((await visitor.send((session) => session.get('a'))).result).toEqual([1, { b: 2 }])
    expect((await store.read(id))?.entries).toEqual({ 'd:a': '{"frozen":[1,{"b":2}]}' })
  })

  it('PT-16 a sweep leaves a session alone that is just being used', async () => {
    const { client, sessions, store, advance, stored } = application({ idleTimeout: 100, touchAfter: 10 })
    const [idle, used] = [client(), client()]
    await idle.send((session) => session.set('x', 1))
    const { result: id } = await used.send((session) => { session.set('x', 1); return session.id })
    advance(90)
    const exchange = new TestExchange({ headers: { cookie: used.cookie } })
    const session = await sessions.open(exchange)
    session.set('x', 2)
    const sweeping = sessions.sweep()
    const finishing = sessions.finish(session)
    await Promise.all([sweeping, finishing])
    advance(90)
    await sessions.sweep()
    expect([await stored(id), await all(store.list())]).toEqual([{ x: 2 }, [id]])
  })

  it('PT-20 a touch moves the deadline and writes no data', async () => {
    const { store, patches } = watched()
    const { client, advance } = application({ store, idleTimeout: 1000, touchAfter: 100 })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    advance(500)
    await visitor.send((session) => session.get('x'))
    expect(patches).toEqual([expect.objectContaining({ touchedAt: T0 + 500_000, expiresAt: T0 + 1_600_000 })])
    expect([patches[0]?.set, patches[0]?.remove]).toEqual([undefined, undefined])
  })
})
