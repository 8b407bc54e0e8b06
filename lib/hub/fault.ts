// What can go wrong between here and the hub, as the one error class; and the two faults after which something else is tried first.
import { type ErrorCode, TransweldError } from '../native/error.ts'

const HUB: ErrorCode = 'ERR_FILE'

/** No answer, half an answer, or "later": worth another try, or a look into the cache. Never leaves lib/hub. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
  /** False where a second try at once would end the same way: no such host, nobody listens. */
  readonly isPassing: boolean
  /** Milliseconds that the server asked to wait. */
  readonly wait: number
  constructor(message: string, { isPassing = true, wait = 0, cause }: { isPassing?: boolean, wait?: number, cause?: unknown } = {}) {
    super(message, { cause })
    this.isPassing = isPassing
    this.wait = wait
  }
}

/** The cache lacks files that are needed. Never leaves lib/hub. */
export class Incomplete extends Error {
  override readonly name = 'Incomplete'
  readonly missing: readonly string[]
  constructor(missing: readonly string[]) {
    super(`missing ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ` and ${missing.length - 3} more` : ''}`)
    this.missing = missing
  }
}

/** What was asked for, for the words of an error. */
export interface Wanted {
  readonly id: string, readonly revision: string, readonly endpoint: string
  /** Whether a token went with the question. */
  readonly hasToken: boolean
}

const LOST = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ERR_INVALID_URL', 'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID'])

/** A failed fetch: its reason lies in the causes. */
export function networkFault(host: string, error: unknown): Unreachable {
  let code = '', reason = ''
  for (let at = error; at instanceof Error; at = at.cause) {
    reason = at.message || reason
    code = (at as NodeJS.ErrnoException).code ?? code
    if (at instanceof AggregateError) code = (at.errors[0] as NodeJS.ErrnoException | undefined)?.code ?? code
  }
  return new Unreachable(`${host}: ${[reason, code].filter(part => part !== '').join(', ')}`, { isPassing: !LOST.has(code), cause: error })
}

/** The error for an answer that is not a success. 429 and 5xx pass by themselves; the others are final. */
export function statusFault(response: Response, host: string, wanted: Wanted): Unreachable | TransweldError {
  const { status } = response, { id, revision, endpoint, hasToken } = wanted
  const code = response.headers.get('x-error-code') ?? '', said = (response.headers.get('x-error-message') ?? '').slice(0, 200)
  if (status === 408 || status === 429 || status >= 500) {
    const wait = Number(response.headers.get('retry-after')) * 1000
    return new Unreachable(`${host} answered ${status}`, { wait: wait > 0 ? wait : 0 })
  }
  const page = `${endpoint}/${id}`, end = said && ` (the hub says: ${said})`
  if (status === 401 || status === 403) {
    const likely = hasToken
      ? `Ask for access on ${page}, or look whether the token in HF_TOKEN may read it`
      : `If it is gated or private, set HF_TOKEN to a token that may read it (access is asked for on ${page})`
    const why = code === 'GatedRepo' ? ', which is gated' : ': there is no such model, or it may not be read'
    return new TransweldError(HUB, `the hub refuses ${id} (${status})${why}. ${likely}${end}`)
  }
  if (status === 404) {
    const what = code === 'RevisionNotFound' ? `${id} has no revision "${revision}"`
      : code === 'EntryNotFound' ? `${id} lacks a file that its listing of revision "${revision}" names`
        : `there is no model ${id} with revision "${revision}"`
    return new TransweldError(HUB, `${what} on ${endpoint} (404), and no folder of that name here. Look at ${page}${end}`)
  }
  return new TransweldError(HUB, `${host} answered ${status} for ${id}, revision "${revision}"${end}`)
}

/** The final word after an {@link Unreachable}. */
export function unreachable(wanted: Wanted, fault: Unreachable, missing: Incomplete | undefined): TransweldError {
  const cache = missing ? `; the cache does not hold it whole (${missing.message})` : ''
  return new TransweldError(HUB, `cannot get ${wanted.id}, which is no folder here, from ${wanted.endpoint}: ${fault.message}${cache}`, { cause: fault })
}

/** Offline, and not all there. */
export function offlineFault(wanted: Wanted, cache: string, fault: Incomplete): TransweldError {
  const what = `${wanted.id}, revision "${wanted.revision}", is no folder here and not whole in the cache ${cache} (${fault.message})`
  return new TransweldError(HUB, `${what}, and offline mode asks no server. Run once without HF_HUB_OFFLINE`)
}

/** @returns The error of work that its signal stopped. */
export function aborted(): TransweldError {
  return new TransweldError('ERR_ABORTED', 'the download was stopped by its signal; what has arrived is kept, and the next call goes on from there')
}
