import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { JobSettings, TranscriptionState } from '../src/core'
import { cachedToken, MESSAGES, requestBrowserToken, TranscriptionJob } from '../src/core'
import type { Reply } from './service'
import {
  ACCEPTED,
  CANCEL,
  CREATE,
  detail,
  end,
  EVENTS,
  EventStream,
  FakeService,
  ID,
  progress,
  READ,
  recording,
  refusal,
  RETRY,
  segment,
} from './service'

const FAST: JobSettings['timing'] = {
  uploadRetryMs: 1,
  reconnectMs: 1,
  pollMs: 1,
  longestPauseMs: 2,
  firstBytesMs: 1_000,
  silenceMs: 1_000,
  pollTries: 3,
}

let service: FakeService
let seen: TranscriptionState[]

beforeEach(() => {
  service = new FakeService()
  service.install()
  seen = []
})
afterEach(() => vi.unstubAllGlobals())

function jobWith(settings: JobSettings = {}): TranscriptionJob {
  const job = new TranscriptionJob(() => ({
    baseUrl: 'https://asr.test/',
    timing: FAST,
    ...settings,
  }))
  job.subscribe((state) => seen.push(state))
  return job
}

function streaming(...events: string[]): Reply {
  return { status: 200, stream: new EventStream(...events) }
}

const reach = (job: TranscriptionJob, status: TranscriptionState['status']) =>
  vi.waitFor(() => expect(job.state.status).toBe(status))

describe('a recording', () => {
  it('is sent, waited for, and its text grows until it is final', async () => {
    const events = new EventStream(
      progress('queued', 0),
      progress('processing', 0.1, '0.1'),
      segment(4, 'How are you?', '8.2'),
      segment(0, 'Hello there.', '8.3'),
      progress('processing', 0.9, '8.3'),
      end(),
    )
    service.on(CREATE, ACCEPTED).on(EVENTS, { status: 200, stream: events }).on(READ, detail())
    const over = await jobWith().start(recording(), { language: 'en', words: true, prompt: '' })

    expect(over).toMatchObject({
      status: 'completed',
      text: 'Hello there. How are you?',
      language: 'en',
      durationSeconds: 8.5,
      error: null,
      connection: null,
    })
    expect([...new Set(seen.map((state) => state.status))]).toEqual([
      'uploading',
      'queued',
      'processing',
      'completed',
    ])
    expect(seen.map((state) => state.uploadProgress)).toContain(0.25)
    expect([...new Set(seen.map((state) => state.text))]).toEqual([
      '',
      'How are you?',
      'Hello there. How are you?',
    ])
    const form = service.calls(CREATE)[0]?.form
    expect((form?.get('file') as File).name).toBe('talk.wav')
    expect([form?.get('language'), form?.get('words'), form?.has('prompt')]).toEqual([
      'en',
      'true',
      false,
    ])
    expect(events.isCancelled).toBe(true)
  })

  it('starts its text anew when the service says that what it told no longer holds', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming(segment(3, 'Old.'), 'event: reset\ndata: {}\n\n', segment(0, 'New.'), end()))
      .on(READ, detail({ text: 'New.' }))
    await jobWith().start(recording())
    expect([...new Set(seen.map((state) => state.text))]).toEqual(['', 'Old.', 'New.'])
  })

  it('is followed on by its id after a reload of the page', async () => {
    service.on(EVENTS, streaming(end())).on(READ, detail())
    const over = await jobWith().resume(ID)
    expect(over).toMatchObject({ status: 'completed', fileName: 'talk.wav', id: ID })
  })

  it('tells the service the language of its messages', async () => {
    service.on(CREATE, ACCEPTED).on(EVENTS, streaming(end())).on(READ, detail())
    await jobWith({ locale: 'zh', headers: { 'X-CSRFToken': 'abc' } }).start(recording())
    expect(service.received.map((one) => one.headers.get('Accept-Language'))).toEqual(
      Array(3).fill('zh-hans'),
    )
    expect(service.received.map((one) => one.headers.get('X-CSRFToken'))).toEqual(
      Array(3).fill('abc'),
    )
  })
})

