import type { VueWrapper } from '@vue/test-utils'
import { flushPromises, mount } from '@vue/test-utils'
import axe from 'axe-core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { h, nextTick } from 'vue'
import { ASRUploader, MESSAGES } from '../src'
import { loudness } from '../src/useRecorder'
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
  segment,
} from './service'

let service: FakeService
let wrapper: VueWrapper

beforeEach(() => {
  service = new FakeService()
  service.install()
})
afterEach(() => {
  wrapper.unmount()
  vi.unstubAllGlobals()
})

function show(props: Record<string, unknown> = {}, slots: Record<string, unknown> = {}) {
  wrapper = mount(ASRUploader, {
    props: { baseUrl: 'https://asr.test', ...props },
    slots: slots as never,
    attachTo: document.body,
  })
  return wrapper
}

const part = (name: string) => wrapper.find(`[data-asr="${name}"]`)
const status = () => part('status').attributes('data-status')

async function choose(file: File): Promise<void> {
  const input = wrapper.find<HTMLInputElement>('input[type=file]')
  Object.defineProperty(input.element, 'files', { value: [file], configurable: true })
  await input.trigger('change')
}

async function until(wanted: string): Promise<void> {
  await vi.waitFor(() => expect(status()).toBe(wanted))
  await nextTick()
}

function succeeds(): void {
  service
    .on(CREATE, ACCEPTED)
    .on(EVENTS, () => ({ status: 200, stream: new EventStream(end()) }))
    .on(READ, detail())
}

