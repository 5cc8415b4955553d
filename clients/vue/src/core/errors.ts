/** What can go wrong, in three kinds: the network, the service, the recording. */
import type { Messages } from './messages'
import { fill } from './messages'

/**
 * - `network`: nothing came back. Trying again is safe: the Idempotency-Key is kept.
 * - `service`: the service answered, and refused or failed.
 * - `format`: the recording is the reason, seen before it is sent or by the service.
 */
export type ErrorKind = 'network' | 'service' | 'format'

/** Codes of the service that are about the recording itself (docs/errors.md, 3… and two of 2…). */
export const FORMAT_CODES: ReadonlySet<string> = new Set([
  'empty_file',
  'body_too_large',
  'not_audio',
  'no_audio_track',
  'audio_too_short',
  'audio_too_long',
  'damaged_audio',
  'decode_timeout',
  'decode_out_of_memory',
  'decoder_crashed',
])

export interface ErrorDetails {
  kind: ErrorKind
  /** Stable: one of docs/errors.md, or one of `LocalCode`. */
  code: string
  /** Of HTTP; 0 where there was no answer. */
  status?: number
  /** Names the request in the service's log; "" where there was no answer. */
  requestId?: string
  /** When the service wants to be asked again; null: it did not say. */
  retryAfterSeconds?: number | null
  cause?: unknown
}

/** Codes that say: the token is none, or has ended. The service's words are for programmers. */
const TOKEN_CODES: ReadonlySet<string> = new Set([
  'authentication_required',
  'invalid_token',
  'body_too_large_without_token',
])

/** Errors that no service tells: it was not reached, or not asked. */
export type LocalCode =
  | 'network_failed'
  | 'stream_silent'
  | 'wrong_type'
  | 'empty_file'
  | 'body_too_large'
  | 'token_failed'
  | 'unreadable_answer'

/** An error that a person can be shown: its message says what to do, in the chosen language. */
export class TranscriptionError extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly status: number
  readonly requestId: string
  readonly retryAfterSeconds: number | null

  constructor(message: string, details: ErrorDetails) {
    super(message, { cause: details.cause })
    this.name = 'TranscriptionError'
    this.kind = details.kind
    this.code = details.code
    this.status = details.status ?? 0
    this.requestId = details.requestId ?? ''
    this.retryAfterSeconds = details.retryAfterSeconds ?? null
  }

  /** Whether the same request may work a little later without anybody doing anything. */
  get isTransient(): boolean {
    return this.kind === 'network' || [429, 502, 503, 504].includes(this.status)
  }
}

/** An answer as both ways of sending give it. */
export interface Answer {
  status: number
  header(name: string): string | null
  /** Parsed JSON; undefined where it was none. */
  body: unknown
}

/** Return the error that an answer with a status of 400 or more tells. */
export function errorOfAnswer(answer: Answer, messages: Messages): TranscriptionError {
  const told = toldBy(answer.body)
  // A proxy in front refuses large bodies in words of its own.
  const code = told?.code ?? (answer.status === 413 ? 'body_too_large' : 'unreadable_answer')
  const unexplained =
    answer.status === 413 ? messages.tooLargeForProxy : messages.unreadableAnswer
  const message = TOKEN_CODES.has(code)
    ? messages.tokenRefused
    : (told?.message ?? fill(unexplained, { status: answer.status }))
  const seconds = Number(answer.header('Retry-After') ?? Number.NaN)
  return new TranscriptionError(message, {
    kind: FORMAT_CODES.has(code) ? 'format' : 'service',
    code,
    status: answer.status,
    requestId: told?.requestId || answer.header('X-Request-ID') || '',
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : null,
  })
}

/** Return the error of a recording that was accepted and then failed. */
export function errorOfRecording(problem: { code: string; message: string }): TranscriptionError {
  return new TranscriptionError(problem.message, {
    kind: FORMAT_CODES.has(problem.code) ? 'format' : 'service',
    code: problem.code,
  })
}

export function networkError(messages: Messages, cause: unknown): TranscriptionError {
  return new TranscriptionError(messages.networkFailed, {
    kind: 'network',
    code: 'network_failed',
    cause,
  })
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

function toldBy(body: unknown): { code: string; message: string; requestId: string } | null {
  if (typeof body !== 'object' || body === null) return null
  const { code, message, request_id: requestId } = body as Record<string, unknown>
  if (typeof code !== 'string' || typeof message !== 'string') return null
  return { code, message, requestId: typeof requestId === 'string' ? requestId : '' }
}
