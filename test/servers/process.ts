import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A server that this test run started and has to stop. */
export interface ServerProcess {
  readonly pid: number
  /** Resolves once the process has ended. */
  readonly exited: Promise<void>
  /** What it has written to stdout and stderr, at most the last 64 KiB. */
  output(): string
  /** Sends a signal to this process and to no other. Returns after SIGSTOP when every thread of it stands still, on Linux. */
  signal(name: NodeJS.Signals): void
  /** Sends a signal to this process and to those that it has started itself. Linux only. */
  signalAll(name: NodeJS.Signals): void
  /** Asks it to stop, kills it after ten seconds, resolves when it has ended. */
  stop(): Promise<void>
}

export interface StartOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Started under this user id; PostgreSQL refuses root. */
  readonly uid?: number
  readonly gid?: number
  /** `SIGTERM` by default. */
  readonly stopSignal?: NodeJS.Signals
  /**
   * True when the server that was started here answers: ask it for something that no other server can
   * know, such as a random password or its data folder, since another run may have taken the port.
   */
  readonly isOurs: () => Promise<boolean>
  /** Milliseconds to wait for that. 30 s by default. */
  readonly timeout?: number
}

/** What a server of a test may find otherwise than this process does. */
export interface Surroundings {
  /** More variables of the environment. */
  readonly env?: NodeJS.ProcessEnv
  /** Where its folder is made. Defaults to the system's folder for temporary files. */
  readonly parent?: string
}

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A new folder under the system's temporary one, or another, and how to remove it. */
export async function temporaryFolder(name: string, parent = tmpdir()): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(parent, `sojourn-${name}-`))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** The path of a program, looked for in PATH and then in the given folders. */
export function findBinary(name: string, folders: readonly string[] = []): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin', ...folders]
  return places.map((place) => join(place, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Starts a server and waits until it answers. Rejects with its output when it ends before that or takes too long. */
export async function startServer(options: StartOptions): Promise<ServerProcess> {
  const server = launch(options)
  try {
    await answering(server, options)
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

function launch({ command, args, cwd, env, uid, gid, stopSignal = 'SIGTERM' }: StartOptions): ServerProcess {
  const child = spawn(...boundToUs(command, args), {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  })
  const output = collect(child)
  // A test run that ends early must not leave a server behind.
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  }).then(() => void process.off('exit', killWithUs))

  return {
    pid: child.pid ?? -1,
    exited,
    output,
    signal(name) {
      child.kill(name)
      if (name === 'SIGSTOP') waitUntilStopped(child.pid)
    },
    signalAll(name) {
      const pids = childrenOf(child.pid)
      for (const pid of pids) process.kill(pid, name)
      child.kill(name)
      if (name === 'SIGSTOP') for (const pid of [...pids, child.pid]) waitUntilStopped(pid)
    },
    async stop() {
      child.kill('SIGCONT')
      child.kill(stopSignal)
      const patience = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(patience)
    },
  }
}

// The signal is only on its way when kill returns: a thread may still answer what comes at once. Not forever, since a process can end meanwhile.
function waitUntilStopped(pid: number | undefined): void {
  for (const end = performance.now() + 1000; performance.now() < end && !isStopped(pid);) continue
}

function isStopped(pid: number | undefined): boolean {
  const threads = `/proc/${pid}/task`
  if (!existsSync(threads)) return true
  try {
    // The state follows the name, which is in brackets and may hold any.
    return readdirSync(threads).every((thread) => /^\d+ \(.*\) [TtZX]/s.test(readFileSync(`${threads}/${thread}/stat`, 'utf8')))
  } catch {
    // A thread that has ended meanwhile.
    return false
  }
}

function childrenOf(pid: number | undefined): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number)
}

// A test run that is killed runs no handler, so where Linux can it is told to kill the server then.
const setpriv = process.platform === 'linux' ? findBinary('setpriv') : undefined

/** A command and its arguments, made to end with this process. */
export function boundToUs(command: string, args: readonly string[]): [string, readonly string[]] {
  return setpriv === undefined ? [command, args] : [setpriv, ['--pdeathsig', 'KILL', command, ...args]]
}

function collect(child: ChildProcess): () => string {
  let text = ''
  const add = (chunk: unknown): void => void (text = (text + String(chunk)).slice(-65_536))
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  child.once('error', (error) => add(`${error.message}\n`))
  return () => text
}

async function answering(server: ServerProcess, { command, isOurs, timeout = 30_000 }: StartOptions): Promise<void> {
  let ended = false
  void server.exited.then(() => (ended = true))
  const deadline = performance.now() + timeout
  // A server that is starting refuses connections, so a failed question only means: ask again.
  while (!(await isOurs().catch(() => false))) {
    if (ended) throw new Error(`${command} ended before it answered:\n${server.output()}`)
    if (performance.now() > deadline) throw new Error(`${command} did not answer within ${timeout} ms:\n${server.output()}`)
    await delay(20)
  }
}
