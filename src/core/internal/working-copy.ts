import { standardCodec, type Codec } from '../codec.ts'
import { isSessionError, SessionError } from '../errors.ts'
import type { Patch } from '../patch.ts'
import { makeEntries, type Entries, type EntryKey, type SessionId } from '../record.ts'
import type { Merge } from '../options.ts'
import type { EntryValidator } from '../schema.ts'
import { appended } from './appended.ts'
import { Cells, type Cell } from './cells.ts'
import { joinEntryText, splitEntryText } from './entry-text.ts'
import { DATA, FLASH, METADATA } from './namespaces.ts'

/** What the working copy needs to know beside the entries. */
export interface CopyContext {
  readonly codec: Codec
  readonly validate: EntryValidator | undefined
  readonly merge: ReadonlyMap<string, Merge<unknown>>
  readonly id: SessionId
  /** Held apart from any request, perhaps for hours: a value may be set that is what was read long ago, and another has changed meanwhile. */
  readonly outlivesRequests: boolean
  now(): number
  /** An entry could not be decoded or did not fit the schema. */
  onUnreadable(key: EntryKey, error: unknown): void
  /** Two requests changed this key and ours, the later, wins. */
  onConflict(key: EntryKey): void
}

/** The part of a patch that concerns entries. */
export type EntryChanges = Required<Pick<Patch, 'set' | 'remove' | 'expect'>> & {
  /** How many writes the working copy had seen: what is written later is not in it. */
  readonly writes: number
}

/**
 * One request's view of the entries. They stay encoded until they are read; what was read or written is
 * kept in cells, and the difference to what was stored is the patch.
 */
export class WorkingCopy {
  readonly #context: CopyContext
  #known: Entries
  /** Stored already, and not in `#known` yet: most requests end with their commit, and nobody looks again. */
  #settled: EntryChanges[] = NONE
  #cells = new Cells()
  /** Something was written, or read inside which something can be changed. */
  #touched = false
  #writes = 0

  constructor(base: Entries, context: CopyContext) {
    this.#known = base
    this.#context = context
  }

  get base(): Entries {
    return this.#base
  }

  get #base(): Entries {
    if (this.#settled.length === 0) return this.#known
    const base = makeEntries(this.#known)
    for (const { set, remove } of this.#settled) {
      for (const [key, text] of set) base[key] = text
      for (const key of remove) delete base[key]
    }
    this.#known = base
    this.#settled = NONE
    return base
  }

  set #base(base: Entries) {
    this.#known = base
    this.#settled = NONE
  }

  /** Nothing was written, and nothing read inside which something can be changed. */
  get isUntouched(): boolean {
    return !this.#touched
  }

  /** How many writes this request has made so far. */
  get writes(): number {
    return this.#writes
  }

  read(key: EntryKey): unknown {
    const cell = this.#cellFor(key)
    return cell.present ? cell.value : undefined
  }

  has(key: EntryKey): boolean {
    return this.#cellFor(key).present
  }

  write(key: EntryKey, value: unknown, expiresAt?: number): void {
    // Encoded at once, so that the developer's mistake is reported at the line that makes it.
    const text = this.#encode(key, value)
    const cell = this.#metCell(key)
    cell.value = value
    // A sealing codec's text depends on the id, which may still change.
    cell.text = isMutable(value) || this.#codecFor(key) !== standardCodec ? undefined : text
    cell.present = true
    cell.pending = true
    cell.write = this.#writes += 1
    cell.expiresAt = expiresAt
    this.#touched = true
  }

  delete(key: EntryKey): void {
    const cell = this.#metCell(key)
    cell.value = undefined
    cell.present = false
    cell.pending = true
    cell.write = this.#writes += 1
    cell.expiresAt = undefined
    this.#touched = true
  }