describe('a network that fails', () => {
  it('is tried again under the same key, and told in words when it stays away', async () => {
    service.on(CREATE, 'lost')
    const over = await jobWith().start(recording())

    expect(over.status).toBe('failed')
    expect(over.error).toMatchObject({
      kind: 'network',
      code: 'network_failed',
      message: MESSAGES.en.networkFailed,
    })
    const keys = service.calls(CREATE).map((one) => one.headers.get('Idempotency-Key'))
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
  })

  it('does not change the key when a person tries again, and another recording gets another', async () => {
    service
      .on(CREATE, 'lost', 'lost', 'lost', ACCEPTED)
      .on(EVENTS, streaming(end()))
      .on(READ, detail())
    const job = jobWith()
    await job.start(recording())
    expect((await job.retry()).status).toBe('completed')
    service.on(EVENTS, streaming(end()))
    await job.start(recording())
    const keys = service.calls(CREATE).map((one) => one.headers.get('Idempotency-Key'))
    expect(new Set(keys.slice(0, 4)).size).toBe(1)
    expect(keys[4]).not.toBe(keys[0])
  })

  it('is reconnected from the event that was had last', async () => {
    const first = new EventStream(segment(0, 'Hello there.', '4.1'))
    service
      .on(CREATE, ACCEPTED)
      .on(
        EVENTS,
        { status: 200, stream: first },
        streaming(segment(0, 'Hello there.'), segment(4, 'How are you?', '8.1'), end()),
      )
      .on(READ, detail())
    const job = jobWith()
    const over = job.start(recording())
    await vi.waitFor(() => expect(job.state.text).toBe('Hello there.'))
    first.break()

    expect((await over).status).toBe('completed')
    expect(service.calls(EVENTS).map((one) => one.headers.get('Last-Event-ID'))).toEqual([
      null,
      '4.1',
    ])
    expect(seen.map((state) => state.connection)).toContain('reconnecting')
    // What came twice is there once.
    expect(seen.at(-2)?.text).toBe('Hello there. How are you?')
  })

  it('falls back to asking where no stream comes through', async () => {
    const nothing = (): Reply => ({ status: 200, stream: new EventStream().close() })
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, nothing, nothing, nothing)
      .on(
        READ,
        detail({ status: 'processing', progress: 0.5, text: 'Hello there.' }),
        'lost',
        detail({ status: 'processing', progress: 0.7, text: 'Hello there.' }),
        detail(),
      )
    const over = await jobWith().start(recording())
    expect(over.status).toBe('completed')
    expect(seen.find((state) => state.connection === 'polling')).toBeDefined()
    expect(seen.find((state) => state.text === 'Hello there.')?.status).toBe('processing')
    // The network was away in between: then the stream deserves another try.
    expect(service.calls(EVENTS).length).toBeGreaterThan(3)
  })

  it('is given up in the end, and a person goes on where it broke, without sending again', async () => {
    service.on(CREATE, ACCEPTED).on(EVENTS, 'lost').on(READ, 'lost')
    const job = jobWith()
    const lost = await job.start(recording())
    expect(lost).toMatchObject({ status: 'failed', id: ID, error: { kind: 'network' } })

    service.on(EVENTS, streaming(end())).on(READ, detail())
    expect((await job.retry()).status).toBe('completed')
    expect(service.calls(CREATE)).toHaveLength(1)
    expect(service.calls(RETRY)).toHaveLength(0)
  })

  it('is a network error too where the page cannot reach its own server for a token', async () => {
    const getToken = () => Promise.reject(new TypeError('Failed to fetch'))
    const over = await jobWith({ getToken }).start(recording())
    expect(over.error?.kind).toBe('network')
  })
})

