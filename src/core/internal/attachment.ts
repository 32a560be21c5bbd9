/**
 * Something that is kept with an object of one request. Not a WeakMap: V8 keeps the keys of one, and with them all that a
 * request holds, beyond the next scavenge, and collecting those costs more than all the rest of a session.
 */
export class Attachment<Value extends object> {
  readonly #place: symbol
  readonly #isValue: (value: unknown) => value is Value

  constructor(name: string, isValue: (value: unknown) => value is Value) {
    this.#place = Symbol(name)
    this.#isValue = isValue
  }

  get(holder: object): Value | undefined {
    const value: unknown = Reflect.get(holder, this.#place)
    return this.#isValue(value) ? value : undefined
  }

  set(holder: object, value: Value): void {
    Reflect.set(holder, this.#place, value)
  }
}
