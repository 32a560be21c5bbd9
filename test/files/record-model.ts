import { strict as assert } from 'node:assert'
import { applyPatch, type Patch, type PatchResult } from '../../src/core/patch.ts'
import { isLive, makeEntries, tombstone, type SessionRecord } from '../../src/core/record.ts'
import type { LocalFiles } from '../../src/stores/internal/local-files.ts'
import { recordFolders, type CreateHooks, type Place, type RecordFolders } from '../../src/stores/internal/record-folders.ts'
import type { DropRule, RecordSerializer } from '../../src/stores/internal/record-log.ts'
import { finish, type Steps } from '../../src/stores/internal/steps.ts'

/** What one process does, as one call. */
export type Operation =
  | { readonly name: 'patch'; readonly patch: Patch }
  | { readonly name: 'create'; readonly record: SessionRecord }
  | { readonly name: 'end'; readonly at: number }
  | { readonly name: 'drop'; readonly rule: DropRule }
  | { readonly name: 'compact' }
  | { readonly name: 'read' }

/** A call as it was seen from outside. Times are numbers of steps. */
export interface Event {
  readonly actor: number
  readonly operation: Operation
  readonly begin: number
  /** Absent when its process was killed before it answered. */
  end?: number
  answer?: unknown
}

export const serializer: RecordSerializer = { stringify: JSON.stringify, parse: (text) => JSON.parse(text) }

export function aRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: 0, touchedAt: 0, expiresAt: 1000, tokenHash: 'hash', nonce: 'first', index: [], entries: makeEntries(), ...changes }
}

/** A folder that several processes share. */
export class SharedFolder {
  readonly events: Event[] = []
  readonly files: LocalFiles
  readonly #root: string
  #steps = 0

  constructor(files: LocalFiles, root: string) {
    this.files = files
    this.#root = root
  }

  get place(): Place {
    return { name: 'a', folder: `${this.#root}/records/a`, log: undefined }
  }

  get drafts(): string {
    return `${this.#root}/drafts`
  }

  /** The store as a process of its own sees it. */
  process(flush = false, files = this.files): RecordFolders {
    return recordFolders({ files, serializer, drafts: this.drafts, flush })
  }