describe('the uploader', () => {
  it('shows the text as it grows, and tells its page of each step', async () => {
    const events = new EventStream(progress('processing', 0.42), segment(0, 'Hello there.'))
    service.on(CREATE, ACCEPTED).on(EVENTS, { status: 200, stream: events }).on(READ, detail())
    const models: string[] = []
    show({ language: 'en', options: { prompt: 'Qwen' }, 'onUpdate:modelValue': (text: string) => models.push(text) })
    await choose(recording())
    await until('processing')

    expect(part('status').text()).toBe('Transcribing, 42%')
    expect(wrapper.find('progress').attributes('value')).toBe('42')
    const text = part('text').element as HTMLTextAreaElement
    expect([text.value, text.readOnly]).toEqual(['Hello there.', true])
    events.write(end())
    await until('completed')

    expect([text.value, text.readOnly]).toEqual(['Hello there. How are you?', false])
    expect(models).toEqual(['Hello there.', 'Hello there. How are you?'])
    expect(wrapper.emitted('start')?.[0]).toHaveLength(1)
    expect(wrapper.emitted('accepted')).toEqual([[ID]])
    expect(wrapper.emitted('completed')?.[0]?.[0]).toMatchObject({ language: 'en' })
    const form = service.calls(CREATE)[0]?.form
    expect([form?.get('language'), form?.get('prompt')]).toEqual(['en', 'Qwen'])
  })

  it('keeps what a person corrects in the text', async () => {
    succeeds()
    show()
    await choose(recording())
    await until('completed')
    await part('text').setValue('Hello here.')
    expect(wrapper.emitted('update:modelValue')?.at(-1)).toEqual(['Hello here.'])
    const writeText = vi.fn(() => Promise.resolve())
    vi.stubGlobal('navigator', { clipboard: { writeText } })
    await part('copy').trigger('click')
    await flushPromises()
    expect(writeText).toHaveBeenCalledWith('Hello here.')
    expect(wrapper.text()).toContain('Copied')
    vi.stubGlobal('navigator', {})
    await part('copy').trigger('click')
    await flushPromises()
    expect(wrapper.text()).toContain(MESSAGES.en.copyFailed)
  })

  it('takes a file that is dropped', async () => {
    succeeds()
    show()
    await wrapper.find('.asr-drop').trigger('dragover')
    expect(wrapper.find('.asr-over').exists()).toBe(true)
    await wrapper.find('.asr-drop').trigger('drop', { dataTransfer: { files: [recording()] } })
    await until('completed')
    await part('again').trigger('click')
    expect(status()).toBe('idle')
    expect(wrapper.emitted('update:modelValue')?.at(-1)).toEqual([''])
  })

  it('tells a network that fails from a service that refuses and from a wrong file', async () => {
    show({ locale: 'zh' })
    service.on(CREATE, refusal(403, 'permission_denied'))
    await choose(recording())
    await until('failed')
    expect(part('error').attributes()).toMatchObject({
      role: 'alert',
      'data-kind': 'service',
      'data-code': 'permission_denied',
    })
    expect(part('error').text()).toBe(
      '服务错误： Words of permission_denied.请求编号：req-1234',
    )
    expect(part('retry').exists()).toBe(true)

    await choose(recording('letter.pdf', 'application/pdf'))
    await until('failed')
    expect(part('error').attributes('data-kind')).toBe('format')
    expect(part('error').text()).toContain('“letter.pdf”不是录音文件')
    // The same file would be refused again.
    expect(part('retry').exists()).toBe(false)

    // Not the clock: Vue leaves out events that are older than their listener.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    service.on(CREATE, 'lost')
    await choose(recording())
    await vi.runAllTimersAsync()
    vi.useRealTimers()
    await nextTick()
    expect(part('error').attributes('data-kind')).toBe('network')
    expect(part('error').text()).toContain('无法连接到服务')
    expect(wrapper.emitted('failed')).toHaveLength(3)

    succeeds()
    await part('retry').trigger('click')
    await until('completed')
    expect(part('error').exists()).toBe(false)
  })

  it('cancels, and says when the service goes on', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, { status: 200, stream: new EventStream(progress('processing', 0.1)) })
      .on(CANCEL, refusal(403, 'browser_token_limited'))
    show()
    await choose(recording())
    await until('processing')
    await part('cancel').trigger('click')
    await until('cancelled')
    expect(part('status').text()).toContain(MESSAGES.en.serviceGoesOn)
    expect(wrapper.emitted('cancelled')).toHaveLength(1)
  })

  it('keeps the focus of whoever works by keyboard when the button goes away', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, { status: 200, stream: new EventStream(progress('processing', 0.1)) })
    show()
    ;(part('choose').element as HTMLElement).focus()
    await choose(recording())
    await until('processing')
    expect(document.activeElement).toBe(wrapper.element)
    ;(document.activeElement as HTMLElement).blur()
    wrapper.unmount()

    // Who works elsewhere on the page stays there.
    succeeds()
    show()
    await choose(recording())
    await until('completed')
    expect(document.activeElement).toBe(document.body)
  })

  it('says so when nothing was said', async () => {
    service
      .on(CREATE, ACCEPTED)
      .on(EVENTS, { status: 200, stream: new EventStream(end()) })
      .on(READ, detail({ text: '', language: null, warnings: ['no_speech'] }))
    show()
    await choose(recording())
    await until('completed')
    expect(part('status').text()).toBe('No speech was heard.')
  })

  it('downloads, and tells why it cannot', async () => {
    succeeds()
    service.on(
      `GET /api/v1/transcriptions/${ID}/download/?format=srt`,
      { status: 200, body: 'text', headers: { 'Content-Disposition': 'attachment; filename="a.srt"' } },
      refusal(404, 'not_found'),
    )
    const clicked: string[] = []
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function click(
      this: HTMLAnchorElement,
    ) {
      clicked.push(this.download)
    })
    show({ downloads: ['srt'] })
    await choose(recording())
    await until('completed')
    await part('download-srt').trigger('click')
    await vi.waitFor(() => expect(clicked).toEqual(['a.srt']))
    await part('download-srt').trigger('click')
    await vi.waitFor(() => expect(wrapper.text()).toContain('Words of not_found.'))
  })

  it('leaves what runs when its page is left', async () => {
    const events = new EventStream(progress('processing', 0.1))
    service.on(CREATE, ACCEPTED).on(EVENTS, { status: 200, stream: events })
    show()
    await choose(recording())
    await until('processing')
    wrapper.unmount()
    await vi.waitFor(() => expect(events.isCancelled).toBe(true))
  })

  it('lets its page change words and parts', async () => {
    service.on(CREATE, refusal(403, 'permission_denied'))
    show(
      { messages: { choose: 'Pick one' }, recordable: false },
      {
        hint: () => h('p', 'Up to an hour'),
        error: ({ error }: { error: Error }) => h('em', error.message),
      },
    )
    expect(part('choose').text()).toBe('Pick one')
    expect(part('record').exists()).toBe(false)
    expect(wrapper.text()).toContain('Up to an hour')
    await choose(recording())
    await until('failed')
    expect(wrapper.find('em').text()).toBe('Words of permission_denied.')
  })

  it('has nothing that axe finds wrong, from beginning to end', async () => {
    succeeds()
    show()
    expect(await violations()).toEqual([])
    await choose(recording())
    await until('completed')
    expect(await violations()).toEqual([])
  })
})

