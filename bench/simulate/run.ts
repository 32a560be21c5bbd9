// npm run simulate: what 100 million sessions and 100,000 requests a second would need, from what was measured (docs/scale.md).
import { busiestShard, commandsOf, failover, touchesPerRequest, type Site } from './load.ts'

const MINUTE = 60_000

const site: Site = { sessions: 100_000_000, requestsPerSecond: 100_000, writes: 0.05, idle: 30 * MINUTE, touchAfter: 3 * MINUTE }

/** Measured with `npm run scale` and `npm run bench`, see docs/scale.md. */
const measured = {
  redisBytes: Number(process.argv[2] ?? 1400),
  postgresBytes: Number(process.argv[3] ?? 867),
  /** Commands a second that one Redis core is trusted with, well below what it can do. */
  redisCommands: 50_000,
}

const gib = (bytes: number): string => `${Math.round(bytes / 2 ** 30).toLocaleString('en')} GiB`
const rounded = (value: number): string => Math.round(value).toLocaleString('en')

console.log('### What touches cost\n\n| touchAfter | touches, of 100 requests | commits a second |\n|---|---:|---:|')
for (const minutes of [0, 0.5, 1, 3, 10]) {
  const variant = { ...site, touchAfter: minutes * MINUTE }
  console.log(`| ${minutes === 3 ? '**3 minutes** (the default for 30 idle)' : `${minutes} minutes`} | ${(touchesPerRequest(variant) * 100).toFixed(1)} | ${rounded(commandsOf(variant).commits)} |`)
}

const commands = commandsOf(site)
console.log('\n### Shards of Redis\n\n| shards | memory each, no replica | commands a second each | busiest shard | after the loss of a primary, 15 s: failed requests | writes not yet replicated, 10 ms behind |\n|---:|---:|---:|---:|---:|---:|')
for (const shards of [6, 12, 24, 48]) {
  const each = (commands.reads + commands.commits) / shards
  const busiest = busiestShard(shards)
  const lost = failover(site, shards, { seconds: 15, replicationLag: 10 })
  console.log(`| ${shards} | ${gib((site.sessions * measured.redisBytes) / shards)} | ${rounded(each)} (${Math.round((each / measured.redisCommands) * 100)} % of a core) | ${busiest.toFixed(2)} × | ${rounded(lost.failedRequests)} | ${rounded(lost.unreplicated)} |`)
}

console.log(`\n### PostgreSQL\n\n${gib(site.sessions * measured.postgresBytes)} in tables and indexes; ${rounded(commands.reads)} reads and ${rounded(commands.commits)} commits a second.`)
