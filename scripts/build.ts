// What `npm run build` runs: the sources into dist/, as JavaScript and declarations.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
const files = globSync('**/*.{js,d.ts}', { cwd: dist }).map((file) => join(dist, file))
for (const file of files) importJavaScript(file)
console.log(`build: ${files.length} files in dist/`)

// The compiler rewrites `./record.ts` in what runs but not in declarations, where it would name a file that is not published in dist/.
function importJavaScript(file: string): void {
  const text = readFileSync(file, 'utf8')
  const rewritten = text.replaceAll(/(\bfrom |\bimport |\bimport\()(["'])(\.{1,2}\/[^"'\n]*)\.ts\2/g, '$1$2$3.js$2')
  if (rewritten !== text) writeFileSync(file, rewritten)
}
