import type { Session } from '../../src/core/session.ts'
import type { Outcome, Sessions } from '../../src/core/sessions.ts'
import { TestExchange, type TestExchangeOptions } from '../../src/testing/exchange.ts'

/** What a request left behind. */
export interface Visit<Result> {
  readonly result: Result
  readonly setCookies: readonly string[]
  readonly exchange: TestExchange
}

/** A request that is under way: opened, not finished. */
export interface OpenRequest<Data extends object> {
  readonly session: Session<Data>
  readonly exchange: TestExchange
  finish(outcome?: Outcome): Promise<readonly string[]>
}

/** A visitor without a browser: keeps the cookies and carries requests through the manager. */
export class Visitor<Data extends object> {
  readonly #sessions: Sessions<Data>
  readonly #jar = new Map<string, string>()

  constructor(sessions: Sessions<Data>, cookie?: string) {
    this.#sessions = sessions
    if (cookie !== undefined) this.take([cookie])
  }

  get cookie(): string {
    return [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** The token that the visitor carries now. */
  get token(): string | undefined {
    return [...this.#jar.values()][0]
  }

  async begin(options: TestExchangeOptions = {}): Promise<OpenRequest<Data>> {
    const headers = this.#jar.size === 0 ? {} : { cookie: this.cookie }
    const exchange = new TestExchange({ ...options, headers: { ...headers, ...options.headers } })
    const session = await this.#sessions.open(exchange)
    const finish = async (outcome?: Outcome): Promise<readonly string[]> => {
      await this.#sessions.finish(session, outcome)
      exchange.headSent = true
      this.take(exchange.setCookies)
      return exchange.setCookies
    }
    return { session, exchange, finish }
  }

  async visit<Result>(handler: (session: Session<Data>, exchange: TestExchange) => Result | Promise<Result>, options: TestExchangeOptions = {}): Promise<Visit<Result>> {
    const { session, exchange, finish } = await this.begin(options)
    const result = await handler(session, exchange)
    return { result, setCookies: await finish(), exchange }
  }

  take(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [pair = ''] = line.split(';')
      const name = pair.slice(0, pair.indexOf('='))
      if (/max-age=0/i.test(line)) this.#jar.delete(name)
      else this.#jar.set(name, pair.slice(pair.indexOf('=') + 1))
    }
  }
}
