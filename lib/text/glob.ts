// Paths by pattern: `*` and `?` within a name, `**` for any number of folders. Names that begin with a dot, and node_modules below a `**`, only
// match where the pattern spells them: what an installation brought is nobody's text unless asked for.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errno, fileError } from '../safetensors/fault.ts'

/** Whether a string is a pattern rather than a path. */
export const isGlob = (pattern: string): boolean => /[*?]/.test(pattern)

/** All files that `pattern` matches, in no particular order. */
export async function glob(pattern: string): Promise<string[]> {
  const found = new Set<string>(), parts = pattern.split('/').filter((part, i) => part !== '' || i === 0)
  const root = parts[0] === '' ? '/' : ''
  await walk(root, root === '' ? parts : parts.slice(1), found)
  return [...found]
}

async function walk(folder: string, parts: readonly string[], found: Set<string>): Promise<void> {
  const [part, ...rest] = parts
  if (part === undefined) return
  if (part === '**') {
    await walk(folder, rest.length === 0 ? ['*'] : rest, found) // no folder between
    for (const item of await entries(folder)) {
      if (item.isDirectory() && isOpen(item.name)) await walk(join(folder, item.name), parts, found) // links to folders may form circles
    }
    return
  }
  const names = isGlob(part) ? (await entries(folder)).map(item => item.name).filter(matcher(part)) : [part]
  for (const name of names) {
    const path = name === '..' || name === '.' ? `${folder === '' ? '' : folder + '/'}${name}` : join(folder, name)
    if (rest.length > 0) await walk(path, rest, found)
    else if (await isFile(path)) found.add(path)
  }
}

/** Whether a folder below the one asked for is looked into. */
export const isOpen = (name: string): boolean => !name.startsWith('.') && name !== 'node_modules'

function matcher(part: string): (name: string) => boolean {
  const source = part.replace(/[\\^$+.()|[\]{}]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')
  const pattern = new RegExp(`^${source}$`, 'su')
  return name => pattern.test(name) && (part.startsWith('.') || !name.startsWith('.'))
}

/** The entries of a folder; none where there is no such folder. */
export async function entries(folder: string): Promise<{ name: string, isDirectory(): boolean }[]> {
  try {
    return await readdir(folder === '' ? '.' : folder, { withFileTypes: true })
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return []
    throw fileError('read', folder, error)
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(status => status.isFile(), () => false)
}
