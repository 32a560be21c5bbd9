import type { Codec } from './codec.ts'
import type { GuessingDetector } from './internal/guessing.ts'
import type { LoginResult } from './internal/identity.ts'
import type { CommitResult, Life } from './internal/life.ts'
import type { EntryChanges } from './internal/working-copy.ts'
import type { Settings } from './options.ts'
import type { SessionRecord } from './record.ts'
import type { Exchange } from './transport.ts'

/** What `createSessions` takes as `security`; made by `security(…)` of `sojourn/security`. */
export interface SecurityExtension {
  /** Gives the settings to work with. Throws `ERR_SESSION_OPTION` for one that is weaker than the policy. */
  apply(settings: Settings): Settings
}

/** Seals the entries of one session. */
export interface Seal extends Codec {
  /** The entries are sealed, and the token that opens them is not here. */
  readonly isClosed: boolean
  /** The changes, and beside them what hands the keys over to a new secret. */
  renewed(secret: string, changes: () => EntryChanges): EntryChanges
}

/** Where the extension takes part. Absent without it. */
export interface SecurityHooks {
  /** Runs the step of a login that attaches the owner, or refuses it. */
  readonly aroundLogin?: (life: Life, owner: string, attach: () => Promise<CommitResult>) => Promise<LoginResult>
  /** Whether a live record still counts as a session. */
  readonly counts?: (record: SessionRecord) => boolean
  /** Throws for an expiry of a session's own that is too late. */
  readonly checkExpiry?: (at: number, life: Life) => void
  /** The seal of a session, in place of `codec`. */
  readonly sealFor?: (life: Life) => Seal
  /** Counts guessed tokens in place of the core, which counts them over all requests. */
  readonly guessing?: GuessingDetector
  /** The response tells the visitor to forget the token. */
  readonly onClear?: (exchange: Exchange) => void
}
