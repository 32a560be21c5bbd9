import { resolve } from 'node:path'
import { SessionError } from '../core/errors.ts'
import { GONE, type Patch, type PatchResult } from '../core/patch.ts'
import { stringifyRecord, type EndReason, type SessionId, type SessionRecord } from '../core/record.ts'
import type { Awaitable, PatchOptions, ReadOptions, Store, StoreEvent, SweepRequest } from '../core/store.ts'
import { fileIndex, type FileIndex } from './internal/file-index.ts'
import { idOfName, inShard, nameOfId } from './internal/file-names.ts'
import { prepareFolder } from './internal/file-setup.ts'
import { everyPlace, fileSweep } from './internal/file-sweep.ts'
import { fileFailure, localFiles } from './internal/local-files.ts'
import { Places } from './internal/places.ts'
import { incarnationOf, recordFolders, type CreateHooks, type Made, type Place, type RecordFolders } from './internal/record-folders.ts'
import type { RecordSerializer } from './internal/record-log.ts'
import { finish, finishOnDisk, type Steps } from './internal/steps.ts'

export type { RecordSerializer }

export interface FileStoreOptions {
  /** How a record becomes the text at the beginning of its file. Changes after that are always JSON. Defaults to JSON. */
  readonly serializer?: RecordSerializer
  /** How many levels of 16 folders the records are spread over: 0, 1 or 2. Defaults to 2, for up to a million records. Fixed once a folder is in use. */
  readonly shards?: 0 | 1 | 2
  /**
   * What an acknowledged write survives: `process` a crash or kill of any process, `power` also the loss of power,
   * at the price of a disk flush per commit. Defaults to `process`.
   */
  readonly durability?: 'process' | 'power'
  /** Bytes of changes after which a file is written anew with the record as it is. From 1024. Defaults to 16384. */
  readonly compactAt?: number
}

/** What {@link fileStore} gives: a store with every capability that needs no messages between processes. */
export type FileStore = Store & Required<Pick<Store, 'find' | 'list' | 'sweep' | 'open' | 'close' | 'observe'>>

/**
 * Keeps each session in a small readable file below `folder`, for all processes of one machine. The folder must be on
 * a local disk; it is created where it is missing. Throws `ERR_SESSION_OPTION`; `open` fails with
 * `ERR_SESSION_STORE`, naming the folder, where it cannot be used.
 */
export function fileStore(folder = 'sessions', options: FileStoreOptions = {}): FileStore {
  return new FileSessions(settingsFrom(folder, options))
}

interface Settings extends Required<FileStoreOptions> {
  readonly folder: string
}

class FileSessions implements FileStore {
  readonly #settings: Settings
  readonly #files = localFiles()
  readonly #folders: RecordFolders
  readonly #index: FileIndex
  readonly #places: Places
  readonly #sweep: (what: SweepRequest, limit: number) => Promise<number>
  #report: ((event: StoreEvent) => void) | undefined
  #closed = false

  constructor(settings: Settings) {
    const { folder, shards, serializer, durability } = settings
    const files = this.#files
    const [records, drafts, flush] = [`${folder}/records`, `${folder}/drafts`, durability === 'power']
    const placeOf = (id: string): Place | undefined => {
      const name = nameOfId(id)
      return name === undefined ? undefined : { name, folder: `${records}/${inShard(name, shards)}`, log: undefined }
    }
    this.#settings = settings
    this.#folders = recordFolders({ files, serializer, drafts, flush })
    this.#index = fileIndex({ files, folder: `${folder}/index`, shards, flush })
    this.#places = new Places(placeOf)
    this.#sweep = fileSweep({ files, folders: this.#folders, index: this.#index, records, drafts, shards, placeOf, run: (steps) => this.#run(steps) })
  }

  open(): void {
    this.#assertOpen()
    prepareFolder(this.#files, this.#settings.folder, this.#settings.shards)
  }

  close(): void {
    this.#closed = true
  }

  observe(report: (event: StoreEvent) => void): void {
    this.#report = report
  }

  read(id: SessionId, options?: ReadOptions): SessionRecord | undefined {
    const place = this.#placeOf(id, options?.signal)
    if (place === undefined) return undefined
    const { phase, record, fault } = this.#guarded(() => finish(this.#weighed(place, this.#folders.load(place))))?.state ?? {}
    if (phase === 'unreadable') throw fault
    return record
  }

  create(id: SessionId, record: SessionRecord): Awaitable<boolean> {
    const place = this.#placeOf(id)
    if (place === undefined) throw new SessionError('ERR_SESSION_VALUE', 'The file store cannot keep a session under so long an id. Use ids of at most 128 letters, digits, - and _.')
    const hooks: CreateHooks = {
      list: (terms, incarnation) => this.#index.add(terms, place.name, incarnation),
      unlist: (terms, incarnation) => this.#index.remove(terms, place.name, incarnation),
    }
    return this.#run(this.#folders.create(place, record, hooks))
  }

  patch(id: SessionId, patch: Patch, options?: PatchOptions): Awaitable<PatchResult> {
    const place = this.#placeOf(id, options?.signal)
    return place === undefined ? GONE : this.#run(this.#weighed(place, this.#patched(place, patch, options?.signal)))
  }

  end(id: SessionId, because: EndReason, at: number): Awaitable<boolean> {
    const place = this.#placeOf(id)
    return place !== undefined && this.#run(this.#weighed(place, this.#ended(place, because, at)))
  }

  find(term: string): AsyncIterable<SessionId> {
    this.#assertOpen()
    return this.#index.find(term)
  }

  async *list(): AsyncGenerator<SessionId> {
    this.#assertOpen()
    const { folder, shards } = this.#settings
    for await (const place of everyPlace({ files: this.#files, records: `${folder}/records`, shards })) {
      const record = this.#guarded(() => finish(this.#folders.load(place)))?.state.record
      const id = idOfName(place.name)
      if (id !== undefined && record !== undefined && record.ended === undefined) yield id
    }
  }

  async sweep(what: SweepRequest, limit: number): Promise<number> {
    this.#assertOpen()
    return this.#sweep(what, limit)
  }

  *#patched(place: Place, patch: Patch, signal: AbortSignal | undefined): Steps<PatchResult> {
    const index = this.#index
    const made = yield* this.#folders.commit(place, { patch }, function* (log) {
      if (patch.index !== undefined) yield* index.add(patch.index, place.name, incarnationOf(log.name))
      // With durability `power` that took a while.
      assertInTime(signal)
    })
    if (made === undefined) return GONE
    if (made.verdict.status === 'ok') yield* this.#quietly(this.#tidied(place, made))
    return made.verdict
  }

