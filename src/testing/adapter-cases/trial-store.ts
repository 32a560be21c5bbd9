import type { Store } from '../../core/store.ts'

export type StoreMethod = 'read' | 'create' | 'patch' | 'end'

/** A call that waits until it is let go. */
export interface HeldCall {
  /** Resolves when the call has been made. */
  readonly reached: Promise<void>
  /** Lets the call go on. */
  release(): void
  /** Resolves when the call has been answered. */
  readonly answered: Promise<void>
}

/** A store that can be made to wait and to fail, and that counts. */
export class TrialStore implements Store {
  /** Every call so far. */
  readonly calls: StoreMethod[] = []
  readonly find: Required<Store>['find']
  readonly list: Required<Store>['list']
  readonly #inner: Store
  readonly #answersAtOnce: boolean
  readonly #held: Partial<Record<StoreMethod, Gate[]>> = {}
  readonly #failing = new Set<StoreMethod>()

  constructor(inner: Store, answersAtOnce: boolean) {
    this.#inner = inner
    this.#answersAtOnce = answersAtOnce
    this.find = (term) => inner.find?.(term) ?? none()
    this.list = () => inner.list?.() ?? none()
  }

  readonly read: Store['read'] = (...args) => this.#call('read', () => this.#inner.read(...args))
  readonly create: Store['create'] = (...args) => this.#call('create', () => this.#inner.create(...args))
  readonly patch: Store['patch'] = (...args) => this.#call('patch', () => this.#inner.patch(...args))
  readonly end: Store['end'] = (...args) => this.#call('end', () => this.#inner.end(...args))

  /** Holds the next call of a method. */
  hold(method: StoreMethod): HeldCall {
    const gate = new Gate()
    ;(this.#held[method] ??= []).push(gate)
    return gate
  }

  /** Lets every call of these methods fail from now on. */
  fail(...methods: readonly StoreMethod[]): void {
    for (const method of methods) this.#failing.add(method)
  }

  /** How many calls of these methods there were. */
  count(...methods: readonly StoreMethod[]): number {
    return this.calls.filter((method) => methods.includes(method)).length
  }

  /** How many sessions live in it. */
  async size(): Promise<number> {
    let size = 0
    for await (const _id of this.list()) size += 1
    return size
  }

  #call<T>(method: StoreMethod, run: () => T | PromiseLike<T>): T | PromiseLike<T> {
    this.calls.push(method)
    const gate = this.#held[method]?.shift()
    if (gate !== undefined) return gate.pass(() => this.#answer(method, run))
    if (this.#answersAtOnce) return this.#answer(method, run)
    return new Promise((resolve) => { setImmediate(resolve) }).then(() => this.#answer(method, run))
  }

  #answer<T>(method: StoreMethod, run: () => T | PromiseLike<T>): T | PromiseLike<T> {
    if (this.#failing.has(method)) throw new Error('The backend is down.')
    return run()
  }
}

class Gate implements HeldCall {
  readonly reached: Promise<void>
  readonly answered: Promise<void>
  readonly #open: Promise<void>
  #arrive: () => void = () => {}
  #let: () => void = () => {}
  #done: () => void = () => {}

  constructor() {
    this.reached = new Promise((resolve) => { this.#arrive = resolve })
    this.answered = new Promise((resolve) => { this.#done = resolve })
    this.#open = new Promise((resolve) => { this.#let = resolve })
  }

  release(): void {
    this.#let()
  }

  async pass<T>(run: () => T | PromiseLike<T>): Promise<T> {
    this.#arrive()
    await this.#open
    try {
      return await run()
    } finally {
      this.#done()
    }
  }
}

async function* none(): AsyncIterable<string> {}
