import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { build } from '../../scripts/build.ts'
import { temporaryFolder } from '../servers/process.ts'

const root = dirname(dirname(import.meta.dirname))

/** Builds and packs the package as it is published, and installs it in the project, whose other packages stay. */
export async function installBuiltPackage(project: string): Promise<void> {
  const draft = await temporaryFolder('package')
  try {
    for (const name of ['package.json', ...manifest.files.filter((file) => !/^!|^dist$/.test(file))]) cpSync(join(root, name), join(draft.path, name), { recursive: true })
    build(join(draft.path, 'dist'))
    // Built above; the script that builds before packing would do it again.
    const [tarball = ''] = execFileSync('npm', ['pack', '--ignore-scripts', '--silent'], { cwd: draft.path, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim().split('\n')
    unpack(join(draft.path, tarball), join(project, 'node_modules', manifest.name))
  } finally {
    await draft.remove()
  }
}

function unpack(tarball: string, target: string): void {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
  for (const name of Object.keys(manifest.dependencies)) cpSync(join(root, 'node_modules', name), join(target, 'node_modules', name), { recursive: true })
}
