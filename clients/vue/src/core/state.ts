/** What a page sees of a transcription, and what it may set. */
import type { TranscriptionError } from './errors'
import type { ServiceSettings } from './service'
import type { LiveSegment } from './text'

export type Status =
  | 'idle'
  | 'uploading'
  | 'queued'
  | 'processing'
  | 'completed'
  | 'failed'
  | 'cancelled'

/** All that a page shows of a transcription. A new object at every change. */
export interface TranscriptionState {
  readonly status: Status
  /** Name of the recording; "" before there is one. */
  readonly fileName: string
  /** 0 to 1: how much of the recording has been sent. */
  readonly uploadProgress: number
  /** 0 to 1: how much of it has been recognised. */
  readonly progress: number
  /** As far as it is there; final where the status is `completed`. */
  readonly text: string
  /** In the order of their times. */
  readonly segments: readonly LiveSegment[]
  /** Of the transcription in the service; null: it has not been accepted. */
  readonly id: string | null
  readonly language: string | null
  readonly durationSeconds: number | null
  readonly model: string | null
  /** Codes such as `no_speech`, `partial_text`. */
  readonly warnings: readonly string[]
  readonly error: TranscriptionError | null
  /** How news come in; null: none are awaited. */
  readonly connection: 'live' | 'polling' | 'reconnecting' | null
  /** Cancelled here, while the service works on: the token may not cancel. */
  readonly serviceGoesOn: boolean
}

export interface JobSettings extends ServiceSettings {
  /** As the attribute of a file input; checked before anything is sent. */
  accept?: string
  maxBytes?: number
  timing?: Partial<Timing>
}

/** Pauses, in milliseconds, and how often something is tried. */
export interface Timing {
  uploadTries: number
  uploadRetryMs: number
  /** Until the stream says itself what it wants. */
  reconnectMs: number
  /** Streams that end without an event before it is asked by polling. */
  streamTries: number
  pollMs: number
  /** Polls without an answer, one after another, before it is given up. */
  pollTries: number
  longestPauseMs: number
  /** Where the service asks for a longer pause than this, a person is told instead. */
  longestAskedMs: number
  firstBytesMs: number
  /** Three times the service's own signs of life (ASR_KEEP_ALIVE_SECONDS). */
  silenceMs: number
}

export const TIMING: Timing = {
  uploadTries: 3,
  uploadRetryMs: 1_000,
  reconnectMs: 2_000,
  streamTries: 3,
  pollMs: 2_000,
  pollTries: 30,
  longestPauseMs: 10_000,
  longestAskedMs: 60_000,
  firstBytesMs: 10_000,
  silenceMs: 45_000,
}

export const NOTHING: TranscriptionState = {
  status: 'idle',
  fileName: '',
  uploadProgress: 0,
  progress: 0,
  text: '',
  segments: [],
  id: null,
  language: null,
  durationSeconds: null,
  model: null,
  warnings: [],
  error: null,
  connection: null,
  serviceGoesOn: false,
}
