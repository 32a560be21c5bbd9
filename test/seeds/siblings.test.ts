// What the siblings of the four systems have and their users asked for: the cases SB-… of cases.json.
import { MemoryStore } from 'express-session'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeSession } from '../../src/adapters/node.ts'
import { memoryStore, type Patch, type Store } from '../../src/index.ts'
import { expressStore } from '../../src/stores/express.ts'
import { fileStore } from '../../src/stores/file.ts'
import { listen } from '../adapters/node-server.ts'
import { all } from './all.ts'
import { application, Client } from './seed.ts'

/** A memory store that notes what it is asked. */
function watched(): { readonly store: Store; readonly calls: string[]; readonly patches: Patch[] } {
  const store = memoryStore()
  const calls: string[] = []
  const patches: Patch[] = []
  return { calls, patches, store: {
    read: (id) => { calls.push('read'); return store.read(id) },
    create: (id, record) => { calls.push('create'); return store.create(id, record) },
    patch: (id, patch) => { calls.push('patch'); patches.push(patch); return store.patch(id, patch) },
    end: (id, because, at) => { calls.push('end'); return store.end(id, because, at) },
  } }
}

describe('nothing for nobody', () => {
  it('SB-01 SB-02 neither a request that ignores the session nor one that reads it gets a cookie', async () => {
    const { store, calls } = watched()
    const { client } = application({ store })
    expect((await client().send(() => undefined)).setCookies).toEqual([])
    expect((await client().send((session) => session.get('x'))).setCookies).toEqual([])
    expect(calls).toEqual([])
  })

  it('SB-03 an existing session that is not used gets its cookie again where it is persistent and was touched, else none', async () => {
    for (const [persistent, expected] of [[true, 1], [false, 0]] as const) {
      const { client, advance } = application({ cookie: { name: 'sid', persistent } })
      const visitor = client()
      await visitor.send((session) => session.set('x', 1))
      expect((await visitor.send(() => undefined)).setCookies).toHaveLength(0)
      advance(600)
      expect((await visitor.send(() => undefined)).setCookies).toHaveLength(expected)
    }
  })

  it('SB-16 a request that leaves the data as it is writes none', async () => {
    const { store, calls, patches } = watched()
    const { client, advance } = application({ store })
    const visitor = client()
    await visitor.send((session) => session.set('x', { n: 1 }))
    calls.length = 0
    await visitor.send((session) => session.set('x', session.get('x')))
    expect(calls).toEqual(['read'])
    advance(600)
    await visitor.send((session) => session.get('x'))
    expect(patches.map(({ set, remove }) => [set, remove])).toEqual([[undefined, undefined]])
  })
})

describe('identity', () => {
  it('SB-04 a changed token leaves the data, and the old one opens nothing', async () => {
    const { client, sessions } = application()
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    const { token: old } = visitor
    const { result: told } = await visitor.send(async (session) => { await session.regenerate(); return session.token })
    expect([visitor.token === old, told === visitor.token]).toEqual([false, true])
    expect((await visitor.send((session) => session.get('x'))).result).toBe(1)
    expect([(await new Client(sessions, `sid=${old}`).send((session) => session.toObject())).result, await sessions.load(old)]).toEqual([{}, undefined])
  })

  it('SB-06 what is set after destroy begins a new session with that alone', async () => {
    const visitor = application().client()
    const { result: id } = await visitor.send((session) => { session.set('old', 1); return session.id })
    const { token } = visitor
    const { result: next, setCookies } = await visitor.send(async (session) => { await session.destroy(); session.set('new', 2); return session.id })
    expect([next === id, visitor.token === token, setCookies.length]).toEqual([false, false, 1])
    expect((await visitor.send((session) => session.toObject())).result).toEqual({ new: 2 })
  })

  it('SB-08 a token of another format is refused before the store is asked', async () => {
    const { store, calls } = watched()
    const { client, seen } = application({
      store,
      generateToken: () => ({ id: randomBytes(4).toString('hex'), secret: randomBytes(16).toString('hex') }),
      validateToken: (text) => { const [, id, secret] = /^([0-9a-f]{8})\.([0-9a-f]{32})$/.exec(text) ?? []; return id === undefined || secret === undefined ? undefined : { id, secret } },
    })
    const visitor = client(`sid=${'z'.repeat(32)}`)
    await visitor.send((session) => session.get('x'))
    expect([calls, seen]).toEqual([[], ['unknown-token: malformed']])
    await visitor.send((session) => session.set('x', 1))
    expect(visitor.token).toMatch(/^[0-9a-f]{8}\.[0-9a-f]{32}$/)
    expect((await visitor.send((session) => session.get('x'))).result).toBe(1)
  })

  it('SB-10 session fixation: a token that was planted before the login reads nothing after it', async () => {
    const { client, sessions } = application()
    const attacker = client()
    await attacker.send((session) => session.set('planted', 1))
    const victim = client(attacker.cookie)
    await victim.send((session) => session.login('victim'))
    expect(victim.cookie).not.toBe(attacker.cookie)
    expect((await attacker.send((session) => [session.owner, session.toObject()])).result).toEqual([undefined, {}])
    const invented = client(`sid=${'B'.repeat(22)}.${'B'.repeat(43)}`)
    await invented.send((session) => session.login('victim'))
    expect((await new Client(sessions, `sid=${'B'.repeat(22)}.${'B'.repeat(43)}`).send((session) => session.owner)).result).toBeUndefined()
  })

  it('SB-15 a session that is bound ends where its visitor changes, with the reason', async () => {
    const { client, stored, sessions } = application({ bind: 'user-agent' })
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('x', 1); return session.id }, { headers: { 'user-agent': 'one' } })
    const { cookie } = visitor
    expect((await visitor.send((session) => session.get('x'), { headers: { 'user-agent': 'one' } })).result).toBe(1)
    const { result } = await new Client(sessions, cookie).send((session) => [session.toObject(), session.endedBecause], { headers: { 'user-agent': 'two' } })
    expect([result, await stored(id)]).toEqual([[{}, 'bound-elsewhere'], undefined])
  })

  it('SB-15 a session can be bound to the address, too', async () => {
    const { sessions, stored } = application({ bind: ({ request }) => (request instanceof IncomingMessage ? request.socket.remoteAddress ?? '' : '') })
    const { origin, close } = await listen(createServer(nodeSession(sessions, (request, response, session) => {
      if (request.url === '/set') session.set('x', 1)
      response.end(JSON.stringify([session.id, session.toObject(), session.endedBecause ?? null]))
    })))
    const ask = async (path: string, localAddress: string, cookie = ''): Promise<{ readonly answer: unknown; readonly cookie: string }> => {
      const sent = get(`${origin}${path}`, { localAddress, headers: { cookie } })
      const [response]: IncomingMessage[] = await once(sent, 'response')
      if (response === undefined) throw new Error('no response')
      return { answer: JSON.parse(await text(response)), cookie: response.headers['set-cookie']?.[0]?.split(';')[0] ?? '' }
    }
    const { cookie, answer } = await ask('/set', '127.0.0.1')
    const [id] = answer as [string]
    expect((await ask('/', '127.0.0.1', cookie)).answer).toEqual([id, { x: 1 }, null])
    expect((await ask('/', '127.0.0.2', cookie)).answer).toEqual([expect.not.stringMatching(id), {}, 'bound-elsewhere'])
    expect([await stored(id), (await ask('/', '127.0.0.1', cookie)).answer]).toEqual([undefined, [expect.any(String), {}, 'revoked']])
    await close()
  })

  it('SB-17 a script as token is shown nowhere', async () => {
    const { client, sessions } = application()
    const events: unknown[] = []
    for (const name of ['unknown-token', 'warning', 'error'] as const) sessions.on(name, (event) => { events.push(event) })
    const { response, setCookies } = await client('sid=<script>alert(1)</script>').send((session) => session.set('x', 1))
    expect(events).toHaveLength(1)
    expect(JSON.stringify([events, setCookies, [...response.headers]])).not.toMatch(/script|alert/)
  })

  it('SB-18 the cookie of a logout is on the redirect', async () => {
    const visitor = application().client()
    await visitor.send((session) => session.login('ada'))
    const { response, setCookies } = await visitor.send((session) => session.logout(), { answer: () => Response.redirect('https://shop.example/', 303) })
    expect([response.status, setCookies]).toEqual([303, [expect.stringMatching(/^sid=; Max-Age=0;/)]])
  })
})