  /** The keys with this prefix, stored ones first, in the order in which they were stored and then written. */
  keys(prefix: string): EntryKey[] {
    const keys: EntryKey[] = []
    for (const key in this.#base) if (key.startsWith(prefix) && this.#isListed(key)) keys.push(key)
    for (let cell = this.#cells.first; cell !== undefined; cell = cell.next) if (cell.present && this.#base[cell.key] === undefined && cell.key.startsWith(prefix)) keys.push(cell.key)
    return keys
  }

  // Listing keys must not decode them, or a request that lists would pay for every value; only a schema has to look.
  #isListed(key: EntryKey): boolean {
    const cell = this.#cells.get(key)
    if (cell !== undefined) return cell.present
    if (this.#context.validate !== undefined) return this.has(key)
    const { expiresAt } = splitEntryText(this.#base[key] ?? '')
    return expiresAt === undefined || expiresAt > this.#context.now()
  }

  /** Forgets every change, also those inside values. */
  discard(): void {
    this.#cells = new Cells()
    this.#touched = false
  }

  /** What changed, of all, or of one key and of those that begin with `also`. */
  changes(only?: EntryKey, also?: string): EntryChanges {
    let set: [EntryKey, string][] = NONE
    let remove: EntryKey[] = NONE
    let expect: [EntryKey, string | null][] = NONE
    for (let cell = this.#cells.first; cell !== undefined; cell = cell.next) {
      const { key } = cell
      if (only !== undefined && key !== only && (also === undefined || !key.startsWith(also))) continue
      const text = this.#changedText(key, cell)
      if (text === UNCHANGED) continue
      if (text === undefined) remove = appended(remove, key)
      else set = appended(set, [key, text])
      if (cell.read) expect = appended(expect, [key, cell.stored ?? null])
    }
    return { set, remove, expect, writes: this.#writes }
  }

  isChanged(only?: EntryKey): boolean {
    if (!this.#touched) return false
    const { set, remove } = this.changes(only)
    return set.length + remove.length > 0
  }

  /** The changes have been stored: they are the new basis. */
  settle(changes: EntryChanges): void {
    const { set, remove, writes } = changes
    this.#settled = appended(this.#settled, changes)
    for (const [key, text] of set) this.#settleCell(key, text, writes)
    for (const key of remove) this.#settleCell(key, undefined, writes)
  }

  /**
   * The store holds a newer record than the one this request began with. Each change made in the light of
   * an older value is merged, or stands as the later one.
   */
  rebase(newest: Entries, changes: EntryChanges): void {
    const attempted = new Map(changes.set)
    for (const [key, expected] of changes.expect) {
      const theirs = newest[key]
      if ((theirs ?? null) === expected) continue
      const cell = this.#cells.get(key)
      if (cell === undefined) continue
      // Two that wrote the same agree; but a message that two requests took was shown twice.
      if (attempted.get(key) !== theirs || key.startsWith(FLASH)) this.#settleConflict(key, cell, theirs)
      cell.stored = theirs
    }
    this.#base = newest
  }

  /** The value stored under a key, decoded anew, whatever this request has done with it; undefined when absent. */
  storedValue(key: EntryKey): unknown {
    const decoded = this.#decode(key, this.#base[key])
    return decoded.present ? decoded.value : undefined
  }

  /** Takes over a value that an atomic update has stored. */
  adopt(key: EntryKey, value: unknown, { text, writes }: { readonly text: string; readonly writes: number }): void {
    const base = makeEntries(this.#base)
    base[key] = text
    this.#base = base
    const cell = this.#metCell(key)
    cell.stored = text
    // Written while the store was at work: that is the later one.
    if (cell.write > writes) return
    cell.read = true
    cell.value = value
    cell.present = true
    cell.pending = false
    cell.write = writes
    cell.expiresAt = splitEntryText(text).expiresAt
    cell.text = undefined
    if (isMutable(value)) this.#touched = true
  }

  encode(key: EntryKey, value: unknown): string {
    return joinEntryText(this.#encode(key, value), this.#expiryOf(key))
  }

  /** Replaces the value and keeps the expiry that the key has. */
  rewrite(key: EntryKey, value: unknown): void {
    this.write(key, value, this.#expiryOf(key))
  }

  #expiryOf(key: EntryKey): number | undefined {
    const cell = this.#cells.get(key)
    // Of what this request has written, or of what is stored by now, which another request may have written since.
    const { expiresAt } = cell?.pending === true ? cell : splitEntryText(this.#base[key] ?? '')
    return expiresAt !== undefined && expiresAt > this.#context.now() ? expiresAt : undefined
  }

  #settleConflict(key: EntryKey, cell: Cell, theirs: string | undefined): void {
    const merge = key.startsWith(DATA) ? this.#context.merge.get(key.slice(DATA.length)) : undefined
    if (merge === undefined) return this.#context.onConflict(key)
    const base = this.#decode(key, cell.stored)
    const newest = this.#decode(key, theirs)
    cell.value = merge(base.value, newest.value, cell.present ? cell.value : undefined)
    cell.text = undefined
    cell.present = cell.value !== undefined
    cell.pending = true
    this.#touched = true
  }

  #settleCell(key: EntryKey, stored: string | undefined, writes: number): void {
    const cell = this.#cells.get(key)
    if (cell === undefined) return
    cell.stored = stored
    // Written again while the store was at work: that is still to be stored.
    if (cell.write <= writes) cell.pending = false
  }

  /** The cell of a key that is about to be written, whose stored value may be one that nobody has seen. */
  #metCell(key: EntryKey): Cell {
    return this.#cells.get(key) ?? this.#add({ key, stored: this.#base[key], read: false, value: undefined, present: false, pending: false, write: 0, expiresAt: undefined, text: undefined, next: undefined })
  }

  #add(cell: Cell): Cell {
    this.#cells.add(cell)
    return cell
  }

  #cellFor(key: EntryKey): Cell {
    const known = this.#cells.get(key)
    if (known !== undefined) return known
    const stored = this.#base[key]
    const { present, value, expiresAt } = this.#decode(key, stored)
    // Who was told that it is unreadable may have written it.
    const written = this.#cells.get(key)
    if (written !== undefined) return written
    if (isMutable(value)) this.#touched = true
    return this.#add({ key, stored, read: true, value, present, pending: false, write: 0, expiresAt, text: undefined, next: undefined })
  }

  // Undefined: to be removed. A value that was only read costs an encoding, unless it is a primitive.
  #changedText(key: EntryKey, cell: Cell): string | undefined | typeof UNCHANGED {
    if (!cell.present) return cell.pending && cell.stored !== undefined ? undefined : UNCHANGED
    if (!cell.pending && !isMutable(cell.value)) return UNCHANGED
    const text = this.#textOf(key, cell)
    if (text === undefined) return UNCHANGED
    if (text === cell.stored) return cell.pending && this.#context.outlivesRequests ? text : UNCHANGED
    return !cell.pending && this.#isAsStored(key, cell) ? UNCHANGED : text
  }

  // Undefined for a value that was read and that no codec of ours can have stored: its reader is not at fault.
  #textOf(key: EntryKey, cell: Cell): string | undefined {
    try {
      return joinEntryText(cell.text ?? this.#encode(key, cell.value), cell.expiresAt)
    } catch (error) {
      if (cell.pending || this.#canKeep(key, this.#decode(key, cell.stored).value)) throw error
      this.#context.onUnreadable(key, error)
      return undefined
    }
  }

  #canKeep(key: EntryKey, value: unknown): boolean {
    try {
      this.#encode(key, value)
      return true
    } catch {
      return false
    }
  }

  // Compared with what the stored text *means* here: sealing, a schema's coercion or another writer's
  // formatting make the texts differ, and a mere reader would roll back a writer.
  #isAsStored(key: EntryKey, cell: Cell): boolean {
    const baseline = this.#decode(key, cell.stored)
    return baseline.present && this.#fingerprint(key, baseline.value) === this.#fingerprint(key, cell.value)
  }

  #fingerprint(key: EntryKey, value: unknown): string {
    return this.#codecFor(key).fingerprint?.(value) ?? this.#encode(key, value)
  }

