import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const root = dirname(import.meta.dirname)

/** A package of its own in this repository, with its own lockfile: what it installs is too heavy for everyone who wants to run the demo. */
export interface Project {
  /** From the root of the repository. */
  readonly folder: string
  /** What is not tested without it. */
  readonly needed: string
}

export const PROJECTS: readonly Project[] = [
  { folder: 'test/runtimes', needed: 'the package on Node 22 and 26, Bun, Deno and Workers' },
  { folder: 'examples/next', needed: 'the example for Next.js' },
  { folder: 'examples/react-router', needed: 'the example for React Router' },
  { folder: 'examples/nest', needed: 'the example for NestJS' },
]

/** Whether what the lockfile of this project names is installed. */
export function isInstalled(folder: string): boolean {
  return existsSync(stampOf(folder)) && readFileSync(stampOf(folder), 'utf8') === lockOf(folder)
}

/** Installs what the projects need and lack, and keeps it for the next run. Returns those that could not be installed. */
export function setUpProjects(projects: readonly Project[] = PROJECTS): readonly Project[] {
  return projects.filter(({ folder, needed }) => {
    if (isInstalled(folder) || install(folder)) return false
    console.log(`set-up: the packages of ${folder} are missing, so ${needed} will not be tested; get them with: cd ${folder} && npm install`)
    return true
  })
}

function install(folder: string): boolean {
  console.log(`set-up: installing the packages of ${folder}; the first time this takes about a minute`)
  // Not `npm ci`, which refuses a lockfile without the binaries of platforms that a registry does not serve.
  const { status } = spawnSync('npm', ['install', '--no-save', '--no-fund', '--no-audit', '--prefer-offline', '--loglevel=error'], { cwd: resolve(root, folder), stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) return false
  mkdirSync(dirname(stampOf(folder)), { recursive: true })
  writeFileSync(stampOf(folder), lockOf(folder))
  return true
}

// Written last: an installation that was broken off is done again.
function stampOf(folder: string): string {
  return join(resolve(root, folder), 'node_modules', '.installed-lock.json')
}

function lockOf(folder: string): string {
  return readFileSync(join(resolve(root, folder), 'package-lock.json'), 'utf8')
}
