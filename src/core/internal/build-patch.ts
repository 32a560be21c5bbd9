import { deadlineAfterTouch, isTouchDue, type Deadlines } from '../deadlines.ts'
import type { Patch, PatchResult } from '../patch.ts'
import type { Entries, EntryKey } from '../record.ts'
import { INCARNATION, OWN_EXPIRY } from './namespaces.ts'
import type { EntryChanges } from './working-copy.ts'

export interface IdentityChange {
  /** The hash of the new token. */
  readonly rotateTo?: string
  /** The secret of the new token. */
  readonly secret?: string
  /** The deadlines begin anew, as they do at a login. */
  readonly renewDeadline?: boolean
}

/** What a patch is made from. */
export interface Draft {
  readonly now: number
  readonly nonce: string
  readonly guard: string | undefined
  /** The entries as this request knows them. */
  readonly base: Entries
  readonly changes: EntryChanges
  readonly identity: IdentityChange
  readonly head: { readonly startedAt: number; readonly touchedAt: number; readonly nonce: string }
  /** The deadline that `expire` set; `policy` goes back to the timeouts. */
  readonly ownDeadline: number | 'policy' | undefined
  /** Touch in any case. */
  readonly forced: boolean
  readonly listedUnder: readonly string[]
  readonly newTerms: readonly string[]
  readonly deadlines: Deadlines
}

/** The patch of one attempt; {@link isEmpty} when there is nothing to do. */
export function buildPatch(draft: Draft): Patch {
  const { now, changes, identity, newTerms } = draft
  const touches = draft.forced || isTouchDue(draft.head, now, draft.deadlines)
  const deadline = movedDeadline(draft, touches)
  const moves = touches || deadline !== undefined
  const expect = expectations(draft, deadline !== undefined && draft.ownDeadline === undefined)
  // When the deadline moves, every term is scored anew with it.
  const index = moves ? [...new Set([...draft.listedUnder, ...newTerms])] : newTerms
  const patch: { -readonly [Part in keyof Patch]: Patch[Part] } = { now, nonce: draft.nonce }
  if (draft.guard !== undefined) patch.tokenHash = draft.guard
  if (identity.rotateTo !== undefined) patch.rotateTo = identity.rotateTo
  if (changes.set.length > 0) patch.set = changes.set
  if (changes.remove.length > 0) patch.remove = changes.remove
  if (expect.length > 0) patch.expect = expect
  if (moves) patch.touchedAt = now
  if (moves || index.length > 0) patch.index = index
  if (deadline !== undefined) patch.expiresAt = deadline.at
  if (deadline?.kind === 'replace') patch.deadline = 'replace'
  return patch
}

export function isEmpty(patch: Patch): boolean {
  return patch.set === undefined && patch.remove === undefined && patch.touchedAt === undefined && patch.rotateTo === undefined
}

function movedDeadline({ now, base, identity, head, ownDeadline, deadlines }: Draft, touches: boolean): { kind: 'touch' | 'replace'; at: number } | undefined {
  if (typeof ownDeadline === 'number') return { kind: 'replace', at: ownDeadline }
  if (ownDeadline === 'policy') return { kind: 'replace', at: deadlineAfterTouch(head.startedAt, now, deadlines) }
  if (base[OWN_EXPIRY] !== undefined) return undefined
  if (identity.renewDeadline === true) return { kind: 'replace', at: deadlineAfterTouch(now, now, deadlines) }
  return touches ? { kind: 'touch', at: deadlineAfterTouch(head.startedAt, now, deadlines) } : undefined
}

// A touch, or a login, expects the session's own expiry to be as it was, or it would move a deadline that expire() has set meanwhile.
// A record with a derived id must be in the same life as when it was read, since operations by id carry no token.
function expectations({ base, changes }: Draft, movesByPolicy: boolean): readonly (readonly [EntryKey, string | null])[] {
  const incarnation = base[INCARNATION]
  if (!movesByPolicy && incarnation === undefined) return changes.expect
  const expected = new Map<EntryKey, string | null>(changes.expect)
  if (movesByPolicy) expected.set(OWN_EXPIRY, base[OWN_EXPIRY] ?? null)
  if (incarnation !== undefined) expected.set(INCARNATION, incarnation)
  return [...expected]
}

/** A conflict that our own, already applied attempt caused is no conflict: its reply was lost. */
export function settledResult(result: PatchResult, patch: Patch): PatchResult {
  if (result.status !== 'conflict' || result.record.nonce !== patch.nonce) return result
  return { status: 'ok', version: result.record.version }
}
