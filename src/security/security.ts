import { parseInstant } from '../core/duration.ts'
import { SessionError } from '../core/errors.ts'
import { startedAt } from '../core/internal/resolve.ts'
import type { Settings } from '../core/options.ts'
import type { SecurityExtension, SecurityHooks } from '../core/security.ts'
import type { Exchange } from '../core/transport.ts'
import { noticingRevocation } from './everyone.ts'
import { expiryLimit } from './internal/expiry-limit.ts'
import { remember } from './internal/facts.ts'
import { addressOf, guessingBySource } from './internal/guessing-sources.ts'
import { enforce } from './internal/policy.ts'
import { POLICIES, type Policy } from './internal/requirements.ts'
import { sealedWithToken } from './internal/token-seal.ts'
import { limitedLogin } from './internal/seats.ts'

/** What a browser deletes at `Clear-Site-Data` (W3C Clear Site Data, section 3.1). */
export type ClearSiteDataType = 'cache' | 'cookies' | 'storage' | 'executionContexts' | '*'

export interface SecurityOptions {
  /** The standard to hold: settings that are weaker throw at construction. Defaults to none. */
  readonly policy?: Policy
  /** The requirements of the policy that this application does not follow, by their ids, each with the reason. Only those that a standard recommends, not those that it demands. */
  readonly deviations?: Readonly<Record<string, string>>
  /** How many sessions an owner may have at once. From 1; `Infinity` says on purpose that there is no limit. Defaults to no limit. */
  readonly maxConcurrent?: number
  /** What a login does that would be one too many: it resolves to `refused`, or ends the session that logged in first. Defaults to `end-oldest`. */
  readonly onLimit?: 'refuse' | 'end-oldest'
  /** What began before this instant is over: a Date, ISO or HTTP-date text. Holds for every process that has it, costs no store call. Defaults to none. */
  readonly epoch?: string | Date
  /** `token`: entries are sealed with a key that only the visitor's token opens. Data keys of the option `index` and metadata stay as they are. Defaults to none. */
  readonly seal?: 'token'
  /** What the browser is told to delete on https when the session ends: the types, or true for `cache`, `cookies` and `storage`. Defaults to nothing. */
  readonly clearSiteData?: true | readonly ClearSiteDataType[]
  /**
   * Whose guessed tokens are counted together, beside all of them: `address`, the client's as the framework or the socket tells it, or a function.
   * The event `guessing` then names the `source`. Defaults to none: they are counted over all requests.
   */
  readonly guessing?: 'address' | ((exchange: Exchange) => string | undefined)
}

/**
 * Limits and checks beyond the defaults: `createSessions({ security: security({ policy: 'asvs-l2', maxConcurrent: 5 }) })`.
 * Throws `ERR_SESSION_OPTION` for options that cannot work; `createSessions` then throws it for settings that are weaker than the policy.
 */
export function security(options: SecurityOptions = {}): SecurityExtension {
  checkKnown(options)
  const header = clearSiteDataFrom(options.clearSiteData)
  const { policy, seal, onLimit = 'end-oldest' } = options
  if (policy !== undefined && !POLICIES.includes(policy)) throw wrong(`there is no policy ${JSON.stringify(String(policy).slice(0, 60))}`, `The policies are ${POLICIES.join(', ')}`)
  if (seal !== undefined && seal !== 'token') throw wrong('seal is not "token"', 'Pass seal: "token", or codec: sealingCodec(keys) for keys of yours')
  if (onLimit !== 'refuse' && onLimit !== 'end-oldest') throw wrong('onLimit is neither "refuse" nor "end-oldest"', 'Pass one of them')
  const max = maxFrom(options.maxConcurrent)
  const sourceOf = options.guessing === 'address' ? addressOf : options.guessing
  if (sourceOf !== undefined && typeof sourceOf !== 'function') throw wrong('guessing is neither "address" nor a function', 'Pass one of them; the function answers who sent the request')
  return {
    apply(settings) {
      const applied: Settings = {
        ...settings,
        ...hooksFrom(options, max, onLimit, settings),
        ...(seal === 'token' && sealedWithToken(settings)),
        ...(sourceOf !== undefined && { guessing: guessingBySource(sourceOf) }),
        ...(header !== undefined && { onClear: (exchange: Exchange): void => { if (exchange.secure === true) exchange.setResponseHeader('Clear-Site-Data', header) } }),
      }
      if (typeof settings.store === 'function' && seal !== undefined) throw wrong('seal is "token", and the visitor keeps the session, sealed already', 'Leave seal out')
      if (max !== Infinity && typeof settings.store === 'object' && settings.store.keeps === 'nothing') throw wrong('maxConcurrent cannot be held where nothing is kept', 'Choose another store')
      if (typeof settings.store === 'function' && max !== Infinity) throw wrong('maxConcurrent cannot be held where the visitor keeps the session', 'Choose a store on the server')
      enforce({ settings: applied, options })
      remember(applied, options)
      return applied
    },
  }
}

function hooksFrom({ epoch, policy }: SecurityOptions, max: number, onLimit: 'refuse' | 'end-oldest', settings: Settings): SecurityHooks {
  const from = epochFrom(epoch, settings.clock())
  const checkExpiry = expiryLimit(policy)
  return {
    aroundLogin: noticingRevocation(max === Infinity ? (_life, _owner, attach) => attach() : limitedLogin({ max, onLimit })),
    ...(from !== undefined && { counts: (record) => startedAt(record) > from }),
    ...(checkExpiry !== undefined && { checkExpiry }),
  }
}

const KNOWN: readonly string[] = ['policy', 'deviations', 'maxConcurrent', 'onLimit', 'epoch', 'seal', 'clearSiteData', 'guessing'] satisfies (keyof SecurityOptions)[]

function checkKnown(options: SecurityOptions): void {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) throw wrong(`there is no setting ${JSON.stringify(name.slice(0, 60))}`, `The settings are ${KNOWN.join(', ')}`)
  }
}

function maxFrom(value: number | undefined): number {
  if (value === undefined || value === Infinity) return Infinity
  if (!Number.isInteger(value) || value < 1 || value > 1000) throw wrong('maxConcurrent is not a whole number from 1 to 1000', 'Pass a number such as 5, or Infinity for no limit')
  return value
}

const DAY_MS = 86_400_000

function epochFrom(value: string | Date | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const at = parseInstant(value, now, 'epoch')
  // A duration would end everybody again whenever a process starts.
  if (at !== parseInstant(value, now + DAY_MS, 'epoch')) throw wrong('epoch is a duration', 'Pass an instant, such as "2027-01-31T12:00:00Z"')
  if (at > now + DAY_MS) throw wrong('epoch is more than a day ahead, and nobody could log in until then', 'Pass the instant from which sessions count')
  return at
}

const TYPES: readonly string[] = ['cache', 'cookies', 'storage', 'executionContexts', '*'] satisfies ClearSiteDataType[]

function clearSiteDataFrom(value: SecurityOptions['clearSiteData']): string | undefined {
  if (value === undefined) return undefined
  const types = value === true ? TYPES.slice(0, 3) : value
  if (!Array.isArray(types) || types.length === 0 || types.some((type) => !TYPES.includes(type))) throw wrong('clearSiteData is not a list of types', `Pass true, or some of ${TYPES.join(', ')}`)
  return types.map((type) => `"${type}"`).join(', ')
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `The settings of security are wrong: ${what}. ${instead}.`)
}
