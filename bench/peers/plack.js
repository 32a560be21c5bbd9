// Starman, with Plack::Middleware::Session or bare: node bench/peers/plack.js <workers> bare|memory|file
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [, , workers, store] = process.argv

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** Microseconds of the processor that Starman and its workers took: its own process group, in hundredths of a second. */
function cpuOf(group) {
  let ticks = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      // Behind the name of the program, which may have spaces: state, parent, group, …; user, system, and the same of children that ended.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
      if (Number(fields[2]) === group) ticks += fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10_000
}

async function answers(url) {
  try {
    return (await fetch(url, { headers: { connection: 'close' } })).ok
  } catch {
    return false
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sojourn-bench-'))
const port = await freePort()
// A worker that is replaced after a thousand requests, as by default, would lose what it has in memory.
const words = ['--listen', `127.0.0.1:${port}`, '--workers', workers, '--max-requests', '1000000000', '-E', 'deployment', join(import.meta.dirname, 'plack.psgi')]
const starman = spawn('starman', words, { detached: true, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, BENCH_STORE: store, BENCH_FOLDER: folder } })
starman.once('exit', (code) => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(code ?? 1)
})
for (const signal of ['SIGINT', 'SIGTERM', 'disconnect']) process.once(signal, () => starman.kill())
while (!(await answers(`http://127.0.0.1:${port}/anonymous`))) await new Promise((resolve) => { setTimeout(resolve, 50) })
process.on('message', () => { const system = cpuOf(starman.pid); process.send({ user: 0, system }) })
process.send(port)
