// Jifty::Web::Session: the cases JF-01 … JF-35 of cases.json. Those of its continuations are in src/continuations.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSessions, memoryStore, type Session, type Sessions } from '../../src/index.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { fileStore } from '../../src/stores/file.ts'
import { nullStore } from '../../src/stores/null.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { all } from './all.ts'
import { application, Client, T0, type Data } from './seed.ts'

const DAY = 86_400

/** One request with whatever cookies, and the pairs that it sets. */
async function visit<Result>(sessions: Sessions<Data>, { cookies = [], port }: { cookies?: readonly string[]; port?: number }, handler: (session: Session<Data>) => Result | Promise<Result>) {
  const exchange = new TestExchange({ headers: { cookie: cookies.join('; ') }, ...(port !== undefined && { port }) })
  const session = await sessions.open(exchange)
  const result = await handler(session)
  await sessions.finish(session)
  return { result, pairs: exchange.setCookies.map((line) => line.split(';')[0] ?? '') }
}

describe('a session', () => {
  it('JF-01 a new handler has nothing, and is loaded on demand', async () => {
    const visitor = application({ load: 'lazy' }).client(`sid=${'A'.repeat(22)}.${'A'.repeat(43)}`)
    const { result } = await visitor.send(async (session) => {
      const before = session.isLoaded
      await session.load()
      return [before, session.isLoaded, session.get('x'), session.isNew]
    })
    expect(result).toEqual([false, true, undefined, true])
  })

  it('JF-03 gives back at once what was set', async () => {
    expect((await application().client().send((session) => { session.set('foo', 'bar'); return session.get('foo') })).result).toBe('bar')
  })

  it('JF-04 JF-05 is another one without the cookie, and the same again by its token or id', async () => {
    const { client, sessions } = application()
    const visitor = client()
    const { result: id } = await visitor.send(async (session) => { session.set('foo', 'bar'); const { id } = session; await session.release(); return id })
    expect((await client().send((session) => [session.id === id, session.get('foo')])).result).toEqual([false, undefined])
    expect((await sessions.load(visitor.token))?.get('foo')).toBe('bar')
    expect((await sessions.load({ id }))?.get('foo')).toBe('bar')
  })

  it('JF-06 an unknown id gives a new one inside a request, and nothing outside', async () => {
    const { client, sessions } = application()
    const planted = `${'deadbeef'.repeat(3).slice(0, 22)}.${'A'.repeat(43)}`
    const visitor = client(`sid=${planted}`)
    const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id })
    expect([planted.startsWith(id), visitor.token === planted, await sessions.load(planted)]).toEqual([false, false, undefined])
  })

  it('JF-07 is found by a cookie whose name has the port', async () => {
    const { sessions } = application({ cookie: { name: 'JIFTY_SID_$PORT' } })
    const first = await visit(sessions, { port: 80 }, (session) => { session.set('x', 1); return session.id })
    expect(first.pairs).toEqual([expect.stringMatching(/^JIFTY_SID_80=/)])
    expect((await visit(sessions, { cookies: first.pairs, port: 80 }, (session) => session.id)).result).toBe(first.result)
    expect((await visit(sessions, { cookies: first.pairs, port: 81 }, (session) => session.isNew)).result).toBe(true)
    expect((await visit(sessions, {}, (session) => { session.set('x', 1); return session.cookie.name })).result).toBe('JIFTY_SID_NOPORT')
  })

  it('JF-08 keeps one key apart in each namespace', async () => {
    const { client, store } = application()
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('a', 'data'); session.metadata.set('a', 'metadata'); session.namespace('wizard').set('a', 'wizard'); return session.id })
    expect((await store.read(id))?.entries).toEqual({ 'd:a': '"data"', 'm:a': '"metadata"', 'n:wizard:a': '"wizard"' })
    expect((await visitor.send((session) => [session.get('a'), session.metadata.get('a'), session.namespace('wizard').get('a')])).result).toEqual(['data', 'metadata', 'wizard'])
  })

  it('JF-12 another one is made while one is loaded, and that one stays', async () => {
    const { client, sessions, stored } = application()
    const { result: [old, made, data] } = await client().send(async (session) => {
      session.set('x', 1)
      await session.commit()
      const other = await sessions.create()
      return [session.id, other.id, other.toObject()] as const
    })
    expect([made === old, data, await stored(old), await stored(made)]).toEqual([false, {}, { x: 1 }, {}])
  })

  it('JF-21 keeps its own expiry as it was given, in the metadata', async () => {
    const { client, store } = application()
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.expire('2 hours'); return session.id })
    expect((await visitor.send((session) => [session.metadata.get('expires'), session.expiresAt])).result).toEqual(['2 hours', T0 + 7_200_000])
    expect((await store.read(id))?.entries).toEqual({ 'm:expires': '"2 hours"' })
  })

  it('JF-23 sends no cookie on a response that a cache may keep', async () => {
    const { client, seen } = application()
    const { setCookies } = await client().send((session) => session.set('x', 1), { answer: () => new Response('ok', { headers: { expires: 'Wed, 16 Jun 2010 00:00:00 GMT' } }) })
    expect([setCookies, seen]).toEqual([[], ['not-saved: the response is publicly cacheable']])
  })

  it('JF-34 costs a request that does not look at it no call to the store', async () => {
    const store = memoryStore()
    const calls: string[] = []
    const counted = new Proxy(store, { get(target, name) { calls.push(String(name)); const member: unknown = Reflect.get(target, name); return typeof member === 'function' ? member.bind(target) as unknown : member } })
    const { client } = application({ store: counted, load: 'lazy' })
    const visitor = client()
    await visitor.send(async (session) => { await session.load(); session.set('x', 1) })
    expect(calls.splice(0)).toContain('create')
    const { setCookies } = await visitor.send(() => 'static file')
    expect([setCookies, calls.filter((name) => ['read', 'create', 'patch', 'end'].includes(name))]).toEqual([[], []])
  })

  it('JF-35 gets a new token when a user is attached', async () => {
    const { client, sessions } = application()
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    const { cookie: before } = visitor
    await visitor.send((session) => session.login('user-42'))
    expect(visitor.cookie).not.toBe(before)
    expect((await new Client(sessions, before).send((session) => [session.owner, session.toObject()])).result).toEqual([undefined, {}])
    expect((await visitor.send((session) => [session.owner, session.get('x')])).result).toEqual(['user-42', 1])
  })
})

