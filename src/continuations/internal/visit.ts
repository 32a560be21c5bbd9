import type { Arrived, FieldSource } from '../../core/continuations.ts'
import { SessionError } from '../../core/errors.ts'
import { localTarget } from '../target.ts'
import { argumentIn, pairsOf } from './fields.ts'
import type { Host } from './host.ts'
import { KeptContinuations } from './kept-continuations.ts'
import { parameterOf, withParameters } from '../../core/internal/parameters.ts'
import type { Settings } from './settings.ts'
import type { SignedAddresses } from './signed-addresses.ts'

/** What an id in a URL stands for: a request kept in the session, or a chain of addresses that travels in the id itself, the innermost first. */
export type Found =
  | { readonly kind: 'stored'; readonly id: string }
  | { readonly kind: 'signed'; readonly id: string; readonly urls: readonly [string, ...string[]] }

/** What continuations know of one request. */
export class Visit {
  readonly host: Host
  readonly settings: Settings
  readonly signed: SignedAddresses
  readonly kept: KeptContinuations
  /** The request's own address, without the parameters that carry ids; undefined when it is none that could be redirected to. */
  readonly here: string | undefined
  /** Those that came with the redirect to this page, and what the handler adds. */
  readonly messages = new Map<string, unknown>()
  arrived: Arrived | undefined
  /** Where the id of a return in this request's URL belongs. */
  misplaced: string | undefined
  readonly #opened = new Map<string, Found | undefined>()

  constructor(host: Host, settings: Settings, signed: SignedAddresses) {
    this.host = host
    this.settings = settings
    this.signed = signed
    this.kept = new KeptContinuations(host, settings)
    const url = localTarget(host.exchange?.url)
    this.here = url === undefined ? undefined : withParameters(url, this.ids())
  }

  /** The parameters that carry ids, to be put on a URL. */
  ids(current?: string, returned?: string): Readonly<Record<string, string | undefined>> {
    return { [this.settings.current]: current, [this.settings.returned]: returned }
  }

  /** The id of the current continuation as the request names it, in its URL or in a form's field. It may be of nothing. */
  named(fields?: FieldSource): string | undefined {
    const { exchange } = this.host
    if (exchange === undefined) return undefined
    const field = (): unknown => argumentIn(pairsOf(fields ?? exchange.body), this.settings.current)
    const named = parameterOf(exchange.url, this.settings.current) ?? field()
    return typeof named === 'string' ? named : undefined
  }

  /** What an id stands for; undefined, with an event, when it is unknown, foreign, ended or too old. */
  find(id: string | undefined): Found | undefined {
    if (id === undefined) return undefined
    this.kept.trim(id)
    if (this.kept.holdsRequest(id)) return { kind: 'stored', id }
    if (!this.#opened.has(id)) {
      const urls = this.signed.open(id, this.host.now())
      this.#opened.set(id, urls === undefined ? undefined : { kind: 'signed', id, urls })
      if (urls === undefined) this.unknown()
    }
    return this.#opened.get(id)
  }

  /** The page renders as if there had been no id. */
  unknown(): undefined {
    this.host.emit({ reason: 'unknown' })
    return undefined
  }

  /** The checked form of a URL that the application gave. */
  target(text: string, what: string): string {
    const target = localTarget(text)
    if (target !== undefined) return target
    throw new SessionError('ERR_SESSION_USAGE', `${what} is not a path of this site. Pass one that begins with a single slash, such as '/login'; check what a visitor sent with localTarget(text) ?? '/'.`)
  }
}
