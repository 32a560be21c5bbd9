import { expiryReason } from '../deadlines.ts'
import { isSessionError } from '../errors.ts'
import { endedBecause, type EndedBecause } from '../events.ts'
import { isLive, type EndReason, type SessionRecord } from '../record.ts'
import type { Awaitable } from '../store.ts'
import { hashSecret, sameHash, type Token } from '../token.ts'
import type { Exchange, Transport } from '../transport.ts'
import { isPromise } from './awaitable.ts'
import type { Core } from './core.ts'
import { AUTHENTICATED_AT, INCARNATION } from './namespaces.ts'
import { splitEntryText } from './entry-text.ts'
import type { StoreGuard } from './store-guard.ts'

/** A token that a request offered, in the form of ours. */
export interface Offer {
  readonly token: Token
  readonly text: string
  readonly transport: Transport
  /** Where it came with a request. */
  readonly exchange?: Exchange
}

/** What an offered token turned out to be. */
export type Finding =
  | { readonly kind: 'live'; readonly offer: Offer; readonly record: SessionRecord; readonly tokenHash: string }
  | { readonly kind: 'superseded'; readonly offer: Offer }
  | { readonly kind: 'past'; readonly offer: Offer; readonly because: EndedBecause }
  | { readonly kind: 'unknown' }

/** A superseded token is told from an unknown one for this long, since requests that overlap a login still carry it. */
const SUPERSEDED_MS = 60_000

/** Reads the record that an offered token names and judges the token. */
export function examine(core: Core, store: StoreGuard, offer: Offer, fresh: boolean): Awaitable<Finding> {
  let answer: Awaitable<SessionRecord | undefined>
  try {
    answer = store.read(offer.token.id, fresh)
  } catch (error) {
    return unreadable(core, offer, error)
  }
  if (isPromise(answer)) return answer.then((record) => judge(core, store, offer, record, fresh), (error: unknown) => unreadable(core, offer, error))
  return judge(core, store, offer, answer, fresh)
}

// A stored thing that is not a record must not lock its visitor out: it counts as gone.
function unreadable(core: Core, offer: Offer, error: unknown): Finding {
  if (!isSessionError(error, 'ERR_SESSION_UNREADABLE')) throw error
  core.events.emit('unreadable', { id: offer.token.id, error })
  return { kind: 'past', offer, because: 'unknown' }
}

function judge(core: Core, store: StoreGuard, offer: Offer, record: SessionRecord | undefined, fresh: boolean): Awaitable<Finding> {
  if (record === undefined) return unknown(core, offer, 'unknown')
  const tokenHash = hashSecret(offer.token.secret)
  const now = core.now()
  if (sameHash(record.tokenHash, tokenHash)) {
    if (!isLive(record, now)) return past(core, store, offer, record, fresh)
    core.settings.guessing.fits(offer.exchange)
    if (core.settings.counts?.(record) === false) return { kind: 'past', offer, because: 'revoked' }
    return { kind: 'live', offer, record, tokenHash }
  }
  if (record.previous === undefined || !sameHash(record.previous.tokenHash, tokenHash)) return unknown(core, offer, 'mismatch')
  if (now - record.previous.rotatedAt > SUPERSEDED_MS || !isLive(record, now)) return unknown(core, offer, 'unknown')
  core.events.emit('superseded', { id: offer.token.id })
  return { kind: 'superseded', offer }
}

function past(core: Core, store: StoreGuard, offer: Offer, record: SessionRecord, fresh: boolean): Awaitable<Finding> {
  if (record.ended !== undefined) {
    core.events.emit('unknown-token', { id: offer.token.id, reason: 'ended' })
    return { kind: 'past', offer, because: endedBecause(record.ended.because) }
  }
  // A copy near this process may not know of a touch yet, and the end is for good.
  if (!fresh) return examine(core, store, offer, true)
  const because = expiryReason(record, startedAt(record), core.settings.deadlines)
  const { id } = offer.token
  core.events.emit('expire', { id, reason: because })
  const finding: Finding = { kind: 'past', offer, because: endedBecause(because) }
  // Under a derived id another session may have begun since, which must not be ended in its place.
  return record.entries[INCARNATION] === undefined ? endForGood(core, store, id, because).then(() => finding) : finding
}

// A commit that was under way when the deadline passed may still move it; but whoever was told that the session has ended must not meet it again.
async function endForGood(core: Core, store: StoreGuard, id: string, because: EndReason): Promise<void> {
  try {
    await store.end(id, because, core.now())
    core.onEnded(id)
  } catch (error) {
    core.events.emit('error', { id, error })
  }
}

/** When the record's session began: with its creation, or with the latest login. */
export function startedAt(record: SessionRecord): number {
  const authenticated = record.entries[AUTHENTICATED_AT]
  const at = authenticated === undefined ? 0 : Number(splitEntryText(authenticated).text)
  return Number.isFinite(at) ? Math.max(record.createdAt, at) : record.createdAt
}

function unknown(core: Core, offer: Offer, reason: string): Finding {
  core.events.emit('unknown-token', { id: offer.token.id, reason })
  const told = core.settings.guessing.misses(core.now(), offer.exchange)
  if (told !== undefined) core.events.emit('guessing', told)
  return { kind: 'unknown' }
}
