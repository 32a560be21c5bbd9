import type { Core } from './core.ts'
import type { SweepRequest } from '../store.ts'
import type { EndRegistry } from './end-registry.ts'
import type { StoreGuard } from './store-guard.ts'

const BATCH = 1000

/** Deletes expired sessions in batches: on request, and by a timer that never keeps the process alive. */
export class Sweeper {
  readonly #store: StoreGuard | undefined
  readonly #core: Core
  readonly #ends: EndRegistry
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(store: StoreGuard | undefined, core: Core, ends: EndRegistry) {
    this.#store = store
    this.#core = core
    this.#ends = ends
  }

  /** Starts the timer, if it does not run. Several processes started together are spread by jitter. */
  start(): void {
    const { sweepEveryMs, random } = this.#core.settings
    if (this.#timer !== undefined || this.#stopped || sweepEveryMs === undefined) return
    if (this.#store?.store.sweep === undefined && this.#ends.isEmpty) return
    const jitter = ((random(1)[0] ?? 0) / 255) * 0.2 + 0.9
    const timer = setTimeout(() => { void this.#run() }, sweepEveryMs * jitter)
    // Deno's and the browsers' timers are numbers, and Workers have none that outlive a request.
    if (typeof timer === 'object') timer.unref()
    this.#timer = timer
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async sweep(what: SweepRequest): Promise<number> {
    let total = 0
    for (;;) {
      const count = this.#store === undefined ? 0 : await this.#store.sweep(what, BATCH)
      total += count
      if (count > 0) this.#core.events.emit('sweep', { count })
      if (count < BATCH || this.#stopped) break
      // Between batches the requests have their turn.
      await new Promise((resolve) => { setTimeout(resolve, 0) })
    }
    await this.#ends.tellExpired()
    return total
  }

  async #run(): Promise<void> {
    try {
      await this.sweep({ now: this.#core.now() })
    } catch (error) {
      this.#core.events.emit('error', { reason: 'sweep', error })
    }
    this.#timer = undefined
    this.start()
  }
}
