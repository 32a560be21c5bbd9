import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server, to lose what a network loses. */
export interface Proxy {
  readonly port: number
  /** From now on what the server answers is thrown away. */
  loseAnswers(): void
  /** From now on nothing goes either way, and no connection ends. */
  freeze(): void
  /** From now on what the server answers waits. Resolves when something does. */
  hold(): Promise<void>
  /** Lets go on what waited, in one piece, and what follows. */
  release(): void
  /** Ends every connection; new ones work again. */
  cut(): void
  stop(): Promise<void>
}

/** Starts a proxy on a free port of 127.0.0.1 to a port of it. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const waiting: (() => void)[] = []
  let somethingWaits = (): void => {}
  let mode: 'open' | 'mute' | 'frozen' | 'holding' = 'open'
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      sockets.delete(socket)
      if (mode !== 'frozen') other.destroy()
    })
  }
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    keep(client, upstream)
    keep(upstream, client)
    client.on('data', (chunk) => mode !== 'frozen' && upstream.write(chunk))
    upstream.on('data', (chunk) => {
      if (mode === 'holding') {
        waiting.push(() => void client.write(chunk))
        somethingWaits()
      } else if (mode === 'open') client.write(chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = (): void => {
    mode = 'open'
    waiting.length = 0
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: address.port,
    loseAnswers: () => void (mode = 'mute'),
    freeze: () => void (mode = 'frozen'),
    hold() {
      mode = 'holding'
      return new Promise((resolve) => { somethingWaits = resolve })
    },
    release: () => {
      mode = 'open'
      for (const socket of sockets) socket.cork()
      for (const go of waiting.splice(0)) go()
      for (const socket of sockets) socket.uncork()
    },
    cut,
    stop: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
