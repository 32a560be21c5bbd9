import { SessionError, isSessionError } from '../errors.ts'
import type { Awaitable } from '../store.ts'
import type { Exchange } from '../transport.ts'
import { andThen, isPromise } from './awaitable.ts'
import { isPubliclyCacheable, mayBeShared, vary } from './cacheable.ts'
import type { Life } from './life.ts'
import { OWN_EXPIRY } from './namespaces.ts'

/** How a request went. */
export interface Outcome {
  /** The status that the response is about to have. Defaults to 200. */
  readonly status?: number
  /** The handler threw: nothing more is committed. */
  readonly failed?: boolean
}

/** The end of a request: commit, then tell the visitor about the token. */
export function finish(life: Life, { status = 200, failed = false }: Outcome): Awaitable<void> {
  if (life.finished) return undefined
  const { commit, commitWhen, onThrow } = life.core.settings
  if (life.commitFailed || (onThrow === 'discard' && (failed || !commitWhen(status)))) {
    life.discard()
    return sealAfterFailure(life)
  }
  if (life.discarded || commit === 'manual') life.discard()
  let result: Awaitable<unknown>
  try {
    result = mustStayUnsaved(life) ? leaveUnsaved(life) : life.commit()
  } catch (error) {
    return commitFailed(life, error)
  }
  if (isPromise(result)) return result.then((late) => committed(life, late), (error: unknown) => commitFailed(life, error))
  return committed(life, result)
}

function committed(life: Life, result: unknown): Awaitable<void> {
  if (result === 'gone' && life.core.settings.onGone === 'fail') throw new SessionError('ERR_SESSION_GONE', 'The session ended or got a new token meanwhile, so nothing was stored. Repeat the request.')
  return sealAfterHook(life)
}

function commitFailed(life: Life, error: unknown): Awaitable<void> {
  life.commitFailed = true
  life.core.events.emit('error', { ...(life.isNew ? {} : { id: life.id }), error })
  if (life.core.settings.onStoreError === 'fail' || !isSessionError(error, 'ERR_SESSION_STORE')) throw error
  life.discard()
  return sealAfterHook(life)
}

// The application's hook runs before the head is made: when it fails, an error is answered, and that still carries the cookie.
function sealAfterHook(life: Life): Awaitable<void> {
  const { onAccess } = life
  life.onAccess = undefined
  return onAccess === undefined ? seal(life) : andThen(onAccess(), () => seal(life))
}

// An error is being answered already; one of the hook's own must not take its place.
function sealAfterFailure(life: Life): Awaitable<void> {
  if (life.onAccess === undefined) return seal(life)
  const report = (error: unknown): void => {
    life.core.events.emit('error', { reason: 'onAccess', error })
    seal(life)
  }
  try {
    const sealed = sealAfterHook(life)
    return isPromise(sealed) ? sealed.then(undefined, report) : sealed
  } catch (error) {
    return report(error)
  }
}

// Decided before the commit: a session whose cookie may not be sent is a record that nobody can return to.
function mustStayUnsaved(life: Life): boolean {
  const begins = life.status === 'absent' || life.status === 'ended'
  return begins && life.isChanged && life.exchange !== undefined && isPubliclyCacheable(life.exchange, life.core.now())
}

function leaveUnsaved(life: Life): Awaitable<unknown> {
  if (process.env['NODE_ENV'] === 'development') {
    throw new SessionError('ERR_SESSION_USAGE', 'The response is publicly cacheable, so it cannot carry the cookie of a new session. Answer with Cache-Control: private, or write nothing.')
  }
  const { replaces } = life
  life.discard()
  life.core.events.emit('not-saved', { reason: 'the response is publicly cacheable' })
  // What was to end still ends: its cookie is cleared, and the response is cached no more.
  return replaces ? life.end('destroyed') : undefined
}

/** Puts what the visitor must know about the token on the response. */
function seal(life: Life): void {
  const { exchange, transport } = life
  life.finished = true
  if (exchange === undefined || exchange.headSent) return
  if (handsOut(life, exchange)) {
    transport.write(exchange, {
      token: life.handout === 'clear' ? undefined : life.token,
      expiresAt: life.expiresAt,
      now: life.core.now(),
      lasting: life.copy.base[OWN_EXPIRY] !== undefined,
      isNew: life.handout === 'new',
      overrides: life.overrides,
    })
    if (life.handout === 'clear') life.core.settings.onClear?.(exchange)
    // A cache that kept this response would hand one visitor's token to the next.
    if (mayBeShared(exchange, life.core.now())) exchange.setResponseHeader('Cache-Control', 'no-store')
  }
  if (life.accessed && transport.vary !== undefined) vary(exchange, transport.vary)
  for (const one of life.core.settings.transports) one.settle?.(exchange)
}

function handsOut(life: Life, exchange: Exchange): boolean {
  const { handout } = life
  if (handout === 'none') return false
  // With a token that nothing is kept for, the visitor would come back as a stranger, each time.
  if (life.store.keeps === 'nothing' && handout !== 'clear') return false
  if (handout === 'new' || handout === 'clear') return true
  if (life.status !== 'live' || life.token === undefined || isPubliclyCacheable(exchange, life.core.now())) return false
  return handout === 'send' || life.transport.persistent === true || life.copy.base[OWN_EXPIRY] !== undefined
}