  /** A process that makes these calls one after another. */
  *actor(number: number, operations: readonly Operation[], { folders = this.process(), place = this.place, hooks = noIndex } = {}): Steps<void> {
    for (const operation of operations) {
      const event: Event = { actor: number, operation, begin: this.#steps }
      this.events.push(event)
      event.answer = yield* perform(folders, place, operation, hooks)
      event.end = this.#steps
    }
  }

  /** Makes a call at once, and notes nothing. */
  now(operation: Operation, folders = this.process()): unknown {
    return finish(perform(folders, this.place, operation, noIndex))
  }

  tick(): void {
    this.#steps += 1
  }
}

export const noIndex: CreateHooks = { *list() {}, *unlist() {} }

function* perform(folders: RecordFolders, place: Place, operation: Operation, hooks: CreateHooks): Steps<unknown> {
  switch (operation.name) {
    case 'patch':
      return (yield* folders.commit(place, { patch: operation.patch }, (log) => hooks.list(operation.patch.index ?? [], log.name.split('.')[0] ?? '')))?.verdict ?? { status: 'gone' }
    case 'create':
      return yield* folders.create(place, operation.record, hooks)
    case 'end': {
      const made = yield* folders.commit(place, { end: { because: 'revoked', at: operation.at } })
      if (made?.verdict.status !== 'ok') return false
      yield* hooks.unlist(made.log.state.terms, made.log.name.split('.')[0] ?? '')
      return true
    }
    case 'drop':
      return yield* folders.drop(place, operation.rule, (log) => hooks.unlist(log.state.terms, log.name.split('.')[0] ?? ''))
    case 'compact':
      return yield* folders.compact(place)
    case 'read':
      return (yield* folders.load(place))?.state.record
  }
}

interface Outcome {
  readonly record: SessionRecord | undefined
  readonly answer?: unknown
}

/** One atomic step of the model, which is a record and nothing else. */
interface Atom {
  readonly event: Event
  /** The record afterwards; undefined when the step would have answered something else. */
  apply(record: SessionRecord | undefined): Outcome | undefined
  /** `may`: it happens or not. `cut`: its process was killed before it answered, so it and all after it happen or not. */
  readonly kind: 'must' | 'may' | 'cut'
}

/**
 * Fails unless some order of the calls, one after another, gives what each of them answered and what is
 * there in the end. A call that began after another had answered comes after it.
 */
export function assertExplained(before: SessionRecord | undefined, events: readonly Event[], after: SessionRecord | undefined): void {
  const queues = new Map<number, Atom[]>()
  for (const event of events) queues.set(event.actor, [...(queues.get(event.actor) ?? []), ...atomsOf(event)])
  const wanted = comparable(after)
  assert.ok(explained(before, [...queues.values()], wanted), `no order explains ${JSON.stringify({ events, after })}`)
}

function explained(record: SessionRecord | undefined, queues: readonly (readonly Atom[])[], wanted: string): boolean {
  if (queues.every((queue) => queue.every(({ kind }) => kind !== 'must')) && comparable(record) === wanted) return true
  const begun = queues.flatMap(([atom]) => atom?.event.end ?? [])
  return queues.some(([atom, ...rest], n) => {
    if (atom === undefined || begun.some((end) => end < atom.event.begin)) return false
    const next = atom.apply(record)
    const instead = (left: readonly Atom[]): readonly (readonly Atom[])[] => queues.map((queue, m) => (m === n ? left : queue))
    if (next !== undefined && explained(next.record, instead(rest), wanted)) return true
    return atom.kind !== 'must' && explained(record, instead(atom.kind === 'may' ? rest : []), wanted)
  })
}

/** Creating is two steps: what is dead goes, then the new record is there. */
function atomsOf(event: Event): readonly Atom[] {
  const { operation } = event
  const main: Atom = { event, kind: event.end === undefined ? 'cut' : 'must', apply: (record) => applied(record, event) }
  if (operation.name !== 'create') return [main]
  return [{ event, kind: 'may', apply: (record) => ({ record: isLive(record, operation.record.createdAt) ? record : undefined }) }, main]
}

function applied(record: SessionRecord | undefined, { operation, answer, end }: Event): Outcome | undefined {
  const outcome = expected(record, operation)
  return end === undefined || comparable(answer) === comparable(outcome.answer) ? outcome : undefined
}

function expected(record: SessionRecord | undefined, operation: Operation): Outcome {
  switch (operation.name) {
    case 'patch': {
      const result = applyPatch(record, operation.patch)
      const answer: PatchResult = result.status === 'ok' ? { status: 'ok', version: result.record.version } : result
      return { record: result.status === 'ok' ? result.record : record, answer }
    }
    case 'create':
      return isLive(record, operation.record.createdAt) ? { record, answer: false } : { record: operation.record, answer: true }
    case 'end':
      return record === undefined || record.ended !== undefined ? { record, answer: false } : { record: tombstone(record, 'revoked', operation.at), answer: true }
    case 'drop':
      return record !== undefined && record.expiresAt <= operation.rule.time ? { record: undefined, answer: true } : { record, answer: false }
    case 'compact':
      return { record }
    case 'read':
      return { record, answer: record }
  }
}

function normal(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, part]) => [key, Array.isArray(part) ? part : normal(part)]))
}

function comparable(value: unknown): string {
  return JSON.stringify(normal(value)) ?? 'nothing'
}

/** What a step looks at, and what it changes. */
const LOOKS: Readonly<Record<string, string>> = { list: 'names', open: 'names', stat: 'names', read: 'text', 'read back': 'text', 'list drafts': 'drafts' }
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  write: ['text'],
  link: ['names', 'drafts'],
  unlink: ['names'],
  'remove folder': ['names'],
  move: ['names', 'drafts'],
  'put draft': ['drafts'],
  'unlink draft': ['drafts'],
  'discard draft': ['drafts'],
}

/** Two steps give the same in either order when neither changes what the other looks at or changes. */
export function independent(one: string, other: string): boolean {
  return !disturbs(one, other) && !disturbs(other, one)
}

function disturbs(label: string, by: string): boolean {
  const concerns = CHANGES[label] ?? (LOOKS[label] === undefined ? undefined : [LOOKS[label]])
  const changes = CHANGES[by] ?? (LOOKS[by] === undefined ? undefined : [])
  return concerns === undefined || changes === undefined || changes.some((what) => concerns.includes(what))
}
