import { spawn } from 'node:child_process'
import { chown, stat } from 'node:fs/promises'

/** Whom to start a server as; empty means as ourselves. */
export interface Owner {
  readonly uid?: number
  readonly gid?: number
}

/** Ourselves, unless we are root, which servers refuse: then the owner of `home`, the folder that the server's package made. */
export async function ownerOf(home: string): Promise<Owner> {
  if (process.getuid?.() !== 0) return {}
  const { uid, gid } = await stat(home)
  return { uid, gid }
}

/** Gives a folder to the owner. */
export async function giveTo({ uid, gid }: Owner, path: string): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

/** Runs a program to its end. Rejects with its output when it fails. */
export function runToEnd(command: string, args: readonly string[], owner: Owner): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...owner, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += String(chunk)))
    child.stderr.on('data', (chunk) => (output += String(chunk)))
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} failed:\n${output}`))))
  })
}
