import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** A disk of its own: a tmpfs of 4 MiB. */
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

/** Mounts a disk; undefined where that is not allowed. */
function mountSmallDisk(): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'sojourn-disk-'))
  if (!mount('-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path)) {
    rmSync(path, { recursive: true })
    return undefined
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill() {
      try {
        for (const size of [65_536, 4096]) for (let n = 0; n < 64; n += 1) writeFileSync(filler, Buffer.alloc(size), { flag: 'a' })
      } catch {
        // Full.
      }
      expect(() => writeFileSync(filler, Buffer.alloc(8192), { flag: 'a' })).toThrow(/ENOSPC/)
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

/** A suite on disks of its own. Where nobody may mount one it is one test that says so by name. */
export function describeOnSmallDisk(title: string, suite: (newDisk: () => SmallDisk) => void): void {
  const probe = mountSmallDisk()
  probe?.remove()
  describe(title, () => {
    if (probe === undefined) it('NOT TESTED: a tmpfs cannot be mounted here. Run as root, with the right to mount.', () => expect(probe).toBeUndefined())
    else suite(() => mountSmallDisk() ?? expect.fail('the disk cannot be mounted any more'))
  })
}
