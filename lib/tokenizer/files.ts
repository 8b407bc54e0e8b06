// The files of a tokenizer's folder, read and checked: tokenizer.json, tokenizer_config.json, special_tokens_map.json, and the ids in config.json.
import { readFile } from 'node:fs/promises'
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
  /** The text of the end-of-text token, or its id where only a model's config names it. */
  readonly endOfText: string | number | undefined
}

const MODELS: readonly unknown[] = ['BPE', 'Unigram', 'WordPiece', 'WordLevel', undefined] // old files name no type
const MAX_ID = 1 << 24 // the largest vocabularies hold 2^18; an id beyond this is damage, and would cost memory by its size
export const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_ID

/** Reads and checks the files of `folder`. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const path = join(folder, 'tokenizer.json'), tokenizer = await readObject(path)
  if (tokenizer === undefined) throw new TransweldError('ERR_FILE', `no tokenizer in ${folder}: expected tokenizer.json (the fast tokenizer's file) there`)
  checkTokenizer(tokenizer, path)
  const config = await readObject(join(folder, 'tokenizer_config.json')) ?? {}
  return { folder, tokenizer, config, endOfText: await findEndOfText(folder, config) }
}

// undefined where there is no such file.
async function readObject(path: string): Promise<Fields | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined
    throw fileError('read', path, error)
  }
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
  const { vocab } = model
  if (!MODELS.includes(model['type'])) bad(`unknown model.type ${JSON.stringify(model['type'])}`)
  if (Array.isArray(vocab)) {
    if (vocab.length === 0 || !vocab.every(item => Array.isArray(item) && typeof item[0] === 'string' && typeof item[1] === 'number')) bad('expected pairs of a piece and a score in model.vocab')
  } else if (isObject(vocab)) {
    const ids = Object.values(vocab)
    if (ids.length === 0) bad('model.vocab is empty')
    if (!ids.every(isId)) bad(`expected ids from 0 to ${MAX_ID - 1} in model.vocab`)
    if (new Set(ids).size !== ids.length) bad('two pieces of model.vocab have one id')
  } else bad('expected a vocabulary in model.vocab')
  if (model['type'] === 'BPE') {
    const { merges } = model
    const isPair = (item: unknown): boolean => typeof item === 'string' ? item.includes(' ') : Array.isArray(item) && item.length === 2 && item.every(x => typeof x === 'string')
    if (!Array.isArray(merges) || !merges.every(isPair)) bad('expected a list of pairs in model.merges')
  }
  if (!Array.isArray(added) || !added.every(item => isObject(item) && typeof item['content'] === 'string' && item['content'] !== '' && isId(item['id']))) {
    bad('expected objects with "content" and "id" in added_tokens')
  }
}

// The tokenizer's own word goes first; a model's config may only know the id.
async function findEndOfText(folder: string, config: Fields): Promise<string | number | undefined> {
  const special = await readObject(join(folder, 'special_tokens_map.json')) ?? {}
  for (const fields of [config, special]) {
    const token = fields['eos_token'], content = isObject(token) ? token['content'] : token
    if (typeof content === 'string' && content !== '') return content
  }
  for (const name of ['config.json', 'generation_config.json']) {
    const value = (await readObject(join(folder, name)))?.['eos_token_id'], id: unknown = Array.isArray(value) ? value[0] : value
    if (isId(id)) return id
  }
  return undefined
}
