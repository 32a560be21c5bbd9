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
  // Each sweep looks at everything in one shard. Processes that started together do not look at the same one.
  let thoroughShard = Math.floor(Math.random() * shardCount)

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
    await parts.run(sweepDrafts(parts, what.now - DRAFT_AGE))
    await sweepIndex()
    thoroughShard = (thoroughShard + 1) % shardCount
    return swept
  }

  // The folder's modification time is set to the deadline after each change of it. Where that was lost it is
  // the time of the loss, which is earlier: then the log is read and the time is set again. A time that is
  // too late (two processes set it at once, a copied folder) is noticed when its shard's turn comes.
  function isCandidate(place: Place & { readonly shard: number }, rule: DropRule): boolean {
    return rule.by !== 'expires' || place.shard === thoroughShard || (files.times(place.folder)?.modified ?? Infinity) <= rule.time
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

  /** Looks for entries that a crash left behind. */
  async function sweepIndex(): Promise<void> {
    const slice = slices()
    for (const entry of index.entries(shardFolders(parts.shards)[thoroughShard] ?? '')) {
      if (slice.isOver()) await slice.next()
      await parts.run(sweepEntry(parts, entry))
    }
  }

  return sweep
}

/** Removes drafts whose inode last changed before `before`: their makers were killed, or begin again. */
export function* sweepDrafts({ files, drafts }: Pick<SweepParts, 'files' | 'drafts'>, before: number): Steps<void> {
  yield 'list drafts'
  for (const name of files.list(drafts) ?? []) {
    const path = `${drafts}/${name}`
    if ((files.times(path)?.changed ?? Infinity) > before) continue
    yield 'unlink draft'
    if (name.includes('.log')) files.unlink(path)
    else yield* removeDraftFolder(files, path)
  }
}

// Renamed first: a folder that is being emptied must not be moved to a record's place meanwhile.
function* removeDraftFolder(files: LocalFiles, path: string): Steps<void> {
  const aside = path.endsWith('.gone') ? path : `${path}.gone`
  if (aside !== path && files.moveFolder(path, aside) !== 'done') return
  for (const name of files.list(aside) ?? []) {
    yield 'unlink draft'
    files.unlink(`${aside}/${name}`)
  }
  yield 'unlink draft'
  files.removeFolder(aside)
}

/** Removes an index entry whose incarnation is over. */
export function* sweepEntry({ files, drafts, index, folders, placeOf }: Pick<SweepParts, 'files' | 'drafts' | 'index' | 'folders' | 'placeOf'>, entry: IndexEntry): Steps<void> {
  // The draft is looked for first: the folder of an incarnation is a draft before it is the record's, and nothing after.
  yield 'list drafts'
  if (files.times(`${drafts}/${entry.incarnation}`) !== undefined) return
  const place = placeOf(entry.id)
  const log = place && (yield* folders.load(place))
  if (log !== undefined && incarnationOf(log.name) === entry.incarnation && !hasEnded(log)) return
  yield 'remove from index'
  index.removeEntry(entry)
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
