/** Server-sent events over fetch: EventSource can send no Authorization header. */

export interface ServerEvent {
  /** "message" where the event has no name. */
  name: string
  data: string
  /** The last id so far; it is what Last-Event-ID repeats. */
  id: string
}

/** Takes the stream in pieces, however it is cut, and gives back the events as they end. */
export class EventParser {
  /** What the server wants a client to wait before it comes back; null: it did not say. */
  retryMs: number | null = null

  #line = ''
  #isAfterCr = false
  #isAtStart = true
  #name = ''
  #data: string[] = []
  #lastId = ''

  /** Return the events that this piece completes. */
  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = []
    let rest = piece
    if (this.#isAtStart && rest) {
      this.#isAtStart = false
      if (rest.startsWith('\uFEFF')) rest = rest.slice(1)
    }
    // A line ends by CR, LF or both, and both may come in different pieces.
    if (this.#isAfterCr && rest) {
      this.#isAfterCr = false
      if (rest.startsWith('\n')) rest = rest.slice(1)
    }
    for (;;) {
      const end = rest.search(/[\r\n]/)
      if (end < 0) break
      const line = this.#line + rest.slice(0, end)
      this.#line = ''
      if (rest[end] === '\r') {
        if (end + 1 === rest.length) this.#isAfterCr = true
        rest = rest.slice(rest[end + 1] === '\n' ? end + 2 : end + 1)
      } else {
        rest = rest.slice(end + 1)
      }
      const event = this.#take(line)
      if (event) events.push(event)
    }
    this.#line += rest
    return events
  }

  #take(line: string): ServerEvent | null {
    if (line === '') return this.#dispatch()
    if (line.startsWith(':')) return null
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#name = value
    else if (field === 'id' && !value.includes('\0')) this.#lastId = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
    return null
  }

  #dispatch(): ServerEvent | null {
    const event = this.#data.length
      ? { name: this.#name || 'message', data: this.#data.join('\n'), id: this.#lastId }
      : null
    this.#name = ''
    this.#data = []
    return event
  }
}

/** The stream said nothing for too long, not even a comment. */
export class StreamSilent extends Error {}

export interface ReadingOptions {
  signal: AbortSignal
  /** Longest wait for the first bytes: a proxy that keeps them back is no stream. */
  firstBytesMs: number
  /** Longest silence after that. */
  silenceMs: number
  onRetry: (milliseconds: number) => void
}

/** Yield the events of a stream until it ends; throws `StreamSilent`, and what reading throws. */
export async function* readEvents(
  stream: ReadableStream<Uint8Array>,
  options: ReadingOptions,
): AsyncGenerator<ServerEvent> {
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  const parser = new EventParser()
  const stop = (): void => void reader.cancel().catch(() => undefined)
  options.signal.addEventListener('abort', stop, { once: true })
  let patienceMs = options.firstBytesMs
  try {
    for (;;) {
      const { done, value } = await within(patienceMs, reader.read())
      options.signal.throwIfAborted()
      if (done) return
      patienceMs = options.silenceMs
      const events = parser.push(decoder.decode(value, { stream: true }))
      if (parser.retryMs !== null) options.onRetry(parser.retryMs)
      yield* events
    }
  } finally {
    options.signal.removeEventListener('abort', stop)
    stop()
  }
}

async function within<T>(milliseconds: number, waited: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StreamSilent()), milliseconds)
  })
  try {
    return await Promise.race([waited, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
