/** The routes that a transcription needs, each as one function that throws `TranscriptionError`. */
import createClient from 'openapi-fetch'
import type { components, paths } from '../schema'
import { nameOf } from './check'
import type { Answer } from './errors'
import { errorOfAnswer, isAbort, networkError, TranscriptionError } from './errors'
import type { Locale, Messages } from './messages'
import { ACCEPT_LANGUAGE, messagesFor } from './messages'
import type { TokenProvider } from './tokens'
import { parsed, upload } from './upload'

export type Transcription = components['schemas']['Transcription']
export type TranscriptionDetail = components['schemas']['TranscriptionDetail']
/** What may go along with a recording. */
export type Submission = Partial<Omit<components['schemas']['SubmissionRequest'], 'file'>>
type DownloadQuery = paths['/api/v1/transcriptions/{id}/download/']['get']['parameters']['query']
export type DownloadFormat = NonNullable<NonNullable<DownloadQuery>['format']>

export interface ServiceSettings {
  /** As https://asr.example.com; "": the origin of the page, as behind a proxy. */
  baseUrl?: string
  /** Where tokens come from; without it requests carry none. */
  getToken?: TokenProvider
  /** Headers of every request, as X-CSRFToken with a session of the service's own origin. */
  headers?: Record<string, string>
  /** Language of messages: the client's, and the service's. */
  locale?: Locale
  /** Words of the page's own. */
  messages?: Partial<Messages>
}

interface Called<Data> {
  data?: Data
  error?: unknown
  response: Response
}

const TRANSCRIPTIONS = '/api/v1/transcriptions/'
const ONE = '/api/v1/transcriptions/{id}/'

export class Service {
  readonly messages: Messages
  readonly #settings: ServiceSettings
  readonly #client

