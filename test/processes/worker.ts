import { pathToFileURL } from 'node:url'
import type { Awaitable, Store } from '../../src/core/store.ts'
import { jobs, type JobName } from './jobs.ts'
import type { Message } from './run-in-processes.ts'

const [module = '', location = '', job = '', index = '', count = '', input = '{}'] = process.argv.slice(2)

function tell(message: Message): void {
  process.send?.(message)
}

async function main(): Promise<void> {
  const { open }: { open: (location: string) => Awaitable<Store> } = await import(pathToFileURL(module).href)
  const store = await open(location)
  await store.open?.()
  const answer = await jobs[job as JobName](store, { index: Number(index), count: Number(count), input: JSON.parse(input), barrier })
  await store.close?.()
  tell({ at: 'end', pid: process.pid, answer })
}

function barrier(): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve())
    tell({ at: 'barrier' })
  })
}

main().catch((error: unknown) => {
  tell({ at: 'error', stack: error instanceof Error ? `${error.stack}\n${String(error.cause)}` : String(error) })
})

// Stays until its parent, which has read everything it said, kills it; or until there is no parent.
process.on('disconnect', () => process.exit())