describe('the microphone', () => {
  class Track {
    isStopped = false
    stop(): void {
      this.isStopped = true
    }
  }
  class Recorder {
    static isTypeSupported = (type: string) => type === 'audio/mp4'
    state = 'inactive'
    ondataavailable: ((event: { data: Blob }) => void) | null = null
    onstop: (() => void) | null = null
    readonly mimeType: string
    constructor(_stream: unknown, options: { mimeType: string }) {
      this.mimeType = options.mimeType
    }
    start(): void {
      this.state = 'recording'
    }
    stop(): void {
      this.state = 'inactive'
      this.ondataavailable?.({ data: new Blob(['sound']) })
      this.onstop?.()
    }
  }
  class Context {
    createAnalyser() {
      return { fftSize: 4, getFloatTimeDomainData: (samples: Float32Array) => samples.fill(0.5) }
    }
    createMediaStreamSource() {
      return { connect: () => undefined }
    }
    close = () => Promise.resolve()
  }
  let track: Track

  function withMicrophone(getUserMedia: () => Promise<unknown>): void {
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } })
    vi.stubGlobal('MediaRecorder', Recorder)
    vi.stubGlobal('AudioContext', Context)
  }

  beforeEach(() => {
    track = new Track()
  })

  it('is recorded with its level, let go, and sent', async () => {
    withMicrophone(() => Promise.resolve({ getTracks: () => [track] }))
    succeeds()
    show()
    await part('record').trigger('click')
    await flushPromises()
    await vi.waitFor(() => expect(Number(part('level').attributes('value'))).toBeCloseTo(0.9, 1))
    expect(wrapper.text()).toContain('Recording, 0:00')
    await part('stop').trigger('click')
    await until('completed')
    const sent = service.calls(CREATE)[0]?.form?.get('file') as File
    expect(sent.name).toMatch(/^recording-[\d-]+\.m4a$/)
    expect(sent.type).toBe('audio/mp4')
    expect(track.isStopped).toBe(true)
  })

  it('is let go when the page is left in the midst of it, and nothing is sent', async () => {
    withMicrophone(() => Promise.resolve({ getTracks: () => [track] }))
    show()
    await part('record').trigger('click')
    await flushPromises()
    wrapper.unmount()
    expect(track.isStopped).toBe(true)
    expect(service.received).toEqual([])
  })

  it('is let go when it is allowed only after the page was left', async () => {
    let allow: (stream: unknown) => void = () => undefined
    withMicrophone(() => new Promise((resolve) => (allow = resolve)))
    show()
    await part('record').trigger('click')
    wrapper.unmount()
    allow({ getTracks: () => [track] })
    await flushPromises()
    expect(track.isStopped).toBe(true)
  })

  it.each([
    ['NotAllowedError', MESSAGES.en.microphoneRefused],
    ['NotFoundError', MESSAGES.en.noMicrophone],
    ['NotReadableError', 'The microphone could not be used: it is busy'],
  ])('that is not to be had is told in words: %s', async (name, words) => {
    withMicrophone(() => Promise.reject(new DOMException('it is busy', name)))
    show()
    await part('record').trigger('click')
    await flushPromises()
    expect(part('recorder-problem').text()).toBe(words)
  })

  it('that a page without HTTPS does not get is told in words', async () => {
    vi.stubGlobal('navigator', {})
    vi.stubGlobal('isSecureContext', false)
    show()
    await part('record').trigger('click')
    expect(part('recorder-problem').text()).toBe(MESSAGES.en.microphoneInsecure)
  })

  it('is as loud as it sounds: 0 at silence, 1 at the loudest', () => {
    expect(loudness(new Float32Array([0, 0]))).toBe(0)
    expect(loudness(new Float32Array([1, -1]))).toBeCloseTo(1)
    expect(loudness(new Float32Array([0.001, -0.001]))).toBeCloseTo(0)
  })
})

describe('the words', () => {
  it('fill in the same places in every language', () => {
    const places = (message: string) => (message.match(/\{\w+\}/g) ?? []).sort()
    for (const key of Object.keys(MESSAGES.en) as (keyof typeof MESSAGES.en)[]) {
      expect(places(MESSAGES.zh[key]), key).toEqual(places(MESSAGES.en[key]))
    }
  })
})

async function violations(): Promise<string[]> {
  // Contrast needs a real browser; the service's own tests look at it there.
  const found = await axe.run(wrapper.element as Element, {
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  })
  return found.violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)
}
