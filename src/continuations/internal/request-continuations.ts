import type { Arrived, Continuations, ReturnOptions, SavedRequest, SaveOptions } from '../../core/continuations.ts'
import type { Awaitable } from '../../core/store.ts'
import { localTarget } from '../target.ts'
import { arrive } from './arriving.ts'
import { withParameters } from '../../core/internal/parameters.ts'
import { leaveFor, returnFrom } from './returning.ts'
import { save } from './saving.ts'
import { savedRequest } from './stored.ts'
import type { Found, Visit } from './visit.ts'

/** The continuations of one request. */
export class RequestContinuations implements Continuations {
  readonly #visit: Visit

  constructor(visit: Visit) {
    this.#visit = visit
  }

  get arrived(): Arrived | undefined {
    return this.#read.arrived
  }

  get misplaced(): string | undefined {
    return this.#read.misplaced
  }

  get messages(): Map<string, unknown> {
    return this.#read.messages
  }

  get current(): string | undefined {
    return this.#current?.id
  }

  get caller(): SavedRequest | undefined {
    const found = this.#current
    if (found === undefined) return undefined
    const request = found.kind === 'signed' ? { url: found.urls[0], method: 'GET' } : this.#visit.kept.request(found.id)
    return request === undefined ? undefined : savedRequest(request)
  }

  save(options: SaveOptions): Promise<string> {
    return save(this.#visit, options)
  }

  return(options: ReturnOptions = {}): Promise<string> {
    return returnFrom(this.#visit, options)
  }

  async redirect({ to }: { readonly to: string }): Promise<string> {
    const target = this.#visit.target(to, 'The target of redirect')
    await this.#visit.host.load()
    return leaveFor(this.#visit, target, this.current, {})
  }

  link(url: string): string {
    const { current } = this
    const target = current === undefined ? undefined : localTarget(url)
    return target === undefined ? url : withParameters(target, this.#visit.ids(current))
  }

  get field(): { readonly name: string; readonly value: string } | undefined {
    const { current } = this
    return current === undefined ? undefined : { name: this.#visit.settings.current, value: current }
  }

  get hiddenField(): string {
    const { field } = this
    return field === undefined ? '' : `<input type="hidden" name="${escaped(field.name)}" value="${escaped(field.value)}">`
  }

  add(value: unknown): string {
    return this.#visit.kept.add(value)
  }

  get(id: string): unknown {
    return this.#visit.kept.get(id)
  }

  has(id: string): boolean {
    return this.#visit.kept.has(id)
  }

  set<Value>(id: string, value: Value): Value {
    this.#visit.kept.set(id, value)
    return value
  }

  delete(id: string): void {
    this.#visit.kept.delete(id)
  }

  keys(): string[] {
    return this.entries().map(([id]) => id)
  }

  entries(): [string, unknown][] {
    return this.#visit.kept.entries()
  }

  /** Resolves to the name of the handler that is to run, when the request has come back to where one was asked for. */
  arrive(id: string): Awaitable<string | undefined> {
    return arrive(this.#visit, id)
  }

  get #current(): Found | undefined {
    return this.#visit.find(this.#visit.named())
  }

  // Before the session is read nobody knows whether the request has come back. Looking makes the response depend on the session.
  get #read(): Visit {
    this.#visit.host.look()
    return this.#visit
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
