// Which files of a repository are a model: configuration, tokenizer, and the safetensors weights; never a pickle, never a second copy.
import { TransweldError } from '../native/error.ts'
import { Incomplete } from './fault.ts'
import type { RemoteFile, Tree } from './tree.ts'

const CONFIG = 'config.json', SINGLE = 'model.safetensors', INDEX = 'model.safetensors.index.json'
const OPTIONAL = ['generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json',
  'chat_template.jinja', 'chat_template.json']
const OTHER_WEIGHTS = /\.(?:bin|pth|pt|ckpt|h5|msgpack|gguf|onnx|npz)$/

/** Makes files be there: downloads them, or throws {@link Incomplete}. */
export type Get = (files: readonly RemoteFile[]) => Promise<void>
/** The text of a file that was got. */
export type Read = (file: RemoteFile) => Promise<string>

/**
 * Gets the files of a model, and those that match `extra`.
 * @throws TransweldError ERR_UNSUPPORTED if the repository holds no model that can be opened, ERR_FORMAT if its index is damaged.
 */
export async function getModel(tree: Tree, id: string, extra: readonly string[], get: Get, read: Read): Promise<void> {
  const has = (name: string): RemoteFile[] => tree.files.has(name) ? [tree.files.get(name)!] : []
  const config = has(CONFIG), single = has(SINGLE), index = has(INDEX)
  if (config.length === 0 || single.length + index.length === 0) throw lacking(tree, id)
  let weights = single
  if (weights.length === 0) {
    await get(index) // it says which shards there are
    weights = [...index, ...shards(tree, id, await read(index[0]!))]
  }
  await get(unique([...config, ...OPTIONAL.flatMap(has), ...weights, ...matching(tree, extra)]))
}

/**
 * Gets the files that match `patterns`.
 * @throws TransweldError ERR_FILE if there is none.
 */
export async function getFiles(tree: Tree, id: string, patterns: readonly string[], get: Get): Promise<void> {
  const files = matching(tree, patterns)
  if (files.length > 0) return get(files)
  if (tree.isPartial) throw new Incomplete(patterns)
  const wanted = patterns.map(one => `"${one}"`).join(' or ')
  throw new TransweldError('ERR_FILE', `${id} holds no file that matches ${wanted}; it holds ${some([...tree.files.keys()])}`)
}

function matching(tree: Tree, patterns: readonly string[]): RemoteFile[] {
  const whole = patterns.map(pattern => pattern.endsWith('/') ? pattern + '*' : pattern)
  return [...tree.files.values()].filter(file => whole.some(pattern => matches(pattern, file.path)))
}

// As in Python's huggingface_hub: * matches slashes too, and a pattern that ends in a slash means all that is below. The last * that was met
// takes as little as it can, and one character more after each mismatch: pattern x name steps at most, whatever a server calls its files.
function matches(pattern: string, name: string): boolean {
  let p = 0, n = 0, star = -1, taken = 0
  while (n < name.length) {
    if (pattern[p] === '*') { star = p++; taken = n }
    else if (pattern[p] === '?' || pattern[p] === name[n]) { p++; n++ }
    else if (star >= 0) { p = star + 1; n = ++taken }
    else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

function shards(tree: Tree, id: string, text: string): RemoteFile[] {
  const bad = (why: string): TransweldError => new TransweldError('ERR_FORMAT', `${INDEX} of ${id}: ${why}`)
  let map: unknown
  try {
    map = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map
  } catch (error) { throw bad((error as Error).message) }
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw bad('expected "weight_map", an object of tensor names and file names')
  const names = [...new Set<unknown>(Object.values(map))].map(name => {
    if (typeof name === 'string' && /^[^/\\]+\.safetensors$/.test(name)) return name
    throw bad(`expected names of .safetensors files beside it but found ${JSON.stringify(name)?.slice(0, 80)}`)
  })
  const missing = names.filter(name => !tree.files.has(name))
  if (names.length === 0) throw bad('it names no shard')
  if (missing.length > 0 && tree.isPartial) throw new Incomplete(missing)
  if (missing.length > 0) throw bad(`it names ${missing[0]}, which the repository does not hold`)
  return names.map(name => tree.files.get(name)!)
}

function lacking(tree: Tree, id: string): Error {
  const names = [...tree.files.keys()], isHere = (name: string): boolean => tree.files.has(name)
  if (tree.isPartial) return new Incomplete([CONFIG, SINGLE].filter(name => !isHere(name) && !(name === SINGLE && isHere(INDEX))))
  const fail = (why: string): TransweldError => new TransweldError('ERR_UNSUPPORTED', `${id} ${why}`)
  if (!isHere(CONFIG)) return fail(`holds no ${CONFIG}: it is no model in the layout of transformers. It holds ${some(names)}`)
  const others = names.filter(name => OTHER_WEIGHTS.test(name))
  const convert = 'Look for a revision with safetensors, or write one in Python: AutoModelForCausalLM.from_pretrained(id).save_pretrained(folder)'
  if (others.length > 0) return fail(`holds weights only as ${some(others)}; expected ${SINGLE}. ${convert}`)
  return fail(`holds no weights: expected ${SINGLE} or ${INDEX}`)
}

const unique = (files: readonly RemoteFile[]): RemoteFile[] => [...new Map(files.map(file => [file.path, file])).values()]
const some = (names: readonly string[]): string =>
  names.length === 0 ? 'nothing' : names.slice(0, 4).join(', ') + (names.length > 4 ? ` and ${names.length - 4} more` : '')
