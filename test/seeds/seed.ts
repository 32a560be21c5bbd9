import { fetchSession } from '../../src/adapters/fetch.ts'
import { createSessions, type Session, type Sessions, type SessionsOptions } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { SessionEventName } from '../../src/core/events.ts'

export type Data = Record<string, unknown>

/** T0 of the seeds' tables: Tue 15 Jun 2010 00:00:00 GMT. */
export const T0 = 1_276_560_000_000

/** An application behind the Fetch adapter, with its store and clock in hand: cases are asserted on its wire and in its store. */
export function application(options: SessionsOptions<Data> = {}, start = T0) {
  let now = start
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, clock: () => now, sweepEvery: 'never', cookie: { name: 'sid' }, ...options })
  const seen: string[] = []
  const listen = (name: SessionEventName): unknown => sessions.on(name, ({ reason }) => { seen.push(reason === undefined ? name : `${name}: ${reason}`) })
  for (const name of ['unknown-token', 'unreadable', 'gone', 'not-saved', 'conflict', 'expire', 'superseded'] as const) listen(name)
  return {
    sessions, store, seen,
    advance(seconds: number) { now += seconds * 1000 },
    now: () => now,
    client: (cookie?: string) => new Client(sessions, cookie),
    /** What the store holds under an id: the decoded data entries. */
    async stored(id: string): Promise<Record<string, unknown> | undefined> {
      const record = await store.read(id)
      if (record === undefined || record.ended !== undefined) return undefined
      return Object.fromEntries(Object.keys(record.entries).filter((key) => key.startsWith('d:')).map((key) => [key.slice(2), JSON.parse(record.entries[key] ?? 'null') as unknown]))
    },
  }
}

export type Handler<Result> = (session: Session<Data>, request: Request) => Result | Promise<Result>

export interface Answer<Result> {
  readonly result: Result
  readonly response: Response
  readonly setCookies: readonly string[]
}

/** Speaks HTTP to the application and keeps its one cookie. */
export class Client {
  readonly #sessions: Sessions<Data>
  cookie: string

  constructor(sessions: Sessions<Data>, cookie = '') {
    this.#sessions = sessions
    this.cookie = cookie
  }

  /** The token that the client holds. */
  get token(): string {
    return this.cookie.slice(this.cookie.indexOf('=') + 1)
  }

  async send<Result>(handler: Handler<Result>, { url = 'https://shop.example/', headers = {}, answer = () => new Response('ok') }: { url?: string; headers?: Record<string, string>; answer?: () => Response | Promise<Response> } = {}): Promise<Answer<Result>> {
    const results: Result[] = []
    const app = fetchSession(this.#sessions, async (request, session) => {
      results.push(await handler(session, request))
      return answer()
    })
    const response = await app(new Request(url, { headers: { ...(this.cookie !== '' && { cookie: this.cookie }), ...headers } }))
    const setCookies = response.headers.getSetCookie()
    for (const line of setCookies) {
      const [pair = ''] = line.split(';')
      if (/max-age=0/i.test(line)) this.cookie = ''
      else if (/^(?:__Host-|__Secure-)?sid=/.test(pair)) this.cookie = pair
    }
    const [result] = results
    return { result: result as Result, response, setCookies }
  }
}
