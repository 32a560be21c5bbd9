import { globSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from './process.ts'
import type { ServerNeed } from './suite.ts'

const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
const [libc] = globSync('/lib/*/libc.so.6')

export const needsFaketime: ServerNeed = {
  binary: library,
  name: 'libfaketime',
  howToGet: 'apt-get install faketime',
}

/** A clock for a server that is started with this environment. */
export interface SteppableClock {
  readonly env: NodeJS.ProcessEnv
  /** Sets the server's clock that many seconds off ours, from now on. */
  set(seconds: number): Promise<void>
  remove(): Promise<void>
}

/** A clock that steps while the server runs, through libfaketime. What counts time from its start (the monotonic clock) is not changed. */
export async function steppableClock(): Promise<SteppableClock> {
  const folder = await temporaryFolder('clock')
  const file = join(folder.path, 'offset')
  const set = (seconds: number): Promise<void> => writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}`)
  await set(0)
  // Servers run under users of their own.
  await chmod(folder.path, 0o755)
  return {
    // libc comes second, so that its malloc takes the place of one that asks for the time before libfaketime is ready.
    env: { LD_PRELOAD: `${library}:${libc}`, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
    set, remove: folder.remove,
  }
}
