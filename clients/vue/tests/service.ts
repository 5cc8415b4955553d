/** The service's part, in memory: what it answers is told by each test. */
import { vi } from 'vitest'
import type { TranscriptionDetail } from '../src/core'

export interface Received {
  method: string
  path: string
  headers: Headers
  /** Of an upload. */
  form: FormData | null
}

/** "lost": no answer comes. "never": it is waited for until the caller gives up. */
export type Reply =
  | { status: number; body?: unknown; headers?: Record<string, string>; stream?: EventStream }
  | 'lost'
  | 'never'
type Handler = Reply | ((received: Received) => Reply)

export class FakeService {
  readonly received: Received[] = []
  readonly #answers = new Map<string, Handler[]>()
  /** Shares of an upload that its page is told. */
  uploadShares = [0.25, 1]
  openUploads = 0

  /** Answer calls of "METHOD /path" with these in turn; the last one stays. */
  on(call: string, ...answers: Handler[]): this {
    this.#answers.set(call, answers)
    return this
  }

  calls(call: string): Received[] {
    return this.received.filter((one) => `${one.method} ${one.path}` === call)
  }

  answer(received: Received): Reply {
    this.received.push(received)
    const answers = this.#answers.get(`${received.method} ${received.path}`)
    const next = answers && answers.length > 1 ? answers.shift() : answers?.[0]
    if (next === undefined) throw new Error(`Nobody expected ${received.method} ${received.path}`)
    return typeof next === 'function' ? next(received) : next
  }

  install(): void {
    vi.stubGlobal('fetch', (asked: Request | string, options?: RequestInit) =>
      this.#fetch(asked instanceof Request ? asked : new Request(here(asked), options)),
    )
    const service = this
    vi.stubGlobal(
      'XMLHttpRequest',
      class extends FakeXhr {
        constructor() {
          super(service)
        }
      },
    )
  }

  #fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    const reply = this.answer({
      method: request.method,
      path: pathname + search,
      headers: request.headers,
      form: null,
    })
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new DOMException('stopped', 'AbortError'))
      if (request.signal.aborted) abort()
      request.signal.addEventListener('abort', abort)
      if (reply === 'never') return
      if (reply === 'lost') {
        reject(new TypeError('Failed to fetch'))
        return
      }
      const body = reply.stream?.readable ?? written(reply.body)
      resolve(new Response(body as BodyInit, { status: reply.status, headers: reply.headers ?? {} }))
    })
  }
}

function here(path: string): string {
  return new URL(path, 'http://page.test').href
}

function written(body: unknown): string | Blob {
  return typeof body === 'string' || body instanceof Blob ? body : JSON.stringify(body)
}

class FakeXhr {
  status = 0
  responseText = ''
  upload: { onprogress: ((event: unknown) => void) | null } = { onprogress: null }
  onload: (() => void) | null = null
  onerror: (() => void) | null = null
  ontimeout: (() => void) | null = null
  onabort: (() => void) | null = null
  readonly #service: FakeService
  readonly #headers = new Headers()
  #answerHeaders = new Headers()
  #call = ['', '']

  constructor(service: FakeService) {
    this.#service = service
  }

  open(method: string, url: string): void {
    this.#call = [method, new URL(here(url)).pathname]
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers.set(name, value)
  }

  getResponseHeader(name: string): string | null {
    return this.#answerHeaders.get(name)
  }

  send(form: FormData): void {
    const [method = '', path = ''] = this.#call
    this.#service.openUploads += 1
    queueMicrotask(() => {
      for (const share of this.#service.uploadShares) {
        this.upload.onprogress?.({ lengthComputable: true, loaded: share * 200, total: 200 })
      }
      const reply = this.#service.answer({ method, path, headers: this.#headers, form })
      if (reply === 'never') return
      this.#service.openUploads -= 1
      if (reply === 'lost') {
        this.onerror?.()
        return
      }
      this.status = reply.status
      this.#answerHeaders = new Headers(reply.headers)
      this.responseText = String(written(reply.body))
      this.onload?.()
    })
  }

  abort(): void {
    this.#service.openUploads -= 1
    this.onabort?.()
  }
}

/** A stream of events that a test writes while it is read. */
export class EventStream {
  isCancelled = false
  readonly readable: ReadableStream<Uint8Array>
  #controller!: ReadableStreamDefaultController<Uint8Array>

  constructor(...events: string[]) {
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
      },
      cancel: () => {
        this.isCancelled = true
      },
    })
    this.write('retry: 5\n\n', ...events)
  }

  write(...texts: string[]): this {
    for (const text of texts) this.#controller.enqueue(new TextEncoder().encode(text))
    return this
  }

  /** The connection is closed, as when the service is stopped. */
  close(): this {
    this.#controller.close()
    return this
  }

  /** The connection breaks. */
  break(): this {
    this.#controller.error(new TypeError('network error'))
    return this
  }
}

export const ID = '6f1c0e1b-5a0f-4c0f-9d3c-8a2b7e4d1f00'
export const CREATE = 'POST /api/v1/transcriptions/'
export const READ = `GET /api/v1/transcriptions/${ID}/`
export const EVENTS = `GET /api/v1/transcriptions/${ID}/events/`
export const CANCEL = `POST /api/v1/transcriptions/${ID}/cancel/`
export const RETRY = `POST /api/v1/transcriptions/${ID}/retry/`

export const ACCEPTED: Reply = { status: 202, body: { id: ID, status: 'queued', progress: 0 } }

export function detail(own: Partial<TranscriptionDetail> = {}): Reply {
  return {
    status: 200,
    body: {
      id: ID,
      status: 'completed',
      progress: 1,
      text: 'Hello there. How are you?',
      segments: [],
      language: 'en',
      duration_seconds: 8.5,
      model: 'fake',
      warnings: [],
      error: null,
      file_name: 'talk.wav',
      ...own,
    },
  }
}

export function refusal(status: number, code: string, headers: Record<string, string> = {}): Reply {
  return { status, headers, body: { code, message: `Words of ${code}.`, request_id: 'req-1234' } }
}

export function progress(status: string, share: number, id = ''): string {
  const data = JSON.stringify({ status, progress: share, duration_seconds: 8.5 })
  return `${id && `id: ${id}\n`}event: progress\ndata: ${data}\n\n`
}

export function segment(start: number, text: string, id = ''): string {
  const data = JSON.stringify({
    start_seconds: start,
    end_seconds: start + 1,
    text,
    language: 'en',
    words: null,
  })
  return `${id && `id: ${id}\n`}event: segment\ndata: ${data}\n\n`
}

export function end(status = 'completed'): string {
  return `id: 9.0\nevent: end\ndata: {"status": "${status}"}\n\n`
}

export function recording(name = 'talk.wav', type = 'audio/wav', content = 'RIFF'): File {
  return new File([content], name, { type })
}
