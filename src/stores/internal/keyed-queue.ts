/** Runs the tasks of one key one after another, and those of different keys side by side. */
export type KeyedQueue = <T>(key: string, task: () => Promise<T>) => Promise<T>

/** A queue without tasks. It forgets a key when nothing of it is left. */
export function makeKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<unknown>>()
  return (key, task) => {
    const before = tails.get(key)
    const run = before === undefined ? task() : before.then(task, task)
    const forget = (): void => {
      if (tails.get(key) === run) tails.delete(key)
    }
    tails.set(key, run)
    run.then(forget, forget)
    return run
  }
}

// Two stores over one client in one process must take turns, and nothing but the client tells that they belong together.
const queues = new WeakMap<object, KeyedQueue>()

/** The one queue of everybody in this process who works with this object. */
export function queueOf(owner: object): KeyedQueue {
  const queue = queues.get(owner) ?? makeKeyedQueue()
  queues.set(owner, queue)
  return queue
}
