import type { Step, Steps } from '../../src/stores/internal/steps.ts'

/** Processes that are about to begin, and what must be true when they are done. */
export interface Scene {
  /** One generator for each process. */
  readonly actors: readonly Steps<unknown>[]
  /** Is told what each process answered; `undefined` for one that was killed. */
  check(answers: readonly unknown[]): void
  /** Is called after each step, where something must be true at every moment. */
  watch?(): void
}

export interface Interleavings {
  /** Different interleavings that were run. */
  readonly runs: number
  /** These were all of them. */
  readonly complete: boolean
}

export interface InterleaveOptions {
  /** Kills the first process before its step of this number, counted from 0. */
  readonly killAt?: number
  /** Tells which two steps give the same whichever comes first. Defaults to none. */
  independent?(one: string, other: string): boolean
  /** Runs after which the rest is drawn at random, half as many again. Defaults to no limit. */
  readonly limit?: number
  /** Is told the order of each run: the number of the process for each step. */
  onRun?(order: readonly number[], answers: readonly unknown[]): void
}

type Labels = ReadonlyMap<number, string>

/** One choice on the way: the step that each process could make, which have been tried before, and which need not be. */
interface Fork {
  readonly chosen: number
  readonly possible: Labels
  readonly tried: Labels
  readonly asleep: Labels
}

/**
 * Runs every interleaving of the scene's processes, each in a scene of its own. Of interleavings that differ only in
 * the order of independent neighbours one is run (sleep sets: Godefroid, 1996).
 */
export function interleave(makeScene: () => Scene, options: InterleaveOptions = {}): Interleavings {
  const { limit = Infinity } = options
  const path: Fork[] = []
  let runs = 0
  for (let more = true; more; more = advance(path)) {
    if (runs >= limit) return { runs: runs + sample(makeScene, Math.ceil(limit / 2), options), complete: false }
    const run = runAlong(makeScene(), path, options)
    if (!run.complete) continue
    runs += 1
    options.onRun?.(run.order, run.answers)
  }
  return { runs, complete: true }
}

function sample(makeScene: () => Scene, count: number, { killAt }: InterleaveOptions): number {
  for (let n = 0; n < count; n += 1) {
    const scene = makeScene()
    const cast = new Cast(scene, killAt)
    const order: number[] = []
    while (cast.next.size > 0) {
      const actors = [...cast.next.keys()]
      const actor = actors[Math.floor(Math.random() * actors.length)] ?? 0
      order.push(actor)
      cast.step(actor)
    }
    checked(scene, cast, order)
  }
  return count
}

/**
 * Holds the first process before each of its steps in turn, lets all the others come to their ends one after
 * another, and then lets it go on (or not, with `kill`). Answers how many runs that were.
 */
export function hold(makeScene: () => Scene, { kill = false } = {}): number {
  for (let heldAt = 0; ; heldAt += 1) {
    const scene = makeScene()
    const cast = new Cast(scene)
    const order: number[] = []
    const step = (actor: number): void => {
      order.push(actor)
      cast.step(actor)
    }
    for (let n = 0; n < heldAt && cast.next.has(0); n += 1) step(0)
    if (!cast.next.has(0)) return heldAt
    for (const actor of [...scene.actors.keys()].slice(1)) while (cast.next.has(actor)) step(actor)
    if (!kill) while (cast.next.has(0)) step(0)
    checked(scene, cast, order)
  }
}

/**
 * Of two processes: the second makes some steps, then the first some, then the second comes to its end, and then
 * the first. Runs that for every two numbers of steps, and answers how many that were.
 */
export function holdBoth(makeScene: () => Scene): number {
  let runs = 0
  for (let second = 0, more = true; more; second += 1) {
    for (let first = 1; ; first += 1) {
      const scene = makeScene()
      const cast = new Cast(scene)
      const order: number[] = []
      const run = (actor: number, count: number): void => {
        for (let n = 0; n < count && cast.next.has(actor); n += 1) {
          order.push(actor)
          cast.step(actor)
        }
      }
      run(1, second)
      more = cast.next.has(1)
      run(0, first)
      const isHeld = cast.next.has(0)
      run(1, Infinity)
      run(0, Infinity)
      checked(scene, cast, order)
      runs += 1
      if (!isHeld) break
    }
  }
  return runs
}

/** Plays one order that {@link interleave} reported, in a scene made in another way. */
export function replayOrder(scene: Scene, order: readonly number[], killAt?: number): readonly unknown[] {
  const cast = new Cast(scene, killAt)
  for (const actor of order) cast.step(actor)
  checked(scene, cast, order)
  return cast.answers
}

class Cast {
  readonly answers: unknown[]
  /** The step that each process makes next; absent when it is done. */
  readonly next = new Map<number, string>()
  readonly #scene: Scene
  readonly #killAt: number | undefined
  #stepsOfFirst = 0

  constructor(scene: Scene, killAt?: number) {
    this.#scene = scene
    this.#killAt = killAt
    this.answers = scene.actors.map(() => undefined)
    for (const actor of scene.actors.keys()) this.#advance(actor)
  }

  step(actor: number): void {
    if (actor === 0) this.#stepsOfFirst += 1
    this.#advance(actor)
    this.#scene.watch?.()
  }

  #advance(actor: number): void {
    const turn = this.#scene.actors[actor]?.next()
    if (turn === undefined || turn.done === true) this.answers[actor] = turn?.value
    if (turn === undefined || turn.done === true || (actor === 0 && this.#stepsOfFirst === this.#killAt)) this.next.delete(actor)
    else this.next.set(actor, labelOf(turn.value))
  }
}

function labelOf(step: Step): string {
  return typeof step === 'string' ? step : 'flush'
}

interface Run {
  readonly complete: boolean
  readonly order: readonly number[]
  readonly answers: readonly unknown[]
}

/** Follows the path and goes on with the first choice at each new fork. */
function runAlong(scene: Scene, path: Fork[], { independent = () => false, killAt }: InterleaveOptions): Run {
  const cast = new Cast(scene, killAt)
  const order: number[] = []
  let asleep: Labels = new Map()
  for (let depth = 0; cast.next.size > 0; depth += 1) {
    const fork = path[depth] ?? choose(new Map(cast.next), asleep, new Map())
    if (fork === undefined) return { complete: false, order, answers: [] }
    path[depth] = fork
    const label = fork.possible.get(fork.chosen) ?? ''
    asleep = new Map([...fork.asleep, ...fork.tried].filter(([actor, other]) => actor !== fork.chosen && independent(other, label)))
    order.push(fork.chosen)
    cast.step(fork.chosen)
  }
  checked(scene, cast, order)
  return { complete: true, order, answers: cast.answers }
}

function checked(scene: Scene, { answers }: Cast, order: readonly number[]): void {
  try {
    scene.check(answers)
  } catch (cause) {
    throw new Error(`Wrong after the order ${order.join('')}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** The fork with the first choice that is left; undefined when none is. */
function choose(possible: Labels, asleep: Labels, tried: Labels): Fork | undefined {
  for (const actor of possible.keys()) if (!asleep.has(actor) && !tried.has(actor)) return { chosen: actor, possible, asleep, tried }
  return undefined
}

/** Moves on to the next path that has not been run. False when there is none. */
function advance(path: Fork[]): boolean {
  for (let fork = path.pop(); fork !== undefined; fork = path.pop()) {
    const tried = new Map([...fork.tried, [fork.chosen, fork.possible.get(fork.chosen) ?? ''] as const])
    const next = choose(fork.possible, fork.asleep, tried)
    if (next === undefined) continue
    path.push(next)
    return true
  }
  return false
}
