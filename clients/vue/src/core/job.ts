/** One recording's way from the page to its text: knows no framework. */
import { ACCEPT, checkFile, MAX_BYTES } from './check'
import { errorOfRecording, isAbort, networkError, TranscriptionError } from './errors'
import type { DownloadFormat, Submission, TranscriptionDetail } from './service'
import { Service } from './service'
import { readEvents, StreamSilent } from './sse'
import type { JobSettings, Timing, TranscriptionState } from './state'
import { NOTHING, TIMING } from './state'
import type { LiveSegment } from './text'
import { joinSegments } from './text'

/** What the events `progress` and `end` hold. */
interface ProgressData {
  status: TranscriptionDetail['status']
  progress: number
  duration_seconds: number | null
}

export interface StartOptions extends Submission {
  /** Made anew for each recording; give one to have it outlive a reload of the page. */
  idempotencyKey?: string
}

export class TranscriptionJob {
  readonly #settings: () => JobSettings
  readonly #listeners = new Set<(state: TranscriptionState) => void>()
  #state = NOTHING
  #service: Service
  #timing: Timing = TIMING
  #controller = new AbortController()
  #file: Blob | null = null
  #submission: Submission = {}
  #key = ''
  #segments = new Map<number, LiveSegment>()
  /** Whether the service itself has ended it, so that it must be started there again. */
  #isEndedThere = false

  /** `settings` is asked at each start, so that a page may change them in between. */
  constructor(settings: () => JobSettings) {
    this.#settings = settings
    this.#service = new Service(settings())
  }

  get state(): TranscriptionState {
    return this.#state
  }