  // Metadata is read by the core itself, also before there is a session: it stays plain.
  #codecFor(key: EntryKey): Codec {
    return key.startsWith(METADATA) ? standardCodec : this.#context.codec
  }

  #encode(key: EntryKey, value: unknown): string {
    try {
      return this.#codecFor(key).encode(value, { id: this.#context.id, key })
    } catch (cause) {
      if (isSessionError(cause)) throw cause
      throw new SessionError('ERR_SESSION_VALUE', `The codec cannot keep the value of ${JSON.stringify(key)}. The cause holds its error.`, { cause })
    }
  }

  #decode(key: EntryKey, stored: string | undefined): { present: boolean; value: unknown; expiresAt: number | undefined } {
    if (stored === undefined) return ABSENT
    const { text, expiresAt } = splitEntryText(stored)
    if (expiresAt !== undefined && expiresAt <= this.#context.now()) return ABSENT
    try {
      const value = this.#codecFor(key).decode(text, { id: this.#context.id, key })
      return { present: true, value: this.#validated(key, value), expiresAt }
    } catch (error) {
      // Not damaged, but closed to whoever came without the token.
      if (isSessionError(error, 'ERR_SESSION_UNSUPPORTED')) throw error
      this.#context.onUnreadable(key, error)
      return ABSENT
    }
  }

  #validated(key: EntryKey, value: unknown): unknown {
    const { validate } = this.#context
    if (validate === undefined || !key.startsWith(DATA)) return value
    const result = validate(key.slice(DATA.length), value, () => this.#undecodedData(key))
    if (result.fits) return result.value
    throw new SessionError('ERR_SESSION_UNREADABLE', 'A stored entry does not fit the schema. It is treated as absent.')
  }

  /** The other data as stored, for a schema that looks at the whole. */
  #undecodedData(except: EntryKey): Record<string, unknown> {
    const data: Record<string, unknown> = Object.create(null)
    for (const key in this.#base) {
      if (key === except || !key.startsWith(DATA)) continue
      try {
        data[key.slice(DATA.length)] = this.#context.codec.decode(splitEntryText(this.#base[key] ?? '').text, { id: this.#context.id, key })
      } catch {
        // Reported when this entry itself is read.
      }
    }
    return data
  }
}

const NONE: never[] = []
const UNCHANGED = Symbol('unchanged')
const ABSENT = { present: false, value: undefined, expiresAt: undefined } as const

function isMutable(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
