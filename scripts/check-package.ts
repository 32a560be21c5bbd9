// What `npm run check:package` runs: the package as its users get it. Built and packed, read by publint and by
// "are the types wrong", then installed in an empty project that imports every public path.
import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import { publicSubpaths } from './subpaths.ts'

const root = dirname(import.meta.dirname)
const binaries = join(root, 'node_modules', '.bin')
const folder = mkdtempSync(join(tmpdir(), 'sojourn-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const specifiers = publicSubpaths().map(({ specifier }) => specifier)
run(root, process.execPath, join('scripts', 'build.ts'))
const tarball = pack()
run(root, join(binaries, 'publint'), 'run', tarball, '--strict')
run(root, join(binaries, 'attw'), tarball, '--profile', 'esm-only', '--entrypoints', ...publicSubpaths().map(({ subpath }) => subpath))
const project = emptyProject()
run(project, 'npm', 'install', '--no-fund', '--no-audit', '--prefer-offline', tarball)
run(project, process.execPath, join('node_modules', 'typescript', 'bin', 'tsc'))
run(project, process.execPath, 'main.js')
console.log(`check:package: ${specifiers.length} public paths, each with its types and each running on Node ${process.versions.node}`)

function pack(): string {
  // Built above; the script that builds before packing would do it again.
  run(root, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder)
  const [file] = globSync('*.tgz', { cwd: folder })
  if (file === undefined) throw new Error('npm pack made no file')
  return join(folder, file)
}

function emptyProject(): string {
  const project = join(folder, 'project')
  mkdirSync(project)
  // Its adapter augments the types of fastify, so whoever imports it has fastify.
  const { typescript, '@types/node': nodeTypes, fastify } = manifest.devDependencies
  write(project, 'package.json', JSON.stringify({ private: true, type: 'module', devDependencies: { typescript, '@types/node': nodeTypes, fastify } }))
  // No lib beyond the target's own and no condition of ours: what a user's project has.
  const compilerOptions = { target: 'es2022', module: 'nodenext', types: ['node'], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false }
  write(project, 'tsconfig.json', JSON.stringify({ compilerOptions, include: ['main.ts'] }))
  write(project, 'main.ts', mainFile())
  return project
}

function mainFile(): string {
  const imports = specifiers.map((specifier, at) => `import * as m${at} from '${specifier}'`)
  const list = specifiers.map((specifier, at) => `  ['${specifier}', m${at}],`)
  return `${imports.join('\n')}
const modules: [string, object][] = [
${list.join('\n')}
]
for (const [name, exports] of modules) {
  const names = Object.keys(exports)
  if (names.length === 0 || names.includes('default')) throw new Error(name + ' exports ' + (names.join(', ') || 'nothing'))
  console.log(name + ': ' + names.join(', '))
}
`
}

function write(project: string, name: string, text: string): void {
  writeFileSync(join(project, name), text)
}

function run(cwd: string, command: string, ...args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (status === 0) return
  console.error(`check:package: ${command} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`)
  process.exit(1)
}