describe('time', () => {
  it('SB-11 an idle session slides while it is used, ends when it is not, and says why', async () => {
    const { client, advance } = application({ idleTimeout: 7200, touchAfter: '1 minute' })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    advance(7100)
    expect((await visitor.send((session) => session.get('x'))).result).toBe(1)
    advance(6900)
    expect((await visitor.send((session) => session.get('x'))).result).toBe(1)
    advance(7300)
    expect((await visitor.send((session) => [session.get('x'), session.endedBecause])).result).toEqual([undefined, 'expired-idle'])
  })

  it('SB-12 ten requests within the threshold write the expiry once', async () => {
    const { store, patches } = watched()
    const { client, advance } = application({ store, touchAfter: 600 })
    const visitor = client()
    await visitor.send((session) => session.set('x', 1))
    advance(601)
    for (let n = 0; n < 10; n += 1) {
      await visitor.send((session) => session.get('x'))
      advance(6)
    }
    expect(patches).toHaveLength(1)
  })

  it('SB-14 a key ends before its session', async () => {
    const { client, advance } = application({ idleTimeout: '2 days', absoluteTimeout: '2 days' })
    const visitor = client()
    await visitor.send((session) => { session.set('__user', 'ada', { expires: 3600 }); session.set('rest', 1) })
    advance(3599)
    expect((await visitor.send((session) => session.toObject())).result).toEqual({ __user: 'ada', rest: 1 })
    advance(2)
    expect((await visitor.send((session) => [session.has('__user'), session.toObject()])).result).toEqual([false, { rest: 1 }])
  })
})

describe('stores', () => {
  it('SB-19 a change inside a value is kept on a backend that would not notice', async () => {
    const visitor = application({ store: expressStore(new MemoryStore()) }).client()
    await visitor.send((session) => session.set('user', { name: 'ada', address: { town: 'Sligo' } }))
    await visitor.send((session) => { Object.assign(session.get('user') ?? {}, { address: { town: 'Cork' } }) })
    expect((await visitor.send((session) => session.get('user'))).result).toEqual({ name: 'ada', address: { town: 'Cork' } })
  })

  it('SB-20 ten thousand invented tokens leave nothing behind', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sojourn-siblings-'))
    try {
      for (const store of [memoryStore(), fileStore(folder)]) {
        let found = 0
        const { sessions } = application({ store })
        const invented = (): string => `${randomBytes(16).toString('base64url')}.${randomBytes(32).toString('base64url')}`
        await sessions.load(invented())
        const before = await readdir(folder, { recursive: true })
        for (let n = 0; n < 10_000; n += 1) if ((await sessions.load(invented())) !== undefined) found += 1
        expect([found, await all(store.list()), await readdir(folder, { recursive: true })]).toEqual([0, [], before])
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }, 60_000)
})
