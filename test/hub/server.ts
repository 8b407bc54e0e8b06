// A hub on the loopback: the paths of the real one that a download needs, with every fault that a test may want. Large files lie behind a
// redirect to a second port, the store, as on the real hub; each question is kept, so that a test can see what was asked and with which token.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A question that came. */
export interface Question {
  readonly method: string, readonly path: string, readonly status: number
  readonly token: string | undefined, readonly range: string | undefined
}

/** How one file misbehaves. Counters run down as the fault happens. */
export interface Fault {
  /** Cuts this many answers after `after` bytes. */
  cuts?: number
  after?: number
  /** Sends everything although a range was asked for. */
  ignoresRange?: boolean
  /** Answers ranges with 416. */
  refusesRange?: boolean
  /** Answers a range from this byte on, whatever was asked. */
  shifts?: number
  /** Sends this instead; the listing names the right hash. */
  instead?: Buffer
  /** Answers this status, `times` times. */
  status?: number
  times?: number
  /** Falls silent after `after` bytes, once for each. */
  silences?: number
  /** Redirects there. */
  location?: string
  /** Milliseconds between pieces of 16 KiB. */
  slow?: number
}

/** A repository as the server has it. */
export interface Shelf {
  commit: string
  files: Map<string, Buffer>
  /** Paths that are stored as large files; the others are git blobs. */
  large: (path: string) => boolean
  /** Branches and tags, by the commit; `main` is there. */
  revisions: Map<string, string>
  /** Token without which nothing is shown. */
  token?: string
  faults: Map<string, Fault>
  /** Changes the listing before it is sent. */
  tree?: (entries: Record<string, unknown>[]) => unknown
  /** The Link header of every page of the listing. */
  next?: string
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
export const gitSha1 = (bytes: Buffer): string => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

/** The server. */
export class Hub {
  readonly shelves = new Map<string, Shelf>()
  /** Ids that the hub redirects to others. */
  readonly renamed = new Map<string, string>()
  readonly questions: Question[] = []
  readonly stored: Question[] = []
  /** Answered to every question to the hub itself. */
  down: number | undefined
  endpoint = ''
  store = ''
  readonly #servers: Server[] = []

  static async start(): Promise<Hub> {
    const hub = new Hub()
    hub.endpoint = await hub.#listen((request, response) => hub.#hub(request, response))
    hub.store = await hub.#listen((request, response) => hub.#store(request, response))
    return hub
  }

