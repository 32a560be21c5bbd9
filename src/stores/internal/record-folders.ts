import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { isSessionError, SessionError } from '../../core/errors.ts'
import { GONE } from '../../core/patch.ts'
import { isLive, type SessionRecord } from '../../core/record.ts'
import { isLogName, logName, nextLogName, parseLogName, previousLogName } from './file-names.ts'
import { codeOf, fileFailure, type LocalFiles } from './local-files.ts'
import { decodeBase, encodeBase, encodeLine, isPast, judge, replay, type Change, type DropRule, type Judged, type LogState, type RecordSerializer, type Verdict } from './record-log.ts'
import { flushUp, type Steps } from './steps.ts'

/*
 * How processes share a record without a lock.
 *
 * A record is a folder with one log in it, `<incarnation>.<generation>.log`. Creating makes the folder
 * elsewhere and moves it to its place, which succeeds for one process only. A change is one append to the
 * log; what replaying the log says about the appended line is its outcome, for every process alike.
 *
 * Compaction appends a seal, writes the record to a draft and links the draft as the next generation. A drop
 * (of what is past) appends a line after which nothing counts, and then deletes. Both rest on one rule:
 *
 *   Before a generation is sealed or dropped, the generation before it is gone and so are all drafts of it.
 *
 * A process that was held for any time thus cannot bring an old generation back: it makes its draft, then
 * checks that the generation it compacts is still there, then links. If that generation went before the
 * check, the check fails; if after, the draft was there already, and whoever sealed or dropped its successor has
 * removed it. For the same reason a sealed log without a successor is the newest one while it is there.
 *
 * No name is used twice: an incarnation's is random. So a late unlink never meets a newer file.
 */

/** Where a record is, and the log as this process last saw it. */
export interface Place {
  /** The last part of `folder`. */
  readonly name: string
  readonly folder: string
  /** An old sight is harmless: a log only grows, and is looked at again before it is used. */
  log: Log | undefined
}

/** One generation of a record. */
export interface Log {
  readonly name: string
  readonly state: LogState
  /** Bytes that the state is made of. */
  readonly read: number
  /** Bytes that the log began with. */
  readonly base: number
}

/** A change that was judged: by the log after it, or before it when it has no effect. */
export interface Made {
  readonly verdict: Exclude<Verdict, { status: 'void' }>
  readonly before: Log
  readonly log: Log
}

/** The same in one generation, where the change may have come after the seal. */
interface Tried extends Omit<Made, 'verdict'> {
  readonly verdict: Verdict
}

export interface FolderOptions {
  readonly files: LocalFiles
  readonly serializer: RecordSerializer
  /** The folder for what is not finished. */
  readonly drafts: string
  /** What must survive a power cut is flushed before it is answered. */
  readonly flush: boolean
}

export interface RecordFolders {
  /** The newest log: open, dropped or unreadable, or sealed while its successor is not there yet. Undefined when there is none. */
  load(place: Place): Steps<Log | undefined>
  /** Makes a change. `prepare` runs before it is written, and only if it would have an effect. Undefined when there is no log. */
  commit(place: Place, change: Change, prepare?: (log: Log) => Steps<void>): Steps<Made | undefined>
  /** Makes a record that is not there or not live. `prepare` runs before it appears. False when a live one is there. */
  create(place: Place, record: SessionRecord, hooks: CreateHooks): Steps<boolean>
  /** Removes the record if the rule takes it. True for the one call that did it. */
  drop(place: Place, rule: DropRule, unlist: (log: Log) => Steps<void>): Steps<boolean>
  /** Removes a log that cannot be read, or was dropped. True for the one call that did it. */
  remove(place: Place, log: Log): Steps<boolean>
  /** Puts the record as it is now in place of its history. */
  compact(place: Place): Steps<void>
}

/** How {@link RecordFolders.create} keeps the index: entries belong to an incarnation. */
export interface CreateHooks {
  list(terms: readonly string[], incarnation: string): Steps<void>
  unlist(terms: readonly string[], incarnation: string): Steps<void>
}

// Each round is lost to progress that another process made.
const ROUNDS = 1000

