import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** A disk of its own: a small tmpfs. */
export interface SmallDisk {
  readonly path: string
  /** Takes all the room that is left. */
  fill(): void
  /** Gives it back. */
  free(): void
  readOnly(on: boolean): void
  remove(): void
}

function mount(...args: readonly string[]): boolean {
  return spawnSync('mount', args, { stdio: 'ignore' }).status === 0
}

/** Mounts a disk of so many MiB; undefined where that is not allowed. */
function mountSmallDisk(size: number): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'sojourn-disk-'))
  if (!mount('-t', 'tmpfs', '-o', `size=${size}m`, 'tmpfs', path)) {
    rmSync(path, { recursive: true })
    return undefined
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill() {
      for (const size of [1_048_576, 65_536, 4096]) expect(() => writeUntilFull(filler, Buffer.alloc(size))).toThrow(/ENOSPC/)
    },
    free: () => rmSync(filler),
    readOnly(on) {
      expect(mount('-o', `remount,${on ? 'ro' : 'rw'}`, path)).toBe(true)
    },
    remove() {
      spawnSync('umount', ['-l', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function writeUntilFull(path: string, bytes: Buffer): never {
  for (;;) writeFileSync(path, bytes, { flag: 'a' })
}

/** A suite on disks of its own, of 4 MiB unless another size is asked for. Where nobody may mount one it is one test that says so by name. */
export function describeOnSmallDisk(title: string, suite: (newDisk: (size?: number) => SmallDisk) => void): void {
  const probe = mountSmallDisk(1)
  probe?.remove()
  describe(title, () => {
    if (probe === undefined) it('NOT TESTED: a tmpfs cannot be mounted here. Run as root, with the right to mount.', () => expect(probe).toBeUndefined())
    else suite((size = 4) => mountSmallDisk(size) ?? expect.fail('the disk cannot be mounted any more'))
  })
}
