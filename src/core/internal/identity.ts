import { SessionError } from '../errors.ts'
import { makeEntries } from '../record.ts'
import { derivedId } from '../token.ts'
import type { StoreGuard } from './store-guard.ts'
import { encodeValue } from '../codec.ts'
import type { Core } from './core.ts'
import type { CommitResult, Life } from './life.ts'
import { firstRecord } from './records.ts'
import { late } from './refusals.ts'
import { ASSURANCE, AUTHENTICATED_AT, DATA, OWNER, REVOKED_AT } from './namespaces.ts'

/** NIST SP 800-63B-4: 1 for one factor, 2 for two, 3 for a phishing-resistant one with a key that cannot be exported. */
export type Assurance = 1 | 2 | 3

const ASSURANCES: readonly unknown[] = [1, 2, 3]

/** `refused`: the owner has as many sessions as they may. */
export type LoginResult = CommitResult | 'refused'

export interface LoginOptions {
  /** How the owner has authenticated just now. Defaults to none: `session.assurance` is then undefined. */
  readonly assurance?: Assurance
  /** The data keys that an anonymous visitor keeps, or that go over from another owner. Defaults to all of an anonymous visitor's, and none of another owner's. */
  readonly keep?: readonly string[]
}

/**
 * Attaches an owner. The token is always a new one (ASVS 5.0 7.2.4) and the old one is dead at once, so whoever
 * planted or learned it before the login has nothing.
 */
export async function login(life: Life, owner: string, how: LoginOptions & { readonly onlyHere?: boolean }): Promise<LoginResult> {
  if (life.exchange?.headSent === true) throw late('log in')
  if (how.assurance !== undefined && !ASSURANCES.includes(how.assurance)) throw new SessionError('ERR_SESSION_USAGE', 'There is no such assurance. Pass 1, 2 or 3.')
  life.core.onLogin()
  const before = await readWatermark(life.store, owner)
  const attach = (): Promise<CommitResult> => attachOwner(life, owner, how)
  const { aroundLogin } = life.core.settings
  const result = await (aroundLogin === undefined ? attach() : aroundLogin(life, owner, attach))
  if (result !== 'ok') return result
  life.core.events.emit('login', { id: life.id, owner })
  const after = await readAgain(life, owner)
  if (after === undefined || after === before) return 'ok'
  // Every session of the owner was revoked while we were logging in; ours may have been missed.
  await life.end('revoked')
  life.status = 'gone'
  return 'gone'
}

// A login that cannot be checked against a revocation must not count: it is ended, and its token never leaves even if that fails too.
async function readAgain(life: Life, owner: string): Promise<string | undefined> {
  try {
    return await readWatermark(life.store, owner)
  } catch (error) {
    await undoLogin(life)
    throw error
  }
}

/** Ends a session whose login must not count; its token never leaves even if that fails. */
export async function undoLogin(life: Life): Promise<void> {
  try {
    await life.end('revoked')
  } catch {
    // A failure before this one is the one to tell.
    life.token = undefined
    life.handout = 'none'
  }
  life.becomeBlank('gone')
}

async function attachOwner(life: Life, owner: string, how: LoginOptions & { readonly onlyHere?: boolean }): Promise<CommitResult> {
  const { keep } = how
  if (life.status === 'live') {
    const current = life.owner
    if (current === undefined || current === owner) {
      if (current === undefined && keep !== undefined) dropExcept(life, keep)
      writeOwner(life, owner, how)
      if ((await life.rotate(true)) === 'ok') return 'ok'
      if (how.onlyHere === true) return 'gone'
      // Ended or rotated meanwhile: who has just authenticated gets a session of their own, with nothing of the old one.
    } else {
      return replaceOwner(life, owner, how)
    }
  }
  return beginFor(life, owner, how)
}

// Another owner's session is ended, not taken over: what their other requests add meanwhile goes nowhere.
async function replaceOwner(life: Life, owner: string, how: LoginOptions): Promise<CommitResult> {
  const kept = (how.keep ?? []).map((key) => [key, life.copy.read(DATA + key)] as const).filter(([, value]) => value !== undefined)
  await life.end('replaced')
  for (const [key, value] of kept) life.copy.write(DATA + key, value)
  writeOwner(life, owner, how)
  return life.create()
}

async function beginFor(life: Life, owner: string, how: LoginOptions): Promise<CommitResult> {
  if (life.status === 'absent' || life.status === 'ended') {
    if (how.keep !== undefined) dropExcept(life, how.keep)
  } else {
    life.becomeBlank('absent')
  }
  writeOwner(life, owner, how)
  return life.create()
}

// The assurance is that of this authentication, never of an earlier one (NIST SP 800-63B-4 5.1).
function writeOwner(life: Life, owner: string, { assurance }: LoginOptions): void {
  life.copy.write(OWNER, owner)
  life.copy.write(AUTHENTICATED_AT, life.core.now())
  if (assurance === undefined) life.copy.delete(ASSURANCE)
  else life.copy.write(ASSURANCE, assurance)
}

function dropExcept(life: Life, keep: readonly string[]): void {
  for (const key of life.copy.keys(DATA)) if (!keep.includes(key.slice(DATA.length))) life.copy.delete(key)
}

// The nonce of the latest revocation: compared, not the times, so that clocks of two machines do not matter.
export async function readWatermark(store: StoreGuard, owner: string): Promise<string | undefined> {
  if (store.consistency === 'client') return undefined
  const record = await store.read(watermarkId(owner), true)
  return record?.nonce
}

function watermarkId(owner: string): string {
  return derivedId('watermark', owner)
}

// Longer than any login can take: each of its store calls is limited in time.
const WATERMARK_AGE_MS = 15 * 60_000

/** Marks the instant from which earlier logins of the owner do not count. */
export async function writeWatermark(core: Core, owner: string): Promise<void> {
  const id = watermarkId(owner)
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const now = core.now()
    const entries = makeEntries()
    entries[REVOKED_AT] = encodeValue(now)
    const expiresAt = now + WATERMARK_AGE_MS
    if (await core.store.create(id, firstRecord(core, now, { expiresAt, entries }))) return
    const result = await core.store.patch(id, { now, nonce: core.nextNonce(), set: [[REVOKED_AT, encodeValue(now)]], touchedAt: now, expiresAt })
    if (result.status === 'ok') return
  }
  throw new SessionError('ERR_SESSION_CONFLICT', 'The revocation of all sessions of an owner could not be recorded. Try again.')
}
