import { AsyncLocalStorage } from 'node:async_hooks'
import type { Arguments, NodeResponse } from './node-types.ts'

interface ErrorAnswer {
  readonly error: unknown
  /** The handler has ended its body: whoever writes now answers the error. */
  readonly handlerIsDone: boolean
  readonly answer: (error: unknown) => void
}

/**
 * Lets an error be answered on a response whose body was dropped. The methods are set anew, over what wrapped them
 * meanwhile: a compression that has seen the end of the dropped body would swallow the answer. A handler that goes on
 * streaming is told from who answers by the asynchronous context: what it writes is dropped, and its end ends the
 * response, so that it never stays open.
 */
export function answerInstead(
  response: NodeResponse, originals: Required<Pick<NodeResponse, 'writeHead' | 'write' | 'end' | 'flushHeaders'>>, { error, handlerIsDone, answer }: ErrorAnswer,
): void {
  const answering = new AsyncLocalStorage<true>()
  const mayAnswer = (): boolean => handlerIsDone || answering.getStore() === true
  const { writeHead, write, end, flushHeaders } = originals
  response.writeHead = (...args) => (mayAnswer() ? Reflect.apply(writeHead, response, args) : response)
  response.write = (...args) => {
    if (mayAnswer() && !response.writableEnded) return Reflect.apply(write, response, args) === true
    callBack(args, error)
    return false
  }
  response.end = (...args) => {
    if (response.writableEnded) callBack(args, error)
    else Reflect.apply(end, response, mayAnswer() ? args : args.filter((argument) => typeof argument === 'function'))
    return response
  }
  response.flushHeaders = () => { if (mayAnswer()) Reflect.apply(flushHeaders, response, []) }
  answering.run(true, () => answer(error))
}

/** Calls the callback among the arguments of a `write` or `end` that will not happen. */
export function callBack(args: Arguments, error: unknown): void {
  const callback = args.at(-1)
  if (typeof callback === 'function') process.nextTick(callback, error)
}
