import type { AddressInfo } from 'node:net'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { shop } from './shop.ts'

const file = process.env['SOJOURN_DB'] ?? '.data/sessions.db'
const port = Number(process.env['PORT'] ?? 3000)

const { app, sessions } = shop(sqliteStore(file))

const server = app.listen(port, () => {
  const { port: actual } = server.address() as AddressInfo
  console.log(`The shop is open: http://localhost:${actual}   (sessions in ${file})`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close(() => { void sessions.close() })
    server.closeAllConnections()
  })
}