export function recordFolders({ files, serializer, drafts, flush }: FolderOptions): RecordFolders {
  const attempt = attempts()

  function* load(place: Place): Steps<Log | undefined> {
    let name = place.log?.name
    for (let round = 0; round < ROUNDS; round += 1) {
      name ??= yield* newest(place)
      if (name === undefined) return undefined
      const log = yield* look(place, name)
      if (log !== undefined && log.state.phase !== 'sealed') return log
      const next = nextLogName(name)
      if (log === undefined) name = undefined
      else if (yield* exists(place, next)) name = next
      else if (yield* exists(place, name)) return log
      else name = undefined
    }
    throw busy(place)
  }

  /** The name of the newest generation that the folder lists. */
  function* newest(place: Place): Steps<string | undefined> {
    for (let round = 0; round < 5; round += 1) {
      yield 'list'
      const names = files.list(place.folder)
      if (names === undefined) return undefined
      const [log, ...older] = names.filter(isLogName).sort((one, other) => generationOf(other) - generationOf(one))
      // Left by a process that was killed between making the successor and this.
      for (const name of older) {
        yield 'unlink'
        files.unlink(pathOf(place, name))
      }
      if (log !== undefined) return log
      // A listing is no snapshot: it can miss both of two files of which one is made before the other goes.
      // Only an empty folder can be removed, and an empty folder holds no record.
      yield 'remove folder'
      if (files.removeFolder(place.folder) !== 'occupied') return undefined
    }
    return undefined
  }

  function* exists(place: Place, name: string): Steps<boolean> {
    yield 'stat'
    return files.size(pathOf(place, name)) !== undefined
  }

  /** The log of this name as it is now; undefined when it is not there. */
  function* look(place: Place, name: string): Steps<Log | undefined> {
    const known = knownAs(place, name)
    if (known !== undefined) {
      yield 'stat'
      if (files.size(pathOf(place, name)) === known.read) return known
    }
    yield 'open'
    const descriptor = files.open(pathOf(place, name), 'read')
    if (descriptor === undefined) return forget(place)
    try {
      yield 'read'
      return readOn(place, descriptor, name)
    } finally {
      files.close(descriptor)
    }
  }

  /** The log as the open file has it: from its beginning, or from where this process last read to. */
  function readOn(place: Place, descriptor: number, name: string): Log {
    const known = knownAs(place, name)
    const size = known && files.size(descriptor)
    if (known !== undefined && size === known.read) return known
    try {
      place.log = known !== undefined && size !== undefined && size > known.read ? further(known, files.read(descriptor, known.read)).log : fromStart(name, files.read(descriptor, 0))
      return place.log
    } catch (error) {
      place.log = undefined
      return unreadableLog(name, error)
    }
  }

  function fromStart(name: string, bytes: Buffer): Log {
    const { state, end } = decodeBase(bytes, serializer)
    return further({ name, state, read: end, base: end }, bytes.subarray(end)).log
  }

  function* commit(place: Place, change: Change, prepare?: (log: Log) => Steps<void>): Steps<Made | undefined> {
    let name = place.log?.name
    for (let round = 0; round < ROUNDS; round += 1) {
      name ??= yield* newest(place)
      if (name === undefined) return undefined
      if ('drop' in change) yield* purge(place, name)
      const tried: Tried | undefined = yield* append(place, name, change, prepare)
      if (tried === undefined) name = undefined
      else if (tried.verdict.status === 'void') name = yield* succeed(place, tried.log)
      else return { ...tried, verdict: tried.verdict }
    }
    throw busy(place)
  }

  /** One attempt at the log of this name. Undefined when it is not there; `void` when it is sealed. */
  function* append(place: Place, name: string, change: Change, prepare?: (log: Log) => Steps<void>): Steps<Tried | undefined> {
    let outcome: 'none' | 'unknown' = 'none'
    let descriptor: number | undefined
    try {
      yield 'open'
      descriptor = files.open(pathOf(place, name), 'append')
      if (descriptor === undefined) return forget(place)
      yield 'read'
      const before = readOn(place, descriptor, name)
      const foreseen = judge(before.state, change)
      if (foreseen.state === before.state) {
        if (flush && foreseen.verdict.status === 'ok') yield { flush: descriptor }
        return { verdict: foreseen.verdict, before, log: before }
      }
      if (prepare !== undefined) yield* prepare(before)
      const by = attempt()
      const line = encodeLine(by, change)
      yield 'write'
      outcome = 'unknown'
      const written = write(descriptor, line)
      yield 'read back'
      const after = readBack(before, files.read(descriptor, before.read), { by, line, foreseen })
      if (after.verdict === undefined) throw cutOff(place, written < line.length)
      if (flush && after.verdict.status === 'ok') yield { flush: descriptor }
      place.log = after.log.state.phase === 'unreadable' ? undefined : after.log
      return { verdict: after.verdict, before, log: after.log }
    } catch (error) {
      throw fileFailure(error, place.folder, outcome)
    } finally {
      if (descriptor !== undefined) files.close(descriptor)
    }
  }

  /** Answers 0 when nothing was written because there is no space: what was written is then read back as ever. */
  function write(descriptor: number, line: Buffer): number {
    try {
      return files.write(descriptor, line)
    } catch (error) {
      if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error))) return 0
      throw error
    }
  }

  /** What the rule above asks for before the log of this name is sealed or dropped. */
  function* purge(place: Place, name: string): Steps<void> {
    const previous = previousLogName(name)
    if (previous !== undefined) {
      yield 'unlink'
      files.unlink(pathOf(place, previous))
    }
    yield 'list drafts'
    for (const draft of files.list(drafts) ?? []) {
      if (!isDraftOf(draft, name)) continue
      yield 'unlink draft'
      files.unlink(`${drafts}/${draft}`)
    }
  }

  function* compact(place: Place): Steps<void> {
    const log = yield* load(place)
    if (log === undefined) return
    yield* purge(place, log.name)
    const made = yield* append(place, log.name, { seal: true })
    if (made?.log.state.phase === 'sealed') yield* succeed(place, made.log)
  }

  /** Makes the next generation of a sealed log. Answers its name when it was there at some moment. */
  function* succeed(place: Place, log: Log): Steps<string | undefined> {
    const { record } = log.state
    if (record === undefined) return undefined
    const next = nextLogName(log.name)
    const draft = `${drafts}/${next}.${attempt()}`
    if (flush) yield { flush: pathOf(place, log.name) }
    yield 'put draft'
    files.put(draft, encodeBase(record, serializer))
    if (flush) yield { flush: draft }
    const linked = (yield* exists(place, log.name)) ? yield* link(draft, pathOf(place, next)) : 'missing'
    yield 'discard draft'
    files.unlink(draft)
    if (linked === 'missing') return forget(place)
    if (flush) yield { flush: place.folder }
    yield 'unlink'
    files.unlink(pathOf(place, log.name))
    files.stamp(place.folder, record.expiresAt)
    return next
  }

  function* link(draft: string, path: string): Steps<'done' | 'exists' | 'missing'> {
    yield 'link'
    return files.link(draft, path)
  }

  function* drop(place: Place, rule: DropRule, unlist: (log: Log) => Steps<void>): Steps<boolean> {
    const log = yield* load(place)
    if (log?.state.record !== undefined && !isPast(log.state.record, rule)) return false
    const made = yield* commit(place, { drop: rule })
    if (made?.log.state.phase !== 'dropped') return false
    yield* unlist(made.log)
    yield* remove(place, made.log)
    return made.verdict.status === 'ok'
  }

  function* remove(place: Place, log: Log): Steps<boolean> {
    yield 'unlink'
    const removed = files.unlink(pathOf(place, log.name))
    yield 'remove folder'
    files.removeFolder(place.folder)
    place.log = undefined
    return removed
  }

  function* create(place: Place, record: SessionRecord, hooks: CreateHooks): Steps<boolean> {
    for (let round = 0; round < ROUNDS; round += 1) {
      if (!(yield* makeWay(place, record.createdAt, hooks))) return false
      const incarnation = randomBytes(8).toString('hex')
      const draft = `${drafts}/${incarnation}`
      const log = `${draft}/${logName({ incarnation, generation: 1 })}`
      yield 'put draft'
      files.put(log, encodeBase(record, serializer))
      files.stamp(draft, record.expiresAt)
      if (flush) yield { flush: log }
      if (flush) yield { flush: draft }
      yield* hooks.list(record.index, incarnation)
      if (yield* moveIn(place, draft)) return true
      yield* hooks.unlist(record.index, incarnation)
      yield* discard(draft, log)
      yield* removeStrays(place)
    }
    throw busy(place)
  }

  /** Removes what is past or cannot be read. False when a live record is there. */
  function* makeWay(place: Place, now: number, { unlist }: CreateHooks): Steps<boolean> {
    const log = yield* load(place)
    if (log === undefined) return true
    if (log.state.phase === 'unreadable') yield* remove(place, log)
    else if (isLive(log.state.record, now)) return false
    else yield* drop(place, { by: 'dead', time: now }, ({ state, name }) => unlist(state.terms, incarnationOf(name)))
    return true
  }

  /** False when something has the place, or the draft was swept away. */
  function* moveIn(place: Place, draft: string): Steps<boolean> {
    yield 'move'
    const shard = dirname(place.folder)
    let moved = files.moveFolder(draft, place.folder)
    let top = shard
    if (moved === 'missing') {
      files.ensureFolder(shard)
      top = dirname(dirname(drafts))
      yield 'move'
      moved = files.moveFolder(draft, place.folder)
    }
    if (moved === 'done' && flush) yield* flushNew(place, top)
    return moved === 'done'
  }

  function* flushNew(place: Place, top: string): Steps<void> {
    try {
      yield* flushUp(dirname(place.folder), top)
    } catch (error) {
      throw fileFailure(error, place.folder, 'unknown')
    }
  }

  /** Whatever somebody put into a record's folder would keep a new one out for ever. */
  function* removeStrays(place: Place): Steps<void> {
    yield 'list'
    for (const name of files.list(place.folder) ?? []) if (!isLogName(name)) files.unlink(pathOf(place, name))
  }

  function* discard(draft: string, log: string): Steps<void> {
    yield 'discard draft'
    files.unlink(log)
    files.removeFolder(draft)
  }

  return { load, commit, create, drop, remove, compact }
}

