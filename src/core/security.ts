import type { LoginResult } from './internal/identity.ts'
import type { CommitResult, Life } from './internal/life.ts'
import type { Settings } from './options.ts'
import type { SessionRecord } from './record.ts'
import type { Exchange } from './transport.ts'

/** What `createSessions` takes as `security`; made by `security(…)` of `sojourn/security`. */
export interface SecurityExtension {
  /** Gives the settings to work with. Throws `ERR_SESSION_OPTION` for one that is weaker than the policy. */
  apply(settings: Settings): Settings
}

/** Where the extension takes part. Absent without it. */
export interface SecurityHooks {
  /** Runs the step of a login that attaches the owner, or refuses it. */
  readonly aroundLogin?: (life: Life, owner: string, attach: () => Promise<CommitResult>) => Promise<LoginResult>
  /** Whether a live record still counts as a session. */
  readonly counts?: (record: SessionRecord) => boolean
  /** Throws for an expiry of a session's own that is too late. */
  readonly checkExpiry?: (at: number, life: Life) => void
  /** The response tells the visitor to forget the token. */
  readonly onClear?: (exchange: Exchange) => void
}
