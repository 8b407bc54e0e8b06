// The files of a tokenizer's folder, read and checked: tokenizer.json, tokenizer_config.json, special_tokens_map.json, the ids in config.json
// and generation_config.json, and the chat templates.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from '../safetensors/fault.ts'

/** A JSON object whose fields are looked at one by one. */
export type Fields = Readonly<Record<string, unknown>>

/** What a tokenizer's folder says. */
export interface TokenizerFiles {
  readonly folder: string
  /** tokenizer.json: `model` and `added_tokens` are checked. */
  readonly tokenizer: Fields
  /** tokenizer_config.json, or {}. */
  readonly config: Fields
  /** Tokens with a role, by name (`bos_token` …): their texts. */
  readonly named: ReadonlyMap<string, string>
  /** Token ids with a role in a model's files: `bos`, `eos`, `pad`. `stops` are those at which generation ends. */
  readonly ids: { readonly bos: number | undefined, readonly eos: number | undefined, readonly pad: number | undefined, readonly stops: readonly number[] }
  /** Chat templates by name; the usual one is "default". */
  readonly templates: ReadonlyMap<string, string>
}

const MAX_ID = 1 << 24 // the largest vocabularies hold 2^18; an id beyond this is damage, and would cost memory by its size
export const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_ID

/** Reads and checks the files of `folder`. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const path = join(folder, 'tokenizer.json'), tokenizer = await readObject(path)
  if (tokenizer === undefined) throw new TransweldError('ERR_FILE', `no tokenizer in ${folder}: expected tokenizer.json (the fast tokenizer's file) there`)
  checkTokenizer(tokenizer, path)
  const [config = {}, special = {}, model = {}, generation = {}] = await Promise.all(
    ['tokenizer_config.json', 'special_tokens_map.json', 'config.json', 'generation_config.json'].map(name => readObject(join(folder, name))))
  const given = { tokenizer: { added_tokens: [], ...tokenizer }, config, named: namedTokens(config, special), ids: modelIds(model, generation) }
  return { folder, ...given, templates: await readTemplates(folder, config) }
}

// undefined where there is no such file.
async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined
    throw fileError('read', path, error)
  }
}

async function readObject(path: string): Promise<Fields | undefined> {
  const text = await readText(path)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new TransweldError('ERR_FORMAT', `${path} is not valid JSON: ${(error as Error).message}`, { cause: error })
  }
  if (!isObject(json)) throw new TransweldError('ERR_FORMAT', `${path}: expected a JSON object`)
  return json
}

function checkTokenizer(tokenizer: Fields, path: string): void {
  const bad = (why: string): never => { throw new TransweldError('ERR_FORMAT', `${path}: ${why}`) }
  const { model, added_tokens: added = [] } = tokenizer
  if (!isObject(model)) return bad('expected an object "model"')
  const { vocab, type } = model, isList = Array.isArray(vocab)
  if (type === 'WordPiece') throw new TransweldError('ERR_UNSUPPORTED', `${path}: unsupported model.type WordPiece. Known: BPE, Unigram, WordLevel`)
  if (type !== undefined && type !== 'BPE' && type !== 'Unigram' && type !== 'WordLevel') bad(`unknown model.type ${JSON.stringify(type)}`)
  if (isList) {
    const isScored = (item: unknown): boolean => Array.isArray(item) && typeof item[0] === 'string' && typeof item[1] === 'number'
    if (vocab.length === 0 || !vocab.every(isScored)) bad('expected pairs of a piece and a score in model.vocab')
  } else if (isObject(vocab)) {
    const ids = Object.values(vocab)
    if (ids.length === 0) bad('model.vocab is empty')
    if (!ids.every(isId)) bad(`expected ids from 0 to ${MAX_ID - 1} in model.vocab`)
    if (new Set(ids).size !== ids.length) bad('two pieces of model.vocab have one id')
  } else bad('expected a vocabulary in model.vocab')
  if (type !== undefined && isList !== (type === 'Unigram')) bad(`expected ${isList ? 'an object' : 'a list of pairs'} for model.vocab of the type ${type}`)
  if (!isList && type !== 'WordLevel') {
    const { merges } = model
    const isTwo = (item: unknown): boolean => Array.isArray(item) && item.length === 2 && item.every(part => typeof part === 'string')
    const isPair = (item: unknown): boolean => typeof item === 'string' ? item.includes(' ') : isTwo(item)
    if (!Array.isArray(merges) || !merges.every(isPair)) bad('expected a list of pairs in model.merges')
  }
  if (!Array.isArray(added) || !added.every(item => isObject(item) && typeof item['content'] === 'string' && item['content'] !== '' && isId(item['id']))) {
    bad('expected objects with "content" and "id" in added_tokens')
  }
}

// tokenizer_config.json goes first; special_tokens_map.json has what older programs wrote.
function namedTokens(config: Fields, special: Fields): Map<string, string> {
  const named = new Map<string, string>()
  for (const fields of [config, special]) {
    for (const [name, value] of Object.entries(fields)) {
      const isList = /^(?:additional|extra)_special_tokens$/.test(name) && Array.isArray(value)
      const values: readonly unknown[] = name.endsWith('_token') ? [value] : isList ? value : []
      values.forEach((token, i) => {
        const content = isObject(token) ? token['content'] : token, key = name.endsWith('_token') ? name : `${name}[${i}]`
        if (typeof content === 'string' && content !== '' && !named.has(key)) named.set(key, content)
      })
    }
  }
  return named
}

/** The token ids with a role in a model's own files, for a folder that need not have a tokenizer. */
export async function readModelIds(folder: string): Promise<TokenizerFiles['ids']> {
  const [model = {}, generation = {}] = await Promise.all(['config.json', 'generation_config.json'].map(name => readObject(join(folder, name))))
  return modelIds(model, generation)
}

// config.json names the roles for the model, generation_config.json for what continues a text; an end may be a list, the first is that of documents.
function modelIds(config: Fields, generation: Fields): TokenizerFiles['ids'] {
  const model = isObject(config['text_config']) ? { ...config['text_config'], ...config } : config        // of a model that sees images too
  const list = (fields: Fields, name: string): number[] => [fields[name]].flat().filter(isId)
  const [bos, eos, pad] = ['bos_token_id', 'eos_token_id', 'pad_token_id'].map(name => [...list(model, name), ...list(generation, name)][0])
  const stops = list(generation, 'eos_token_id')
  return { bos, eos, pad, stops: stops.length > 0 ? stops : list(model, 'eos_token_id') }
}

// Files of their own go before the field of tokenizer_config.json.
async function readTemplates(folder: string, config: Fields): Promise<Map<string, string>> {
  const templates = new Map<string, string>(), add = (name: unknown, text: unknown): void => {
    if (typeof name === 'string' && typeof text === 'string') templates.set(name, text)
  }
  for (const value of [(await readObject(join(folder, 'chat_template.json')))?.['chat_template'], config['chat_template']].reverse()) {
    if (Array.isArray(value)) for (const item of value) if (isObject(item)) add(item['name'], item['template'])
    if (isObject(value)) for (const [name, text] of Object.entries(value)) add(name, text)
    add('default', value)
  }
  add('default', await readText(join(folder, 'chat_template.jinja')))
  const more = await readdir(join(folder, 'additional_chat_templates')).catch(() => [])
  for (const name of more) if (name.endsWith('.jinja')) add(name.slice(0, -6), await readText(join(folder, 'additional_chat_templates', name)))
  return templates
}
