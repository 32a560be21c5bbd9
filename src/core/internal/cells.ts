import type { EntryKey } from '../record.ts'

/** What one request has read or written under one key. */
export interface Cell {
  readonly key: EntryKey
  /** The stored text when this request first met the entry, or what it wrote since; undefined when absent. */
  stored: string | undefined
  /** The handler has seen the stored value, so a change of it was made in the light of it. */
  read: boolean
  value: unknown
  present: boolean
  /** The handler set or deleted it, as opposed to changing something inside the value. */
  pending: boolean
  /** Which write of this request was the latest here. */
  write: number
  expiresAt: number | undefined
  /** The codec's text of a primitive that was written, which cannot change any more. */
  text: string | undefined
  /** The cell that was met after this one. */
  next: Cell | undefined
}

// Up to here looking along the chain takes no longer than a hash.
const FEW = 8

/** The cells of one request, in the order in which it met them: a chain, since most requests meet one or two, and a map of them as soon as they are many. */
export class Cells {
  #first: Cell | undefined
  #last: Cell | undefined
  #count = 0
  #byKey: Map<EntryKey, Cell> | undefined

  get first(): Cell | undefined {
    return this.#first
  }

  get(key: EntryKey): Cell | undefined {
    if (this.#byKey !== undefined) return this.#byKey.get(key)
    let cell = this.#first
    while (cell !== undefined && cell.key !== key) cell = cell.next
    return cell
  }

  /** Adds a cell whose key has none yet. */
  add(cell: Cell): void {
    if (this.#last === undefined) this.#first = cell
    else this.#last.next = cell
    this.#last = cell
    this.#count += 1
    if (this.#count === FEW) this.#byKey = this.#mapped()
    else this.#byKey?.set(cell.key, cell)
  }

  #mapped(): Map<EntryKey, Cell> {
    const map = new Map<EntryKey, Cell>()
    for (let cell = this.#first; cell !== undefined; cell = cell.next) map.set(cell.key, cell)
    return map
  }
}
