// Turns what the operating system says of a file into the one error class, in plain words.
import { TransweldError } from '../native/error.ts'

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than this system allows',
  EACCES: 'permission was denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EMFILE: 'too many files are open',
  EIO: 'the device reported a read or write fault',
}

/** The error number's name (`ENOENT` …) of a failed system call, or undefined for any other value. */
export function errno(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}

/** An ERR_FILE for a failed system call; an error that already is a TransweldError passes unchanged. `act` reads "cannot <act> <path>". */
export function fileError(act: string, path: string, error: unknown): TransweldError {
  if (error instanceof TransweldError) return error
  const code = errno(error)
  const reason = (code !== undefined && WORDS[code]) || (error instanceof Error ? error.message : String(error))
  return new TransweldError('ERR_FILE', `cannot ${act} ${path}: ${reason}${code === undefined ? '' : ` (${code})`}`, { cause: error })
}
