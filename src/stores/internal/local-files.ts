import { closeSync, constants, existsSync, fstatSync, linkSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmdirSync, statSync, unlinkSync, utimesSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { SessionError } from '../../core/errors.ts'

/**
 * The calls of the file system that the file store makes, so that a test can let one of them fail. All are
 * synchronous: a call on a small local file takes less time than a turn of the event loop. What is missing is
 * an answer, every other failure is thrown as the file system reports it.
 */
export interface LocalFiles {
  /** The names in a folder; undefined when there is no such folder. */
  list(folder: string): readonly string[] | undefined
  /** A descriptor for reading, or for reading and appending; undefined when there is no such file. Never creates. */
  open(path: string, how: 'read' | 'append'): number | undefined
  close(descriptor: number): void
  /** The bytes from a position to the end. They are valid until the next read. */
  read(descriptor: number, position: number): Buffer
  /** One call of write(2). Answers how many bytes were written: fewer when the disk is full. */
  write(descriptor: number, bytes: Buffer): number
  /** The size of a file in bytes; undefined when there is no such file. */
  size(file: string | number): number | undefined
  /** When a file or folder was modified and when its inode last changed, in milliseconds since the epoch. */
  times(path: string): { readonly modified: number; readonly changed: number } | undefined
  /** Makes a file that must not be there yet, with its folder. Leaves nothing behind when it fails. */
  put(path: string, bytes: Buffer): void
  /** Makes an empty file, with its folder, unless it is there. True when it was made. */
  ensureFile(path: string): boolean
  /** Makes a folder and those above it, unless they are there. */
  ensureFolder(path: string): void
  /** A second name for a file. Never replaces one. */
  link(from: string, to: string): 'done' | 'exists' | 'missing'
  /** False when there was no such file. */
  unlink(path: string): boolean
  /** Moves a folder. Replaces an empty one, never one that holds something. */
  moveFolder(from: string, to: string): 'done' | 'occupied' | 'missing'
  /** Removes a folder that is empty. */
  removeFolder(path: string): 'done' | 'occupied' | 'missing'
  /** Sets the modification time, in milliseconds since the epoch, to the second. */
  stamp(path: string, time: number): void
}

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
const FLAGS = { read: constants.O_RDONLY, append: constants.O_RDWR | constants.O_APPEND } as const

// Later than any session lives, and within what every file system can store once it clamps.
const LATEST_STAMP = Date.UTC(2100, 0, 1)

/** The file system of this machine. Not to be shared by threads: it reads into one buffer. */
export function localFiles(): LocalFiles {
  const buffer = Buffer.allocUnsafeSlow(64 * 1024)
  return {
    // An exception costs five times as much as the question.
    list: (folder) => (existsSync(folder) ? unless(['ENOENT', 'ENOTDIR'], undefined, () => readdirSync(folder)) : undefined),
    open: (path, how) => unless(['ENOENT', 'ENOTDIR'], undefined, () => openSync(path, FLAGS[how])),
    close: closeSync,
    read: (descriptor, position) => readToEnd(descriptor, position, buffer),
    write: (descriptor, bytes) => writeSync(descriptor, bytes),
    size: (file) => (typeof file === 'number' ? fstatSync(file) : statSync(file, { throwIfNoEntry: false }))?.size,
    times(path) {
      const found = statSync(path, { throwIfNoEntry: false })
      return found && { modified: found.mtimeMs, changed: found.ctimeMs }
    },
    put: (path, bytes) => inFolder(path, () => putFile(path, bytes)),
    ensureFile: (path) => {
      if (existsSync(path)) return false
      inFolder(path, () => closeSync(openSync(path, 'a', FILE_MODE)))
      return true
    },
    ensureFolder: (path) => ensureFolder(path),
    link: (from, to) => unless(['EEXIST'], 'exists', () => unless(['ENOENT'], 'missing', () => (linkSync(from, to), 'done'))),
    unlink: (path) => unless(['ENOENT', 'ENOTDIR'], false, () => (unlinkSync(path), true)),
    moveFolder: (from, to) => unless(['ENOTEMPTY', 'EEXIST'], 'occupied', () => unless(['ENOENT'], 'missing', () => (renameSync(from, to), 'done'))),
    removeFolder: (path) => unless(['ENOTEMPTY', 'EEXIST'], 'occupied', () => unless(['ENOENT'], 'missing', () => (rmdirSync(path), 'done'))),
    stamp: (path, time) => unless(['ENOENT'], undefined, () => {
      const seconds = Math.floor(Math.max(0, Math.min(time, LATEST_STAMP)) / 1000)
      utimesSync(path, seconds, seconds)
    }),
  }
}

/** What a call answers, or the other answer when it fails for one of these reasons. */
function unless<T, U>(codes: readonly string[], otherwise: U, call: () => T): T | U {
  try {
    return call()
  } catch (error) {
    if (codes.includes(codeOf(error))) return otherwise
    throw error
  }
}

function readToEnd(descriptor: number, position: number, buffer: Buffer): Buffer {
  const length = readSync(descriptor, buffer, 0, buffer.length, position)
  if (length < buffer.length) return buffer.subarray(0, length)
  const rest = Buffer.allocUnsafe(Math.max(0, fstatSync(descriptor).size - position))
  let filled = 0
  while (filled < rest.length) {
    const more = readSync(descriptor, rest, filled, rest.length - filled, position + filled)
    if (more === 0) break
    filled += more
  }
  return rest.subarray(0, filled)
}

function putFile(path: string, bytes: Buffer): void {
  const descriptor = openSync(path, 'wx', FILE_MODE)
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written)
  } catch (error) {
    unlinkSync(path)
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** A call that makes a file, and its folder first where that is missing: another process may remove it while it is empty. */
function inFolder(path: string, make: () => void, tries = 20): void {
  try {
    make()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || tries === 0) throw error
    ensureFolder(dirname(path))
    inFolder(path, make, tries - 1)
  }
}

// Not Node's own `recursive`: that never returns where a file system answers ENOENT below a folder that is there.
function ensureFolder(path: string, tries = 20): void {
  try {
    mkdirSync(path, { mode: FOLDER_MODE })
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return
    if (code !== 'ENOENT' || tries === 0 || dirname(path) === path) throw error
    ensureFolder(dirname(path))
    ensureFolder(path, tries - 1)
  }
}

/** The file system's name for a failure, such as `ENOSPC`; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The error for a failed file operation. One that is a SessionError already stays as it is. */
export function fileFailure(error: unknown, folder: string, outcome: 'none' | 'unknown'): SessionError {
  if (error instanceof SessionError) return error
  const why = codeOf(error)
  const message = `The file store failed in the folder ${folder}${why && ` (${why})`}. Check that this user may write to it, and that the disk has space and free inodes.`
  return new SessionError('ERR_SESSION_STORE', message, { cause: error, outcome })
}
