import { isSessionError } from '../errors.ts'
import type { Awaitable } from '../store.ts'
import type { Exchange } from '../transport.ts'
import { andThen, isPromise } from './awaitable.ts'
import type { Core } from './core.ts'
import type { Life } from './life.ts'
import { examine, type Finding, type Offer } from './resolve.ts'

// Enough for an honest browser with cookies of two paths and a domain; a flood of them costs no more reads.
const MAX_OFFERS = 4

/** The tokens that a request offers, in a form that we could have made. */
export function offersOf(core: Core, exchange: Exchange): Offer[] {
  const offers: Offer[] = []
  for (const transport of core.settings.transports) {
    for (const text of transport.read(exchange)) {
      if (offers.length === MAX_OFFERS) return offers
      const token = core.settings.tokens.parse(text)
      if (token === undefined) core.events.emit('unknown-token', { reason: 'malformed' })
      else offers.push({ token, text, transport, exchange })
    }
  }
  return offers
}

/** Gives the life the session that the best offer names, if any does. */
export function attach(life: Life, offers: readonly Offer[], fresh: boolean): Awaitable<void> {
  return guarded(life, () => andThen(firstThatFits(life, offers, 0, fresh, UNKNOWN), (finding) => take(life, finding)))
}

/** Lets a request arrive whose URL carries the id of a return. */
export function arrive(life: Life): Awaitable<void> {
  const { arrive: run } = life
  return run === undefined ? undefined : guarded(life, run)
}

function guarded(life: Life, run: () => Awaitable<void>): Awaitable<void> {
  try {
    const done = run()
    return isPromise(done) ? done.then(undefined, (error: unknown) => openFailed(life, error)) : done
  } catch (error) {
    return openFailed(life, error)
  }
}

// Of several tokens the first that fits is used; another that fits as well is worth an event.
function firstThatFits(life: Life, offers: readonly Offer[], at: number, fresh: boolean, best: Finding): Awaitable<Finding> {
  const offer = offers[at]
  if (offer === undefined) return best
  return andThen(examine(life.core, life.store, offer, fresh), (finding) => {
    if (finding.kind === 'live' && best.kind === 'live') life.core.events.emit('duplicate-token', { id: finding.offer.token.id })
    return firstThatFits(life, offers, at + 1, fresh, RANK[finding.kind] > RANK[best.kind] ? finding : best)
  })
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

const UNKNOWN: Finding = { kind: 'unknown' }
const RANK = { unknown: 0, past: 1, superseded: 2, live: 3 } as const