function pathOf(place: Place, name: string): string {
  return `${place.folder}/${name}`
}

function knownAs(place: Place, name: string): Log | undefined {
  return place.log?.name === name ? place.log : undefined
}

function forget(place: Place): undefined {
  place.log = undefined
}

function further(log: Log, bytes: Buffer, by?: string): { readonly log: Log; readonly verdict?: Verdict } {
  const { state, end, verdict } = replay(log.state, bytes, by)
  return { log: settled({ ...log, state, read: log.read + end }), ...(verdict !== undefined && { verdict }) }
}

interface Attempt {
  readonly by: string
  readonly line: Buffer
  readonly foreseen: Judged
}

/** What the bytes after `before` say of an attempt. No verdict: its line is not there whole. */
function readBack(before: Log, bytes: Buffer, { by, line, foreseen }: Attempt): { readonly log: Log; readonly verdict?: Verdict } {
  // The usual case: nobody came between, so the log says what was foreseen.
  if (bytes.equals(line)) return { log: settled({ ...before, state: foreseen.state, read: before.read + line.length }), verdict: foreseen.verdict }
  try {
    return further(before, bytes, by)
  } catch (error) {
    return { log: unreadableLog(before.name, error), verdict: GONE }
  }
}

function unreadableLog(name: string, error: unknown): Log {
  if (!isSessionError(error, 'ERR_SESSION_UNREADABLE')) throw error
  return { name, state: { phase: 'unreadable', record: undefined, terms: [], fault: error }, read: 0, base: 0 }
}