describe('a service that refuses or fails', () => {
  it('is told by its code, its words and its request id, and is not asked again', async () => {
    service.on(CREATE, refusal(403, 'permission_denied'))
    const over = await jobWith().start(recording())
    expect(over.status).toBe('failed')
    expect(over.error).toMatchObject({
      kind: 'service',
      code: 'permission_denied',
      message: 'Words of permission_denied.',
      requestId: 'req-1234',
      status: 403,
    })
    expect(service.calls(CREATE)).toHaveLength(1)
  })

  it('is asked again when it says that it is busy', async () => {
    service
      .on(CREATE, refusal(503, 'service_unavailable', { 'Retry-After': '0' }), ACCEPTED)
      .on(EVENTS, refusal(429, 'rate_limited'), streaming(end()))
      .on(READ, detail())
    expect((await jobWith().start(recording())).status).toBe('completed')
  })

  it('is not waited for where it asks for hours', async () => {
    service.on(CREATE, refusal(429, 'daily_quota_used', { 'Retry-After': '40000' }))
    const over = await jobWith().start(recording())
    expect(over.error).toMatchObject({ code: 'daily_quota_used', retryAfterSeconds: 40000 })
    expect(service.calls(CREATE)).toHaveLength(1)
  })

  it('is told by its status where a proxy answers with a page', async () => {
    service.on(CREATE, { status: 500, body: '<h1>Oops</h1>', headers: { 'X-Request-ID': 'abc' } })
    const over = await jobWith().start(recording())
    expect(over.error).toMatchObject({
      kind: 'service',
      code: 'unreadable_answer',
      requestId: 'abc',
    })
    expect(over.error?.message).toContain('500')
  })

  it('is not taken for the service where the front end answers with a page of its own', async () => {
    service.on(CREATE, { status: 200, body: '<!doctype html>' })
    expect((await jobWith().start(recording())).error?.code).toBe('unreadable_answer')
  })

  it('is told when the transcription is deleted meanwhile', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming('event: gone\ndata: {}\n\n'))
      .on(READ, refusal(404, 'not_found'))
    expect((await jobWith().start(recording())).error?.code).toBe('not_found')
  })

  it('is told in the words of the recording that failed, which is started again there', async () => {
    const error = { code: 'recognition_failed', message: 'No part could be recognised.' }
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming(end('failed')), streaming(end()))
      .on(READ, detail({ status: 'failed', error }), detail())
      .on(RETRY, ACCEPTED)
    const job = jobWith()
    const failed = await job.start(recording())
    expect(failed.error).toMatchObject({ kind: 'service', ...error })
    expect((await job.retry()).status).toBe('completed')
    expect(service.calls(RETRY)).toHaveLength(1)
    expect(service.calls(CREATE)).toHaveLength(1)
  })

  it('gets the recording anew under a new key where the token may not start it again', async () => {
    const error = { code: 'worker_crashed', message: 'The worker broke.' }
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming(end('failed')), streaming(end()))
      .on(READ, detail({ status: 'failed', error }), detail())
      .on(RETRY, refusal(403, 'browser_token_limited'))
    const job = jobWith()
    await job.start(recording())
    expect((await job.retry()).status).toBe('completed')
    const keys = service.calls(CREATE).map((one) => one.headers.get('Idempotency-Key'))
    expect(new Set(keys).size).toBe(2)
  })

  it('gets a new key where it says that the old one is used up', async () => {
    service
      .on(CREATE, refusal(410, 'idempotency_deleted'), ACCEPTED)
      .on(EVENTS, streaming(end()))
      .on(READ, detail())
    const job = jobWith()
    await job.start(recording(), { idempotencyKey: 'mine' })
    await job.retry()
    const keys = service.calls(CREATE).map((one) => one.headers.get('Idempotency-Key'))
    expect(keys[0]).toBe('mine')
    expect(keys[1]).not.toBe('mine')
  })
})

describe('a recording of the wrong format', () => {
  it.each([
    ['empty_file', recording('empty.wav', 'audio/wav', ''), '“empty.wav” is empty'],
    ['wrong_type', recording('letter.pdf', 'application/pdf'), '“letter.pdf” is not a recording'],
    ['body_too_large', recording('long.wav', 'audio/wav', 'x'.repeat(2048)), '2 KiB; at most 1 KiB'],
  ])('is refused before anything is sent: %s', async (code, file, words) => {
    const over = await jobWith({ maxBytes: 1024 }).start(file)
    expect(over).toMatchObject({ status: 'failed', error: { kind: 'format', code } })
    expect(over.error?.message).toContain(words)
    expect(service.received).toEqual([])
  })

  it.each([
    ['talk.opus', ''],
    ['TALK.MP3', ''],
    ['talk', 'audio/webm;codecs=opus'],
    ['talk.mov', 'video/quicktime'],
  ])('is not what %s of type “%s” is', async (name, type) => {
    service.on(CREATE, ACCEPTED).on(EVENTS, streaming(end())).on(READ, detail())
    expect((await jobWith().start(recording(name, type))).status).toBe('completed')
  })

  it('is told by the service when it looks at the content', async () => {
    const error = { code: 'not_audio', message: 'The file is not a recording.' }
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming(end('failed')))
      .on(READ, detail({ status: 'failed', error }))
    const over = await jobWith().start(recording('letter.wav'))
    expect(over.error).toMatchObject({ kind: 'format', ...error })
  })

  it('is told when a proxy lets nothing so large through', async () => {
    service.on(CREATE, { status: 413, body: '<h1>413 Request Entity Too Large</h1>' })
    const over = await jobWith().start(recording())
    expect(over.error).toMatchObject({ kind: 'format', code: 'body_too_large', status: 413 })
  })
})