  get isRunning(): boolean {
    return ['uploading', 'queued', 'processing'].includes(this.#state.status)
  }

  /** Call the listener at every change; returns the way to stop that. */
  subscribe(listener: (state: TranscriptionState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Send a recording in and follow it to its end. What ran before is left.
   *
   * Resolves when it is over, and never rejects: errors are in the state.
   */
  async start(file: Blob, options: StartOptions = {}): Promise<TranscriptionState> {
    const { idempotencyKey, ...submission } = options
    this.#file = file
    this.#submission = submission
    this.#key = idempotencyKey ?? newKey()
    return this.#run((signal) => this.#send(file, signal), {})
  }

  /** Follow a transcription that was sent in before, as after a reload of the page. */
  async resume(id: string): Promise<TranscriptionState> {
    this.#file = null
    this.#isEndedThere = false
    return this.#run((signal) => this.#follow(id, signal), { status: 'queued', id })
  }

  /** Stop it: the sending, or the work in the service. What text there is stays. */
  async cancel(): Promise<void> {
    const { status, id } = this.#state
    if (!this.isRunning) return
    if (status === 'uploading' || id === null) {
      this.#controller.abort()
      this.#set({ status: 'cancelled', connection: null })
      return
    }
    const { signal } = this.#controller
    let serviceGoesOn = false
    try {
      await this.#service.cancel(id, signal)
    } catch (error) {
      if (isAbort(error) || signal.aborted) return
      const problem = this.#problemOf(error)
      // It was over before: how it ended comes by itself.
      if (problem.code === 'wrong_status') return
      if (problem.code !== 'browser_token_limited') {
        this.#set({ error: problem })
        return
      }
      serviceGoesOn = true
    }
    if (signal.aborted) return
    this.#controller.abort()
    this.#isEndedThere = !serviceGoesOn
    this.#set({ status: 'cancelled', connection: null, error: null, serviceGoesOn })
  }

  /**
   * Try again what failed or was cancelled.
   *
   * What the service may have had already is sent under the same key, so that it is not
   * recognised twice; what failed there is started there again.
   */
  async retry(): Promise<TranscriptionState> {
    const { status, id, error } = this.#state
    if (status !== 'failed' && status !== 'cancelled') return this.#state
    const file = this.#file
    if (id === null) {
      if (!file) return this.#state
      if (error?.code.startsWith('idempotency_')) this.#key = newKey()
      return this.#run((signal) => this.#send(file, signal), {})
    }
    return this.#run(
      async (signal) => {
        if (this.#isEndedThere && !(await this.#restart(id, signal))) {
          if (!file) throw error ?? networkError(this.#service.messages, null)
          this.#key = newKey()
          this.#set({ status: 'uploading', id: null })
          return this.#send(file, signal)
        }
        return this.#follow(id, signal)
      },
      { status: 'queued', id, uploadProgress: 1 },
    )
  }

  /** Read the finished transcript as a file; throws `TranscriptionError`. */
  async download(format: DownloadFormat): Promise<{ blob: Blob; fileName: string }> {
    const { id } = this.#state
    if (id === null) throw new Error('There is no transcription to download')
    try {
      return await this.#service.download(id, format, this.#controller.signal)
    } catch (error) {
      throw isAbort(error) ? error : this.#problemOf(error)
    }
  }

  /** Leave what runs, and start from nothing. The service goes on with what it was given. */
  reset(): void {
    this.#controller.abort()
    this.#file = null
    this.#segments.clear()
    this.#state = NOTHING
    this.#tell()
  }

  /** Leave what runs for good: nobody is told of anything any more. */
  dispose(): void {
    this.#listeners.clear()
    this.#controller.abort()
  }

  // --- inside ---------------------------------------------------------------------------------

  async #run(
    work: (signal: AbortSignal) => Promise<void>,
    begin: Partial<TranscriptionState>,
  ): Promise<TranscriptionState> {
    this.#controller.abort()
    const controller = new AbortController()
    this.#controller = controller
    const settings = this.#settings()
    this.#service = new Service(settings)
    this.#timing = { ...TIMING, ...settings.timing }
    this.#segments.clear()
    const fileName = this.#file instanceof File ? this.#file.name : ''
    this.#state = { ...NOTHING, status: 'uploading', fileName, ...begin }
    this.#tell()
    try {
      await work(controller.signal)
    } catch (error) {
      // Whoever stopped it has said how it stands.
      if (!controller.signal.aborted) {
        this.#set({ status: 'failed', error: this.#problemOf(error), connection: null })
      }
    }
    return this.#state
  }

  async #send(file: Blob, signal: AbortSignal): Promise<void> {
    const { accept = ACCEPT, maxBytes = MAX_BYTES } = this.#settings()
    checkFile(file, { accept, maxBytes }, this.#service.messages)
    for (let tries = 1; ; tries += 1) {
      try {
        const made = await this.#service.create(file, this.#submission, {
          key: this.#key,
          signal,
          onProgress: (share) => {
            if (!signal.aborted) this.#set({ uploadProgress: share })
          },
        })
        signal.throwIfAborted()
        this.#isEndedThere = false
        this.#set({ id: made.id, uploadProgress: 1, status: 'queued' })
        return await this.#follow(made.id, signal)
      } catch (error) {
        signal.throwIfAborted()
        const problem = this.#problemOf(error)
        const isWorthIt = problem.isTransient && this.#state.id === null
        if (!isWorthIt || tries >= this.#timing.uploadTries) throw problem
        await this.#pause(problem, this.#timing.uploadRetryMs, tries, signal)
        this.#set({ uploadProgress: 0 })
      }
    }
  }

  /** Return whether the service could start it again; false: it must be sent anew. */
  async #restart(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#service.retry(id, signal)
      this.#isEndedThere = false
      return true
    } catch (error) {
      signal.throwIfAborted()
      const { code } = this.#problemOf(error)
      // It is running or completed: it is followed as it is.
      if (code === 'wrong_status') return true
      if (['browser_token_limited', 'not_found', 'recording_missing'].includes(code)) return false
      throw error
    }
  }

  /** Follow it by its events, and by asking where no events come through, until it is over. */
  async #follow(id: string, signal: AbortSignal): Promise<void> {
    const place = { lastEventId: '', reconnectMs: this.#timing.reconnectMs }
    let idleStreams = 0
    let failedPolls = 0
    for (;;) {
      signal.throwIfAborted()
      const byPolling = idleStreams >= this.#timing.streamTries
      let problem: TranscriptionError | null = null
      try {
        if (byPolling) {
          this.#set({ connection: failedPolls ? 'reconnecting' : 'polling' })
          if (this.#takeDetail(await this.#service.get(id, signal))) return
          // The network was away, not the stream: that is worth another try.
          if (failedPolls) idleStreams = 0
          failedPolls = 0
        } else {
          const said = await this.#listen(id, place, signal)
          if (said.isOver) {
            await this.#finish(id, signal)
            return
          }
          idleStreams = said.events ? 1 : idleStreams + 1
        }
      } catch (error) {
        signal.throwIfAborted()
        problem = this.#problemOf(error)
        if (!problem.isTransient) throw problem
        if (!byPolling) idleStreams += 1
        else if ((failedPolls += 1) >= this.#timing.pollTries) throw problem
      }
      if (!byPolling || problem) this.#set({ connection: 'reconnecting' })
      const pauseMs = byPolling ? this.#timing.pollMs : place.reconnectMs
      await this.#pause(problem, pauseMs, failedPolls + 1, signal)
    }
  }

  /** Read one stream to its end; tells whether the transcription is over, and how many events. */
  async #listen(
    id: string,
    place: { lastEventId: string; reconnectMs: number },
    signal: AbortSignal,
  ): Promise<{ isOver: boolean; events: number }> {
    let events = 0
    try {
      const stream = await this.#service.events(id, place.lastEventId, signal)
      const reading = readEvents(stream, {
        signal,
        firstBytesMs: this.#timing.firstBytesMs,
        silenceMs: this.#timing.silenceMs,
        onRetry: (milliseconds) => {
          place.reconnectMs = milliseconds
        },
      })
      for await (const event of reading) {
        events += 1
        if (event.id) place.lastEventId = event.id
        if (event.name === 'end') return { isOver: true, events }
        if (event.name === 'gone') return { isOver: true, events }
        this.#takeEvent(event.name, JSON.parse(event.data))
      }
    } catch (error) {
      // A stream that breaks off after it told something is one that works.
      signal.throwIfAborted()
      if (error instanceof TranscriptionError || !events) throw error
    }
    return { isOver: false, events }
  }

  #takeEvent(name: string, data: unknown): void {
    if (name === 'progress') {
      const { status, progress, duration_seconds: durationSeconds } = data as ProgressData
      const isOver = status !== 'queued' && status !== 'processing'
      this.#set({
        progress,
        durationSeconds,
        connection: 'live',
        // How it ended is told with all that belongs to it.
        ...(isOver ? {} : { status }),
      })
    } else if (name === 'segment') {
      const segment = data as LiveSegment
      // The same one may come twice, where a connection broke between two.
      this.#segments.set(segment.start_seconds, segment)
      this.#showSegments()
    } else if (name === 'reset') {
      this.#segments.clear()
      this.#showSegments()
    }
  }

  #showSegments(): void {
    const segments = [...this.#segments.values()].sort((a, b) => a.start_seconds - b.start_seconds)
    this.#set({ segments, text: joinSegments(segments), connection: 'live' })
  }

  /** Read the final text; a connection that breaks here is waited for as well. */
  async #finish(id: string, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        if (this.#takeDetail(await this.#service.get(id, signal))) return
      } catch (error) {
        signal.throwIfAborted()
        const problem = this.#problemOf(error)
        if (!problem.isTransient || tries >= this.#timing.pollTries) throw problem
        this.#set({ connection: 'reconnecting' })
        await this.#pause(problem, this.#timing.pollMs, tries, signal)
        continue
      }
      await this.#pause(null, this.#timing.pollMs, 1, signal)
    }
  }

  /** Show a transcription as it was read; returns whether it is over. */
  #takeDetail(detail: TranscriptionDetail): boolean {
    const isOver = detail.status !== 'queued' && detail.status !== 'processing'
    this.#isEndedThere = detail.status === 'failed' || detail.status === 'cancelled'
    this.#set({
      status: detail.status,
      progress: detail.progress,
      text: detail.text,
      segments: detail.segments,
      language: detail.language,
      durationSeconds: detail.duration_seconds,
      model: detail.model,
      warnings: detail.warnings,
      fileName: this.#state.fileName || detail.file_name,
      error: detail.status === 'failed' && detail.error ? errorOfRecording(detail.error) : null,
      ...(isOver && { connection: null }),
    })
    return isOver
  }

  #problemOf(error: unknown): TranscriptionError {
    if (error instanceof TranscriptionError) return error
    const { messages } = this.#service
    if (error instanceof StreamSilent) {
      return new TranscriptionError(messages.streamSilent, {
        kind: 'network',
        code: 'stream_silent',
        cause: error,
      })
    }
    // A connection that breaks while its answer is read.
    return networkError(messages, error)
  }

  /**
   * Wait as long as the service wants; else longer from one try to the next.
   *
   * Throws the problem where the service wants more than anybody waits for, as with a quota.
   */
  #pause(
    problem: TranscriptionError | null,
    baseMs: number,
    tries: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { longestPauseMs, longestAskedMs } = this.#timing
    const grownMs = Math.min(baseMs * 2 ** Math.min(tries - 1, 10), longestPauseMs)
    // Clients that lost the same service do not all come back at once.
    const spreadMs = grownMs * (0.8 + 0.4 * Math.random())
    const askedMs = (problem?.retryAfterSeconds ?? 0) * 1000
    if (problem && askedMs > longestAskedMs) return Promise.reject(problem)
    return sleep(Math.max(spreadMs, askedMs), signal)
  }

  #set(change: Partial<TranscriptionState>): void {
    this.#state = { ...this.#state, ...change }
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#state)
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const stop = (): void => {
      clearTimeout(timer)
      reject(new DOMException('It was stopped', 'AbortError'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** Return a key that nobody else has. crypto.randomUUID is there on HTTPS and localhost only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
