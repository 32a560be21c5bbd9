import { Agent, request } from 'node:http'

interface Answer {
  readonly status: number
  readonly text: string
  readonly setCookie: string | undefined
}

/** What all visitors together have seen. */
export interface Tally {
  requests: number
  logins: number
  logouts: number
  /** Answers that were no success, and requests without one. */
  errors: number
  /** A value that was acknowledged and is not there. */
  lost: number
  /** A session that opens after its logout. */
  undone: number
  firstError: string | undefined
  firstLoss: string | undefined
  readonly latencies: number[]
}

export function emptyTally(): Tally {
  return { requests: 0, logins: 0, logouts: 0, errors: 0, lost: 0, undone: 0, firstError: undefined, firstLoss: undefined, latencies: [] }
}

const agent = new Agent({ keepAlive: true, maxSockets: 128 })

/** Logs in, writes and reads a while, and logs out or simply stays away; then begins anew. */
export class Visitor {
  readonly #origin: string
  readonly #name: string
  readonly #visits: number
  #visit = 0
  #step = 0
  #cookie: string | undefined
  #acknowledged = ''

  constructor(origin: string, n: number) {
    this.#origin = origin
    this.#name = `user${n}`
    // Visits of 6 to 25 requests.
    this.#visits = 6 + (n * 7) % 20
  }

  /** Makes one request, and checks what it answers. `due` is when it should have begun, by `performance.now`. */
  async next(tally: Tally, due: number): Promise<void> {
    try {
      await this.#next(tally)
    } catch (error) {
      tally.errors += 1
      tally.firstError ??= String(error)
      this.#begin()
    }
    tally.requests += 1
    tally.latencies.push(performance.now() - due)
  }

  async #next(tally: Tally): Promise<void> {
    this.#step += 1
    if (this.#step === 1) return this.#login(tally)
    if (this.#step > this.#visits) return this.#leave(tally)
    if (this.#step % 2 === 0) return this.#write()
    const { text } = await this.#ask('/read')
    if (text === `${this.#name} ${this.#acknowledged}`) return undefined
    tally.lost += 1
    tally.firstLoss ??= `${this.#name} had ${this.#acknowledged} and read ${text}`
    return this.#begin()
  }

  async #login(tally: Tally): Promise<void> {
    const { setCookie } = await this.#ask(`/login/${this.#name}`)
    this.#cookie = setCookie?.split(';')[0]
    tally.logins += 1
  }

  async #write(): Promise<void> {
    const value = `${this.#visit}.${this.#step}`
    await this.#ask(`/write/${value}`)
    this.#acknowledged = value
  }

  // One visit in three ends without a logout: those are for the sweep.
  async #leave(tally: Tally): Promise<void> {
    if (this.#visit % 3 === 2) return this.#begin()
    await this.#ask('/logout')
    tally.logouts += 1
    const { text } = await this.#ask('/read')
    if (text !== 'nobody ') tally.undone += 1
    this.#begin()
  }

  #begin(): void {
    this.#visit += 1
    this.#step = 0
    this.#cookie = undefined
    this.#acknowledged = ''
  }

  #ask(path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#origin}${path}`, { agent, timeout: 10_000, headers: this.#cookie === undefined ? {} : { cookie: this.#cookie } }, (response) => {
        let text = ''
        response.on('data', (chunk) => { text += String(chunk) })
        response.on('error', reject)
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response
          if (status === 200) resolve({ status, text, setCookie: headers['set-cookie']?.[0] })
          else reject(new Error(`${path} answered ${status}`))
        })
      })
      sent.on('timeout', () => sent.destroy(new Error(`${path} was not answered in 10 s`)))
      sent.on('error', reject)
      sent.end()
    })
  }
}
