// What `npm run build` runs: the sources into dist/, as JavaScript and declarations.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)

/** Compiles the sources into this folder, which is emptied before. Tells how many files it made. Throws when the compiler complains. */
export function build(dist: string): number {
  rmSync(dist, { recursive: true, force: true })
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', dist], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('The sources do not compile. The compiler has said why.')
  const files = globSync('**/*.{js,d.ts}', { cwd: dist }).map((file) => join(dist, file))
  for (const file of files) importJavaScript(file)
  return files.length
}

// The compiler rewrites `./record.ts` in what runs but not in declarations, where it would name a file that is not published in dist/.
function importJavaScript(file: string): void {
  const text = readFileSync(file, 'utf8')
  const rewritten = text.replaceAll(/(\bfrom |\bimport |\bimport\()(["'])(\.{1,2}\/[^"'\n]*)\.ts\2/g, '$1$2$3.js$2')
  if (rewritten !== text) writeFileSync(file, rewritten)
}

if (import.meta.main) console.log(`build: ${build(join(root, 'dist'))} files in dist/`)
