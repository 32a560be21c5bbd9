import { isSessionError } from '../errors.ts'
import type { Awaitable } from '../store.ts'
import type { Exchange } from '../transport.ts'
import { appended } from './appended.ts'
import { andThen, isPromise } from './awaitable.ts'
import type { Core } from './core.ts'
import type { Life } from './life.ts'
import { examine, type Finding, type Offer } from './resolve.ts'

// Enough for an honest browser with cookies of two paths and a domain; a flood of them costs no more reads.
const MAX_OFFERS = 4
const NO_OFFERS: Offer[] = []

/** The tokens that a request offers, in a form that we could have made. */
export function offersOf(core: Core, exchange: Exchange): readonly Offer[] {
  let offers = NO_OFFERS
  for (const transport of core.settings.transports) {
    for (const text of transport.read(exchange)) {
      if (offers.length === MAX_OFFERS) return offers
      const token = core.settings.tokens.parse(text)
      if (token === undefined) core.events.emit('unknown-token', { reason: 'malformed' })
      else offers = appended(offers, { token, text, transport, exchange })
    }
  }
  return offers
}

/** Gives the life the session that the best offer names, if any does. */
export function attach(life: Life, offers: readonly Offer[], fresh: boolean): Awaitable<void> {
  return guarded(life, takeBest, offers, fresh)
}

/** Lets a request arrive whose URL carries the id of a return. */
export function arrive(life: Life): Awaitable<void> {
  return life.arrive === undefined ? undefined : guarded(life, life.arrive)
}

// Functions with arguments, and closures only where something is waited for: on every request these would be most of the garbage.
function guarded(life: Life, run: (life: Life, offers: readonly Offer[], fresh: boolean) => Awaitable<void>, offers: readonly Offer[] = [], fresh = false): Awaitable<void> {
  try {
    const done = run(life, offers, fresh)
    return isPromise(done) ? unlessItFails(life, done) : done
  } catch (error) {
    return openFailed(life, error)
  }
}

async function unlessItFails(life: Life, done: PromiseLike<void>): Promise<void> {
  try {
    await done
  } catch (error) {
    openFailed(life, error)
  }
}

function takeBest(life: Life, offers: readonly Offer[], fresh: boolean): Awaitable<void> {
  const [offer] = offers
  if (offer === undefined || offers.length > 1) return takeBestOf(life, offers, fresh)
  const finding = examine(life.core, life.store, offer, fresh)
  return isPromise(finding) ? takeLater(life, finding) : take(life, finding)
}

async function takeLater(life: Life, finding: PromiseLike<Finding>): Promise<void> {
  return take(life, await finding)
}

// Of several tokens the first that fits is used; another that fits as well is worth an event.
async function takeBestOf(life: Life, offers: readonly Offer[], fresh: boolean): Promise<void> {
  let best: Finding = { kind: 'unknown' }
  for (const offer of offers) {
    const finding = await examine(life.core, life.store, offer, fresh)
    if (finding.kind === 'live' && best.kind === 'live') life.core.events.emit('duplicate-token', { id: finding.offer.token.id })
    if (RANK[finding.kind] > RANK[best.kind]) best = finding
  }
  return take(life, best)
}

function take(life: Life, finding: Finding): Awaitable<void> {
  // Read again, and it is no more: what this request still holds of it is nobody's.
  if (finding.kind !== 'live' && life.status === 'live') life.becomeBlank('gone')
  if (finding.kind === 'unknown') return undefined
  life.transport = finding.offer.transport
  if (finding.kind === 'live') {
    life.attach(finding.offer.token.id, finding.record, finding.tokenHash)
    life.token = finding.offer.text
    if (!life.isBoundHere) return andThen(life.end('revoked'), () => forgetBound(life))
    if (life.core.events.wants('load')) life.core.events.emit('load', { id: life.id })
  } else if (finding.kind === 'superseded') {
    life.status = 'superseded'
  } else {
    life.endedBecause = finding.because
  }
}

// Who has the token elsewhere gets no cookie: the one that the visitor still has is cleared when they come back.
function forgetBound(life: Life): void {
  life.becomeBlank('absent')
  life.handout = 'none'
  life.endedBecause = 'bound-elsewhere'
}

function openFailed(life: Life, error: unknown): void {
  life.core.events.emit('error', { error })
  if (life.core.settings.onStoreError === 'fail' || !isSessionError(error, 'ERR_SESSION_STORE')) throw error
  life.status = 'degraded'
}

const RANK = { unknown: 0, past: 1, superseded: 2, live: 3 } as const
