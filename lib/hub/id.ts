// Which words name a model on the hub, which of its revisions, and which of its files may become files here.
import { statSync } from 'node:fs'
import { invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'

const WORD = /^\w(?:[\w.-]{0,94}\w)?$/
const REVISION = /^[\w+@][\w.+@=-]*(?:\/[\w+@][\w.+@=-]*)*$/

/** A commit as the hub and its cache name it: 40 (sha1) or 64 (sha256) hexadecimal digits. */
export const isCommit = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)

/**
 * Whether `text` has the form of a hub id (`name` or `org/name`) and is no path that exists here: a local folder wins.
 * `./x`, `../x` and `/x` are never ids.
 *
 * @example
 * import { isHubId } from 'transweld'
 * console.log(isHubId('EleutherAI/pythia-70m'), isHubId('./pythia-70m')) // true false
 */
export function isHubId(text: string): boolean {
  return isIdShaped(text) && statSync(text, { throwIfNoEntry: false })?.isDirectory() !== true
}

/** Whether `text` keeps the hub's rules for ids: at most two words of 96 letters, digits, `_`, `-`, `.`; no `--`, no `..`, no `.git` at the end. */
export function isIdShaped(text: string): boolean {
  const words = text.split('/')
  return words.length <= 2 && words.every(word => WORD.test(word)) && !/--|\.\.|\.git$/.test(text)
}

/** A branch, a tag or a commit; slashes as in `refs/pr/3`. It becomes a path below `refs/` of the cache. */
export function checkRevision(revision: unknown): string {
  const isSafe = typeof revision === 'string' && revision.length <= 200 && REVISION.test(revision) && !revision.includes('..')
  if (isSafe) return revision
  throw invalid('revision', 'the name of a branch, a tag or a commit', revision)
}

/**
 * Refuses a file name of a server that would not become a file inside of the snapshot's folder on every system.
 * @throws TransweldError ERR_FORMAT
 */
export function checkFileName(path: string, id: string): string {
  const parts = path.split('/')
  if (parts.every(part => part !== '' && part !== '.' && part !== '..') && !/[\\:\u0000-\u001f]/.test(path) && path.length <= 1024) return path
  const name = JSON.stringify(path.slice(0, 100))
  throw new TransweldError('ERR_FORMAT', `the hub lists a file of ${id} whose name could lie outside of the cache: ${name}. It was not downloaded`)
}