  constructor(settings: ServiceSettings) {
    const locale = settings.locale ?? 'en'
    this.#settings = { ...settings, baseUrl: (settings.baseUrl ?? '').replace(/\/+$/, '') }
    this.messages = messagesFor(locale, settings.messages)
    this.#client = createClient<paths>({
      baseUrl: this.#settings.baseUrl,
      // Looked up at each call, as pages and tests replace it.
      fetch: (request) => globalThis.fetch(request),
      headers: { 'Accept-Language': ACCEPT_LANGUAGE[locale], ...settings.headers },
    })
  }

  /** Send a recording in. The same key and the same request make one transcription. */
  async create(
    file: Blob,
    submission: Submission,
    options: { key: string; signal: AbortSignal; onProgress: (share: number) => void },
  ): Promise<Transcription> {
    const form = new FormData()
    // Fields first: what reads the body in order knows them before the recording comes.
    for (const [name, value] of Object.entries(submission)) {
      if (value !== undefined && value !== '') form.append(name, String(value))
    }
    form.append('file', file, nameOf(file))
    const answer = await this.#authorized(options.signal, (authorization) =>
      upload({
        url: `${this.#settings.baseUrl}${TRANSCRIPTIONS}`,
        form,
        headers: {
          Accept: 'application/json',
          'Accept-Language': ACCEPT_LANGUAGE[this.#settings.locale ?? 'en'],
          ...this.#settings.headers,
          ...authorization,
          'Idempotency-Key': options.key,
        },
        signal: options.signal,
        onProgress: options.onProgress,
      }),
    )
    if (answer.status >= 400) throw errorOfAnswer(answer, this.messages)
    const made = answer.body as Transcription | undefined
    if (typeof made?.id !== 'string') {
      // What answers is not the service: a page of the front end, behind a proxy set wrong.
      throw errorOfAnswer({ ...answer, body: undefined }, this.messages)
    }
    return made
  }

  /** Read a transcription with its text, as far as it is there. */
  get(id: string, signal: AbortSignal): Promise<TranscriptionDetail> {
    return this.#call(signal, (headers) =>
      this.#client.GET(ONE, { params: { path: { id } }, headers, signal }),
    )
  }

  /** Open the stream of events, behind the event that was had last. */
  async events(
    id: string,
    lastEventId: string,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const stream = await this.#call(signal, (headers) =>
      this.#client.GET('/api/v1/transcriptions/{id}/events/', {
        params: {
          path: { id },
          header: lastEventId ? { 'Last-Event-ID': lastEventId } : {},
        },
        headers: { ...headers, Accept: 'text/event-stream' },
        parseAs: 'stream',
        cache: 'no-store',
        signal,
      }),
    )
    return stream as ReadableStream<Uint8Array>
  }

  /** Stop the work on a transcription. */
  cancel(id: string, signal: AbortSignal): Promise<Transcription> {
    return this.#call(signal, (headers) =>
      this.#client.POST('/api/v1/transcriptions/{id}/cancel/', {
        params: { path: { id } },
        headers,
        signal,
      }),
    )
  }

  /** Start a failed or cancelled transcription again. */
  retry(id: string, signal: AbortSignal): Promise<Transcription> {
    return this.#call(signal, (headers) =>
      this.#client.POST('/api/v1/transcriptions/{id}/retry/', {
        params: { path: { id } },
        headers,
        signal,
      }),
    )
  }

  /** Read the transcript as a file, with the name that the service gives it. */
  async download(
    id: string,
    format: DownloadFormat,
    signal: AbortSignal,
  ): Promise<{ blob: Blob; fileName: string }> {
    let disposition = ''
    const blob = await this.#call(signal, async (headers) => {
      const called = await this.#client.GET('/api/v1/transcriptions/{id}/download/', {
        params: { path: { id }, query: { format } },
        headers: { ...headers, Accept: '*/*' },
        parseAs: 'blob',
        signal,
      })
      disposition = called.response.headers.get('Content-Disposition') ?? ''
      return called as Called<Blob>
    })
    return { blob, fileName: fileNameIn(disposition) ?? `transcript.${format}` }
  }

  async #call<Data>(
    signal: AbortSignal,
    run: (headers: Record<string, string>) => Promise<Called<Data>>,
  ): Promise<Data> {
    let data: Data | undefined
    const answer = await this.#authorized(signal, async (authorization) => {
      const called = await run(authorization)
      data = called.data
      return answerOf(called)
    })
    if (answer.status >= 400 || data === undefined || data === null) {
      throw errorOfAnswer(answer, this.messages)
    }
    return data
  }

  /** Send with a token; where that is not accepted, once more with a fresh one. */
  async #authorized(
    signal: AbortSignal,
    send: (authorization: Record<string, string>) => Promise<Answer>,
  ): Promise<Answer> {
    const attempt = async (refresh: boolean): Promise<Answer> => {
      const token = await this.#token(refresh)
      signal.throwIfAborted()
      try {
        return await send(token ? { Authorization: `Bearer ${token}` } : {})
      } catch (error) {
        if (isAbort(error) || error instanceof TranscriptionError) throw error
        throw networkError(this.messages, error)
      }
    }
    const answer = await attempt(false)
    return isTokenRefused(answer) && this.#settings.getToken ? attempt(true) : answer
  }

  async #token(refresh: boolean): Promise<string> {
    try {
      return (await this.#settings.getToken?.({ refresh })) ?? ''
    } catch (error) {
      if (isAbort(error) || error instanceof TranscriptionError) throw error
      // The way that fetch tells that nothing came back.
      if (error instanceof TypeError) throw networkError(this.messages, error)
      throw new TranscriptionError(this.messages.tokenFailed, {
        kind: 'service',
        code: 'token_failed',
        cause: error,
      })
    }
  }
}

/** A recording under a token that has ended is refused by its size, before the token is read. */
function isTokenRefused({ status, body }: Answer): boolean {
  const code = (body as { code?: unknown } | null | undefined)?.code
  return status === 401 || (status === 413 && code === 'body_too_large_without_token')
}

function answerOf({ response, error }: Called<unknown>): Answer {
  return {
    status: response.status,
    header: (name) => response.headers.get(name),
    body: typeof error === 'string' ? parsed(error) : error,
  }
}

/** Return the file name of a Content-Disposition header; null: it has none. */
export function fileNameIn(disposition: string): string | null {
  const encoded = /filename\*=utf-8''([^;]+)/i.exec(disposition)?.[1]
  if (encoded) return decodeURIComponent(encoded)
  return /filename="((?:[^"\\]|\\.)*)"/i.exec(disposition)?.[1]?.replace(/\\(.)/g, '$1') ?? null
}
