import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findBinary, freePort, startServer, temporaryFolder } from './process.ts'
import type { ServerNeed } from './suite.ts'

export const needsNginx: ServerNeed = {
  binary: findBinary('nginx'),
  name: 'nginx',
  howToGet: 'apt-get install nginx-light',
}

export interface NginxServer {
  readonly origin: string
  stop(): Promise<void>
}

/** Starts nginx on a free port before an origin, with a cache of an hour for every answer that does not forbid it. `settings` are directives of the location. */
export async function startCachingNginx(binary: string, origin: string, settings = ''): Promise<NginxServer> {
  const folder = await temporaryFolder('nginx')
  const port = await freePort()
  const secret = randomBytes(12).toString('hex')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  for (const name of [...temporary, 'logs', 'cache']) await mkdir(join(folder.path, name))
  const lines = [
    ...(process.getuid?.() === 0 ? ['user root;'] : []), 'daemon off;', 'master_process off;', 'error_log stderr;', `pid ${join(folder.path, 'pid')};`, 'events {}',
    'http {', 'access_log off;', ...temporary.map((name) => `${name}_temp_path ${join(folder.path, name)};`),
    `proxy_cache_path ${join(folder.path, 'cache')} keys_zone=pages:1m;`,
    'server {', `listen 127.0.0.1:${port};`, `location = /${secret} { return 204; }`,
    'location / {', `proxy_pass ${origin};`, 'proxy_cache pages;', 'proxy_cache_valid any 1h;', 'proxy_set_header Host $host;', 'add_header X-Cache $upstream_cache_status always;', settings, '}', '}', '}',
  ]
  await writeFile(join(folder.path, 'nginx.conf'), lines.join('\n'))
  const url = `http://127.0.0.1:${port}`
  const server = await startServer({
    command: binary, args: ['-p', folder.path, '-c', join(folder.path, 'nginx.conf')],
    isOurs: async () => (await fetch(`${url}/${secret}`)).status === 204,
  })
  return {
    origin: url,
    async stop() {
      await server.stop()
      await folder.remove()
    },
  }
}
