import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { findBinary } from '../test/servers/process.ts'
import { setUpProjects } from './projects.ts'

/** A program of the operating system that some tests need. */
export interface Program {
  /** What a message calls it. */
  readonly name: string
  /** The names it may have, best first. */
  readonly binaries: readonly string[]
  /** Where to look beside PATH. */
  readonly folders?: readonly string[]
  /** The Debian package. */
  readonly package: string
  /** What is not tested without it. */
  readonly needed: string
}

export const PROGRAMS: readonly Program[] = [
  { name: 'Chromium', binaries: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium', needed: 'the browser tests' },
  { name: 'Redis', binaries: ['redis-server', 'valkey-server'], package: 'redis-server', needed: 'the Redis store' },
  { name: 'PostgreSQL', binaries: ['initdb'], folders: globSync('/usr/lib/postgresql/*/bin'), package: 'postgresql', needed: 'the PostgreSQL store' },
  { name: 'PgBouncer', binaries: ['pgbouncer'], package: 'pgbouncer', needed: 'the PostgreSQL store behind PgBouncer' },
  { name: 'MariaDB', binaries: ['mariadbd', 'mysqld'], package: 'mariadb-server', needed: 'the MySQL store' },
  { name: 'memcached', binaries: ['memcached'], package: 'memcached', needed: 'the cache store over memcached' },
  { name: 'faketime', binaries: ['faketime'], package: 'faketime', needed: 'servers whose clock is set' },
  { name: 'nginx', binaries: ['nginx'], package: 'nginx-light', needed: 'the tests behind a proxy' },
  { name: 'curl', binaries: ['curl'], package: 'curl', needed: 'the use with curl' },
  { name: 'OpenSSL', binaries: ['openssl'], package: 'openssl', needed: 'the use over https' },
]

/** True on a build server, where what is missing must not pass for tested. */
export function inCi(): boolean {
  return !['', 'false', '0'].includes(process.env['CI'] ?? '')
}

/** The programs that are not on this machine. */
function missingPrograms(programs: readonly Program[]): readonly Program[] {
  return programs.filter(({ binaries, folders }) => !binaries.some((name) => findBinary(name, folders) !== undefined))
}

/**
 * Installs what the tests need and the machine lacks, where that is possible: as root, with apt-get. Tells what it
 * does and what will not be tested. Returns the programs that are still missing.
 */
export function setUp(programs: readonly Program[] = PROGRAMS): readonly Program[] {
  const missing = missingPrograms(programs)
  if (missing.length > 0 && canInstall()) install(missing)
  const stillMissing = missingPrograms(missing)
  if (stillMissing.length === 0) console.log('set-up: every program that the tests need is here')
  for (const { name, needed, package: debianPackage } of stillMissing) {
    console.log(`set-up: ${name} is missing, so ${needed} will not run; get it with: apt-get install ${debianPackage}`)
  }
  return stillMissing
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && findBinary('apt-get') !== undefined
}

function install(programs: readonly Program[]): void {
  console.log(`set-up: installing ${programs.map(({ name }) => name).join(', ')} with apt-get; this can take minutes`)
  apt('update')
  // One at a time, so that one package that is not to be had does not take the others with it.
  for (const program of programs) {
    console.log(`set-up: ${program.name}`)
    apt('install', '-y', '--no-install-recommends', program.package)
  }
}

function apt(...args: readonly string[]): void {
  // In run level 1 Debian starts no service for a new package: the tests start their own servers.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const { status, error } = spawnSync('apt-get', ['-q', '-o', 'Dpkg::Use-Pty=0', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) console.log(`set-up: apt-get ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`)
}

if (import.meta.main) {
  const missing = [...setUp(), ...setUpProjects()]
  process.exitCode = missing.length > 0 && inCi() ? 1 : 0
}