describe('cancelling', () => {
  it('stops the sending, and trying again uses the same key', async () => {
    service.on(CREATE, 'never')
    const job = jobWith()
    const over = job.start(recording())
    await vi.waitFor(() => expect(service.calls(CREATE)).toHaveLength(1))
    await job.cancel()
    expect(await over).toMatchObject({ status: 'cancelled', error: null })
    expect(service.openUploads).toBe(0)

    service.on(CREATE, ACCEPTED).on(EVENTS, streaming(end())).on(READ, detail())
    await job.retry()
    const keys = service.calls(CREATE).map((one) => one.headers.get('Idempotency-Key'))
    expect(new Set(keys).size).toBe(1)
  })

  it('stops the work in the service and keeps the text', async () => {
    const events = new EventStream(progress('processing', 0.5), segment(0, 'Hello there.'))
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, { status: 200, stream: events }, streaming(end()))
      .on(CANCEL, { status: 200, body: { id: ID, status: 'cancelled' } })
      .on(RETRY, ACCEPTED)
      .on(READ, detail())
    const job = jobWith()
    const over = job.start(recording())
    await vi.waitFor(() => expect(job.state.text).toBe('Hello there.'))
    await job.cancel()
    expect(await over).toMatchObject({
      status: 'cancelled',
      text: 'Hello there.',
      serviceGoesOn: false,
    })
    await vi.waitFor(() => expect(events.isCancelled).toBe(true))
    expect((await job.retry()).status).toBe('completed')
    expect(service.calls(RETRY)).toHaveLength(1)
  })

  it('is for this page alone where the token may not cancel, and says so', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming(progress('processing', 0.5)), streaming(end()))
      .on(CANCEL, refusal(403, 'browser_token_limited'))
      .on(READ, detail())
    const job = jobWith()
    const over = job.start(recording())
    await reach(job, 'processing')
    await job.cancel()
    expect(await over).toMatchObject({ status: 'cancelled', serviceGoesOn: true, error: null })
    // Trying again follows what the service still works on.
    expect((await job.retry()).status).toBe('completed')
    expect(service.calls(CREATE)).toHaveLength(1)
  })

  it('goes on and says why where the service cannot be reached for it', async () => {
    const events = new EventStream(progress('processing', 0.5))
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, { status: 200, stream: events })
      .on(CANCEL, 'lost', refusal(409, 'wrong_status'))
      .on(READ, detail())
    const job = jobWith()
    const over = job.start(recording())
    await reach(job, 'processing')
    await job.cancel()
    expect(job.state).toMatchObject({ status: 'processing', error: { kind: 'network' } })
    await job.cancel() // too late: it is over
    expect(job.state.status).toBe('processing')
    events.write(end())
    expect(await over).toMatchObject({ status: 'completed', error: null })
  })
})

describe('leaving', () => {
  it('stops what runs and tells nobody any more', async () => {
    const events = new EventStream(progress('processing', 0.5))
    service.on(CREATE, ACCEPTED).on(EVENTS, { status: 200, stream: events })
    const job = jobWith()
    const over = job.start(recording())
    await reach(job, 'processing')
    const told = seen.length
    job.dispose()
    await over
    await vi.waitFor(() => expect(events.isCancelled).toBe(true))
    expect(seen).toHaveLength(told)
    expect(service.calls(CANCEL)).toHaveLength(0)
  })

  it('for another recording leaves the first one alone', async () => {
    service.on(CREATE, 'never', ACCEPTED).on(EVENTS, streaming(end())).on(READ, detail())
    const job = jobWith()
    const first = job.start(recording('first.wav'))
    await vi.waitFor(() => expect(service.calls(CREATE)).toHaveLength(1))
    const second = await job.start(recording('second.wav'))
    await first
    expect(second).toMatchObject({ status: 'completed', fileName: 'second.wav' })
    expect(service.openUploads).toBe(0)
    job.reset()
    expect(job.state).toMatchObject({ status: 'idle', text: '', id: null })
  })
})

