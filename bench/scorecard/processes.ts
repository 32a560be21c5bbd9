import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** An application in a process of its own, or in several that share their sessions. */
export interface Running {
  readonly origins: readonly string[]
  stop(): Promise<void>
}

/** Starts a program of the score card, as often as `processes` says. It tells its port. */
export async function startApp(file: string, args: readonly string[], { processes = 1 } = {}): Promise<Running> {
  const children: ChildProcess[] = []
  const stop = async (): Promise<void> => void (await Promise.all(children.map(ended)))
  try {
    const origins: string[] = []
    for (let n = 0; n < processes; n += 1) {
      const child = fork(file, args, { execArgv: ['--conditions=sojourn:source', '--no-warnings'], env: { ...process.env, NODE_ENV: 'production' }, silent: true })
      children.push(child)
      origins.push(`http://127.0.0.1:${await portOf(child)}`)
    }
    return { origins, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  let output = ''
  child.stderr?.on('data', (chunk) => { output += String(chunk) })
  child.stdout?.resume()
  const port = await Promise.race([once(child, 'message').then(([message]: unknown[]) => message), once(child, 'exit').then(() => undefined)])
  if (typeof port !== 'number') throw new Error(`An application of the score card did not start:\n${output}`)
  return port
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill()
  await exit
}
