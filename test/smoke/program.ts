import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { boundToUs } from '../servers/process.ts'

/** A server that runs as a process of its own. */
export interface Program {
  /** The first address that it printed: `http://127.0.0.1:41234`. */
  readonly url: string
  /** What it has written to stderr. */
  errors(): string
  /** Asks it to end. Resolves to its exit code. */
  stop(): Promise<number | null>
  /** Ends it, whatever it does. */
  kill(): void
}

/** Starts a program that prints its address when it listens. Throws what it wrote to stderr when it ends before. */
export async function startProgram(command: string, args: readonly string[], { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> }): Promise<Program> {
  const child = spawn(...boundToUs(command, args), { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  // A test run that ends early must not leave a server behind.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  let errors = ''
  child.stderr.on('data', (chunk) => { errors += String(chunk) })
  const ended = once(child, 'exit').finally(() => process.off('exit', kill))
  const url = await Promise.race([addressIn(child.stdout), ended.then(() => { throw new Error(`It ended before it listened:\n${errors}`) })])
  return {
    url,
    errors: () => errors,
    kill,
    async stop() {
      child.kill('SIGTERM')
      const [code] = await ended
      return typeof code === 'number' ? code : null
    },
  }
}

async function addressIn(output: Readable): Promise<string> {
  for await (const line of createInterface(output)) {
    const address = /https?:\/\/[\w.]+:\d+/.exec(line)
    if (address === null) continue
    // What it prints later must not fill the pipe.
    output.resume()
    return address[0]
  }
  return new Promise(() => {})
}
