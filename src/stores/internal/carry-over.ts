import { isSessionError } from '../../core/errors.ts'
import type { Patch } from '../../core/patch.ts'
import { isLive, makeEntries, type SessionId, type SessionRecord } from '../../core/record.ts'
import type { Store } from '../../core/store.ts'

/*
 * Carrying over takes three steps, each atomic in its store, and whoever meets a half-carried session goes on with them:
 *   1. create a held copy in the new store;
 *   2. mark the session in the old store: it changes no more;
 *   3. release the copy, brought up to what the old store has, if that is still live. Then the old record is ended.
 * An end goes to the old store first and to the new one after that. If it came before 2, the mark finds nothing and the copy is thrown away.
 * If it came after 2, the copy was already there for it to end. Either way nothing is released that has ended.
 */

/** Where sessions come from, and where they go. */
export interface Stores {
  readonly old: Store
  readonly new: Store
}

/**
 * An entry that makes a record unusable while a session is carried over; its text is the mark of one attempt. In the new store: a copy
 * that nobody may use yet. In the old store: a session whose life goes on in the copy with the same mark.
 */
export const HELD = 'x:migration'

/** Step 1. A version less, because the release counts one up. False when something live is there already. */
export async function hold(stores: Stores, id: SessionId, past: SessionRecord): Promise<boolean> {
  // With the nonce of the last patch, so that it is still known when it is sent again.
  const mark = `${crypto.randomUUID()} ${past.nonce}`
  const entries = makeEntries(past.entries)
  entries[HELD] = mark
  return stores.new.create(id, { ...past, version: past.version - 1, nonce: mark, entries })
}

/** Steps 2 and 3, or the end of a copy whose session is over. */
export async function release(stores: Stores, id: SessionId, held: SessionRecord, now: number): Promise<void> {
  const mark = markOf(held) ?? ''
  const past = await markOld(stores, id, mark, now)
  const expect = [[HELD, mark]] as const
  if (past === undefined) {
    await stores.new.patch(id, { now, nonce: crypto.randomUUID(), expect, expiresAt: now, deadline: 'replace' })
    return
  }
  await stores.new.patch(id, { now, expect, ...difference(held, past) })
  // Marked as it is, the old record is of no use to anybody; ending it saves its room and takes it from the old index.
  await stores.old.end(id, 'replaced', now)
}

/** Step 2. What the old store has when it bears this mark and is live; undefined when the session is over, or bears another. */
async function markOld(stores: Stores, id: SessionId, mark: string, now: number): Promise<SessionRecord | undefined> {
  let past = await readable(stores.old, id)
  if (!isLive(past, now)) return undefined
  if (!isHeld(past)) {
    const result = await stores.old.patch(id, { now, nonce: mark, set: [[HELD, mark]], expect: [[HELD, null]] })
    past = result.status === 'conflict' ? result.record : await readable(stores.old, id)
  }
  return isLive(past, now) && markOf(past) === mark ? past : undefined
}

/** A record that nobody may use: a copy that waits, or a session that has moved. */
export function isHeld(record: SessionRecord | undefined): boolean {
  return markOf(record) !== undefined
}

/** The mark of a held record; undefined for every other. */
export function markOf(record: SessionRecord | undefined): string | undefined {
  return record?.entries[HELD]
}

/** The record as its session knows it. */
export function withoutMark(record: SessionRecord): SessionRecord {
  if (!isHeld(record)) return record
  const entries = makeEntries(record.entries)
  delete entries[HELD]
  return { ...record, entries }
}

/** What makes the held copy equal to what the old store has. A process that does not know of the migration may have written there since. */
function difference(held: SessionRecord, past: SessionRecord): Omit<Patch, 'now'> {
  const mark = markOf(held) ?? ''
  return {
    nonce: mark.slice(mark.indexOf(' ') + 1),
    set: Object.entries(past.entries).filter(([key, text]) => key !== HELD && held.entries[key] !== text),
    remove: Object.keys(held.entries).filter((key) => key === HELD || past.entries[key] === undefined),
    touchedAt: past.touchedAt,
    expiresAt: past.expiresAt,
    deadline: 'replace',
    index: past.index,
    ...(past.tokenHash !== held.tokenHash && { rotateTo: past.tokenHash }),
  }
}

/** The record; undefined for nothing, and for what cannot be read. */
export async function readable(store: Store, id: SessionId): Promise<SessionRecord | undefined> {
  try {
    return await store.read(id, { fresh: true })
  } catch (error) {
    if (isSessionError(error, 'ERR_SESSION_UNREADABLE')) return undefined
    throw error
  }
}
