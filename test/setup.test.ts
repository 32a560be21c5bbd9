import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inCi, setUp, type Program } from '../scripts/setup.ts'
import { temporaryFolder } from './servers/process.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let said: string[]

beforeEach(async () => {
  folder = await temporaryFolder('setup')
  said = []
  vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)))
  vi.stubEnv('PATH', [folder.path, process.env['PATH']].join(delimiter))
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await folder.remove()
})

const absent: Program = { name: 'Absent', binaries: ['sojourn-absent'], package: 'sojourn-absent-package', needed: 'the absent store' }

/** An apt-get of our own, found before the system's: it writes down how it was called. */
async function ownAptGet(lastLine: string): Promise<string> {
  const log = join(folder.path, 'calls')
  const program = join(folder.path, 'apt-get')
  await writeFile(program, `#!/bin/sh\necho "$DEBIAN_FRONTEND $RUNLEVEL $*" >> '${log}'\n${lastLine}\n`)
  await chmod(program, 0o755)
  await writeFile(log, '')
  return log
}

describe('setUp', () => {
  it('says when all is there, and installs nothing', async () => {
    const log = await ownAptGet('exit 1')
    expect(setUp([{ ...absent, binaries: ['sojourn-absent', 'sh'] }])).toEqual([])
    expect(said).toEqual(['set-up: every program that the tests need is here'])
    expect(await readFile(log, 'utf8')).toBe('')
  })

  it('names what is missing, what is not tested without it, and how to get it', async () => {
    await ownAptGet('exit 1')
    expect(setUp([absent])).toEqual([absent])
    expect(said.at(-1)).toBe('set-up: Absent is missing, so the absent store will not run; get it with: apt-get install sojourn-absent-package')
  })

  const mayInstall = process.getuid?.() === 0 && existsSync('/etc/debian_version')
  it(`${mayInstall ? 'installs as root on Debian' : 'installs nothing here'}`, async () => {
    const program = join(folder.path, 'sojourn-absent')
    const log = await ownAptGet(`case "$*" in *install*) cp /bin/true '${program}';; esac`)
    const missing = setUp([absent])
    const calls = (await readFile(log, 'utf8')).trim().split('\n')
    expect(missing).toEqual(mayInstall ? [] : [absent])
    expect(calls).toEqual(mayInstall
      ? ['noninteractive 1 -q -o Dpkg::Use-Pty=0 update', 'noninteractive 1 -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends sojourn-absent-package']
      : [''])
  })
})

describe('inCi', () => {
  it.each([['', false], ['false', false], ['0', false], ['true', true], ['1', true]])('CI=%j is %j', (value, expected) => {
    vi.stubEnv('CI', value)
    expect(inCi()).toBe(expected)
  })
})
