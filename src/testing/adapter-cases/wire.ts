import { request as http1Request, type IncomingMessage } from 'node:http'
import { connect, type IncomingHttpHeaders } from 'node:http2'

export interface WireRequest {
  /** Defaults to `GET`. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A response as it came over the wire. */
export interface Answer {
  readonly status: number
  /** In order, with repetitions; names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly setCookies: readonly string[]
  /** Several of one name joined by a comma; undefined when there is none. */
  header(name: string): string | undefined
  readonly body: string
  readonly bytes: Uint8Array
}

/** A request under way, on a connection of its own. */
export interface Sent {
  /** Something of the response has arrived: any byte of it over HTTP/1.1, its head over HTTP/2. */
  readonly hasArrived: boolean
  /** Resolves when the head of the response is there. */
  readonly headed: Promise<void>
  /** Resolves when the body so far contains the text. Rejects when it ends without. */
  contains(text: string): Promise<void>
  /** Rejects when the connection is cut before the end. */
  readonly answer: Promise<Answer>
  /** Hangs up. */
  abort(): void
}

/** Sends a request and shows what arrives, and when. */
export function send(url: URL, request: WireRequest, http2: boolean): Sent {
  const received = new Received()
  const { hasArrived, abort } = http2 ? sendHttp2(url, request, received) : sendHttp1(url, request, received)
  // Who hangs up or waits only for a part does not look at the rest.
  received.answer.catch(() => {})
  return {
    get hasArrived() { return hasArrived() },
    headed: received.headed,
    contains: (text) => received.contains(text),
    answer: received.answer,
    abort,
  }
}

interface Connection {
  hasArrived(): boolean
  abort(): void
}

function sendHttp1(url: URL, { method = 'GET', headers = {}, body }: WireRequest, received: Received): Connection {
  const sent = http1Request(url, { method, headers: { ...headers, ...lengthOf(body) }, agent: false })
  sent.on('response', (response: IncomingMessage) => {
    received.head(response.statusCode ?? 0, pairs(response.rawHeaders))
    response.on('data', (chunk: Uint8Array) => received.chunk(chunk))
    response.on('end', () => (response.complete ? received.end() : received.fail(new Error('The response was cut short.'))))
    response.on('error', (error) => received.fail(error))
  })
  sent.on('error', (error) => received.fail(error))
  sent.end(body)
  return { hasArrived: () => (sent.socket?.bytesRead ?? 0) > 0, abort: () => void sent.destroy() }
}

function sendHttp2(url: URL, { method = 'GET', headers = {}, body }: WireRequest, received: Received): Connection {
  const session = connect(url.origin)
  const stream = session.request({ ':method': method, ':path': url.pathname + url.search, ...headers, ...lengthOf(body) })
  let arrived = false
  stream.on('response', (head: IncomingHttpHeaders) => {
    arrived = true
    const { ':status': status, ...rest } = head
    received.head(Number(status), Object.entries(rest).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, String(one)])))
  })
  stream.on('data', (chunk: Uint8Array) => received.chunk(chunk))
  stream.on('end', () => { received.end(); session.close() })
  for (const emitter of [session, stream]) emitter.on('error', (error: Error) => received.fail(error))
  stream.on('close', () => { received.fail(new Error('The response was cut short.')); session.close() })
  stream.end(body)
  return { hasArrived: () => arrived, abort: () => session.destroy() }
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [(raw[at * 2] ?? '').toLowerCase(), raw[at * 2 + 1] ?? ''])
}

/** What has come of one response. */
class Received {
  readonly answer: Promise<Answer>
  readonly headed: Promise<void>
  #onHead: () => void = () => {}
  #resolve: (answer: Answer) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #status = 0
  #headers: readonly (readonly [string, string])[] = []
  readonly #chunks: Uint8Array[] = []
  #ended = false
  #onChange: (() => void)[] = []

  constructor() {
    this.headed = new Promise((resolve) => { this.#onHead = resolve })
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  head(status: number, headers: readonly (readonly [string, string])[]): void {
    this.#status = status
    this.#headers = headers
    this.#onHead()
  }

  chunk(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#changed()
  }

  end(): void {
    if (this.#status === 0) return this.fail(new Error('There was no response.'))
    this.#ended = true
    const headers = this.#headers
    const all = (name: string): string[] => headers.filter(([key]) => key === name).map(([, value]) => value)
    const bytes = Buffer.concat(this.#chunks)
    this.#resolve({ status: this.#status, headers, body: bytes.toString(), bytes, setCookies: all('set-cookie'), header: (name) => all(name).join(', ') || undefined })
    this.#changed()
  }

  fail(error: unknown): void {
    this.#ended = true
    this.#reject(error)
    this.#changed()
  }

  async contains(text: string): Promise<void> {
    while (!Buffer.concat(this.#chunks).includes(text)) {
      if (this.#ended) throw new Error(`The body ended without ${JSON.stringify(text)}.`)
      await new Promise<void>((resolve) => { this.#onChange.push(resolve) })
    }
  }

  #changed(): void {
    for (const tell of this.#onChange.splice(0)) tell()
  }
}