describe('load_by_kv is findOrCreate', () => {
  it('JF-13 JF-14 JF-16 makes the session once, and finds it again', async () => {
    const { sessions } = application()
    const first = await sessions.findOrCreate('user', 'first')
    expect([first.get('user'), first.set('hello', 'world'), first.set('number', '1st')]).toEqual(['first', 'world', '1st'])
    await first.commit()
    const second = await sessions.findOrCreate('user', 'second')
    second.set('hello', 'world')
    await second.commit()
    expect(second.id).not.toBe(first.id)
    const again = await sessions.findOrCreate('user', 'first')
    expect([again.id, again.get('hello'), again.get('number')]).toEqual([first.id, 'world', '1st'])
  })

  it('JF-17 values with NUL are values like others', async () => {
    const { sessions } = application()
    const values = ['first', 'first\0sneaky!', '\0third']
    const ids: string[] = []
    for (const value of values) ids.push((await sessions.findOrCreate('user', value)).id)
    expect(new Set(ids).size).toBe(3)
    for (const [n, value] of values.entries()) {
      const again = await sessions.findOrCreate('user', value)
      expect([again.id, again.get('user')]).toEqual([ids[n], value])
    }
  })

  it('JF-18 a number and its text are two values; equal text is one, wherever it comes from', async () => {
    const { sessions } = application()
    const idOf = async (value: unknown): Promise<string> => (await sessions.findOrCreate('num', value)).id
    expect(await idOf(1)).not.toBe(await idOf('1'))
    const [latin1, utf8] = [Buffer.from([0xe9]).toString('latin1'), Buffer.from([0xc3, 0xa9]).toString('utf8')]
    expect(await idOf(latin1)).toBe(await idOf(utf8))
  })
})

