import { opendir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SessionId } from '../../core/record.ts'
import { idOfName, inShard, nameOfTerm, type ShardDepth } from './file-names.ts'
import { codeOf, fileFailure, type LocalFiles } from './local-files.ts'
import { flushUp, type Steps } from './steps.ts'

/*
 * The index: a folder for each term, and in it an empty file `<name of the id>.<incarnation>` for each record.
 * An entry is made before its record appears under the term, and belongs to one incarnation of the record:
 * so an entry whose incarnation is over can be removed at any time, and none of the next one's with it.
 */

export interface IndexOptions {
  readonly files: LocalFiles
  readonly folder: string
  readonly shards: ShardDepth
  readonly flush: boolean
}

/** An entry, taken apart. */
export interface IndexEntry {
  readonly path: string
  readonly id: SessionId
  readonly incarnation: string
}

export interface FileIndex {
  /** Lists an incarnation of the record with this name under terms. */
  add(terms: readonly string[], name: string, incarnation: string): Steps<void>
  /** Takes an incarnation that is over, or never began, from under terms. */
  remove(terms: readonly string[], name: string, incarnation: string): Steps<void>
  find(term: string): AsyncIterable<SessionId>
  /** Every entry in one shard. */
  entries(shard: string): Iterable<IndexEntry>
  removeEntry(entry: IndexEntry): void
}

export function fileIndex({ files, folder, shards, flush }: IndexOptions): FileIndex {
  const folderOf = (term: string): string => `${folder}/${inShard(nameOfTerm(term), shards)}`

  function* add(terms: readonly string[], name: string, incarnation: string): Steps<void> {
    for (const term of terms) {
      yield 'add to index'
      const isNew = files.ensureFile(`${folderOf(term)}/${name}.${incarnation}`)
      // One that is there may have been made a moment ago by a process that has not flushed it yet.
      if (flush) yield* isNew ? flushUp(folderOf(term), dirname(folder)) : flushUp(folderOf(term), folderOf(term))
    }
  }

  function* remove(terms: readonly string[], name: string, incarnation: string): Steps<void> {
    for (const term of terms) {
      yield 'remove from index'
      removeFile(`${folderOf(term)}/${name}.${incarnation}`)
    }
  }

  function removeFile(path: string): void {
    if (files.unlink(path)) files.removeFolder(dirname(path))
  }

  async function* find(term: string): AsyncGenerator<SessionId> {
    const seen = new Set<SessionId>()
    for await (const name of namesIn(folderOf(term))) {
      const entry = parseEntry(name)
      if (entry === undefined || seen.has(entry.id)) continue
      seen.add(entry.id)
      yield entry.id
    }
  }

  function* entries(shard: string): Generator<IndexEntry> {
    const within = shard === '' ? folder : `${folder}/${shard}`
    for (const term of files.list(within) ?? []) {
      for (const name of files.list(`${within}/${term}`) ?? []) {
        const entry = parseEntry(name)
        if (entry !== undefined) yield { ...entry, path: `${within}/${term}/${name}` }
      }
    }
  }

  return { add, remove, find, entries, removeEntry: ({ path }) => removeFile(path) }
}

function parseEntry(name: string): Omit<IndexEntry, 'path'> | undefined {
  const [, idName, incarnation] = /^(.+)\.([0-9a-f]{16})$/.exec(name) ?? []
  const id = idName === undefined ? undefined : idOfName(idName)
  return id === undefined || incarnation === undefined ? undefined : { id, incarnation }
}

/** A term may list more records than are read at once. */
async function* namesIn(folder: string): AsyncGenerator<string> {
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 256 })) yield name
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw fileFailure(error, folder, 'none')
  }
}
