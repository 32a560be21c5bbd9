import type { Awaitable } from '../../core/store.ts'
import { isPromise } from '../../core/internal/awaitable.ts'
import type { NodeResponse } from './node-types.ts'

type WriteHeadArguments = readonly unknown[]

interface Held {
  readonly method: 'write' | 'end' | 'flushHeaders'
  readonly args: readonly unknown[]
}

/**
 * Holds back the head and the body of a response until the session is committed: the first `write`, `end` or
 * `flushHeaders` starts the commit, and what comes meanwhile waits, in order. With a synchronous store nothing waits.
 * Only documented methods are used, so that HTTP/2 responses work as well.
 */
export function holdResponse(response: NodeResponse, commit: (status: number) => Awaitable<void>, onFailure: (error: unknown) => void): void {
  const { writeHead, write, end, flushHeaders } = response
  const queue: Held[] = []
  let state: 'open' | 'committing' | 'released' = 'open'
  let headGiven = false
  let bodyEnded = false

  response.writeHead = function (...args: WriteHeadArguments) {
    if (state === 'released') return Reflect.apply(writeHead, response, args)
    takeHead(response, args)
    headGiven = true
    pretendSent()
    return response
  }
  response.write = (...args: readonly unknown[]) => (start() ? Reflect.apply(write, response, args) === true : hold('write', args) && false)
  response.end = (...args: readonly unknown[]) => {
    if (start()) return Reflect.apply(end, response, args)
    bodyEnded = true
    hold('end', args)
    return response
  }
  response.flushHeaders = () => { if (start()) Reflect.apply(flushHeaders, response, []); else hold('flushHeaders', []) }

  /** Starts the commit when nobody has; true when the response is free. */
  function start(): boolean {
    if (state !== 'open') return state === 'released'
    state = 'committing'
    let committed: Awaitable<void>
    try {
      committed = commit(response.statusCode)
    } catch (error) {
      fail(error)
      return false
    }
    if (!isPromise(committed)) {
      release()
      return true
    }
    pretendSent()
    committed.then(() => { release(); replay() }, fail)
    return false
  }

  function hold(method: Held['method'], args: readonly unknown[]): true {
    if (state === 'committing') queue.push({ method, args })
    return true
  }

  function release(): void {
    state = 'released'
    Object.assign(response, { writeHead, write, end, flushHeaders })
    if (headGiven) Reflect.apply(writeHead, response, response.statusMessage ? [response.statusCode, response.statusMessage] : [response.statusCode])
  }

  function replay(): void {
    let free = true
    for (const { method, args } of queue) free = Reflect.apply({ write, end, flushHeaders }[method], response, args) !== false
    // Node tells when the buffer drains only if it was full; who was told to wait by us is told by us.
    const waiting = queue.some(({ method }) => method === 'write') && !bodyEnded
    queue.length = 0
    if (waiting && free) process.nextTick(() => response.emit('drain'))
  }

  // What the handler wanted to say is dropped, the head's description of the body with it; an error takes its place.
  // The handler may go on writing: what comes after the error has been answered is dropped, too.
  function fail(error: unknown): void {
    queue.length = 0
    bodyEnded = false
    headGiven = false
    release()
    response.write = (...args: readonly unknown[]) => !response.writableEnded && Reflect.apply(write, response, args) === true
    response.end = (...args: readonly unknown[]) => (response.writableEnded ? response : Reflect.apply(end, response, args))
    response.statusCode = 500
    response.statusMessage = ''
    for (const name of response.getHeaderNames()) if (DESCRIBES_BODY.test(name)) response.removeHeader(name)
    onFailure(error)
  }

  // Frameworks ask whether they may still answer; while the answer waits for the commit they may not.
  function pretendSent(): void {
    if (Object.hasOwn(response, 'headersSent')) return
    const prototype: unknown = Object.getPrototypeOf(response)
    const asked = (name: string): unknown => (typeof prototype === 'object' && prototype !== null ? Reflect.get(prototype, name, response) : undefined)
    Object.defineProperty(response, 'headersSent', { configurable: true, get: () => headGiven || state === 'committing' || asked('headersSent') })
    Object.defineProperty(response, 'writableEnded', { configurable: true, get: () => (state === 'committing' && bodyEnded) || asked('writableEnded') })
  }
}

const DESCRIBES_BODY = /^(?:content-(?!security-policy)|etag$|last-modified$|location$|transfer-encoding$|cache-control$|expires$|accept-ranges$)/

/** What `writeHead(status, reason?, headers?)` says, put where `setHeader` keeps it, so that our headers join instead of being overruled. */
function takeHead(response: NodeResponse, [status, ...rest]: WriteHeadArguments): void {
  if (typeof status === 'number') response.statusCode = status
  if (typeof rest[0] === 'string') response.statusMessage = rest[0]
  const headers = rest.find((argument) => typeof argument === 'object' && argument !== null)
  if (Array.isArray(headers)) takeHeaderList(response, headers)
  else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
  }
}

function takeHeaderList(response: NodeResponse, list: readonly unknown[]): void {
  const pairs = Array.isArray(list[0]) ? list : Array.from({ length: list.length / 2 }, (_, at) => [list[at * 2], list[at * 2 + 1]])
  const seen = new Set<string>()
  for (const pair of pairs) {
    if (!Array.isArray(pair)) continue
    const name = String(pair[0])
    if (seen.has(name.toLowerCase())) response.appendHeader(name, String(pair[1]))
    else response.setHeader(name, Array.isArray(pair[1]) ? pair[1].map(String) : String(pair[1]))
    seen.add(name.toLowerCase())
  }
}