describe.each(['memory', 'file'])('sweep on %s', (name) => {
  it('JF-26 by the last touch keeps, by the creation removes, what is old and was used lately', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sojourn-jifty-'))
    try {
      const { client, sessions, advance } = application({ store: name === 'memory' ? memoryStore() : fileStore(folder), idleTimeout: '20 days', touchAfter: '1 hour', absoluteTimeout: '60 days' })
      const visitor = client()
      const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id })
      advance(13 * DAY)
      await visitor.send((session) => session.get('x'))
      advance(DAY)
      expect(await sessions.sweep({ olderThan: '2 days', by: 'touched' })).toBe(0)
      expect((await sessions.load({ id }))?.get('x')).toBe(1)
      expect(await sessions.sweep({ olderThan: '2 days', by: 'created' })).toBe(1)
      expect(await sessions.load({ id })).toBeUndefined()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('the null handler', () => {
  it('JF-27 does everything, keeps nothing, and sends no cookie', async () => {
    const { client, sessions } = application({ store: nullStore(), index: ['user'] })
    const visitor = client()
    const { result, setCookies } = await visitor.send(async (session) => {
      session.set('x', 1)
      session.delete('y')
      session.metadata.set('m', 1)
      session.flash.set('notice', 'Saved')
      session.expire('2 hours')
      await session.commit()
      await session.update('n', () => 1)
      await session.login('ada')
      await session.regenerate()
      session.clear()
      await session.destroy()
      await session.load()
      return session.toObject()
    })
    expect([result, setCookies]).toEqual([{}, []])
    expect((await sessions.findOrCreate('user', 'first')).get('user')).toBe('first')
    expect([await all(sessions.find('user', 'first')), await all(sessions.list()), await sessions.revokeAll('ada'), await sessions.sweep()]).toEqual([[], [], 0, 0])
    expect((await visitor.send((session) => session.get('x'))).result).toBeUndefined()
  })
})

describe('the client-side session', () => {
  const sealed = () => {
    const seen: string[] = []
    const sessions = createSessions<Data>({ store: cookieStore({ keys: ['1'.repeat(64)], name: 'sid' }), clock: () => T0 })
    sessions.on('unknown-token', ({ reason }) => { seen.push(reason ?? '') })
    return { sessions, seen }
  }
  const large = async (sessions: Sessions<Data>, letter = 'x') => visit(sessions, {}, (session) => { session.set('big', letter.repeat(4500)); return session.id })
  const altered = (pair: string): string => pair.slice(0, -9) + (pair.at(-9) === 'A' ? 'B' : 'A') + pair.slice(-8)

  it('JF-31 with a piece missing, altered or alone is a fresh one under an id of ours', async () => {
    const { sessions, seen } = sealed()
    const { result: id, pairs } = await large(sessions)
    const [first = '', second = ''] = pairs
    expect([pairs.length, (await visit(sessions, { cookies: pairs }, (session) => session.id)).result]).toEqual([2, id])
    for (const cookies of [[first], [second], [first, altered(second)], [altered(first), second]]) {
      const { result } = await visit(sessions, { cookies }, (session) => [session.isNew, session.id === id, session.toObject()])
      expect(result).toEqual([true, false, {}])
    }
    expect(seen.length).toBeGreaterThanOrEqual(3)
  })

  it('JF-32 with any bit flipped is refused', async () => {
    const { sessions } = sealed()
    const { pairs: [pair = ''] } = await visit(sessions, {}, (session) => session.set('x', 1))
    const { token } = new Client(sessions, pair)
    for (let at = 0; at < token.length; at += 5) {
      const flipped = String.fromCharCode(token.charCodeAt(at) ^ 1)
      const { result } = await visit(sessions, { cookies: [`sid=${token.slice(0, at)}${flipped}${token.slice(at + 1)}`] }, (session) => session.toObject())
      expect(result).toEqual({})
    }
  })

  it('JF-33 put together from two sessions is refused', async () => {
    const { sessions } = sealed()
    const [one, two] = [await large(sessions, 'x'), await large(sessions, 'y')]
    for (const cookies of [[one.pairs[0] ?? '', two.pairs[1] ?? ''], [two.pairs[0] ?? '', one.pairs[1] ?? '']]) {
      expect((await visit(sessions, { cookies }, (session) => session.toObject())).result).toEqual({})
    }
  })
})
