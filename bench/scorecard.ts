// npm run scorecard: what Sojourn and its peers lose, seen over HTTP. Writes the tables of docs/scorecard.md.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Score } from 'sojourn/testing'
import { needsMariadb, startMariadb } from '../test/servers/mariadb.ts'
import { needsMemcached, startMemcached } from '../test/servers/memcached.ts'
import { needsPostgres, startPostgres } from '../test/servers/postgres.ts'
import { needsRedis, startRedis } from '../test/servers/redis.ts'
import { report, type Card } from './scorecard/report.ts'
import { faultsOf, scoresOf, subjects, type Servers, type Subject } from './scorecard/subjects.ts'

const here = import.meta.dirname
const page = join(here, '..', 'docs', 'scorecard.md')
/** Words of the command choose subjects; without any, all run and the page is written. */
const chosen = process.argv.slice(2)

async function main(): Promise<void> {
  const wanted = subjects.filter(({ name, store }) => chosen.every((word) => `${name} ${store}`.includes(word)))
  if (wanted.some(({ program: [file] }) => file.includes('peers')) && !existsSync(join(here, 'peers', 'node_modules', 'koa-session'))) {
    console.log('Installing the peers …')
    execFileSync('npm', ['ci', '--no-fund', '--no-audit'], { cwd: join(here, 'peers'), stdio: 'inherit' })
  }
  const redis = needsRedis.binary === undefined ? undefined : await startRedis(needsRedis.binary)
  const postgres = needsPostgres.binary === undefined ? undefined : await startPostgres(needsPostgres.binary)
  const mariadb = needsMariadb.binary === undefined ? undefined : await startMariadb(needsMariadb.binary)
  const memcached = needsMemcached.binary === undefined ? undefined : await startMemcached(needsMemcached.binary)
  try {
    const cards = await runAll(wanted, {
      redis: redis === undefined ? undefined : `redis://:${redis.password}@127.0.0.1:${redis.port}`,
      postgres: postgres?.url, mysql: mariadb?.url, memcached: memcached?.address,
    })
    if (chosen.length === 0) writePage(report(cards))
    if (cards.some(isWrong)) process.exitCode = 1
  } finally {
    await redis?.stop()
    await postgres?.stop()
    await mariadb?.stop()
    await memcached?.stop()
  }
}

async function runAll(wanted: readonly Subject[], servers: Servers): Promise<readonly Card[]> {
  const cards: Card[] = []
  for (const [n, subject] of wanted.entries()) {
    const title = `${n + 1} of ${wanted.length}: ${subject.name}, ${subject.store}`
    if (subject.needs !== undefined && servers[subject.needs] === undefined) {
      console.log(`${title}: NOT RUN, there is no ${subject.needs}`)
      continue
    }
    const card = { subject, scores: await scoresOf(subject, servers) }
    console.log(`${title}: ${summary(card.scores)}${isWrong(card) ? `  UNEXPECTED, should be: ${(subject.expected ?? []).join(', ') || 'nothing'}` : ''}`)
    cards.push(card)
  }
  return cards
}

function isWrong({ subject, scores }: { readonly subject: Subject; readonly scores: readonly Score[] }): boolean {
  return subject.expected !== undefined && subject.expected.join() !== faultsOf(scores).join()
}

function summary(scores: readonly Score[]): string {
  return scores.filter(({ seen }) => seen > 0).map(({ fault, seen, of }) => `${fault} ${seen} of ${of}`).join(', ') || 'no fault'
}

function writePage(tables: string): void {
  const [head = ''] = readFileSync(page, 'utf8').split('<!-- results -->')
  writeFileSync(page, `${head}<!-- results -->\n\n${tables}`)
}

await main()
