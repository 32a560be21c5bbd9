import { AsyncLocalStorage } from 'node:async_hooks'
import type { SessionId } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'

/** One process of a scenario: what it does through the handles that are its own. */
export type Program = () => Promise<unknown>

/** A scenario as it is set up anew for each order of its steps. */
export interface Scenario {
  readonly programs: readonly Program[]
  /** Looks at the outcome; throws when it is wrong. The answers are those of the programs, in their order. */
  check(answers: readonly unknown[]): Promise<void>
}

/** Makes each call of a store one step of a program: of the one named, or else of the one that makes the call. Calls outside of programs pass. */
export type Stepped = (store: Store, program?: number) => Store

/** Which calls are steps. */
export const CALLS: readonly string[] = ['read', 'create', 'patch', 'end']
/** Those that concern several sessions, too. */
export const ALL_CALLS: readonly string[] = [...CALLS, 'find', 'sweep']

/**
 * Runs a scenario in every order of its store calls that takes the turn away from a program at most `preemptions` times.
 * Answers how many orders there were. Throws the first failure, with the order that led to it.
 */
export async function everyOrder(preemptions: number, setUp: (stepped: Stepped) => Promise<Scenario>, calls = CALLS): Promise<number> {
  const open: number[][] = [[]]
  let orders = 0
  for (let prefix = open.pop(); prefix !== undefined; prefix = open.pop()) {
    const run = await runInOrder((enabled, taken) => prefix[taken.length] ?? goOn(enabled, taken), setUp, calls)
    orders += 1
    for (let at = prefix.length; at < run.length; at += 1) {
      for (const other of run[at]?.enabled ?? []) {
        const order = [...run.slice(0, at).map(({ chosen }) => chosen), other]
        if (other !== run[at]?.chosen && countPreemptions(order, run) <= preemptions) open.push(order)
      }
    }
  }
  return orders
}

/** Runs one program up to each of its steps and no further, as if its process had died there; then the rest of the scenario. */
export async function everyCrash(setUp: (stepped: Stepped) => Promise<Scenario>): Promise<number> {
  for (let steps = 0; ; steps += 1) {
    const turns = new Turns(CALLS)
    const { programs, check } = await setUp(turns.stepped)
    const [doomed, ...others] = programs
    const dead = turns.start(0, doomed ?? (async () => undefined))
    for (let n = 0; n < steps && !turns.isOver(0); n += 1) await turns.step(0)
    const survived = turns.isOver(0)
    const answers: unknown[] = [survived ? await dead : undefined]
    for (const [n, program] of others.entries()) {
      const answer = turns.start(n + 1, program)
      while (!turns.isOver(n + 1)) await turns.step(n + 1)
      answers.push(await answer)
    }
    await labelled(`the first died after ${steps} steps`, () => check(answers))
    if (survived) return steps
  }
}

interface Turn {
  readonly enabled: readonly number[]
  readonly chosen: number
}

type Choose = (enabled: readonly number[], taken: readonly Turn[]) => number | undefined

/** The program of the last step for as long as it can, then the first of the others. */
const goOn: Choose = (enabled, taken) => {
  const last = taken.at(-1)?.chosen
  return last !== undefined && enabled.includes(last) ? last : enabled[0]
}

/** Runs a scenario in the order that `choose` gives: it is asked which of the programs that can go on makes the next step. */
export async function inOrderOf(choose: (enabled: readonly number[]) => number | undefined, setUp: (stepped: Stepped) => Promise<Scenario>, calls = CALLS): Promise<void> {
  await runInOrder(choose, setUp, calls)
}

async function runInOrder(choose: Choose, setUp: (stepped: Stepped) => Promise<Scenario>, calls: readonly string[]): Promise<readonly Turn[]> {
  const turns = new Turns(calls)
  const { programs, check } = await setUp(turns.stepped)
  const answers = programs.map((program, n) => turns.start(n, program))
  const taken: Turn[] = []
  for (;;) {
    const enabled = programs.map((_, n) => n).filter((n) => !turns.isOver(n))
    const chosen = enabled.length === 0 ? undefined : choose(enabled, taken)
    if (chosen === undefined) break
    taken.push({ enabled, chosen })
    await turns.step(chosen)
  }
  await labelled(`order ${taken.map(({ chosen }) => chosen).join('')}`, async () => check(await Promise.all(answers)))
  return taken
}

function countPreemptions(order: readonly number[], run: readonly Turn[]): number {
  return order.filter((chosen, at) => at > 0 && chosen !== order[at - 1] && run[at]?.enabled.includes(order[at - 1] ?? -1)).length
}

async function labelled(label: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    throw new Error(`${label}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Lets one program at a time make one store call. */
class Turns {
  readonly #waiting = new Map<number, () => void>()
  readonly #over = new Set<number>()
  readonly #arrivals = new Map<number, () => void>()

  readonly #calls: readonly string[]
  readonly #running = new AsyncLocalStorage<number>()

  constructor(calls: readonly string[]) {
    this.#calls = calls
  }

  readonly stepped: Stepped = (store, program) => new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (!this.#calls.includes(String(name))) return value.bind(target)
      if (name === 'find') return (term: string) => this.#listed(target, program, term)
      return async (...args: unknown[]) => {
        await this.#turnOf(program)
        return Reflect.apply(value, target, args)
      }
    },
  })

  async *#listed(store: Store, program: number | undefined, term: string): AsyncIterable<SessionId> {
    await this.#turnOf(program)
    yield* store.find?.(term) ?? []
  }

  async #turnOf(program = this.#running.getStore()): Promise<void> {
    if (program !== undefined) await this.#turn(program)
  }

  async start(program: number, run: Program): Promise<unknown> {
    await this.#turn(program)
    try {
      return await this.#running.run(program, run)
    } finally {
      this.#over.add(program)
      this.#arrivals.get(program)?.()
    }
  }

  isOver(program: number): boolean {
    return this.#over.has(program)
  }

  /** Lets the program make the call it waits with, and resolves when it waits with the next or is over. */
  step(program: number): Promise<void> {
    return new Promise((resolve) => {
      this.#arrivals.set(program, resolve)
      const go = this.#waiting.get(program)
      this.#waiting.delete(program)
      if (go === undefined) throw new Error(`program ${program} does not wait`)
      go()
    })
  }

  #turn(program: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(program, resolve)
      this.#arrivals.get(program)?.()
    })
  }
}