/** The log with a record that callers may be handed without a copy. */
function settled(log: Log): Log {
  const { record } = log.state
  if (record === undefined || Object.isFrozen(record)) return log
  for (const part of [record, record.entries, record.index, record.previous, record.ended]) Object.freeze(part)
  return log
}

/** The incarnation that a log's name begins with. */
export function incarnationOf(name: string): string {
  return parseLogName(name)?.incarnation ?? ''
}

function generationOf(name: string): number {
  return parseLogName(name)?.generation ?? 0
}

/** A draft of this generation or one before it. */
function isDraftOf(draft: string, name: string): boolean {
  return incarnationOf(draft) === incarnationOf(name) && generationOf(draft) <= generationOf(name)
}

/** Names for attempts, in this process and all others. */
function attempts(): () => string {
  let own: string | undefined
  let count = 0
  return () => {
    own ??= randomBytes(8).toString('base64url')
    count += 1
    return `${own}${count.toString(36)}`
  }
}

function busy(place: Place): SessionError {
  return new SessionError('ERR_SESSION_STORE', `The file store found no stable state of a record in ${place.folder}. Check that the folder is on a local disk of this machine.`, { outcome: 'none' })
}

function cutOff(place: Place, short: boolean): SessionError {
  if (short) return new SessionError('ERR_SESSION_STORE', `The file store could not write a whole change in ${place.folder}; none of it counts. Check that the disk has space.`, { outcome: 'none' })
  return new SessionError('ERR_SESSION_STORE', `The file store wrote a change in ${place.folder} that it does not find there. Check that the folder is on a local disk and that nothing else changes its files.`, { outcome: 'unknown' })
}