describe('tokens', () => {
  it('are asked anew once when the service does not accept one', async () => {
    const asked: boolean[] = []
    const getToken = ({ refresh }: { refresh: boolean }) => {
      asked.push(refresh)
      return refresh ? 'asrb_new' : 'asrb_old'
    }
    service
      .on(CREATE, refusal(401, 'invalid_token'), ACCEPTED)
      .on(EVENTS, streaming(end()))
      .on(READ, refusal(401, 'invalid_token'), detail())
    expect((await jobWith({ getToken }).start(recording())).status).toBe('completed')
    expect(service.calls(CREATE).map((one) => one.headers.get('Authorization'))).toEqual([
      'Bearer asrb_old',
      'Bearer asrb_new',
    ])
    expect(asked).toEqual([false, true, false, false, true])
  })

  it('that have ended are told by the size of the recording, and asked anew as well', async () => {
    service
      .on(CREATE, refusal(413, 'body_too_large_without_token'), ACCEPTED)
      .on(EVENTS, streaming(end()))
      .on(READ, detail())
    const getToken = ({ refresh }: { refresh: boolean }) => (refresh ? 'asrb_new' : 'asrb_old')
    expect((await jobWith({ getToken }).start(recording())).status).toBe('completed')
    service.on(CREATE, refusal(413, 'body_too_large_without_token'))
    const refused = await jobWith({ getToken }).start(recording())
    expect(refused.error?.kind).toBe('service')
  })

  it('that are refused twice are an error of the service', async () => {
    service.on(CREATE, refusal(401, 'invalid_token'))
    const over = await jobWith({ getToken: () => 'asrb_x' }).start(recording())
    expect(over.error).toMatchObject({
      kind: 'service',
      code: 'invalid_token',
      message: MESSAGES.en.tokenRefused,
      requestId: 'req-1234',
    })
    expect(service.calls(CREATE)).toHaveLength(2)
  })

  it('that the page does not get are an error in words', async () => {
    const getToken = () => Promise.reject(new Error('403'))
    const over = await jobWith({ getToken }).start(recording())
    expect(over.error).toMatchObject({ kind: 'service', code: 'token_failed' })
  })

  it('are kept for as long as they hold, and asked for once at a time', async () => {
    let made = 0
    const provider = cachedToken(async () => {
      made += 1
      return { token: `asrb_${made}`, expires_in_seconds: made === 1 ? 900 : 10 }
    })
    const tokens = await Promise.all([provider({ refresh: false }), provider({ refresh: false })])
    expect(tokens).toEqual(['asrb_1', 'asrb_1'])
    expect(await provider({ refresh: false })).toBe('asrb_1')
    expect(await provider({ refresh: true })).toBe('asrb_2')
    // It ends within the margin, so it is not used again.
    expect(await provider({ refresh: false })).toBe('asrb_3')
  })

  it('are made by the server of the page with its API token', async () => {
    const body = { token: 'asrb_1', subject: 'u7', expires_in_seconds: 900, expires_at: '' }
    service.on('POST /api/v1/browser-token/', { status: 201, body }, refusal(401, 'invalid_token'))
    const asked = { baseUrl: 'https://asr.test', apiToken: 'asr_secret', subject: 'u7' }
    expect(await requestBrowserToken(asked)).toEqual(body)
    expect(service.received[0]?.headers.get('Authorization')).toBe('Bearer asr_secret')
    await expect(requestBrowserToken(asked)).rejects.toMatchObject({ code: 'invalid_token' })
  })
})

describe('a download', () => {
  it('has the name that the service gives it', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, streaming(end()))
      .on(READ, detail())
      .on(
        `GET /api/v1/transcriptions/${ID}/download/?format=srt`,
        {
          status: 200,
          body: '1\n00:00:00,000 --> 00:00:01,000\nHello',
          headers: { 'Content-Disposition': "attachment; filename*=utf-8''%E4%BC%9A%E8%AE%AE.srt" },
        },
        refusal(404, 'not_found'),
      )
    const job = jobWith()
    await job.start(recording())
    const { blob, fileName } = await job.download('srt')
    expect(fileName).toBe('会议.srt')
    expect(await blob.text()).toContain('Hello')
    await expect(job.download('srt')).rejects.toMatchObject({ kind: 'service', code: 'not_found' })
  })
})
