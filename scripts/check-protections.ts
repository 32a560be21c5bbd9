// What `npm run check:protections` runs: takes each protection out, one at a time, in a copy of the project, and expects the test
// that docs/security.md or docs/faults.md names to fail. With words behind `--`, only the protections whose page, rows, file or test
// have them; with `--table` it prints the table of docs/security.md.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { faultTable } from '../test/faults/table.ts'
import { withoutProtection } from '../test/protections/apply.ts'
import { FAULT_PROTECTIONS } from '../test/protections/fault-protections.ts'
import { PROTECTIONS, type Protection } from '../test/protections/protections.ts'
import { securityTable } from '../test/protections/table.ts'

const root = dirname(import.meta.dirname)
const words = process.argv.slice(2)

if (words.includes('--table')) {
  console.log(securityTable())
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'sojourn-protections-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const name of ['src', 'test', 'examples', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
  cpSync(join(root, name), join(folder, name), { recursive: true, filter: (path) => !path.includes('node_modules') })
}
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))

const isChosen = (page: string) => (protection: Protection): boolean => words.every((word) => JSON.stringify({ page, ...protection }).includes(word))
const chosen = [...PROTECTIONS.filter(isChosen('docs/security.md')), ...FAULT_PROTECTIONS.filter(isChosen('docs/faults.md'))]
if (chosen.length === 0) throw new Error(`No protection has these words: ${words.join(', ')}`)
const unsound = passes(chosen) ? [] : ['the tests as they are']
for (const [at, protection] of unsound.length > 0 ? [] : chosen.entries()) {
  const began = Date.now()
  const failed = failsWithout(protection)
  if (!failed) unsound.push(nameOf(protection))
  console.log(`[${at + 1}/${chosen.length}] ${failed ? 'red, as expected' : 'NOT NOTICED'} (${((Date.now() - began) / 1000).toFixed(1)} s): ${nameOf(protection)}`)
}
for (const name of unsound) console.log(`not held by its test: ${name}`)
const others = faultTable().faults.filter(({ fault, heldBy }) => heldBy !== undefined && words.every((word) => `docs/faults.md ${fault}`.includes(word)))
for (const { fault, heldBy } of others) console.log(`nothing to take out, since ${heldBy} alone holds it: ${fault}`)
console.log(`check:protections: ${chosen.length} protections, ${chosen.length - unsound.length} held by the test that is named, ${unsound.length} not; ${others.length} ${others.length === 1 ? 'row' : 'rows'} of docs/faults.md held by a database alone`)
process.exit(unsound.length > 0 ? 1 : 0)

function nameOf({ rows, file, test, title }: Protection): string {
  return `${rows.join(', ')}: ${file}; ${test}: ${title}`
}

/** Whether every named test is there and passes as long as nothing is taken out. */
function passes(protections: readonly Protection[]): boolean {
  const results = run(protections)
  const missing = protections.filter((protection) => statesOf(results, protection).some((state) => state !== 'passed') || statesOf(results, protection).length === 0)
  for (const protection of missing) console.log(`does not pass, or is not there: ${protection.test}: ${protection.title}`)
  return missing.length === 0
}

function failsWithout(protection: Protection): boolean {
  const file = join(folder, protection.file)
  const source = readFileSync(file, 'utf8')
  try {
    writeFileSync(file, withoutProtection(source, protection))
    return statesOf(run([protection]), protection).includes('failed')
  } finally {
    writeFileSync(file, source)
  }
}

interface Result {
  readonly name: string
  readonly assertionResults: readonly { readonly ancestorTitles: readonly string[]; readonly title: string; readonly status: string }[]
}

/** Runs the named tests and no others. A file that cannot be read at all has no results. */
function run(protections: readonly Protection[]): readonly Result[] {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const names = protections.map(({ title }) => title.split(' > ').map(escaped).join('(?: >)? ')).map((title) => `^${title}$`)
  const files = [...new Set(protections.map(({ test }) => test))]
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
  const { stdout, stderr, error } = spawnSync(process.execPath, [vitest, 'run', ...files, '--testNamePattern', names.join('|'), '--reporter=json', `--outputFile=${report}`, '--maxWorkers=1'], { cwd: folder, encoding: 'utf8', timeout: 600_000 })
  if (error !== undefined) throw error
  try {
    return resultsFrom(JSON.parse(readFileSync(report, 'utf8')))
  } catch (cause) {
    throw new Error(`vitest made no report\n${stdout}${stderr}`, { cause })
  }
}

function resultsFrom(report: { readonly testResults: readonly Result[] }): readonly Result[] {
  return report.testResults
}

function statesOf(results: readonly Result[], { test, title }: Protection): readonly string[] {
  return results.filter(({ name }) => name.endsWith(test)).flatMap(({ assertionResults }) => assertionResults
    .filter((result) => [...result.ancestorTitles, result.title].join(' > ') === title).map(({ status }) => status))
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
