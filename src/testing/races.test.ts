import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { waitAtGates } from '../../bench/scorecard/routes.ts'
import { listen } from '../../test/adapters/node-server.ts'
import { races, type RaceFault, type RacesOptions } from './races.ts'

/** What an application can do wrong. */
type Mistake = 'saves snapshots' | 'sends the cookie always' | 'keeps the token' | 'ends nothing' | 'clears no cookie' | 'answers first' | 'ignores failures' | 'begins for everybody'

interface Stored {
  readonly owner: string | null
  readonly data: Record<string, string>
}

/** A small application with sessions of its own, which are right but for one mistake. */
class Site {
  readonly #mistake: Mistake | 'locks' | undefined
  readonly #stored = new Map<string, Stored>()
  #lock: Promise<unknown> = Promise.resolve()

  constructor(mistake?: Mistake | 'locks') {
    this.#mistake = mistake
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const run = (): Promise<void> => this.#answer(request, response).catch(() => { if (!response.headersSent) response.writeHead(500).end() })
    if (this.#mistake !== 'locks') return run()
    this.#lock = this.#lock.then(run)
    await this.#lock
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const query = (name: string): string => searchParams.get(name) ?? ''
    const token = /sid=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
    const seen = this.#stored.get(token) ?? { owner: null, data: {} }
    if (this.#mistake === 'sends the cookie always' && this.#stored.has(token)) sendCookie(response, token)
    if (pathname === '/login') this.#login(response, token, { ...seen, owner: query('as') })
    if (pathname === '/logout') this.#logout(response, token)
    if (pathname === '/slow') await fetch(query('gate'))
    if (pathname === '/slow' || pathname === '/write') return this.#write(response, token, seen, [query('key'), query('value')])
    if (pathname === '/who' && this.#mistake === 'begins for everybody') sendCookie(response, token === '' ? randomUUID() : token)
    response.end(JSON.stringify(seen))
  }

  #login(response: ServerResponse, token: string, stored: Stored): void {
    const next = this.#mistake === 'keeps the token' && token !== '' ? token : randomUUID()
    this.#stored.delete(token)
    this.#stored.set(next, stored)
    sendCookie(response, next)
  }

  #logout(response: ServerResponse, token: string): void {
    if (this.#mistake !== 'ends nothing') this.#stored.delete(token)
    response.removeHeader('set-cookie')
    if (this.#mistake !== 'clears no cookie') response.setHeader('set-cookie', 'sid=; Max-Age=0; Path=/')
  }

  async #write(response: ServerResponse, token: string, seen: Stored, [key, value]: readonly [string, string]): Promise<void> {
    const target = token === '' ? randomUUID() : token
    if (token === '') sendCookie(response, target)
    if (this.#mistake === 'answers first') response.end('done')
    const waiting = waitAtGates(value)
    await (this.#mistake === 'ignores failures' ? waiting.catch(() => {}) : waiting)
    const newest = this.#stored.get(token)
    if (this.#mistake === 'saves snapshots') this.#stored.set(target, { ...seen, data: { ...seen.data, [key]: value } })
    else if (token === '' || newest !== undefined) this.#stored.set(target, { owner: newest?.owner ?? null, data: { ...newest?.data, [key]: value } })
    if (!response.writableEnded) response.end('done')
  }
}

function sendCookie(response: ServerResponse, token: string): void {
  response.setHeader('set-cookie', `sid=${token}; Path=/; HttpOnly`)
}

async function faultsOf(site: Site, options: RacesOptions = {}): Promise<readonly RaceFault[]> {
  const app = await listen(createServer((request, response) => void site.answer(request, response)))
  try {
    return (await races(app.origin, { requests: 4, holdsSaves: true, ...options })).faults
  } finally {
    await app.close()
  }
}

const mistakes: readonly (readonly [Mistake, readonly RaceFault[]])[] = [
  ['saves snapshots', ['lost updates', 'undone logouts', 'revived tokens']],
  ['sends the cookie always', ['undone logins', 'cookies after logout']],
  ['keeps the token', ['tokens kept at login']],
  ['ends nothing', ['tokens alive after logout']],
  ['clears no cookie', ['cookies after logout']],
  ['answers first', ['answers before save', 'successes without save']],
  ['ignores failures', ['successes without save']],
  ['begins for everybody', ['anonymous sessions']],
]

describe('races', () => {
  it('sees nothing in an application that makes no mistake', async () => {
    expect(await faultsOf(new Site())).toEqual([])
  })

  it.each(mistakes)('sees that an application %s', async (mistake, faults) => {
    expect(await faultsOf(new Site(mistake))).toEqual(faults)
  })

  it('waits no longer than its patience for an application that answers one request after the other', async () => {
    expect(await faultsOf(new Site('locks'), { patience: 0.05, holdsSaves: false })).toEqual([])
  })

  it('refuses an application that breaks the contract of the routes, and says how', async () => {
    const app = await listen(createServer((_request, response) => response.end('{"owner":null,"data":{}}')))
    try {
      await expect(races(app.origin)).rejects.toThrow('after login?as=ada the owner is ada')
      await expect(races(app.origin, { routes: { who: '/me' } })).rejects.toThrow('contract of races')
    } finally {
      await app.close()
    }
  })

  it('refuses an application whose who is no JSON', async () => {
    const app = await listen(createServer((_request, response) => response.end('hello')))
    try {
      await expect(races(app.origin, { routes: { who: '/me' } })).rejects.toThrow('GET /me answered 200 "hello"')
    } finally {
      await app.close()
    }
  })

  it('refuses to count held saves where the store holds none', async () => {
    const site = new Site('ignores failures')
    const app = await listen(createServer((request, response) => {
      // The value as the application stores it no longer names the gate.
      request.url = (request.url ?? '').replace('value=hold', 'value=held')
      void site.answer(request, response)
    }))
    try {
      await expect(races(app.origin, { holdsSaves: true, patience: 0.05 })).rejects.toThrow('fetches the address behind "hold "')
    } finally {
      await app.close()
    }
  })

  it('prints a card', async () => {
    const site = new Site('clears no cookie')
    const app = await listen(createServer((request, response) => void site.answer(request, response)))
    try {
      const lines = String(await races(app.origin, { requests: 2 })).split('\n')
      expect(lines).toHaveLength(10)
      expect(lines).toContain('FAULT  cookies after logout       5 of 10')
      expect(lines).toContain('ok     lost updates               0 of 4')
      expect(lines).toContain('ok     successes without save     nothing to try')
    } finally {
      await app.close()
    }
  })
})
