import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'

/** A point at which requests of the application under test stop: whoever asks for its address is answered when it opens. */
export interface Gate {
  /** What the application has to fetch. */
  readonly url: string
  /** Resolves when this many have come. */
  reached(count?: number): Promise<void>
  /** Lets everybody go on, also who comes later. */
  open(): void
  /** Answers everybody with status 500. */
  fail(): void
}

/** Listens on a free port of this machine. */
export class Gates {
  readonly #server: Server
  readonly #gates = new Map<string, Door>()
  #port = 0

  constructor() {
    this.#server = createServer((request, response) => {
      const door = this.#gates.get(request.url ?? '')
      if (door === undefined) response.writeHead(404).end()
      else door.come(response)
    })
  }

  async start(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
    const address = this.#server.address()
    this.#port = typeof address === 'object' && address !== null ? address.port : 0
  }

  make(): Gate {
    const path = `/gate-${this.#gates.size + 1}`
    const door = new Door(`http://127.0.0.1:${this.#port}${path}`)
    this.#gates.set(path, door)
    return door
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    for (const door of this.#gates.values()) door.open()
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}

class Door implements Gate {
  readonly url: string
  readonly #waiting: ServerResponse[] = []
  readonly #watchers: { readonly count: number; tell(): void }[] = []
  #come = 0
  #status: number | undefined

  constructor(url: string) {
    this.url = url
  }

  come(response: ServerResponse): void {
    this.#come += 1
    this.#waiting.push(response)
    if (this.#status !== undefined) this.#answer(this.#status)
    for (const { count, tell } of this.#watchers) if (this.#come >= count) tell()
  }

  reached(count = 1): Promise<void> {
    if (this.#come >= count) return Promise.resolve()
    return new Promise((tell) => { this.#watchers.push({ count, tell }) })
  }

  open(): void {
    this.#answer(204)
  }

  fail(): void {
    this.#answer(500)
  }

  #answer(status: number): void {
    this.#status ??= status
    for (const response of this.#waiting.splice(0)) response.writeHead(this.#status, { connection: 'close' }).end()
  }
}
