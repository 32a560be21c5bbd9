import { close, fsync, open } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { codeOf } from './local-files.ts'

/** What must be on the disk before an operation goes on: a descriptor, or the path of a file or folder. */
interface Flush {
  readonly flush: number | string
}

/** The name of the call an operation makes next, or what it waits for. */
export type Step = string | Flush

/**
 * An operation on files as a row of steps: it stops before each call that other processes can see or
 * disturb. So a test can run every interleaving of two operations, and break one off between any two steps.
 */
export type Steps<T> = Generator<Step, T, undefined>

/** Waits until a folder and those above it are on the disk, up to `top`: each of them may be new. */
export function* flushUp(folder: string, top: string): Steps<void> {
  for (let each = folder; each.length > top.length; each = dirname(each)) yield { flush: each }
  yield { flush: top }
}

/** Runs an operation to its end at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const turn = steps.next()
    if (turn.done === true) return turn.value
  }
}

/** Runs an operation to its end, and waits for the disk where it asks for that. The event loop goes on meanwhile. */
export async function finishOnDisk<T>(steps: Steps<T>): Promise<T> {
  let turn = steps.next()
  while (turn.done !== true) turn = typeof turn.value === 'string' ? steps.next() : await flushed(steps, turn.value)
  return turn.value
}

async function flushed<T>(steps: Steps<T>, { flush }: Flush): Promise<IteratorResult<Step, T>> {
  try {
    await (typeof flush === 'number' ? flushDescriptor(flush) : flushPath(flush))
  } catch (error) {
    return steps.throw(error)
  }
  return steps.next()
}

const flushDescriptor = promisify(fsync)
const openPath = promisify(open)
const closeDescriptor = promisify(close)

/** What another process has removed meanwhile needs no flush: the operation notices that itself. */
async function flushPath(path: string): Promise<void> {
  const descriptor = await openPath(path, 'r').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
  if (descriptor === undefined) return
  try {
    await flushDescriptor(descriptor)
  } finally {
    await closeDescriptor(descriptor)
  }
}
