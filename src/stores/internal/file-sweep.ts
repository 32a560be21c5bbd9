import { SessionError } from '../../core/errors.ts'
import type { SweepRequest } from '../../core/store.ts'
import { shardFolders, type ShardDepth } from './file-names.ts'
import type { FileIndex, IndexEntry } from './file-index.ts'
import type { LocalFiles } from './local-files.ts'
import { incarnationOf, type Log, type Place, type RecordFolders } from './record-folders.ts'
import { isPast, type DropRule } from './record-log.ts'
import type { Steps } from './steps.ts'

export interface SweepParts {
  readonly files: LocalFiles
  readonly folders: RecordFolders
  readonly index: FileIndex
  readonly records: string
  readonly drafts: string
  readonly shards: ShardDepth
  placeOf(id: string): Place | undefined
  /** Runs an operation to its end. */
  run<T>(steps: Steps<T>): T | Promise<T>
}

// An operation that is under way makes its draft and uses it at once. One that was held for longer makes it anew.
const DRAFT_AGE = 60_000
// A log that cannot be read may be a live one to a newer version of this package.
const UNREADABLE_AGE = 86_400_000
// Milliseconds of work after which others have their turn.
const SLICE = 4

/** Every record's place, shard by shard from the one given. Gives way to other work of the process. */
export async function* everyPlace({ files, records, shards }: Pick<SweepParts, 'files' | 'records' | 'shards'>, from = 0): AsyncGenerator<Place & { readonly shard: number }> {
  const all = shardFolders(shards)
  const slice = slices()
  for (let n = 0; n < all.length; n += 1) {
    const shard = (from + n) % all.length
    const folder = `${records}/${all[shard]}`
    for (const name of files.list(folder) ?? []) {
      if (slice.isOver()) await slice.next()
      yield { name, shard, folder: `${folder}/${name}`, log: undefined }
    }
    if (slice.isOver()) await slice.next()
  }
}

/** A sweep that goes on where the last one stopped. */
export function fileSweep(parts: SweepParts): (what: SweepRequest, limit: number) => Promise<number> {
  const { files, folders, index } = parts
  const shardCount = shardFolders(parts.shards).length
  let recordShard = 0
  // Processes that started together clean up different parts of the index.
  let indexShard = Math.floor(Math.random() * shardCount)

  async function sweep(what: SweepRequest, limit: number): Promise<number> {
    const rule = ruleOf(what)
    let swept = 0
    for await (const place of everyPlace(parts, recordShard)) {
      if (swept >= limit) {
        recordShard = place.shard
        return swept
      }
      if (isCandidate(place, rule) && (await parts.run(sweepPlace(place, rule, what.now)))) swept += 1
    }
    sweepDrafts(what.now)
    await sweepIndex()
    return swept
  }

  // The folder's modification time is set to the deadline after each change of it. Where that was lost it is
  // the time of the loss, which is earlier: then the log is read and the time is set again.
  function isCandidate(place: Place, rule: DropRule): boolean {
    return rule.by !== 'expires' || (files.times(place.folder)?.modified ?? Infinity) <= rule.time
  }

  function* sweepPlace(place: Place, rule: DropRule, now: number): Steps<boolean> {
    const log = yield* folders.load(place)
    if (log === undefined) return false
    const { phase, record } = log.state
    if (phase === 'unreadable') return rule.by === 'expires' && isOld(`${place.folder}/${log.name}`, now - UNREADABLE_AGE) && (yield* folders.remove(place, log))
    if (record !== undefined && !isPast(record, rule)) {
      if (rule.by === 'expires') files.stamp(place.folder, record.expiresAt)
      return false
    }
    return yield* folders.drop(place, rule, ({ state, name }) => index.remove(state.terms, place.name, incarnationOf(name)))
  }

  function isOld(path: string, time: number): boolean {
    return (files.times(path)?.modified ?? Infinity) <= time
  }

  function sweepDrafts(now: number): void {
    for (const name of files.list(parts.drafts) ?? []) {
      const path = `${parts.drafts}/${name}`
      if ((files.times(path)?.changed ?? Infinity) > now - DRAFT_AGE) continue
      if (name.includes('.log')) files.unlink(path)
      else removeDraftFolder(path)
    }
  }

  // Renamed first: a folder that is being emptied must not be moved to a record's place meanwhile.
  function removeDraftFolder(path: string): void {
    const aside = path.endsWith('.gone') ? path : `${path}.gone`
    if (aside !== path && files.moveFolder(path, aside) !== 'done') return
    for (const name of files.list(aside) ?? []) files.unlink(`${aside}/${name}`)
    files.removeFolder(aside)
  }

  /** Looks through one shard for entries that a crash left behind. */
  async function sweepIndex(): Promise<void> {
    const slice = slices()
    const shard = shardFolders(parts.shards)[indexShard] ?? ''
    indexShard = (indexShard + 1) % shardCount
    for (const entry of index.entries(shard)) {
      if (slice.isOver()) await slice.next()
      if (await parts.run(isOver(entry))) index.removeEntry(entry)
    }
  }

  // The draft is looked for first: the folder of an incarnation is a draft before it is the record's, and nothing after.
  function* isOver({ id, incarnation }: IndexEntry): Steps<boolean> {
    yield 'stat'
    if (files.times(`${parts.drafts}/${incarnation}`) !== undefined) return false
    const place = parts.placeOf(id)
    const log = place && (yield* folders.load(place))
    return log === undefined || incarnationOf(log.name) !== incarnation || hasEnded(log)
  }

  return sweep
}

function hasEnded({ state: { phase, record } }: Log): boolean {
  return phase === 'dropped' || record?.ended !== undefined
}


function ruleOf({ now, by = 'expires', olderThan }: SweepRequest): DropRule {
  if (by === 'expires') return { by, time: now }
  if (olderThan === undefined) throw new SessionError('ERR_SESSION_USAGE', `A sweep by ${by} was asked for without olderThan. Pass olderThan in milliseconds since the epoch.`)
  return { by, time: olderThan }
}

/** Tells when this piece of work has held the event loop for long enough. */
function slices(): { isOver(): boolean; next(): Promise<void> } {
  let until = performance.now() + SLICE
  return {
    isOver: () => performance.now() > until,
    async next() {
      await new Promise((resolve) => setImmediate(resolve))
      until = performance.now() + SLICE
    },
  }
}
