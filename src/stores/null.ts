import type { PatchResult } from '../core/patch.ts'
import type { SessionId } from '../core/record.ts'
import type { Store } from '../core/store.ts'

/** What {@link nullStore} gives. Every method answers at once. */
export interface NullStore extends Store {
  readonly keeps: 'nothing'
  read(): undefined
  create(): true
  patch(): PatchResult
  end(): false
  find(): AsyncIterable<SessionId>
  list(): AsyncIterable<SessionId>
  sweep(): 0
}

/**
 * Accepts everything and keeps nothing: a session lasts for its request, and no token is handed out. For commands
 * and tests that run handlers without visitors, and to switch sessions off.
 */
export function nullStore(): NullStore {
  return {
    keeps: 'nothing',
    read: () => undefined,
    create: () => true,
    // Whoever patches has created in the same request; to them everything works.
    patch: () => ({ status: 'ok', version: 1 }),
    end: () => false,
    find: nothing,
    list: nothing,
    sweep: () => 0,
  }
}

async function* nothing(): AsyncIterable<SessionId> {}
