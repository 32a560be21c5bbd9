import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isInstalled, setUpProjects } from '../scripts/projects.ts'
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

describe('setUpProjects', () => {
  it('installs what a lockfile names, once, and again when the lockfile has changed', async () => {
    const project = { folder: folder.path, needed: 'a test' }
    const lock = (name: string): Promise<void> => writeFile(join(folder.path, 'package-lock.json'), JSON.stringify({ name, lockfileVersion: 3, requires: true, packages: { '': { name } } }))
    await writeFile(join(folder.path, 'package.json'), JSON.stringify({ name: 'one' }))
    await lock('one')
    expect(isInstalled(folder.path)).toBe(false)
    for (let time = 0; time < 2; time += 1) expect(setUpProjects([project])).toEqual([])
    expect(isInstalled(folder.path)).toBe(true)
    expect(said).toHaveLength(1)
    await lock('another')
    expect(isInstalled(folder.path)).toBe(false)
  })

  it('names what is not tested when they cannot be installed', async () => {
    await writeFile(join(folder.path, 'package-lock.json'), '{}')
    const project = { folder: folder.path, needed: 'the absent runtime' }
    expect(setUpProjects([project])).toEqual([project])
    expect(said.at(-1)).toContain('so the absent runtime will not be tested; get them with: cd ')
  })
})

describe('inCi', () => {
  it.each([['', false], ['false', false], ['0', false], ['true', true], ['1', true]])('CI=%j is %j', (value, expected) => {
    vi.stubEnv('CI', value)
    expect(inCi()).toBe(expected)
  })
})
