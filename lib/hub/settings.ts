// Where the hub is, where its cache lies, and who asks: options first, then the environment variables that Python's huggingface_hub reads.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { closed, flag, invalid, signal as checkSignal, text } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import { checkRevision } from './id.ts'

/** How far a download has come. */
export interface HubProgress {
  /** The file whose bytes came last. */
  readonly file: string
  /** Bytes that are here, of all files that this call has to download; what an earlier try left counts. */
  readonly received: number
  /** Bytes of all files that this call has to download. */
  readonly total: number
  /** How many files that are. */
  readonly files: number
}

/** What may be said about a model on the hub. */
export interface HubOptions {
  /** A branch, a tag or a commit (default: `main`). */
  readonly revision?: string
  /** An access token, or false to send none (default: HF_TOKEN, else the file that `hf auth login` writes). Sent to the endpoint alone. */
  readonly token?: string | false
  /** The hub's address (default: HF_ENDPOINT, else https://huggingface.co). */
  readonly endpoint?: string
  /** The cache's folder (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub). */
  readonly cache?: string
  /** True to ask no server: only what the cache holds is used (default: HF_HUB_OFFLINE). */
  readonly offline?: boolean
  /** Called at most ten times a second while bytes arrive, and when the last one is here. */
  readonly progress?: (progress: HubProgress) => void
  /** Stops the download; what has arrived stays, and the next call goes on from there. */
  readonly signal?: AbortSignal
}

/** The names of {@link HubOptions}. */
export const HUB_OPTIONS = ['revision', 'token', 'endpoint', 'cache', 'offline', 'progress', 'signal'] as const

/** The options with everything decided. */
export interface Settings {
  readonly revision: string, readonly token: string | undefined, readonly endpoint: string
  readonly cache: string, readonly offline: boolean
  /** False where symbolic links are not wanted: HF_HUB_DISABLE_SYMLINKS. */
  readonly links: boolean
  readonly progress: ((progress: HubProgress) => void) | undefined, readonly signal: AbortSignal | undefined
}

const isTrue = (value: string | undefined): boolean => /^(?:1|on|yes|true)$/i.test(value ?? '')
const expand = (path: string): string => path.replace(/^~(?=[/\\]|$)/, () => homedir())

/** Checks the options (`more` are the caller's own) and reads the environment. */
export function settings(options: HubOptions, more: readonly string[] = []): Settings {
  closed('options', options, [...HUB_OPTIONS, ...more])
  const { revision = 'main', token, endpoint, cache, offline, progress, signal } = options, env = process.env
  if (progress !== undefined && typeof progress !== 'function') throw invalid('progress', 'a function', progress)
  checkSignal('signal', signal)
  return {
    revision: checkRevision(revision),
    token: checkToken(token ?? (isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN']) ? false : storedToken())),
    endpoint: checkEndpoint(endpoint ?? (env['HF_ENDPOINT'] || 'https://huggingface.co')),
    cache: cache === undefined ? cacheFolder() : text('cache', cache),
    offline: offline === undefined ? isTrue(env['HF_HUB_OFFLINE'] || env['TRANSFORMERS_OFFLINE']) : flag('offline', offline),
    links: !isTrue(env['HF_HUB_DISABLE_SYMLINKS']),
    progress, signal,
  }
}

/** The folder of the cache that the environment names. */
export function cacheFolder(): string {
  const env = process.env
  return expand(env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(home(), 'hub'))
}

function home(): string {
  const env = process.env
  return expand(env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface'))
}

function storedToken(): string | false {
  const given = process.env['HF_TOKEN'] || process.env['HUGGING_FACE_HUB_TOKEN']
  if (given) return given.trim() || false
  const path = expand(process.env['HF_TOKEN_PATH'] || join(home(), 'token'))
  try {
    return readFileSync(path, 'utf8').trim() || false
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errno(error) ?? '')) return false
    throw fileError('read', path, error)
  }
}

// A token is never shown, not even a wrong one.
function checkToken(token: unknown): string | undefined {
  if (token === false) return undefined
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  throw new TransweldError('ERR_INVALID_ARGUMENT', 'expected letters, digits and signs without a blank for token, or false. Look at HF_TOKEN')
}

function checkEndpoint(endpoint: unknown): string {
  const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash) return url.href.replace(/\/+$/, '')
  throw invalid('endpoint', 'an address such as https://huggingface.co', endpoint, 'Look at HF_ENDPOINT')
}
