import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { SessionError } from '../../core/errors.ts'
import type { ShardDepth } from './file-names.ts'
import { codeOf, type LocalFiles } from './local-files.ts'

/**
 * Makes the folder where it is missing, and tries in it everything that the store will do. Fails with
 * `ERR_SESSION_STORE`, and with `ERR_SESSION_OPTION` where the folder was made for another number of shards.
 */
export function prepareFolder(files: LocalFiles, folder: string, shards: ShardDepth): void {
  try {
    for (const part of ['records', 'index', 'drafts']) files.ensureFolder(`${folder}/${part}`)
    agreeOnLayout(files, folder, shards)
  } catch (cause) {
    if (cause instanceof SessionError) throw cause
    const code = codeOf(cause)
    const why = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(code) ? 'Its file system seems to have no hard links: use a folder on a local disk' : 'Make it a folder which this user may write to, or pass another one'
    throw new SessionError('ERR_SESSION_STORE', `The file store cannot use the folder ${folder}${code && ` (${code})`}. ${why}.`, { cause, outcome: 'none' })
  }
}

// Written and linked as every file here, so this also shows at once whether the folder can be worked in.
function agreeOnLayout(files: LocalFiles, folder: string, shards: ShardDepth): void {
  const draft = `${folder}/drafts/layout.${randomBytes(8).toString('hex')}.log`
  files.put(draft, Buffer.from(`${JSON.stringify({ format: 1, shards })}\n`))
  try {
    if (files.link(draft, `${folder}/layout.json`) === 'exists') checkLayout(folder, shards)
  } finally {
    files.unlink(draft)
  }
}

function checkLayout(folder: string, shards: ShardDepth): void {
  const text = readFileSync(`${folder}/layout.json`, 'utf8')
  const [, format, depth] = /"format":(\d+),"shards":(\d)/.exec(text) ?? []
  if (format !== '1') throw new SessionError('ERR_SESSION_STORE', `The folder ${folder} has a layout that this version of the file store does not know. Pass another folder, or delete its layout.json if it was damaged.`, { outcome: 'none' })
  if (depth !== String(shards)) throw new SessionError('ERR_SESSION_OPTION', `fileStore was called with shards: ${shards}, but the folder ${folder} was made with shards: ${depth}. Pass that, or another folder.`)
}
