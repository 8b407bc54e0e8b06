// The peers: PyTorch in one long-lived child, which measures itself. TRANSWELD_PEER_PYTHON names its Python.
import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { createRequire } from 'node:module'
import type { Side } from './clock.ts'

const root = dirname(createRequire(import.meta.url).resolve('transweld/package.json'))

/** What a peer made ready; `run` is its side of a race. */
export interface PeerJob { readonly name: string, readonly run: Side }

interface Answer { readonly name?: string, readonly milliseconds?: number, readonly error?: string, readonly version?: string }

/** A child that answers line by line. */
export class Peers {
  readonly version: string
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #next = 0

  private constructor(child: ChildProcess, lines: Interface, version: string) {
    this.#child = child
    this.#lines = lines[Symbol.asyncIterator]()
    this.version = version
  }

  /** Starts the child with as many threads as ours. Large blocks stay with its allocator: else page faults are most of its time. */
  static async start(python: string, threads: number): Promise<Peers> {
    const child = spawn(python, ['-u', join(root, 'bench/peers/serve.py'), String(threads)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env, PYTHONDONTWRITEBYTECODE: '1', MALLOC_MMAP_THRESHOLD_: String(2 ** 32), MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
        OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads),
      },
    })
    const lines = createInterface({ input: child.stdout! })
    const failed = new Promise<never>((_, reject) => {
      child.on('error', reject)
      child.on('exit', code => reject(new Error(`${python} ended with ${code}`)))
    })
    failed.catch(() => {})
    const started = new Peers(child, lines, '')
    const { version } = await Promise.race([started.#ask({ hello: true }), failed])
    return Object.assign(started, { version: version ?? '' })
  }

  /** Makes a job ready and warms it up. Undefined where this PyTorch cannot do it. */
  async make(job: string, spec: Readonly<Record<string, unknown>>): Promise<PeerJob | undefined> {
    const id = this.#next++
    const { name, error } = await this.#ask({ make: id, job, spec })
    if (error !== undefined) {
      process.stderr.write(`peer ${job}: ${error}\n`)
      return undefined
    }
    return { name: name!, run: async () => (await this.#ask({ run: id })).milliseconds! }
  }

  /** Frees what all jobs hold. */
  async dropAll(): Promise<void> { await this.#ask({ drop: true }) }

  stop(): void { this.#child.stdin!.end() }

  async #ask(question: object): Promise<Answer> {
    this.#child.stdin!.write(JSON.stringify(question) + '\n')
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the peer ended; its last words are above')
    return JSON.parse(value) as Answer
  }
}