  *#tidied(place: Place, { before, log }: Made): Steps<void> {
    const expiresAt = log.state.record?.expiresAt
    if (expiresAt !== undefined && expiresAt !== before.state.record?.expiresAt) this.#files.stamp(place.folder, expiresAt)
    // A log is read as a whole by every process that sees it first, so its history may be as long as its record.
    if (log.read - log.base > Math.max(this.#settings.compactAt, log.base)) yield* this.#folders.compact(place)
  }

  *#ended(place: Place, because: EndReason, at: number): Steps<boolean> {
    const made = yield* this.#folders.commit(place, { end: { because, at } })
    if (made === undefined) return false
    // It may be a live record to a newer version of this package, so it goes altogether.
    if (made.log.state.phase === 'unreadable') return yield* this.#folders.remove(place, made.log)
    if (made.verdict.status !== 'ok') return false
    yield* this.#quietly(this.#forgotten(place, made))
    return true
  }

  /** Takes an ended record from the index, and what it held from the disk. */
  *#forgotten(place: Place, { log }: Made): Steps<void> {
    yield* this.#index.remove(log.state.terms, place.name, incarnationOf(log.name))
    yield* this.#folders.compact(place)
  }

  /** What comes after an acknowledged change must not make it look like a failure. A later call makes up for it. */
  *#quietly(steps: Steps<void>): Steps<void> {
    try {
      yield* steps
    } catch (error) {
      this.#report?.({ event: 'error', error: fileFailure(error, this.#settings.folder, 'none') })
    }
  }

  *#weighed<T>(place: Place, steps: Steps<T>): Steps<T> {
    const before = place.log?.read ?? 0
    try {
      return yield* steps
    } finally {
      this.#places.grew((place.log?.read ?? 0) - before)
    }
  }

  #run<T>(steps: Steps<T>): T | Promise<T> {
    if (this.#settings.durability === 'process') return this.#guarded(() => finish(steps))
    return finishOnDisk(steps).catch((error: unknown) => {
      throw fileFailure(error, this.#settings.folder, 'none')
    })
  }

  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw fileFailure(error, this.#settings.folder, 'none')
    }
  }

  #placeOf(id: SessionId, signal?: AbortSignal): Place | undefined {
    this.#assertOpen()
    assertInTime(signal)
    return this.#places.of(id)
  }

  #assertOpen(): void {
    if (this.#closed) throw new SessionError('ERR_SESSION_STORE', 'The file store was called after it had been closed; nothing was changed. Make a new one with fileStore.', { outcome: 'none' })
  }
}

function assertInTime(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new SessionError('ERR_SESSION_STORE', 'A call of the file store was given up before it had changed anything. Give it more time (storeTimeout), or look at what keeps the disk busy.', { cause: signal.reason, outcome: 'none' })
}

const JSON_SERIALIZER: RecordSerializer = { stringify: stringifyRecord, parse: (text) => JSON.parse(text) }
const DEFAULTS = { serializer: JSON_SERIALIZER, shards: 2, durability: 'process', compactAt: 16 * 1024 } as const

function settingsFrom(folder: string, options: FileStoreOptions): Settings {
  if (typeof folder !== 'string' || folder === '' || folder.includes('\0')) throw wrong('the folder is not a path', 'Pass a path such as "sessions"')
  if (typeof options !== 'object' || options === null) throw wrong('the options are not an object', 'Pass an object such as { durability: "power" }')
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw wrong(`there is no option ${JSON.stringify(name.slice(0, 60))}`, `The options are ${Object.keys(DEFAULTS).join(', ')}`)
  }
  const { serializer = DEFAULTS.serializer, shards = DEFAULTS.shards, durability = DEFAULTS.durability, compactAt = DEFAULTS.compactAt } = options
  if (typeof serializer?.stringify !== 'function' || typeof serializer.parse !== 'function') throw wrong('serializer lacks stringify or parse', 'Pass an object with the functions stringify(record) and parse(text)')
  if (shards !== 0 && shards !== 1 && shards !== 2) throw wrong('shards is not a depth', 'Pass 0, 1 or 2: how many levels of 16 folders there are')
  if (durability !== 'process' && durability !== 'power') throw wrong('durability is neither "process" nor "power"', 'Pass "process" to survive crashes of the application, "power" to survive loss of power too')
  if (!Number.isSafeInteger(compactAt) || compactAt < 1024) throw wrong('compactAt is not a number of bytes from 1024', 'Pass for example 16384')
  return { folder: resolve(folder), serializer, shards, durability, compactAt }
}

function wrong(what: string, instead: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', `fileStore was called wrongly: ${what}. ${instead}.`)
}
