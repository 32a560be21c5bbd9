import { SessionError } from '../../core/errors.ts'
import type { SessionId } from '../../core/record.ts'
import { replyText } from './redis-record.ts'

/** A connected client that may subscribe: `client.duplicate()` of node-redis or ioredis, used for nothing else. */
export type RedisSubscriber = NodeRedisSubscriber | IoRedisSubscriber

interface NodeRedisSubscriber {
  subscribe(channel: string, listener: (message: unknown) => void): Promise<unknown>
  unsubscribe(channel: string, listener: (message: unknown) => void): Promise<unknown>
  on(event: 'ready', listener: () => void): unknown
  off(event: 'ready', listener: () => void): unknown
}

interface IoRedisSubscriber {
  readonly status: string
  subscribe(channel: string): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: 'message' | 'ready', listener: (channel: string, message: string) => void): unknown
  off(event: 'message' | 'ready', listener: (channel: string, message: string) => void): unknown
}

/** Hears of ends through one channel. */
export interface EndsListener {
  open(): Promise<void>
  watch(id: SessionId, onEnd: () => void): () => void
  close(): Promise<void>
}

/** Listens on `channel`, whose messages are ids. After a break of the connection it asks `isOver` for each id that is watched. */
export function listenForEnds(subscriber: RedisSubscriber, channel: string, isOver: (id: SessionId) => Promise<boolean>): EndsListener {
  const given: unknown = subscriber
  if (typeof given !== 'object' || given === null || !('subscribe' in given) || !('on' in given)) {
    throw new SessionError('ERR_SESSION_OPTION', 'The option watch of redisStore is not a client that can subscribe. Pass client.duplicate(), connected.')
  }
  const watched = new Map<SessionId, Set<() => void>>()

  const tell = (id: SessionId): void => {
    const listeners = watched.get(id)
    watched.delete(id)
    for (const onEnd of listeners ?? []) onEnd()
  }
  // What was published while the connection was broken is lost.
  const catchUp = async (): Promise<void> => {
    for (const id of watched.keys()) if (await isOver(id).catch(() => false)) tell(id)
  }
  const subscription = 'status' in subscriber ? ioRedis(subscriber, channel, tell) : nodeRedis(subscriber, channel, tell)
  const onReady = (): void => void catchUp()

  return {
    async open() {
      await subscription.start()
      // Opening may have failed before, and is then done again.
      subscriber.off('ready', onReady)
      subscriber.on('ready', onReady)
    },
    watch(id, onEnd) {
      const listeners = watched.get(id) ?? new Set()
      watched.set(id, listeners.add(onEnd))
      return () => {
        listeners.delete(onEnd)
        if (listeners.size === 0 && watched.get(id) === listeners) watched.delete(id)
      }
    },
    async close() {
      watched.clear()
      subscriber.off('ready', onReady)
      await subscription.stop()
    },
  }
}

interface Subscription {
  start(): Promise<unknown>
  stop(): Promise<unknown>
}

function nodeRedis(subscriber: NodeRedisSubscriber, channel: string, tell: (id: SessionId) => void): Subscription {
  const listener = (message: unknown): void => tell(replyText(message))
  return { start: () => subscriber.subscribe(channel, listener), stop: () => subscriber.unsubscribe(channel, listener).catch(() => undefined) }
}

function ioRedis(subscriber: IoRedisSubscriber, channel: string, tell: (id: SessionId) => void): Subscription {
  const listener = (from: string, message: string): void => {
    if (from === channel) tell(message)
  }
  return {
    start: () => {
      subscriber.off('message', listener)
      subscriber.on('message', listener)
      return subscriber.subscribe(channel)
    },
    stop: () => {
      subscriber.off('message', listener)
      return subscriber.unsubscribe(channel).catch(() => undefined)
    },
  }
}
