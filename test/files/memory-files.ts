import { dirname } from 'node:path'
import type { LocalFiles } from '../../src/stores/internal/local-files.ts'

interface File {
  bytes: Buffer
}

interface Folder {
  readonly names: Map<string, File | Folder>
  modified: number
}

/**
 * A small file system in memory with the rules that the file store builds on: a name may go while a descriptor
 * stays, an append goes to the end of what is there, a link never replaces, a folder replaces only an empty one.
 */
export function memoryFiles(): LocalFiles {
  const root: Folder = { names: new Map(), modified: 0 }
  const opened = new Map<number, File>()
  let descriptors = 0

  const find = (path: string): File | Folder | undefined => {
    let node: File | Folder | undefined = root
    for (const name of path.split('/')) {
      if (name === '') continue
      node = node !== undefined && 'names' in node ? node.names.get(name) : undefined
    }
    return node
  }
  const folderAt = (path: string): Folder | undefined => {
    const node = find(path)
    return node !== undefined && 'names' in node ? node : undefined
  }
  const parentOf = (path: string): Folder | undefined => folderAt(dirname(path))
  const nameIn = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  const fileOf = (descriptor: number): File => {
    const file = opened.get(descriptor)
    if (file === undefined) throw new Error(`EBADF: ${descriptor}`)
    return file
  }
  const ensureFolder = (path: string): Folder => {
    const known = folderAt(path)
    if (known !== undefined) return known
    const made: Folder = { names: new Map(), modified: 0 }
    ensureFolder(dirname(path)).names.set(nameIn(path), made)
    return made
  }

  return {
    list: (folder) => {
      const names = folderAt(folder)?.names
      return names && [...names.keys()]
    },
    open: (path) => {
      const file = find(path)
      if (file === undefined || 'names' in file) return undefined
      descriptors += 1
      opened.set(descriptors, file)
      return descriptors
    },
    close: (descriptor) => void opened.delete(descriptor),
    read: (descriptor, position) => fileOf(descriptor).bytes.subarray(position),
    write: (descriptor, bytes) => {
      const file = fileOf(descriptor)
      file.bytes = Buffer.concat([file.bytes, bytes])
      return bytes.length
    },
    size: (file) => {
      const node = typeof file === 'number' ? fileOf(file) : find(file)
      return node && ('names' in node ? 4096 : node.bytes.length)
    },
    times: (path) => {
      const node = find(path)
      return node && { modified: 'names' in node ? node.modified : 0, changed: 0 }
    },
    put: (path, bytes) => {
      const folder = ensureFolder(dirname(path))
      if (folder.names.has(nameIn(path))) throw new Error(`EEXIST: ${path}`)
      folder.names.set(nameIn(path), { bytes: Buffer.from(bytes) })
    },
    ensureFile: (path) => {
      const folder = ensureFolder(dirname(path))
      if (folder.names.has(nameIn(path))) return false
      folder.names.set(nameIn(path), { bytes: Buffer.alloc(0) })
      return true
    },
    ensureFolder,
    link: (from, to) => {
      const [file, folder] = [find(from), parentOf(to)]
      if (folder?.names.has(nameIn(to)) === true) return 'exists'
      if (file === undefined || folder === undefined) return 'missing'
      folder.names.set(nameIn(to), file)
      return 'done'
    },
    unlink: (path) => parentOf(path)?.names.delete(nameIn(path)) ?? false,
    moveFolder: (from, to) => {
      const [moved, replaced, target] = [folderAt(from), folderAt(to), parentOf(to)]
      if (moved === undefined || target === undefined) return 'missing'
      if (replaced !== undefined && replaced.names.size > 0) return 'occupied'
      parentOf(from)?.names.delete(nameIn(from))
      target.names.set(nameIn(to), moved)
      return 'done'
    },
    removeFolder: (path) => {
      const folder = folderAt(path)
      if (folder === undefined) return 'missing'
      if (folder.names.size > 0) return 'occupied'
      parentOf(path)?.names.delete(nameIn(path))
      return 'done'
    },
    stamp: (path, time) => {
      const folder = folderAt(path)
      if (folder !== undefined) folder.modified = time
    },
  }
}
