import { connect, createServer, type Socket } from 'node:net'

/** A line to a server that can lose an answer. */
export interface LossyLine {
  readonly port: number
  /** Carries the next message that contains the text to the server, and breaks the connection when the server answers it. */
  loseAnswerTo(text: string): void
  close(): Promise<void>
}

/** Listens on a free port and carries bytes to and from a server's port on this machine. */
export async function startLossyLine(serverPort: number): Promise<LossyLine> {
  const sockets = new Set<Socket>()
  let fatal: string | undefined
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1')
    let losing = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => {
      if (fatal !== undefined && chunk.includes(fatal)) {
        losing = true
        fatal = undefined
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => (losing ? client.destroy() : client.write(chunk)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    loseAnswerTo: (text) => void (fatal = text),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
