// Questions to the hub: redirects followed by hand, so that the token goes to the endpoint and to nobody else; silence is a fault.
import { setTimeout as sleep } from 'node:timers/promises'
import { TransweldError } from '../native/error.ts'
import { aborted, networkFault, statusFault, Unreachable, type Wanted } from './fault.ts'

const MAX_HOPS = 8, MAX_QUESTIONS = 1000
const MAX_ANSWER = 64 * 2 ** 20 // bytes; a listing of 1000 files takes about 0.3 MB

/** What a connection needs to know. */
export interface ConnectionOptions {
  readonly wanted: Wanted
  readonly token: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Milliseconds without a byte after which a connection counts as cut. */
  readonly patience?: number
  /** Milliseconds before the second try; each further one waits twice as long, 8 s at most. */
  readonly pause?: number
}

/** An open answer. `chunks` throws {@link Unreachable} where the connection breaks or falls silent. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  chunks(): AsyncGenerator<Uint8Array>
  /** Hangs up. */
  dispose(): void
}

/** The way to one endpoint. */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #origin: string
  #questions = 0

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#origin = new URL(options.wanted.endpoint).origin
  }

  /** For the hub's library: asks up to three times and hands over the whole answer. What is no success is an error here already. */
  readonly fetch = async (input: string | URL | Request): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input)
    if (++this.#questions > MAX_QUESTIONS) {
      throw new TransweldError('ERR_FORMAT', `the listing of ${this.#options.wanted.id} has no end: ${MAX_QUESTIONS} pages were read`)
    }
    for (let tries = 1; ; tries++) {
      try {
        return await this.#whole(url)
      } catch (error) {
        if (!(error instanceof Unreachable) || !error.isPassing || tries === 3) throw error
        await this.rest(tries, error)
      }
    }
  }

  /**
   * A GET whose answer is 200, 206 or 416.
   * @throws Unreachable where another try may help, TransweldError where none does.
   */
  async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { wanted, signal, patience = 30_000 } = this.#options
    if (signal?.aborted) throw aborted()
    const silence = new AbortController(), timer = setTimeout(() => silence.abort(), patience)
    const both = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal
    const dispose = (): void => { clearTimeout(timer); silence.abort() }
    let host = new URL(url).host
    const fault = (error: unknown): Error => {
      if (signal?.aborted) return aborted()
      if (error instanceof TransweldError || error instanceof Unreachable) return error
      return silence.signal.aborted ? new Unreachable(`${host}: no byte for ${patience / 1000} s`) : networkFault(host, error)
    }
    try {
      for (let at = new URL(url), hops = 0; hops <= MAX_HOPS; hops++) {
        host = at.host
        const response = await fetch(at, { headers: this.#headers(at, headers), redirect: 'manual', signal: both })
        timer.refresh()
        if (response.ok || response.status === 416) {
          return { status: response.status, headers: response.headers, dispose, chunks: () => chunks(response, timer, fault) }
        }
        await response.body?.cancel()
        const target = response.headers.get('location')
        if (response.status < 300 || response.status > 399 || target === null) throw statusFault(response, host, wanted)
        at = follow(at, target)
      }
      throw new TransweldError('ERR_FORMAT', `${wanted.endpoint} redirects more than ${MAX_HOPS} times`)
    } catch (error) {
      const told = fault(error) // before dispose, which would look like silence
      dispose()
      throw told
    }
  }

  /** The same way, which `signal` closes too. */
  until(signal: AbortSignal): Connection {
    const { signal: own } = this.#options
    return new Connection({ ...this.#options, signal: own ? AbortSignal.any([own, signal]) : signal })
  }

  /** Waits before the next try: 0.5 s, 1 s, 2 s …, or as long as the server asked, a minute at most. */
  async rest(tries: number, { wait }: Unreachable): Promise<void> {
    const { signal, pause = 500 } = this.#options
    const time = Math.max(Math.min(wait, 60_000), Math.min(pause * 2 ** (tries - 1), 8000))
    await sleep(time, undefined, signal ? { signal } : {}).catch(() => { throw aborted() })
  }

  // The bytes of a file must come as they are: no compression on the way.
  #headers(url: URL, headers: Readonly<Record<string, string>>): Record<string, string> {
    const { token } = this.#options, isTrusted = token !== undefined && url.origin === this.#origin
    return { 'user-agent': 'transweld', 'accept-encoding': 'identity', ...headers, ...(isTrusted && { authorization: `Bearer ${token}` }) }
  }

  async #whole(url: string): Promise<Response> {
    const answer = await this.open(url, { accept: 'application/json' }), parts: Uint8Array[] = []
    try {
      let bytes = 0
      for await (const chunk of answer.chunks()) {
        bytes += chunk.length
        if (bytes > MAX_ANSWER) throw new TransweldError('ERR_FORMAT', `${url} answered more than ${MAX_ANSWER} bytes`)
        parts.push(chunk)
      }
    } finally { answer.dispose() }
    return new Response(Buffer.concat(parts), { status: answer.status, headers: answer.headers })
  }
}

async function* chunks(response: Response, timer: NodeJS.Timeout, fault: (error: unknown) => Error): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) {
      timer.refresh()
      yield chunk as Uint8Array
    }
  } catch (error) {
    throw fault(error)
  }
}

function follow(from: URL, target: string): URL {
  const to = URL.canParse(target, from.href) ? new URL(target, from) : undefined
  if (to && (to.protocol === 'https:' || to.protocol === 'http:' && from.protocol === 'http:')) return to
  throw new TransweldError('ERR_FORMAT', `${from.host} redirects to an address that is not followed: ${JSON.stringify(target.slice(0, 100))}`)
}