  /** A repository with files; `*.safetensors` are large. */
  shelve(id: string, files: Record<string, string | Buffer>, more: Partial<Shelf> = {}): Shelf {
    const commit = more.commit ?? createHash('sha1').update(id).digest('hex')
    const shelf: Shelf = { commit, files: new Map(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)])),
      large: path => path.endsWith('.safetensors'), revisions: new Map([['main', commit]]), faults: new Map(), ...more }
    this.shelves.set(id, shelf)
    return shelf
  }

  /** The paths of files that were asked for, in order. */
  asked(): string[] { return this.questions.filter(one => one.path.includes('/resolve/')).map(one => one.path.replace(/^.*\/resolve\/[^/]+\//, '')) }

  forget(): void { this.questions.length = this.stored.length = 0 }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map(server => { server.closeAllConnections(); return new Promise(done => server.close(done)) }))
  }

  #listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    const server = createServer(answer)
    this.#servers.push(server)
    return new Promise(done => server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)))
  }

  #note(list: Question[], request: IncomingMessage, status: number): void {
    const { method = '', url = '', headers } = request
    list.push({ method, path: decodeURIComponent(url.split('?')[0]!), token: headers.authorization?.replace('Bearer ', ''), range: headers.range, status })
  }

  #hub(request: IncomingMessage, response: ServerResponse): void {
    const end = (status: number, headers: Record<string, string> = {}, body: unknown = undefined): void => {
      this.#note(this.questions, request, status)
      const type = body !== undefined && { 'content-type': 'application/json' }
      response.writeHead(status, { ...type, ...headers }).end(body === undefined ? undefined : JSON.stringify(body))
    }
    const refuse = (status: number, code: string): void => end(status, { 'x-error-code': code, 'x-error-message': `${code} said` }, { error: code })
    if (this.down !== undefined) return refuse(this.down, 'Down')
    const url = new URL(request.url!, this.endpoint), path = decodeURIComponent(url.pathname)
    const [, id = '', kind = '', rest = ''] = /^\/api\/models\/(.+?)\/(revision|tree)\/(.+)$/.exec(path) ?? /^\/(.+?)\/(resolve)\/(.+)$/.exec(path) ?? []
    const shelf = this.shelves.get(id), later = this.renamed.get(id)
    if (later !== undefined) return end(307, { location: request.url!.replace(id, later) })
    if (!shelf) return refuse(request.headers.authorization ? 404 : 401, 'RepoNotFound')
    if (shelf.token !== undefined && request.headers.authorization !== `Bearer ${shelf.token}`) {
      return request.headers.authorization ? refuse(403, 'GatedRepo') : refuse(401, 'GatedRepo')
    }
    if (kind === 'revision') {
      const sha = [...shelf.revisions.values()].includes(rest) ? rest : shelf.revisions.get(rest)
      return sha === undefined ? refuse(404, 'RevisionNotFound') : end(200, {}, { _id: '1', id, sha, lastModified: '2026-01-01T00:00:00.000Z', private: false })
    }
    if (kind === 'tree') {
      const entries: Record<string, unknown>[] = [...shelf.files].map(([path, bytes]) => {
        const size = bytes.length, small = { type: 'file', path, size, oid: gitSha1(bytes) }, name = Buffer.from(path)
        return shelf.large(path) ? { ...small, oid: gitSha1(name), lfs: { oid: sha256(bytes), size, pointerSize: 130 }, xetHash: sha256(name) } : small
      })
      return end(200, shelf.next === undefined ? {} : { link: `<${shelf.next}>; rel="next"` }, shelf.tree ? shelf.tree(entries) : entries)
    }
    const file = rest.slice(rest.indexOf('/') + 1), bytes = shelf.files.get(file)
    if (!bytes) return refuse(404, 'EntryNotFound')
    const fault = shelf.faults.get(file)
    if (fault?.location !== undefined) return end(302, { location: fault.location })
    const etag = `"${shelf.large(file) ? sha256(bytes) : gitSha1(bytes)}"`
    const headers = { 'x-repo-commit': shelf.commit, 'x-linked-size': String(bytes.length), 'x-linked-etag': etag }
    if (shelf.large(file)) return end(302, { ...headers, location: `${this.store}/${id}/${encodeURIComponent(file)}?signature=1` })
    this.#send(this.questions, request, response, bytes, fault, { ...headers, etag })
  }

  #store(request: IncomingMessage, response: ServerResponse): void {
    const [, id = '', file = ''] = /^\/(.+)\/([^/]+)$/.exec(request.url!.split('?')[0]!) ?? [], shelf = this.shelves.get(id), path = decodeURIComponent(file)
    const bytes = shelf?.files.get(path)
    if (!shelf || !bytes) { this.#note(this.stored, request, 404); response.writeHead(404).end(); return }
    this.#send(this.stored, request, response, bytes, shelf.faults.get(path), {})
  }

  #send(list: Question[], request: IncomingMessage, response: ServerResponse, right: Buffer, fault: Fault = {}, headers: Record<string, string>): void {
    const bytes = fault.instead ?? right, wanted = /^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]
    const end = (status: number, more: Record<string, string> = {}): void => {
      this.#note(list, request, status)
      response.writeHead(status, { ...headers, ...more })
    }
    if (fault.status !== undefined && fault.times) { fault.times--; end(fault.status, { 'retry-after': '0' }); response.end(); return }
    if (wanted !== undefined && fault.refusesRange) { end(416, { 'content-range': `bytes */${bytes.length}` }); response.end(); return }
    const from = wanted === undefined || fault.ignoresRange ? 0 : fault.shifts ?? Number(wanted), body = bytes.subarray(from)
    if (wanted === undefined || fault.ignoresRange) end(200, { 'content-length': String(body.length) })
    else end(206, { 'content-length': String(body.length), 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
    const { after = 0 } = fault
    if (fault.cuts) { fault.cuts--; response.write(body.subarray(0, after), () => setTimeout(() => response.destroy(), 100)) }
    else if (fault.silences) { fault.silences--; response.write(body.subarray(0, after)) }
    else if (fault.slow !== undefined) void drip(response, body, fault.slow)
    else response.end(body)
  }
}

async function drip(response: ServerResponse, body: Buffer, pause: number): Promise<void> {
  for (let at = 0; at < body.length && !response.destroyed; at += 16384) {
    response.write(body.subarray(at, at + 16384))
    await new Promise(done => setTimeout(done, pause))
  }
  response.end()
}
