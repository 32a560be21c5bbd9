import type { Place } from './record-folders.ts'

// Bytes of logs in one generation, and its places. Two generations are kept.
const GENERATION_BYTES = 8 * 1024 * 1024
const GENERATION_PLACES = 10_000

/** Remembers the places of the ids that were used last, with what was read there: about 16 MB of logs. */
export class Places {
  #recent = new Map<string, Place>()
  #older = new Map<string, Place>()
  #bytes = 0
  readonly #make: (id: string) => Place | undefined

  /** `make` answers undefined for an id that cannot have a place. */
  constructor(make: (id: string) => Place | undefined) {
    this.#make = make
  }

  /** The place of an id; undefined for an id that cannot have one. */
  of(id: string): Place | undefined {
    const known = this.#recent.get(id)
    if (known !== undefined) return known
    const place = this.#older.get(id) ?? this.#make(id)
    if (place === undefined) return undefined
    if (this.#bytes > GENERATION_BYTES || this.#recent.size >= GENERATION_PLACES) this.#turnOver()
    this.#recent.set(id, place)
    this.grew(place.log?.read ?? 0)
    return place
  }

  /** To be told by how much the log of a place has grown. */
  grew(bytes: number): void {
    this.#bytes += bytes
  }

  #turnOver(): void {
    this.#older = this.#recent
    this.#recent = new Map()
    this.#bytes = 0
  }
}
