import { connect, createServer, type Socket } from 'node:net'

/** A way to a server on which an answer can be cut in the middle. */
export interface CuttingProxy {
  readonly address: string
  /** Lets this many bytes of the next answer through and then breaks the connection. */
  cutNextAnswerAfter(bytes: number): void
  close(): Promise<void>
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let left = Infinity
  const server = createServer((client) => {
    const upstream = connect(Number(target.split(':')[1]), '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => {
      if (chunk.length < left) {
        client.write(chunk)
        left -= chunk.length
        return
      }
      client.end(chunk.subarray(0, left))
      left = Infinity
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    address: `127.0.0.1:${address.port}`,
    cutNextAnswerAfter: (bytes) => (left = bytes),
    close: () => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resolve())
    }),
  }
}
