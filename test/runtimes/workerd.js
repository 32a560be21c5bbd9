// Serves a bundled Worker on workerd through miniflare: `node workerd.js worker.js`. Prints its address.
import { Miniflare } from 'miniflare'

const worker = new Miniflare({
  modules: true, scriptPath: process.argv[2], bindings: { SESSION_KEY: process.env.SESSION_KEY ?? '' }, compatibilityDate: '2026-07-01', compatibilityFlags: ['nodejs_compat'], host: '127.0.0.1', port: 0,
})
const url = await worker.ready
console.log(url.origin)
process.once('SIGTERM', () => void worker.dispose())
